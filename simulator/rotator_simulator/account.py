"""What one simulated provider account holds: its credentials, their history, active calls and registrations.

In memory and thread-safe. It knows nothing of HTTP, of SIP messages or of any one provider's words.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.validity import Spans

Extra = str | int | float | bool | None
"""What a provider keeps with a credential beside the common facts: an alias, a description, a connection's id."""


class Missing(Exception):
    """There is no credential with this id, or no call."""


class Taken(Exception):
    """The username is in use in this account."""


class InUse(Exception):
    """Active calls hold the credential."""


class Event(Enum):
    """What can happen to a credential."""

    CREATED = "created"
    SET = "set"  # its password was changed
    ENABLED = "enabled"
    DISABLED = "disabled"
    LIMITED = "limited"  # an end was set for it, or lifted
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the history, for the demo's display and for tests."""

    at: datetime
    event: Event
    kind: str
    id: str
    username: str
    name: str  # what a client named it where the provider makes the username; else empty


@dataclass(frozen=True, slots=True)
class Record:
    """A credential as the provider holds it at one moment."""

    id: str
    kind: str  # the provider's own word: `credential`, `endpoint`
    username: str
    password: Secret
    enabled: bool
    created: datetime
    updated: datetime
    ends: datetime | None = None  # from then on it authenticates nobody, without anybody's doing
    extra: Mapping[str, Extra] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Propagation:
    """How late the SIP side follows the API, in seconds.

    Where `new` is the larger of the two, there is a moment at which neither password is accepted.
    """

    old: float = 0.0  # what was changed, disabled or deleted is still accepted for this long
    new: float = 0.0  # what was set, enabled or created is refused for this long


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the SIP side knows of a username at one moment."""

    passwords: tuple[Secret, ...] = ()  # each of them is accepted
    disabled: bool = False  # there is such a credential, and it is disabled


@dataclass(frozen=True, slots=True)
class Binding:
    """A registered contact."""

    contact: str
    until: float  # on the monotonic clock
    agent: str


class Account:
    """One provider account. Usernames are unique among the credentials of one kind."""

    def __init__(self, name: str, token: Secret, clock: Clock) -> None:
        """Makes an account without credentials; `name` is what the provider calls it, such as `MA_DEMO`."""
        self.name = name
        self.token = token
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._spans = Spans(clock)
        self._history: list[Happening] = []
        self._calls: dict[str, str] = {}
        self._strangers: set[str] = set()
        self._bindings: dict[str, dict[str, Binding]] = {}

    def create(
        self,
        kind: str,
        username: str,
        password: Secret,
        extra: Mapping[str, Extra] | None = None,
        *,
        identity: str | None = None,
    ) -> Record:
        """Adds an enabled credential; its id is made up unless `identity` says it. Raises Taken."""
        with self._lock:
            if any(r.kind == kind and r.username == username for r in self._records.values()):
                raise Taken(username)
            now = self._clock.now()
            facts = MappingProxyType(dict(extra or {}))
            identity = identity or str(uuid.uuid4())
            record = Record(identity, kind, username, password, enabled=True, created=now, updated=now, extra=facts)
            self._records[record.id] = record
            self._open(record)
            self._note(Event.CREATED, record)
            return record

    def get(self, kind: str, identity: str) -> Record:
        """The credential with this id. Raises Missing."""
        with self._lock:
            record = self._records.get(identity)
            if record is None or record.kind != kind:
                raise Missing(identity)
            return record

    def records(self, kind: str | None = None) -> tuple[Record, ...]:
        """The credentials of one kind, or all of them, oldest first."""
        with self._lock:
            return tuple(record for record in self._records.values() if kind in (None, record.kind))

    def named(self, username: str) -> Record:
        """The credential with this username, of whatever kind. Raises Missing."""
        for record in self.records():
            if record.username == username:
                return record
        raise Missing(username)

    def update(
        self,
        kind: str,
        identity: str,
        *,
        password: Secret | None = None,
        enabled: bool | None = None,
        extra: Mapping[str, Extra] | None = None,
    ) -> Record:
        """Changes what is given and leaves the rest. Raises Missing."""
        with self._lock:
            old = self.get(kind, identity)
            new = replace(
                old,
                password=old.password if password is None else password,
                enabled=old.enabled if enabled is None else enabled,
                updated=self._clock.now(),
                extra=MappingProxyType({**old.extra, **(extra or {})}),
            )
            self._records[identity] = new
            self._follow(old, new)
            if password is not None:
                self._note(Event.SET, new)
            if old.enabled != new.enabled:
                self._note(Event.ENABLED if new.enabled else Event.DISABLED, new)
            return new

    def end_at(self, kind: str, identity: str, at: datetime | None) -> Record:
        """Has a credential end by itself at that moment; None lifts an end that has not come. Raises Missing."""
        with self._lock:
            record = replace(self.get(kind, identity), ends=at, updated=self._clock.now())
            self._records[identity] = record
            self._spans.limit(record.id, record.username, at)
            self._note(Event.LIMITED, record)
            return record

    def stir(self) -> None:
        """Something that nobody knows comes to the top of every listing, or goes from it again, by turns.

        It lets nobody in and leaves no history: it only moves what a client is just reading page by page.
        """
        with self._lock:
            if self._strangers:
                self._records = {key: held for key, held in self._records.items() if key not in self._strangers}
                self._strangers = set()
                return
            tops = {record.kind: record for record in reversed(self._records.values())}
            made = {one.id: one for one in map(_stranger, tops.values())}
            self._strangers = set(made)
            self._records = made | self._records

    def delete(self, kind: str, identity: str, *, disconnect: bool = False) -> None:
        """Removes the credential and its registrations. `disconnect` ends its calls. Raises Missing, InUse."""
        with self._lock:
            record = self.get(kind, identity)
            if not disconnect and identity in self._calls.values():
                raise InUse(identity)
            self._calls = {call: held for call, held in self._calls.items() if held != identity}
            del self._records[identity]
            self._close(record)
            self._bindings.pop(record.username, None)
            self._note(Event.DELETED, record)

    def history(self) -> tuple[Happening, ...]:
        """Everything that happened, in order."""
        with self._lock:
            return tuple(self._history)

    def start_call(self, identity: str) -> str:
        """Starts a call that holds the credential until it ends, and returns the call's id. Raises Missing."""
        with self._lock:
            if identity not in self._records:
                raise Missing(identity)
            call = str(uuid.uuid4())
            self._calls[call] = identity
            return call

    def end_call(self, call: str) -> None:
        """Ends a call. Raises Missing."""
        with self._lock:
            if self._calls.pop(call, None) is None:
                raise Missing(call)

    def calls(self) -> Mapping[str, int]:
        """How many active calls each credential id holds."""
        with self._lock:
            return Counter(self._calls.values())

    def judge(self, username: str, propagation: Propagation = Propagation()) -> Verdict:
        """Which passwords the SIP side accepts for a username now."""
        with self._lock:
            valid = self._spans.valid(username, old=propagation.old, new=propagation.new)
            held = [record for record in self._records.values() if record.username == username]
            alive = any(record.enabled and not self.has_ended(record) for record in held)
            return Verdict(valid, disabled=bool(held) and not alive)

    def has_ended(self, record: Record) -> bool:
        """True where its end has come by itself."""
        return record.ends is not None and record.ends <= self._clock.now()

    def accepts(self, username: str, password: Secret) -> bool:
        """True where an enabled credential has this username and password, propagation left aside."""
        return any(password == valid for valid in self.judge(username).passwords)

    def bind(self, username: str, contact: str, seconds: float, agent: str) -> None:
        """Registers a contact for so many seconds; 0 removes it."""
        with self._lock:
            found = self._bindings.setdefault(username, {})
            found.pop(contact, None)
            if seconds > 0:
                found[contact] = Binding(contact, self._clock.monotonic() + seconds, agent)

    def bindings(self, username: str) -> tuple[Binding, ...]:
        """The contacts that are registered now."""
        with self._lock:
            now = self._clock.monotonic()
            return tuple(found for found in self._bindings.get(username, {}).values() if found.until > now)

    def _open(self, record: Record) -> None:
        self._spans.open(record.id, record.username, record.password, record.ends)

    def _close(self, record: Record) -> None:
        self._spans.close(record.id, record.username)

    def _follow(self, old: Record, new: Record) -> None:
        # The same password set again opens nothing: the SIP side sees no change.
        if (old.enabled, old.password) == (new.enabled, new.password):
            return
        self._close(old)
        if new.enabled:
            self._open(new)

    def _note(self, event: Event, record: Record) -> None:
        name = str(record.extra.get("name") or "")
        self._history.append(Happening(self._clock.now(), event, record.kind, record.id, record.username, name))


def _stranger(like: Record) -> Record:
    """A credential of somebody else that is as good as another for a listing."""
    name = f"stranger{uuid.uuid4().hex}"
    facts = {key: name if key == "name" else value for key, value in like.extra.items()}
    return replace(like, id=str(uuid.uuid4()), username=name, extra=MappingProxyType(facts))
