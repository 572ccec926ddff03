"""One simulated provider account: its credentials, their history, active calls and registrations.

Kept in memory and thread-safe. It knows nothing of HTTP, of SIP messages, or of any one provider's terms.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Literal, TypeAlias

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.validity import PasswordPeriods

ExtraValue = str | int | float | bool | None
"""A provider's additional value of a credential: an alias, a connection's id."""


ListingOrder: TypeAlias = Literal["oldest", "newest", "changed"]
"""Which credential is listed first; "changed": the one that was changed last."""


class NotFound(Exception):
    """No credential or call has this id."""


class UsernameTaken(Exception):
    """Another credential of this account has the username."""


class CredentialInUse(Exception):
    """Active calls use the credential."""


class CredentialEvent(Enum):
    """An event in the life of a credential."""

    CREATED = "created"
    SET = "set"  # its password was changed
    ENABLED = "enabled"
    DISABLED = "disabled"
    LIMITED = "limited"  # its expiry was set or removed
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event in an account's history."""

    at: datetime
    event: CredentialEvent
    kind: str
    id: str
    username: str
    name: str  # the client's name for it, if the provider generates usernames; else empty


@dataclass(frozen=True, slots=True)
class SimulatedCredential:
    """A credential as the provider stores it."""

    id: str
    kind: str  # the provider's own term: `credential`, `endpoint`
    username: str
    password: Secret
    enabled: bool
    created: datetime
    updated: datetime
    ends: datetime | None = None  # when it expires by itself
    extra: Mapping[str, ExtraValue] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Propagation:
    """The delay, in seconds, with which the SIP side follows the API.

    If `new` is larger than `old`, neither password is accepted for a moment.
    """

    old: float = 0.0  # a password that was changed, disabled or deleted is still accepted for this long
    new: float = 0.0  # a password that was set, enabled or created is refused for this long


@dataclass(frozen=True, slots=True)
class LoginState:
    """The passwords that the SIP side accepts for a username at one moment."""

    passwords: tuple[Secret, ...] = ()  # each of them is accepted
    disabled: bool = False  # the username exists, and is disabled


@dataclass(frozen=True, slots=True)
class Binding:
    """A registered contact."""

    contact: str
    until: float  # on the monotonic clock
    agent: str


class SimulatedAccount:
    """One provider account. Usernames are unique among the credentials of one kind."""

    def __init__(self, name: str, token: Secret, clock: Clock) -> None:
        """Creates an account without credentials; `name` is the provider's, such as `MA_DEMO`."""
        self.name = name
        self.token = token
        self._clock = clock
        self._lock = threading.RLock()
        self._credentials: dict[str, SimulatedCredential] = {}
        self._periods = PasswordPeriods(clock)
        self._history: list[HistoryEntry] = []
        self._calls: dict[str, str] = {}
        self._unrelated: set[str] = set()
        self._bindings: dict[str, dict[str, Binding]] = {}
        self.lets_in: Callable[[SimulatedCredential, Propagation], bool] = lambda _, __: True
        """Whether the SIP side lets an enabled credential in; a provider may ask for more than that."""
        self.folds_case = False
        """True: usernames are kept in lower case, and asked for in any. No page of a provider says so."""

    def create(
        self,
        kind: str,
        username: str,
        password: Secret,
        extra: Mapping[str, ExtraValue] | None = None,
        *,
        identity: str | None = None,
    ) -> SimulatedCredential:
        """Adds an enabled credential, under a random id unless `identity` gives one. Raises UsernameTaken."""
        username = self.folded(username)
        with self._lock:
            if any(other.username == username for other in self.credentials(kind)):
                raise UsernameTaken(username)
            now = self._clock.now()
            credential = SimulatedCredential(
                identity or str(uuid.uuid4()),
                kind,
                username,
                password,
                enabled=True,
                created=now,
                updated=now,
                extra=MappingProxyType(dict(extra or {})),
            )
            self._credentials[credential.id] = credential
            self._periods.open(credential.id, username, password, None)
            self._record(CredentialEvent.CREATED, credential)
            return credential

    def get(self, kind: str, identity: str) -> SimulatedCredential:
        """Returns the credential with this id. Raises NotFound."""
        with self._lock:
            credential = self._credentials.get(identity)
            if credential is None or credential.kind != kind:
                raise NotFound(identity)
            return credential

    def credentials(self, kind: str | None = None) -> tuple[SimulatedCredential, ...]:
        """Returns the credentials of one kind, or all of them, oldest first."""
        with self._lock:
            return tuple(one for one in self._credentials.values() if kind in (None, one.kind))

    def listed(self, kind: str, order: ListingOrder) -> tuple[SimulatedCredential, ...]:
        """Returns the credentials of one kind in the order of a listing."""
        oldest_first = self.credentials(kind)
        if order == "changed":
            return tuple(sorted(oldest_first, key=lambda one: one.updated, reverse=True))
        return oldest_first if order == "oldest" else oldest_first[::-1]

    def by_username(self, username: str) -> SimulatedCredential:
        """Returns the credential with this username, of any kind. Raises NotFound."""
        username = self.folded(username)
        for credential in self.credentials():
            if credential.username == username:
                return credential
        raise NotFound(username)

    def folded(self, username: str) -> str:
        """Returns a username as this account keeps it."""
        return username.lower() if self.folds_case else username

    def update(
        self,
        kind: str,
        identity: str,
        *,
        password: Secret | None = None,
        enabled: bool | None = None,
        extra: Mapping[str, ExtraValue] | None = None,
    ) -> SimulatedCredential:
        """Changes the given fields. Raises NotFound."""
        with self._lock:
            old = self.get(kind, identity)
            new = replace(
                old,
                password=old.password if password is None else password,
                enabled=old.enabled if enabled is None else enabled,
                updated=max(self._clock.now(), old.updated + timedelta(microseconds=1)),  # a change takes time
                extra=MappingProxyType({**old.extra, **(extra or {})}),
            )
            self._credentials[identity] = new
            # Setting the same password again changes nothing on the SIP side.
            if (old.enabled, old.password) != (new.enabled, new.password):
                self._periods.close(old.id, old.username)
                if new.enabled:
                    self._periods.open(new.id, new.username, new.password, new.ends)
            if password is not None:
                self._record(CredentialEvent.SET, new)
            if old.enabled != new.enabled:
                self._record(CredentialEvent.ENABLED if new.enabled else CredentialEvent.DISABLED, new)
            return new

    def end_at(self, kind: str, identity: str, at: datetime | None) -> SimulatedCredential:
        """Sets when a credential expires; None removes an end that has not come yet. Raises NotFound."""
        with self._lock:
            credential = replace(self.get(kind, identity), ends=at, updated=self._clock.now())
            self._credentials[identity] = credential
            self._periods.limit(credential.id, credential.username, at)
            self._record(CredentialEvent.LIMITED, credential)
            return credential

    def change_listing(self) -> None:
        """Adds an unrelated credential of each kind at the top of the listings; the next call removes them again.

        They authenticate nobody and leave no history. They only shift the pages that a client is reading.
        """
        with self._lock:
            if self._unrelated:
                self._credentials = {key: one for key, one in self._credentials.items() if key not in self._unrelated}
                self._unrelated = set()
                return
            by_kind = {credential.kind: credential for credential in reversed(self._credentials.values())}
            added = {one.id: one for one in map(_unrelated, by_kind.values())}
            self._unrelated = set(added)
            self._credentials = added | self._credentials

    def delete(self, kind: str, identity: str, *, disconnect: bool = False) -> None:
        """Removes a credential and its registrations; `disconnect` ends its calls. Raises NotFound, CredentialInUse."""
        with self._lock:
            credential = self.get(kind, identity)
            if not disconnect and identity in self._calls.values():
                raise CredentialInUse(identity)
            self._calls = {call: user for call, user in self._calls.items() if user != identity}
            del self._credentials[identity]
            self._periods.close(identity, credential.username)
            self._bindings.pop(credential.username, None)
            self._record(CredentialEvent.DELETED, credential)

    def history(self) -> tuple[HistoryEntry, ...]:
        """Returns every event so far, in order."""
        with self._lock:
            return tuple(self._history)

    def start_call(self, identity: str) -> str:
        """Starts a call that uses a credential until it ends, and returns the call's id. Raises NotFound."""
        with self._lock:
            if identity not in self._credentials:
                raise NotFound(identity)
            call = str(uuid.uuid4())
            self._calls[call] = identity
            return call

    def end_call(self, call: str) -> None:
        """Ends a call. Raises NotFound."""
        with self._lock:
            if self._calls.pop(call, None) is None:
                raise NotFound(call)

    def calls(self) -> Mapping[str, int]:
        """Returns the number of active calls of each credential id."""
        with self._lock:
            return Counter(self._calls.values())

    def login_state(self, username: str, propagation: Propagation = Propagation()) -> LoginState:
        """Returns the passwords that the SIP side accepts for a username now."""
        username = self.folded(username)
        with self._lock:
            valid = self._periods.valid(username, old=propagation.old, new=propagation.new)
            same_name = [one for one in self._credentials.values() if one.username == username]
            usable = any(one.enabled and not self.has_ended(one) for one in same_name)
            if same_name and not any(self.lets_in(one, propagation) for one in same_name):
                valid = ()
            return LoginState(valid, disabled=bool(same_name) and not usable)

    def has_ended(self, credential: SimulatedCredential) -> bool:
        """Returns True if a credential has expired."""
        return credential.ends is not None and credential.ends <= self._clock.now()

    def accepts(self, username: str, password: Secret) -> bool:
        """Returns True if an enabled credential has this username and password, regardless of propagation."""
        return any(password == valid for valid in self.login_state(username).passwords)

    def bind(self, username: str, contact: str, seconds: float, agent: str) -> None:
        """Registers a contact for `seconds`; 0 removes it."""
        with self._lock:
            bindings = self._bindings.setdefault(self.folded(username), {})
            bindings.pop(contact, None)
            if seconds > 0:
                bindings[contact] = Binding(contact, self._clock.monotonic() + seconds, agent)

    def bindings(self, username: str) -> tuple[Binding, ...]:
        """Returns the contacts registered now."""
        with self._lock:
            now = self._clock.monotonic()
            return tuple(one for one in self._bindings.get(self.folded(username), {}).values() if one.until > now)

    def _record(self, event: CredentialEvent, credential: SimulatedCredential) -> None:
        name = str(credential.extra.get("name") or "")
        entry = HistoryEntry(self._clock.now(), event, credential.kind, credential.id, credential.username, name)
        self._history.append(entry)


def _unrelated(like: SimulatedCredential) -> SimulatedCredential:
    name = f"stranger{uuid.uuid4().hex}"
    extra = {key: name if key == "name" else value for key, value in like.extra.items()}
    return replace(like, id=str(uuid.uuid4()), username=name, extra=MappingProxyType(extra))
