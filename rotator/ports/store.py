"""The port of the documents in Vault, and how a request for one fails."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rotator.core.bell import Bell
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import AccountEvidence
from rotator.core.model import Credential, TargetState
from rotator.core.pace import AccountPace, Moment
from rotator.core.pauses import Pauses
from rotator.core.processes import Processes
from rotator.core.waves import Wave


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

    def list_evidence(self) -> tuple[str, ...]:
        """Lists the accounts of which something is known, configured or not. Raises StoreError."""
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
