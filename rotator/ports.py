"""The ports of the engine: provider, store, clock, randomness, audit and meter.

An adapter implements one of these protocols and imports nothing from the engine; `rotator.testing` has a fake of each.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from rotator.core.answers import Answer
from rotator.core.audit_chain import Line
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.bell import Bell
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import AccountEvidence, Assumption
from rotator.core.exchanges import ProviderExchange
from rotator.core.model import Attachment, Capabilities, Credential, Proof, TargetState
from rotator.core.pace import AccountPace, Moment
from rotator.core.pauses import Pauses
from rotator.core.processes import Processes
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.core.waves import Wave


class Provider(Protocol):
    """One provider account. Calling a method twice with the same arguments has the effect of calling it once.

    No method raises for a failure of the provider or the network: the `Answer` reports it. Each one ends within
    `longest_call`, whatever the provider does.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this kind of credential."""
        ...

    @property
    def identity(self) -> str:
        """The account as the provider knows it, such as its account id: not the configuration's name for it.

        Empty if nothing but the key names it.
        """
        ...

    @property
    def first_forms(self) -> Mapping[str, Assumption]:
        """By verb: what the provider takes if the first form of that verb's request does what it says.

        The pages settle it in none of the two ways, so another form follows where the first one is refused or ignored.
        """
        ...

    @property
    def host(self) -> str:
        """Where devices log in: a SIP host or a gateway's URL. Empty if the account does not tell, or it differs."""
        ...

    @property
    def longest_call(self) -> timedelta:
        """The longest time that a method takes, with retries and waiting for the rate limiter."""
        ...

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Passes every credential of the account to `take`, as it is read; some may be passed more than once.

        Done only if the whole listing was read. Passes a password only where the listing shows it.
        """
        ...

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Looks for `wanted` in the provider's listing, and returns every match, or none.

        Matches by id if `wanted.id` is set, else by username, else (a provider that generates) by the name that
        carries `wanted.attempt`. Returns the empty tuple only if the whole listing was read. The matches contain
        passwords only if the provider shows them.
        """
        ...

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        """Creates the credential, enabled, and returns it with its id. The request is never sent twice automatically.

        `Refused(DUPLICATE)` means that the username is taken.

        Args:
            staged: has the chosen username and password; a provider that generates them gets neither, and the
                credential's name carries `staged.attempt`.
            target: the target's name, for names and descriptions.
            like: the credential that it will replace, whose grants, roles and other settings the new one inherits.
        """
        ...

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:
        """Finishes a create whose answer was lost: brings its credential to the state in which `create` leaves one.

        `created` has the id that `find` returned. The answer contains the password in force.
        """
        ...

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets `credential.password` on the credential with `credential.id`, and leaves it enabled."""
        ...

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables the credential again, with `credential.password` in force and no end set by `expire`."""
        ...

    def attachments(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:
        """Returns what names one of these credentials, such as a trunk. Called only if `capabilities.attaches`.

        None only if everything was read, or with a note if the account does not show it.
        """
        ...

    def attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        """Makes each of `to` name the credential instead. Called only if `capabilities.attaches`.

        `Done` only if all of them show it. `Refused`: none of them was changed.
        """
        ...

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Returns whether devices are logged in with the credential. Called only if `capabilities.shows_usage`."""
        ...

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:
        """Tells the provider to end the credential at `at` by itself. Called only if `capabilities.expires`."""
        ...

    def disable(self, credential: Credential) -> Answer[None]:
        """Stops the credential from authenticating. `Done` only if the answer or a read-back shows that."""
        ...

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes the credential. `Refused(NOT_FOUND)` if a listing confirms that it no longer existed."""
        ...

    def prove(self, credential: Credential) -> Answer[Proof]:
        """Proves that the provider accepts the credential, and returns the evidence; `Retry(NOT_YET)` if not yet."""
        ...

    def can_prove(self, credential: Credential) -> Answer[None]:
        """Finds out, without a log-in, whether a proof would try the password. `Done` also if nobody can tell."""
        ...

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Tries the password where devices log in, and nothing else. Called only if the proof tries the password.

        `Done`: it is let in. `Retry(NOT_YET)`: the username or the password is refused. Anything else shows neither.
        """
        ...


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """Whether devices still use a replaced credential of a target."""

    target: str
    credential: Credential
    published: Credential | None  # what they should use instead


class UsageSource(Protocol):
    """Something that knows who is logged in, other than the provider. It ends within seconds, and never raises."""

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        """Returns whether devices still use the credential; anything but `Done` means that it cannot say."""
        ...


class Hook(Protocol):
    """Something outside that is run before or after a rotation or a retirement.

    It ends within its time limit, and never raises. Told twice by the same key, it should do its work once.
    """

    @property
    def takes_password(self) -> bool:
        """True if it gets the published password: the configuration names that."""
        ...

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:
        """Tells it the facts of a `HookCall`; anything but `Done` is a failure, whose message is safe to print."""
        ...


class StoreError(Exception):
    """A request to the store failed. The message is for an operator and contains no value."""


class Conflict(StoreError):
    """A check-and-set that lost: somebody else wrote first. Read and decide again."""


class StoreUnavailable(StoreError):
    """Vault is sealed, unreachable, without a leader, or too slow. It may work later; a write may have happened."""


class StoreDenied(StoreError):
    """The token may not do this; the message names the path and the capability that is missing."""


class StoreDeleted(StoreError):
    """The latest version of the state document was deleted: nothing may be written over it unless somebody asks."""


class StoreCorrupt(StoreError):
    """A document does not have our format; the message names the path and the field."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A state document and its version. Version 0 with a fresh state: the document does not exist yet."""

    state: TargetState
    version: int
    deleted: bool = False  # it existed, and its latest version was deleted or destroyed; the state is a fresh one
    ends_at: datetime | None = None  # Vault deletes it by itself then (`delete_version_after`)
    remedy: str = ""  # the command in Vault that restores it, or that takes its end away


class PaceBook(Protocol):
    """What all processes know of each account's pace. An account is named by a key that tells nothing about it."""

    def moment(self) -> Moment | None:
        """Returns the store's time, and how wrong it may be; None before its first answer."""
        ...

    def read_pace(self, account: str) -> AccountPace:
        """Reads the pace of an account; a new one if it is missing or not of our form. Raises StoreError."""
        ...

    def write_pace(self, account: str, pace: AccountPace) -> None:
        """Writes the pace of an account over the version before. Raises StoreError, and `Conflict` if it lost."""
        ...


class Store(PaceBook, Protocol):
    """The documents of each target, and those of none. Every write is check-and-set; `Conflict`: it lost."""

    def now(self) -> datetime | None:
        """Returns the store's time, as of its last answer and carried forward; None before the first answer."""
        ...

    def read_state(self, target: str) -> Versioned:
        """Reads the state document. Raises StoreError."""
        ...

    def write_state(self, state: TargetState, version: int) -> int:
        """Writes the state document over `version` and returns the new version. Raises StoreError."""
        ...

    def list_states(self) -> tuple[str, ...]:
        """Lists the targets that have a state document, configured or not. Raises StoreError."""
        ...

    def read_bell(self) -> Bell:
        """Reads the bell; a document that is not of our form has lost every ring. Raises StoreError."""
        ...

    def write_bell(self, bell: Bell) -> None:
        """Writes the bell over the one with the number before. Raises StoreError."""
        ...

    def read_processes(self) -> Processes:
        """Reads who lives; nobody if the document is missing or not of our form. Raises StoreError."""
        ...

    def write_processes(self, processes: Processes) -> None:
        """Writes who lives over the version before. Raises StoreError."""
        ...

    def read_wave(self, account: str) -> Wave:
        """Reads an account's slots; a new one if the document is missing or not of our form. Raises StoreError."""
        ...

    def write_wave(self, account: str, wave: Wave) -> None:
        """Writes an account's slots over the version before. Raises StoreError."""
        ...

    def read_pauses(self) -> Pauses:
        """Reads what is paused; with a problem if the document was deleted or is not of our form. Raises StoreError."""
        ...

    def write_pauses(self, pauses: Pauses) -> None:
        """Writes what is paused over the version before. Raises StoreError."""
        ...

    def read_evidence(self, account: str) -> AccountEvidence:
        """Reads what is known of an account; nothing if the document is missing. Raises StoreError."""
        ...

    def write_evidence(self, account: str, evidence: AccountEvidence) -> None:
        """Writes what is known of an account over the version before. Raises StoreError."""
        ...

    def read_consumer(self, path: str) -> ConsumerDocument:
        """Reads the consumer document. Raises StoreError."""
        ...

    def read_acknowledgement(self, path: str) -> tuple[str, ...]:
        """Reads what devices say that they use: the text under each key of a document of theirs. Empty without one.

        Raises StoreError.
        """
        ...

    def check_publishable(self, path: str) -> None:
        """Raises StoreDenied if the token may not write the consumer document.

        Called before a provider gets a new password: afterwards it would be too late.
        """
        ...

    def write_consumer(self, path: str, credential: Credential, at: datetime | None, over: ConsumerDocument) -> int:
        """Writes the consumer document over the version of `over`, keeping keys that people added.

        `at` is when it was rotated; None: unknown.

        Returns the new version. Raises StoreError.
        """
        ...

    def confirm_consumer(self, path: str, over: ConsumerDocument) -> int:
        """Writes the consumer document again exactly as it stands there, if that is the version of `over`.

        What was read may be what a standby that lags had before: check-and-set knows. Returns the new version. Raises
        StoreError.
        """
        ...

    def withdraw_consumer(self, path: str, at: datetime, moved_to: str, over: ConsumerDocument) -> int:
        """Takes the credential out of the consumer document over the version of `over`, and says so in it.

        Keys that people added stay. `moved_to` is the path that devices read instead, or empty. Returns the new
        version. Raises StoreError.
        """
        ...


class Clock(Protocol):
    """A source of time. Only the composition root creates a real one."""

    def now(self) -> datetime:
        """Returns the wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits; returns early if the process must stop."""
        ...


class Timer(Clock, Protocol):
    """A clock that can do something again and again."""

    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> AbstractContextManager[None]:
        """Calls `action` after each `interval`, beside the body of the `with`, until it returns False.

        A call that has begun has ended when the `with` ends.
        """
        ...


class Randomness(Protocol):
    """A source of passwords, ids and spread. Only the composition root creates a real one."""

    def text(self, characters: str, length: int) -> str:
        """Draws a text of so many of these characters, uniformly among all, cryptographically strong."""
        ...

    def fraction(self) -> float:
        """Draws a number in [0, 1)."""
        ...


class Audit(Protocol):
    """The record of every effect."""

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: str | float | bool | None) -> None:
        """Adds one line. Facts are ids, names and reasons: never a value."""
        ...

    def intend(self, verb: AuditVerb, target: str, **facts: str | float | bool | None) -> None:
        """Is told of an effect before it is sent: puts it on record first where the configuration requires that.

        Raises StoreUnavailable if that is impossible: then the effect may not be sent.
        """
        ...


class AuditStore(Protocol):
    """The audit in the store: documents that outlive every process, and the key that makes a record."""

    def key(self) -> Secret:
        """Returns the key; creates it at the first use. Raises StoreError."""
        ...

    def append(self, lines: Sequence[Line]) -> None:
        """Adds lines of this process's chain, which may be there already. Raises StoreError."""
        ...


class Meter(Protocol):
    """A counter of the calls that leave the process."""

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        """Counts a request to a provider: `verb` such as `create`, `outcome` a status code or `timeout`, `reset` ..."""
        ...

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Counts a request to Vault: `operation` such as `read_state`, `outcome` such as `ok`, `conflict`, `denied`."""
        ...


@dataclass(frozen=True, slots=True)
class CallTerms:
    """On what terms a provider is called: set around an effect, obeyed where its requests are sent."""

    urgent: bool = False  # goes ahead of every queue, and obeys a wait that the provider asks for only for minutes
    may_send: Callable[[], bool] = lambda: True  # False: it waited so long that another process may do the work now


CALL_TERMS: ContextVar[CallTerms] = ContextVar("call_terms", default=CallTerms())  # noqa: B039  # it is frozen
"""The terms of the calls that this thread makes."""

WITNESS: ContextVar[Callable[[ProviderExchange], object] | None] = ContextVar("witness", default=None)
"""Is told what every request of this thread and its answer looked like; None: nobody watches."""

Providers = Mapping[str, Provider]
"""The provider accounts by their name in the configuration."""
UsageSources = Mapping[str, UsageSource]
"""What else can be asked who is logged in, by its name in the configuration."""
HooksByName = Mapping[str, Hook]
"""What can be run, by its name in the configuration."""
