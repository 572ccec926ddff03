"""The provider accounts of a simulated fleet: real adapters on simulated providers, troubles that last, and people.

Everything runs on the thread of the simulation: HTTP ends at the simulated API, a log-in at the simulated registrar.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import cast

import httpx
import pytest
from fleet_processes import LateAdapter
from simulated_accounts import (
    BYSTANDER,
    OTHER_READINGS,
    ProviderAccount,
    RequestFault,
    StoredCredential,
    apinizer,
    registrar,
    telnyx,
    vobiz,
)

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator.ports import Clock, Provider
from rotator.providers.sip import register
from rotator.providers.sip.codec import Message
from rotator.providers.sip.dialogue import Asked, Exchanged
from rotator.testing import FakeClock, FakeRandomness
from rotator_simulator.account import CredentialEvent, LoginState, Propagation, SimulatedCredential
from rotator_simulator.providers.apinizer.api import ApinizerApi

ACCOUNTS: dict[str, tuple[str, Callable[..., ProviderAccount], tuple[Strategy, ...]]] = {
    "vobiz-a": ("vobiz", vobiz, tuple(Strategy)),
    "vobiz-b": ("vobiz", vobiz, tuple(Strategy)),
    "phones": ("vobiz-endpoint", vobiz, (Strategy.IN_PLACE,)),
    "telnyx-a": ("telnyx", telnyx, (Strategy.REPLACE,)),
    "telnyx-b": ("telnyx", telnyx, (Strategy.REPLACE,)),
    "trunks": ("telnyx-connection", telnyx, (Strategy.IN_PLACE,)),
    "apinizer-a": ("apinizer", apinizer, tuple(Strategy)),
    "apinizer-b": ("apinizer", apinizer, tuple(Strategy)),
}
"""By name: the type, how it is simulated, and the strategies that it has."""
_TARGETS_OF_EIGHT = 400  # that share one of each of these: reading a listing takes time by what it has
_ROUND = "-of-"  # between the name of an account and the number of its copy, in a large fleet
_SHORT_PAGES = 7  # in place of pages of one, which cost a request for each credential of a fleet
_READINGS = {
    kind: tuple(
        (name, _SHORT_PAGES if name in ("list_longest_page", "longest_page") else value)
        for setup in OTHER_READINGS
        if setup.kind == kind
        for name, value in setup.readings
    )
    for kind in ("vobiz", "telnyx", "apinizer")
}


FOR_GOOD = timedelta(days=36_500)


@dataclass
class Trouble:
    """Something that is wrong with an account for a while."""

    fault: RequestFault
    until: datetime
    share: float = 1.0  # of the requests
    methods: frozenset[str] = frozenset()  # empty: all
    left: int = 1_000_000_000  # requests that it still concerns

    def concerns(self, request: httpx.Request) -> bool:
        return not self.methods or request.method in self.methods


@dataclass(frozen=True)
class CredentialChange:
    """What happened to one credential at a provider."""

    account: str
    identity: str
    event: CredentialEvent
    before: StoredCredential | None
    after: StoredCredential | None
    ends: datetime | None  # told in advance


@dataclass
class FleetAccount:
    """One account of the fleet, and a copy of what it holds, kept up to date by its own history."""

    name: str
    provider: ProviderAccount
    strategies: tuple[Strategy, ...]
    clock: FakeClock
    luck: Random
    observe: Callable[[CredentialChange], None]
    troubles: list[Trouble] = field(default_factory=list)
    stored: dict[str, StoredCredential] = field(default_factory=dict)
    ends: dict[str, datetime] = field(default_factory=dict)
    troubled_until: datetime | None = None
    _stuck_until: datetime | None = None  # until then the registrar learns of no password, but it forgets them
    _stuck_at: dict[str, LoginState] = field(default_factory=dict)  # what it let in then

    def __post_init__(self) -> None:
        self.provider.add(BYSTANDER)
        self.stored = dict(self.provider.stored_credentials())
        self.strangers = set(self.stored)
        self._made = self.provider.adapter(self.clock, FakeRandomness())
        self._recorded = self.provider.account._record
        self.provider.account._record = self._record  # type: ignore[method-assign]
        self._log_in = self.provider.account.login_state
        self.provider.account.login_state = self._login_state  # type: ignore[method-assign]
        self.provider.transport.plan = self._plan

    @property
    def identity(self) -> str:
        """How the provider knows the account; empty if it does not say."""
        return self._made.identity

    def adapter(self, clock: Clock, randomness: FakeRandomness) -> Provider:
        """What a new process makes of the account's configuration."""
        return cast("Provider", LateAdapter(self._made, partial(self.provider.adapter, clock, randomness)))

    def _record(self, event: CredentialEvent, credential: SimulatedCredential) -> None:
        self._recorded(event, credential)
        if credential.kind != self.provider.record_kind:
            return
        identity = self.provider.names(credential)
        before = self.stored.get(identity)
        after = None
        if event is CredentialEvent.DELETED:
            self.stored.pop(identity, None)
            self.ends.pop(identity, None)
        else:
            note = str(credential.extra.get("name") or "")
            after = StoredCredential(credential.username, credential.password, credential.enabled, note)
            self.stored[identity] = after
            if credential.ends is None:
                self.ends.pop(identity, None)
            else:
                self.ends[identity] = credential.ends
        self.observe(CredentialChange(self.name, identity, event, before, after, credential.ends))

    def _plan(self, request: httpx.Request) -> RequestFault | None:
        if not self.troubles:
            return None
        now = self.clock.now()
        self.troubles = [one for one in self.troubles if one.until > now and one.left > 0]
        for trouble in self.troubles:
            if trouble.concerns(request) and self.luck.random() < trouble.share:
                trouble.left -= 1
                return trouble.fault
        return None

    def _login_state(self, username: str, propagation: Propagation = Propagation()) -> LoginState:  # noqa: B008
        if self._stuck_until is None or self._stuck_until <= self.clock.now():
            return self._log_in(username, propagation)
        known, now = self._stuck_at.get(username, LoginState()), self._log_in(username, propagation)
        return LoginState(tuple(one for one in now.passwords if one in known.passwords), now.disabled)

    def stop_registrar_following(self, until: datetime) -> None:
        """Until then the registrar takes no new password, although each request to the API succeeds."""
        names = {stored.username for stored in self.stored.values()}
        self._stuck_at = {name: self._login_state(name) for name in names}
        self._stuck_until = max(until, self._stuck_until or until)

    @property
    def is_troubled(self) -> bool:
        """True while something is wrong with the account."""
        return self.troubled_until is not None and self.troubled_until > self.clock.now()

    @property
    def is_lost(self) -> bool:
        """True if it never comes back."""
        return any(one.until - self.clock.now() > FOR_GOOD / 2 for one in self.troubles)

    def begin(self, trouble: Trouble) -> None:
        """Something goes wrong until `trouble.until`."""
        self.troubles.append(trouble)
        if trouble.until - self.clock.now() < FOR_GOOD / 2:  # that is no excuse: somebody has to act
            self.troubled_until = max(self.troubled_until or trouble.until, trouble.until)

    def accepts(self, username: str | None, password: Secret | None) -> bool:
        """True if whoever logs in with these is let in once every change has propagated."""
        if username is None or password is None:
            return False
        now, username = self.clock.now(), self.folded(username)
        for identity, stored in self.stored.items():
            if stored.username == username and stored.enabled and stored.password == password:
                return identity not in self.ends or self.ends[identity] > now
        return False

    def folded(self, username: str) -> str:
        """Returns a username as the provider keeps it."""
        return self.provider.account.folded(username)

    # -- what people do here

    def person_changes(
        self, identity: str, *, password: Secret | None = None, enabled: bool | None = None, delete: bool = False
    ) -> None:
        """Somebody changes or deletes a credential at the provider's console."""
        self.provider.person_changes(identity, password=password, enabled=enabled, delete=delete)

    def person_grants(self, username: str) -> None:
        """Somebody grants access to the API proxy, where a provider has such a thing."""
        if isinstance(self.provider.api, ApinizerApi):
            body = {"credentialAccessList": [{"name": "Orders", "type": "API_PROXY"}]}
            self.provider.person_sends("PUT", f"{username}/access", body)

    def person_creates(self, username: str, password: Secret) -> None:
        """Somebody creates a credential at the console."""
        self.provider.add(username, password)


def account_names(targets: int) -> list[str]:
    """Returns the names of the accounts of a fleet: one of each, and further ones for each further four hundred."""
    rounds = range(1, -(-targets // _TARGETS_OF_EIGHT))
    return [*ACCOUNTS, *(f"{name}{_ROUND}{number}" for number in rounds for name in ACCOUNTS)]


def account_type(name: str) -> str:
    """Returns the `type` of an account in a configuration."""
    return _made_as(name)[0]


def _made_as(name: str) -> tuple[str, Callable[..., ProviderAccount], tuple[Strategy, ...]]:
    return ACCOUNTS[name.partition(_ROUND)[0]]


def fleet_account(
    name: str, clock: FakeClock, rng: Random, observe: Callable[[CredentialChange], None]
) -> FleetAccount:
    """An account whose provider answers by readings that `rng` chooses."""
    kind, make, strategies = _made_as(name)
    known = _READINGS.get(kind, ())
    readings = dict(rng.sample(known, min(len(known), rng.choice((0, 1, 2)))))
    made = make(kind, name, clock, **readings)
    return FleetAccount(name, made, strategies, clock, Random(f"{rng.random()}"), observe)


class DialogueInProcess:
    """A log-in at the simulated registrar without the messages, of which a year has five thousand.

    The registrar's answer is the same (`test_a_log_in_without_messages_is_answered_as_one_with_them`).
    """

    def __init__(self, link: None, clock: FakeClock, deadline: float, asked: Asked) -> None:
        self._asked = asked

    def negotiate(self, password: Secret | None, *, without_qop: bool) -> Exchanged:
        state = registrar().login_state(self._asked.username, self._asked.uri.removeprefix("sip:"))
        if password is None:
            return Exchanged(_UNAUTHORIZED, challenged=True)
        if any(password == valid for valid in state.passwords):
            return Exchanged(_OK, answered=True)
        if state.disabled and not state.passwords:
            return Exchanged(_FORBIDDEN, answered=True)
        return Exchanged(_UNAUTHORIZED, answered=True, refused=True)


_OK, _UNAUTHORIZED, _FORBIDDEN = (Message(f"SIP/2.0 {status} x", ()) for status in (200, 401, 403))


@contextmanager
def registrar_in_process(lag: Propagation) -> Iterator[None]:
    """The adapters log in at the simulated registrar without a socket, and without messages.

    Args:
        lag: by which the registrar follows the providers' APIs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(register, "connected", lambda *_: nullcontext())
        patch.setattr(register, "Dialogue", DialogueInProcess)
        patch.setattr(registrar(), "options", replace(registrar().options, propagation=lag))
        yield
