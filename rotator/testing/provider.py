"""A provider account in memory, with the capabilities, faults and crash points that a test asks for."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Assumption
from rotator.core.exchanges import ProviderExchange
from rotator.core.model import Attachment, Capabilities, Credential, Proof
from rotator.core.passwords import PasswordRules
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.testing.crash import CrashPoints
from rotator.testing.exchanges import tell

CHOSEN = Capabilities(
    chooses_password=True,
    sets_password=True,
    generates_password=False,
    disables=True,
    re_enables=True,
    deletes=True,
    lists=True,
    creates=True,
    proof=Proof("asking the fake", tries_password=True),
    propagation=timedelta(seconds=30),
    password_limits=PasswordRules(),
    username_pattern=r"[A-Za-z0-9]+",
)
ATTACHING = replace(CHOSEN, attaches=True)
SHOWING = replace(CHOSEN, shows_usage=True)
GENERATED = replace(
    CHOSEN, chooses_password=False, sets_password=False, generates_password=True, re_enables=False, expires=True
)


class FakeFault(Enum):
    """A fault of one call."""

    LOST_BEFORE = "unknown, and not carried out"
    LOST_AFTER = "unknown, and carried out"
    UNREACHABLE = "no connection"
    RATE_LIMITED = "429"
    READING = "the listing is still being read"
    CHANGING = "the listing changes while it is read"
    REFUSED = "the content is refused"
    UNAUTHORIZED = "the API key is refused"


@dataclass(slots=True)
class FakeCredential:
    """One credential at the fake provider."""

    id: str
    username: str
    password: Secret
    name: str  # the attempt that a generating provider was told
    enabled: bool = True
    expired: bool = False
    busy: bool = False  # active calls
    expires_at: datetime | None = None


class FakeProvider:
    """A provider account in memory. One instance outlives the processes of a test, as a provider does."""

    def __init__(self, capabilities: Capabilities = CHOSEN, account: str = "fake") -> None:
        self.capabilities = capabilities
        self.longest_call = timedelta(seconds=20)
        self.identity, self.host = f"identity of {account}", "sip.example.com"
        self.first_forms: dict[str, Assumption] = {}
        self.credentials: dict[str, FakeCredential] = {}
        self.points = CrashPoints()
        self.faults: dict[str, list[FakeFault]] = {}  # by verb, one for each further call
        self.calls: list[str] = []
        self.slow_to_accept = 0  # this many proofs come too early
        self.dead = False  # no connection is made any more
        self.asks: Answer[None] = Done(None)  # whether a proof would try a password
        self.folds_case = False  # it stores usernames in lower case
        self.trunks: dict[str, str | None] = {}  # the id of the credential that each one names
        self.ignores: set[str] = set()  # verbs that it answers as done, and does not carry out
        self.attached_only = False  # no credential is accepted that no trunk names
        self.logged_in: set[str] = set()  # usernames that devices are logged in with
        self.gets_single = False  # a look-up by id is a request of its own
        self.looks_like = ProviderExchange("", "", "/{}", None, 0.25)  # each request, to whoever watches
        self.refuses_form: set[str] = set()  # verbs whose first request is refused for its form; another one follows
        self._account = account
        self._next = 0

    def add(self, username: str, password: str = "unknown") -> FakeCredential:  # noqa: S107
        """Adds an existing credential."""
        self._next += 1
        stored = FakeCredential(f"id-{self._next}", self._folded(username), Secret(password), "")
        self.credentials[stored.id] = stored
        return stored

    def accepts(self, username: str | None, password: Secret | None) -> bool:
        """True if a device could log in with these."""
        return any(
            h.username == username and h.password == password and h.enabled and self._is_let_in(h.id)
            for h in self.credentials.values()
        )

    def _is_let_in(self, identity: str) -> bool:
        return not self.attached_only or identity in self.trunks.values()

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Lists everything."""

        def listed() -> Answer[None]:
            for stored in tuple(self.credentials.values()):
                take(ListedCredential(stored.id, stored.username, stored.enabled, stored.name, stored.name or None))
            return Done(None)

        return self._do("each", listed)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Lists."""
        return self._do("find", lambda: Done(tuple(map(self._as_credential, self._matching(wanted)))), wanted.id)

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates."""
        return self._do("create", lambda: self._create(staged))

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Sets the password, or returns the one that the provider generated."""
        return self._do("complete", lambda: self._set(created))

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:
        """Notes when the credential ends; `pass_time` ends it."""
        return self._do("expire", lambda: self._expire(credential, at))

    def pass_time(self, now: datetime) -> None:
        """Ends every credential whose time has come."""
        for stored in self.credentials.values():
            if stored.expires_at is not None and stored.expires_at <= now:
                stored.enabled, stored.expired = False, True

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password and enables the credential."""
        return self._do("set_password", lambda: self._set(credential))

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables."""
        return self._do("enable", lambda: self._set(credential))

    def disable(self, credential: Credential) -> Answer[None]:
        """Disables."""
        return self._do("disable", lambda: self._disable(credential))

    def delete(self, credential: Credential) -> Answer[None]:
        """Deletes."""
        return self._do("delete", lambda: self._delete(credential))

    def attachments(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:
        """Looks at the trunks."""
        ids = {one.id for one in of}
        return self._do(
            "attachments",
            lambda: Done(
                tuple(
                    Attachment(trunk, f"trunk {trunk}", one, f"{trunk}.sip.example.com")
                    for trunk, one in self.trunks.items()
                    if one and one in ids
                )
            ),
        )

    def attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        """Points trunks to the credential."""
        return self._do("attach", lambda: self._attach(credential, to))

    def prove(self, credential: Credential) -> Answer[Proof]:
        """Returns a proof if the credential is accepted."""
        return self._do("prove", lambda: self._prove(credential))

    def can_prove(self, credential: Credential) -> Answer[None]:  # noqa: ARG002  # the port's signature
        """Returns what `asks` says."""
        return self.asks

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Tries the password."""
        return self._do("log_in", lambda: self._log_in(credential))

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Looks at `logged_in`."""
        return self._do("usage", lambda: Done(self._usage(credential)))

    def _usage(self, credential: Credential) -> Usage:
        there = credential.username in self.logged_in
        return Usage(there, "registered" if there else "not registered")

    def _do(self, verb: str, carry_out: Callable[[], Answer[Any]], by_id: str | None = None) -> Answer[Any]:
        self.calls.append(verb)
        planned = self.faults.get(verb)
        fault = planned.pop(0) if planned else None
        if self.dead:
            fault = FakeFault.UNREACHABLE
        with self.points.around(verb):
            answer = _FAULTS[fault] if fault in _FAULTS else carry_out()
        answer = Unknown("the answer was lost") if fault is FakeFault.LOST_AFTER else answer
        seen = replace(self.looks_like, entries=len(self.credentials) if verb == "each" else None)
        tell("get" if by_id and self.gets_single else verb, answer, seen, refused_first=verb in self.refuses_form)
        return answer

    def _matching(self, wanted: Credential) -> list[FakeCredential]:
        if wanted.id is not None:
            return [stored for stored in self.credentials.values() if stored.id == wanted.id]
        if wanted.username:
            name = self._folded(wanted.username)
            return [stored for stored in self.credentials.values() if stored.username == name]
        return [stored for stored in self.credentials.values() if stored.name and stored.name == wanted.attempt]

    def _folded(self, username: str) -> str:
        return username.lower() if self.folds_case else username

    def _as_credential(self, stored: FakeCredential) -> Credential:
        password = stored.password if self.capabilities.generates_password else None
        return Credential(
            self._account, stored.username, stored.id, password, attempt=stored.name or None, enabled=stored.enabled
        )

    def _create(self, staged: Credential) -> Answer[Credential]:
        name = self._folded(staged.username)
        if any(stored.username == name for stored in self.credentials.values() if name):
            return Refused(Refusal.DUPLICATE, "the username is taken")
        self._next += 1
        username = name or f"generated{self._next}"
        password = staged.password or Secret(f"generated-password-{self._next}")
        stored = FakeCredential(f"id-{self._next}", username, password, staged.attempt or "")
        self.credentials[stored.id] = stored
        return Done(replace(staged, id=stored.id, username=username, password=password))

    def _set(self, credential: Credential) -> Answer[Credential]:
        stored = self.credentials.get(credential.id or "")
        if stored is None:
            return Refused(Refusal.NOT_FOUND, "no such credential")
        if stored.expired:
            return Refused(Refusal.EXPIRED, "it has expired")
        ignored = "set_password" in self.ignores
        if self.capabilities.sets_password and credential.password is not None and not ignored:
            stored.password = credential.password
        stored.enabled, stored.expires_at = True, None
        return Done(replace(credential, password=stored.password))

    def _expire(self, credential: Credential, at: datetime) -> Answer[None]:
        stored = self.credentials.get(credential.id or "")
        if stored is None:
            return Refused(Refusal.NOT_FOUND, "no such credential")
        stored.expires_at = at
        return Done(None)

    def _attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        if credential.id not in self.credentials:
            return Refused(Refusal.INVALID, "no such credential")
        self.trunks |= dict.fromkeys([one.id for one in to], credential.id)
        return Done(None)

    def _disable(self, credential: Credential) -> Answer[None]:
        stored = self.credentials.get(credential.id or "")
        if stored is None:
            return Refused(Refusal.NOT_FOUND, "no such credential")
        if "disable" not in self.ignores:
            stored.enabled, stored.expired = False, not self.capabilities.re_enables
        return Done(None)

    def _delete(self, credential: Credential) -> Answer[None]:
        stored = self.credentials.get(credential.id or "")
        if stored is None:
            return Refused(Refusal.NOT_FOUND, "no such credential")
        if stored.busy:
            return Retry(Wait.IN_USE, "active calls")
        del self.credentials[stored.id]
        if "delete" in self.ignores:
            self.credentials[f"{stored.id}, still accepted"] = stored
        return Done(None)

    def _prove(self, credential: Credential) -> Answer[Proof]:
        if self.slow_to_accept > 0:
            self.slow_to_accept -= 1
            return Retry(Wait.NOT_YET, "not accepted yet")
        if not self.capabilities.proof.tries_password:
            listed = any(one.id == credential.id and one.enabled for one in self.credentials.values())
            return Done(self.capabilities.proof) if listed else Retry(Wait.NOT_YET, "not listed")
        return self._log_in(credential)

    def _log_in(self, credential: Credential) -> Answer[Proof]:
        accepted = self.accepts(credential.username, credential.password)
        return Done(CHOSEN.proof) if accepted else Retry(Wait.NOT_YET, "not accepted")


_FAULTS: dict[FakeFault | None, Answer[Any]] = {
    FakeFault.LOST_BEFORE: Unknown("the answer was lost"),
    FakeFault.UNREACHABLE: Retry(Wait.UNREACHABLE, "no connection"),
    FakeFault.RATE_LIMITED: Retry(Wait.RATE_LIMITED, "too many requests", timedelta(seconds=7)),
    FakeFault.READING: Retry(Wait.READING, "the listing is still being read", timedelta(seconds=5)),
    FakeFault.CHANGING: Retry(Wait.CHANGING, "the listing changes while it is read", timedelta(seconds=5)),
    FakeFault.REFUSED: Refused(Refusal.INVALID, "the content was refused"),
    FakeFault.UNAUTHORIZED: Refused(Refusal.AUTHENTICATION, "the API key was refused"),
}
