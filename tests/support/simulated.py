"""The real adapters against the simulated providers, in one process: hundreds of whole rotations a second.

HTTP goes through the real `Http` and ends at the simulation's WSGI application instead of at a socket; SIP goes over
UDP to the sandbox's own registrar. `SimulatedWorld` is a `World` whose provider is such a simulation, so that whatever
drives or watches a world drives and watches this one, too.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

import httpx
from flask import Flask
from provider_bench import account_options
from world import POLICY, World

from rotator.core.model import Capabilities, Strategy, Target
from rotator.core.secret import Secret
from rotator.engine import Engine, Limits
from rotator.fields.network import HostPort
from rotator.ports import Clock, Provider
from rotator.providers.http.client import Http
from rotator.providers.options import AccountOptions
from rotator.providers.registry import KINDS
from rotator.testing import CrashPoints, NullMeter
from rotator_simulator.account import NotFound, Propagation, SimulatedAccount, SimulatedCredential
from rotator_simulator.faults import FaultInjector
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.providers.telnyx import api as telnyx_api
from rotator_simulator.providers.telnyx import connections as telnyx_connections
from rotator_simulator.providers.telnyx.api import TelnyxApi
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.registrar import RegistrarOptions, SimulatedRegistrar

BASE = "http://127.0.0.1:1"
TOKEN = Secret("the-proofs-token-tK8s")
STANDING = Secret("Stand1ng$there")
BYSTANDER = "bystander"
SILENCE = timedelta(seconds=10)  # that a client waits for an answer that does not come
# SIP follows the API late, and devices are let in with the old password until after the new one is accepted.
LAG = Propagation(old=4.0, new=2.0)


class Trouble(Enum):
    """What goes wrong with one request."""

    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost"
    SILENCE = "timeout before"
    SILENCE_AFTER = "timeout after"
    UNREACHABLE = "no connection"
    RATE_LIMITED = "429"
    ERROR = "5xx before"
    ERROR_AFTER = "5xx after"
    HALF = "half an answer"
    UNAUTHORIZED = "401"
    REFUSED = "422"


CARRIED_OUT = {Trouble.LOST_ANSWER, Trouble.SILENCE_AFTER, Trouble.ERROR_AFTER, Trouble.HALF}
"""What is done all the same."""


class Wire(httpx.BaseTransport):
    """Carries requests to the application, with a boundary before and after each, and breaks those that it is told."""

    def __init__(self, application: Flask, clock: Callable[[], Any]) -> None:
        self._inner = httpx.WSGITransport(app=application)
        self._clock = clock
        self.points = CrashPoints()
        self.troubles: list[Trouble | None] = []  # of the next requests, one each
        self.plan: Callable[[httpx.Request], Trouble | None] | None = None  # asked where `troubles` holds nothing
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        trouble = self._next(request)
        label = f"{request.method} {request.url.path.rpartition('/')[0].rpartition('/')[2]}"
        with self.points.around(label):
            answer = self._inner.handle_request(request) if trouble is None or trouble in CARRIED_OUT else None
        return self._spoilt(trouble, answer)

    def _next(self, request: httpx.Request) -> Trouble | None:
        if self.troubles:
            trouble = self.troubles.pop(0)
            # For its content only a write is refused; a gateway that answers 422 to a GET has let it in.
            return None if trouble is Trouble.REFUSED and request.method == "GET" else trouble
        return self.plan(request) if self.plan is not None else None

    def _spoilt(self, trouble: Trouble | None, answer: httpx.Response | None) -> httpx.Response:
        if trouble is None and answer is not None:
            return answer
        if trouble is Trouble.UNREACHABLE:
            raise httpx.ConnectError("nothing there")
        if trouble in (Trouble.LOST_REQUEST, Trouble.LOST_ANSWER):
            raise httpx.ReadError("reset")
        if trouble in (Trouble.SILENCE, Trouble.SILENCE_AFTER):
            self._clock().advance(SILENCE)
            raise httpx.ReadTimeout("silence")
        if trouble is Trouble.HALF and answer is not None:
            whole = b"".join(answer.iter_raw())
            return httpx.Response(answer.status_code, stream=httpx.ByteStream(whole[: len(whole) // 2] + b'{"'))
        status, headers = _STATUS[trouble]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"<html>no</html>"))


_STATUS: Mapping[Trouble | None, tuple[int, dict[str, str]]] = {
    Trouble.RATE_LIMITED: (429, {"Retry-After": "7"}),
    Trouble.ERROR: (503, {}),
    Trouble.ERROR_AFTER: (500, {}),
    Trouble.UNAUTHORIZED: (401, {}),
    Trouble.REFUSED: (422, {}),
}


@dataclass(frozen=True)
class Held:
    """One credential as it stands at a simulated provider."""

    username: str
    password: Secret
    enabled: bool
    note: str = ""  # what names the attempt that made it, where the provider makes usernames itself


@dataclass
class Simulated:
    """One provider account: what is there, and what a device or client of it is let in with."""

    kind: str  # as `type` in the configuration
    clock: Any
    wire: Wire
    api: Any
    options: AccountOptions
    account: SimulatedAccount
    names: Callable[[SimulatedCredential], str]  # what our documents call the credential's id
    record_kind: str
    lag: Propagation = field(default_factory=Propagation)
    bystanders: set[str] = field(default_factory=set)
    first: dict[str, Held] = field(default_factory=dict)  # what was there before us, by id

    @property
    def points(self) -> CrashPoints:
        return self.wire.points

    @points.setter
    def points(self, points: CrashPoints) -> None:
        self.wire.points = points

    @property
    def capabilities(self) -> Capabilities:
        return self.options.capabilities

    def adapter(self, clock: Clock, randomness: Any) -> Provider:
        """What a new process makes of the account's configuration."""
        connection = replace(self.options.http(self.account.name), rate_limit=None)
        return KINDS[self.kind](self.options, Http(connection, clock, NullMeter(), self.wire), randomness)

    def accepts(self, username: str | None, password: Secret | None) -> bool:
        """True where whoever uses these now is let in."""
        if username is None or password is None:
            return False
        if isinstance(self.api, ApinizerApi):
            return self.api.lets_in("production", username, password, "Orders")
        return any(password == valid for valid in self.account.login_state(username, self.lag).passwords)

    def held(self) -> Mapping[str, Held]:
        """Everything that is there, by the id that our documents use."""
        return {
            self.names(record): Held(
                record.username,
                record.password,
                record.enabled and not self.account.has_ended(record),
                str(record.extra.get("name") or ""),
            )
            for record in self.account.credentials(self.record_kind)
        }

    def pass_time(self, now: datetime) -> None:
        """The simulation reads the clock by itself."""

    def add(self, username: str, password: Secret = STANDING) -> None:
        """A credential that was there before."""
        if isinstance(self.api, ApinizerApi):
            self.api.add(self.account.name, username, password, [("Orders", "API_PROXY")])
        else:
            extra = {"connection_id": "17", "name": "", "tag": "", "connection_name": username}
            self.account.create(
                self.record_kind, username, password, extra if isinstance(self.api, TelnyxApi) else None
            )
        self.first = dict(self.held())

    def busy(self, number: int) -> None:
        """An active call holds one of the credentials; deleting that is answered as its pages say."""
        ids = [record.id for record in self.account.credentials(self.record_kind)]
        self.account.start_call(ids[number % len(ids)])

    def quiet(self) -> None:
        """No trouble any more, and no calls."""
        self.wire.troubles.clear()
        self.wire.plan = None
        for call in list(self.account._calls):
            with suppress(NotFound):
                self.account.end_call(call)


class _Realms:
    """The one registrar of this process answers for the accounts of the world that was made last."""

    def __init__(self) -> None:
        self.clock: Any = None
        self.realms: dict[str, SimulatedAccount] = {}

    def serve(self, realms: Mapping[str, SimulatedAccount], clock: Any) -> None:
        if clock is not self.clock:
            self.clock, self.realms = clock, {}
        self.realms |= realms

    def now(self) -> datetime:
        return self.clock.now()

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the registrar does not wait")


_current = _Realms()


@cache
def registrar() -> SimulatedRegistrar:
    """A registrar on a free UDP port, for the rest of this process."""
    made = SimulatedRegistrar(
        lambda: _current.realms, _current, FaultInjector(), options=RegistrarOptions(propagation=LAG)
    )
    made._thread.daemon = True
    made.start()
    return made


def _application(api: Any) -> Flask:
    application = Flask("simulated", static_folder=None)
    application.register_blueprint(api.blueprint())
    return application


def vobiz(kind: str, name: str, clock: Any, **readings: Any) -> Simulated:
    """A Vobiz account whose passwords are proved by a SIP REGISTER."""
    account = SimulatedAccount(f"MA_{name}", TOKEN, clock)
    api = VobizApi([account], clock)
    api.read_as(**readings)
    _current.serve(api.realms(), clock)
    options = account_options(kind, TOKEN, base_url=BASE, auth_id=account.name, registrar=registrar().address)
    record_kind = "endpoint" if kind == "vobiz-endpoint" else "credential"
    wire = Wire(_application(api), lambda: clock)
    return Simulated(kind, clock, wire, api, options, account, lambda record: record.id, record_kind, LAG)


def telnyx(kind: str, name: str, clock: Any, **readings: Any) -> Simulated:
    """A Telnyx account with a connection, whose passwords are proved by a SIP REGISTER."""
    account, domain = SimulatedAccount(name, TOKEN, clock), f"{name}.sip.telnyx.com"
    api = TelnyxApi([account], clock)
    api.read_as(**readings)
    _current.serve({domain: account}, clock)
    connection = account.create(telnyx_connections.KIND, "trunk", STANDING, {"connection_name": "trunk"}, identity="17")
    keys = {"base_url": f"{BASE}/v2", "registrar": registrar().address, "domain": domain}
    telephony = kind == "telnyx"
    options = account_options(kind, TOKEN, **keys, **({"connection_id": connection.id} if telephony else {}))
    record_kind = telnyx_api.KIND if telephony else telnyx_connections.KIND
    wire = Wire(_application(api), lambda: clock)
    return Simulated(kind, clock, wire, api, options, account, lambda record: record.id, record_kind, LAG)


def apinizer(kind: str, name: str, clock: Any, **readings: Any) -> Simulated:
    """An Apinizer project whose passwords are proved at the gateway of one environment."""
    account = SimulatedAccount(name, TOKEN, clock)
    api = ApinizerApi([account], clock)
    api.read_as(**readings)
    options = account_options(
        kind,
        TOKEN,
        base_url=BASE,
        project=account.name,
        email="ops@example.com",
        full_name="Operations",
        probe_url=f"{BASE}/gateway/production/Orders",
    )
    wire = Wire(_application(api), lambda: clock)
    return Simulated(kind, clock, wire, api, options, account, lambda record: record.username, "credential")


@dataclass(frozen=True)
class Setup:
    """A provider, a strategy, and what the provider's pages leave open."""

    kind: str
    strategy: Strategy
    make: Callable[..., Simulated]
    adopts: bool = True  # the configured credential is there before us
    readings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        said = "".join(f", {name}={value}" for name, value in self.readings)
        return f"{self.kind} {self.strategy.value}{said}"

    @property
    def usernames(self) -> tuple[str, ...]:
        return self.target().usernames

    def target(self, account: str = "one", name: str = "office", strategy: Strategy | None = None) -> Target:
        wanted = strategy or self.strategy
        names = (name, f"{name}b") if wanted is Strategy.ALTERNATING else (name,)
        return Target(name, account, wanted, names if self.adopts else (), f"sip/{name}", POLICY)


SETUPS = (
    Setup("vobiz", Strategy.REPLACE, vobiz),
    Setup("vobiz", Strategy.ALTERNATING, vobiz),
    Setup("vobiz", Strategy.IN_PLACE, vobiz),
    Setup("vobiz-endpoint", Strategy.IN_PLACE, vobiz),
    Setup("telnyx", Strategy.REPLACE, telnyx, adopts=False),
    Setup("telnyx-connection", Strategy.IN_PLACE, telnyx),
    Setup("apinizer", Strategy.REPLACE, apinizer),
    Setup("apinizer", Strategy.ALTERNATING, apinizer),
    Setup("apinizer", Strategy.IN_PLACE, apinizer),
)
OTHER_READINGS = (
    tuple(
        Setup("vobiz", strategy, vobiz, readings=((name, value),))
        for strategy in (Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE)
        for name, value in (
            ("put_without_password", "refused"),
            ("put_without_password", "ignored"),
            ("put_password_enables", True),
            ("delete_status", 200),
            ("list_longest_page", 1),
            ("empty_not_found", True),
        )
    )
    + tuple(
        Setup("apinizer", strategy, apinizer, readings=((name, value),))
        for strategy in (Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE)
        for name, value in (("envelope", "status"), ("pods", True), ("gateway_delay", 3.0))
    )
    + tuple(
        Setup("telnyx", Strategy.REPLACE, telnyx, adopts=False, readings=((name, value),))
        for name, value in (
            ("expired_as", "text"),
            ("expired_lags", True),
            ("moments", "naive"),
            ("rounds_moments", True),
            ("filters", "contains"),
            ("filters", "ignored"),
            ("filters_refused", True),
            ("longest_page", 1),
            ("meta", False),
            ("null_lifts_end", "refused"),
            ("null_lifts_end", "ignored"),
            ("past_end", "refused"),
            ("past_end", "ignored"),
        )
    )
)


class SimulatedWorld(World):
    """Vault in memory, simulated provider accounts, a clock; processes with the real engine and the real adapters."""

    def __init__(self, setup: Setup, accounts: tuple[str, ...] = ("one",), seed: int = 1) -> None:
        super().__init__(setup.target(), seed=seed)
        self.setup = setup
        self.accounts = {name: setup.make(setup.kind, name, self.clock, **dict(setup.readings)) for name in accounts}
        self.provider = self.accounts[accounts[0]]
        self.limits = replace(self.limits, claim=Limits().claim)
        for simulated in self.accounts.values():
            simulated.add(BYSTANDER)
            simulated.bystanders = set(simulated.held())
            if setup.usernames:
                simulated.add(setup.usernames[0])

    def standing(self, username: str) -> None:
        """A credential at every account that was there before us, to be adopted."""
        for simulated in self.accounts.values():
            simulated.add(username)

    def engine(self, clock: Clock | None = None, limits: Limits | None = None) -> Engine:
        """A new process; its adapters, connections and pace are new as well."""
        self.processes += 1
        own = clock or self.clock
        return Engine(
            store=self.store,
            providers={name: one.adapter(own, self.randomness) for name, one in self.accounts.items()},
            clock=own,
            randomness=self.randomness,
            audit=self.audit,
            holder=f"process-{self.processes}",
            limits=limits or self.limits,
            observe=lambda target, state: None,
            stopping=lambda: self.stopping,
        )

    def watch_with(self, points: CrashPoints) -> CrashPoints:
        """Every boundary of Vault and of every account is one of `points`."""
        self.store.points = points
        for simulated in self.accounts.values():
            simulated.points = points
        return points

    def cut_at(self, number: int, watch: Callable[[str], None] | None = None) -> CrashPoints:
        return self.watch_with(CrashPoints(number, watch))

    def quiet(self) -> None:
        """Nothing goes wrong any more."""
        self.store.failing.clear()
        self.store.losing.clear()
        for simulated in self.accounts.values():
            simulated.quiet()

    def everything(self) -> Iterator[tuple[Simulated, str, Held]]:
        """All credentials at all accounts."""
        for simulated in self.accounts.values():
            for identity, held in simulated.held().items():
                yield simulated, identity, held


__all__ = ["LAG", "OTHER_READINGS", "SETUPS", "Held", "HostPort", "Setup", "Simulated", "SimulatedWorld", "Trouble"]
