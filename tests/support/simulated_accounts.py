"""The real adapters against the simulated providers, in one process: hundreds of whole rotations a second.

HTTP goes through the real `Http` and ends at the simulation's WSGI application instead of at a socket; SIP goes over
UDP to the sandbox's own registrar. `SimulatedHarness` is an `EngineHarness` whose provider is such a simulation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cache, lru_cache, partial
from io import BytesIO
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import httpx
from engine_harness import POLICY, EngineHarness
from few_targets import fleet_documents
from flask import Flask, Response
from flask.globals import _cv_app, _cv_request
from matched_route import MatchedRoute
from provider_fixtures import account_options
from werkzeug.exceptions import HTTPException

from rotator.core.model import Capabilities, Strategy, Target
from rotator.core.secret import Secret
from rotator.engine import Engine, Limits
from rotator.ports import Clock, Provider, Timer
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
TRUNKS = "127.0.0.1"  # the domain of each trunk, where what it names is let in
SILENCE = timedelta(seconds=10)  # that a client waits for an answer that does not come
# SIP follows the API late, and devices are let in with the old password until after the new one is accepted.
LAG = Propagation(old=4.0, new=2.0)


class RequestFault(Enum):
    """What goes wrong with one request."""

    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost"
    SILENCE = "timeout before"
    SILENCE_AFTER = "timeout after"
    UNREACHABLE = "no connection"
    RATE_LIMITED = "429"
    RATE_LIMITED_FOR_HOURS = "429 for hours"
    BUSY_FOR_HOURS = "503 for hours"
    FORBIDDEN = "403"
    ERROR = "5xx before"
    ERROR_AFTER = "5xx after"
    HALF = "half an answer"
    UNAUTHORIZED = "401"
    REFUSED = "422"


CARRIED_OUT = {RequestFault.LOST_ANSWER, RequestFault.SILENCE_AFTER, RequestFault.ERROR_AFTER, RequestFault.HALF}
"""What is done all the same."""


class ApplicationTransport(httpx.BaseTransport):
    """Carries requests to a Flask application, past everything that only a web server needs.

    Flask's own way of entering a request costs more than the simulated provider: it binds the routes to a host twice,
    opens a session and sends signals. Here the routes are bound once, and each request is a context with nothing else.
    """

    def __init__(self, application: Flask) -> None:
        self._application = application
        application.json.sort_keys = False  # type: ignore[attr-defined]  # nobody reads them
        self._match = lru_cache(maxsize=5_000)(partial(application.url_map.bind("").match, return_rule=True))
        self._inside = application.app_context()
        self._context = application.test_request_context()
        self._context._session = application.session_interface.make_null_session(application)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body, url = request.read(), request.url
        path, _, query = url.raw_path.decode("ascii").partition("?")
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "SERVER_NAME": url.host,
            "SERVER_PORT": str(url.port or 80),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": BytesIO(body),
        }
        for name, value in request.headers.raw:
            environ[_environ_key(name)] = value.decode("ascii")
        answer = self._answer(environ)
        return httpx.Response(
            answer.status_code, headers=list(answer.headers), stream=httpx.ByteStream(answer.get_data())
        )

    def _answer(self, environ: dict[str, Any]) -> Response:
        context = copy(self._context)  # requests may be under way on several threads
        context.request = asked = self._application.request_class(environ)
        application, entered = _cv_app.set(self._inside), _cv_request.set(context)
        try:
            asked.url_rule, arguments = self._match(environ["PATH_INFO"], environ["REQUEST_METHOD"])
            asked.view_args = dict(arguments)
            return self._application.make_response(self._application.dispatch_request())
        except HTTPException as error:
            return self._application.make_response(self._application.handle_http_exception(error))
        finally:
            _cv_request.reset(entered)
            _cv_app.reset(application)


@cache
def _environ_key(name: bytes) -> str:
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


class FaultyTransport(httpx.BaseTransport):
    """Carries requests to the application, with a boundary before and after each, and breaks those that it is told."""

    def __init__(self, application: Flask, clock: Callable[[], Any]) -> None:
        self._inner = ApplicationTransport(application)
        self._clock = clock
        self.points = CrashPoints()
        self.faults: list[RequestFault | None] = []  # of the next requests, one each
        self.plan: Callable[[httpx.Request], RequestFault | None] | None = None  # asked where `troubles` holds nothing
        self.requests = 0
        self.api_requests = 0  # without those that try a password at a gateway

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        self.api_requests += not path.startswith("/gateway/")
        fault = self._next_fault(request)
        label = f"{request.method} {path.rpartition('/')[0].rpartition('/')[2]}"
        with self.points.around(label):
            answer = self._inner.handle_request(request) if fault is None or fault in CARRIED_OUT else None
        return self._faulty_answer(fault, answer)

    def _next_fault(self, request: httpx.Request) -> RequestFault | None:
        if self.faults:
            fault = self.faults.pop(0)
            # For its content only a write is refused; a gateway that answers 422 to a GET has let it in.
            return None if fault is RequestFault.REFUSED and request.method == "GET" else fault
        return self.plan(request) if self.plan is not None else None

    def _faulty_answer(self, fault: RequestFault | None, answer: httpx.Response | None) -> httpx.Response:
        if fault is None and answer is not None:
            return answer
        if fault is RequestFault.UNREACHABLE:
            raise httpx.ConnectError("nothing there")
        if fault in (RequestFault.LOST_REQUEST, RequestFault.LOST_ANSWER):
            raise httpx.ReadError("reset")
        if fault in (RequestFault.SILENCE, RequestFault.SILENCE_AFTER):
            self._clock().advance(SILENCE)
            raise httpx.ReadTimeout("silence")
        if fault is RequestFault.HALF and answer is not None:
            whole = b"".join(answer.iter_raw())
            return httpx.Response(answer.status_code, stream=httpx.ByteStream(whole[: len(whole) // 2] + b'{"'))
        status, headers = _STATUS[fault]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"<html>no</html>"))


_STATUS: Mapping[RequestFault | None, tuple[int, dict[str, str]]] = {
    RequestFault.RATE_LIMITED: (429, {"Retry-After": "7"}),
    RequestFault.RATE_LIMITED_FOR_HOURS: (429, {"Retry-After": "14400"}),
    RequestFault.FORBIDDEN: (403, {}),
    RequestFault.BUSY_FOR_HOURS: (503, {"Retry-After": "28800"}),
    RequestFault.ERROR: (503, {}),
    RequestFault.ERROR_AFTER: (500, {}),
    RequestFault.UNAUTHORIZED: (401, {}),
    RequestFault.REFUSED: (422, {}),
}


@dataclass(frozen=True)
class StoredCredential:
    """One credential as it stands at a simulated provider."""

    username: str
    password: Secret
    enabled: bool
    note: str = ""  # what names the attempt that made it, where the provider makes usernames itself


@dataclass
class ProviderAccount:
    """One provider account: what is there, and what a device or client of it is let in with."""

    kind: str  # as `type` in the configuration
    clock: Any
    transport: FaultyTransport
    api: Any
    options: AccountOptions
    account: SimulatedAccount
    names: Callable[[SimulatedCredential], str]  # what our documents call the credential's id
    record_kind: str
    lag: Propagation = field(default_factory=Propagation)
    bystanders: set[str] = field(default_factory=set)
    initial: dict[str, StoredCredential] = field(default_factory=dict)  # what was there before us, by id

    @property
    def points(self) -> CrashPoints:
        return self.transport.points

    @points.setter
    def points(self, points: CrashPoints) -> None:
        self.transport.points = points

    @property
    def capabilities(self) -> Capabilities:
        return self.options.capabilities

    def adapter(self, clock: Clock, randomness: Any) -> Provider:
        """What a new process makes of the account's configuration."""
        connection = replace(self.options.http(self.account.name), rate_limit=None)
        return KINDS[self.kind](self.options, Http(connection, clock, NullMeter(), self.transport), randomness)

    def accepts(self, username: str | None, password: Secret | None) -> bool:
        """True where whoever uses these now is let in."""
        if username is None or password is None:
            return False
        if isinstance(self.api, ApinizerApi):
            return self.api.lets_in("production", username, password, "Orders")
        return any(password == valid for valid in self.account.login_state(username, self.lag).passwords)

    def stored_credentials(self) -> Mapping[str, StoredCredential]:
        """Everything that is there, by the id that our documents use."""
        return {
            self.names(record): StoredCredential(
                record.username,
                record.password,
                record.enabled and not self.account.has_ended(record),
                str(record.extra.get("name") or ""),
            )
            for record in self.account.credentials(self.record_kind)
        }

    @property
    def attached_only(self) -> bool:
        """True where a trunk lets in only the credential that it names."""
        return isinstance(self.api, VobizApi) and self.api.readings.attached_only

    def named_by_trunks(self) -> set[str | None]:
        """The ids that trunks name."""
        return {one.credential for one in self.api.trunks.of(self.account)} if isinstance(self.api, VobizApi) else set()

    def remove_trunks(self) -> None:
        """Nothing names a credential any more."""
        for trunk in self.api.trunks.of(self.account) if isinstance(self.api, VobizApi) else ():
            self.api.trunks.point(trunk.id, None)

    def pass_time(self, now: datetime) -> None:
        """The simulation reads the clock by itself."""

    def add(self, username: str, password: Secret = STANDING) -> None:
        """A credential that was there before."""
        if isinstance(self.api, ApinizerApi):
            self.api.add(self.account.name, username, password, [("Orders", "API_PROXY")])
        else:
            extra = {"connection_id": "17", "name": "", "tag": "", "connection_name": username}
            made = self.account.create(
                self.record_kind, username, password, extra if isinstance(self.api, TelnyxApi) else None
            )
            if isinstance(self.api, VobizApi) and self.record_kind == "credential":
                self.api.trunks.add(self.account, f"for-{username}", made.id)
        self.initial = dict(self.stored_credentials())

    def person_sends(self, method: str, username: str = "", body: Any = None) -> int:
        """Somebody uses Apinizer's own API: its gateway follows only that."""
        path = f"/apiops/projects/{self.account.name}/credentials/" + (f"{username}/" if username else "")
        headers = {"Authorization": f"Bearer {TOKEN.reveal()}"}
        request = httpx.Request(method, f"{BASE}{path}", json=body, headers=headers)
        return self.transport._inner.handle_request(request).status_code

    def person_changes(
        self, identity: str, *, password: Secret | None = None, enabled: bool | None = None, delete: bool = False
    ) -> None:
        """Somebody changes or deletes a credential at the provider's console."""
        kind = self.record_kind
        if not isinstance(self.api, ApinizerApi):
            if delete:
                self.account.delete(kind, identity, disconnect=True)
            else:
                self.account.update(kind, identity, password=password, enabled=enabled)
        elif delete:
            self.person_sends("DELETE", identity)
        else:
            record = self.account.by_username(identity)
            changed = {
                "username": identity,
                "password": (password or record.password).reveal(),
                "enabled": record.enabled if enabled is None else enabled,
            }
            self.person_sends("PUT", body=self.api._details[record.id].fields | changed)

    def start_call_on(self, number: int) -> None:
        """An active call holds one of the credentials; deleting that is answered as its pages say."""
        ids = [record.id for record in self.account.credentials(self.record_kind)]
        self.account.start_call(ids[number % len(ids)])

    def clear_faults(self) -> None:
        """No trouble any more, and no calls."""
        self.transport.faults.clear()
        self.transport.plan = None
        for call in list(self.account._calls):
            with suppress(NotFound):
                self.account.end_call(call)


class _RegistrarRealms:
    """The accounts for which the one registrar of this process answers: those of the harness that was made last."""

    def __init__(self) -> None:
        self.clock: Clock | None = None
        self.realms: dict[str, SimulatedAccount] = {}

    def serve(self, realms: Mapping[str, SimulatedAccount], clock: Any) -> None:
        if clock is not self.clock:
            self.clock, self.realms = clock, {}
        self.realms |= realms

    def forget(self) -> None:
        """Keeps nothing of a harness that is not used any more."""
        self.clock, self.realms = None, {}

    def now(self) -> datetime:
        assert self.clock is not None
        return self.clock.now()

    def monotonic(self) -> float:
        assert self.clock is not None
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the registrar does not wait")


CURRENT_REALMS = _RegistrarRealms()


@cache
def registrar() -> SimulatedRegistrar:
    """A registrar on free ports, for the rest of this process."""
    made = SimulatedRegistrar(
        lambda: CURRENT_REALMS.realms, CURRENT_REALMS, FaultInjector(), options=RegistrarOptions(propagation=LAG)
    )
    made.start()
    return made


def _application(api: Any) -> Flask:
    application = Flask("simulated", static_folder=None)
    application.url_rule_class = MatchedRoute
    application.register_blueprint(api.blueprint())
    return application


def vobiz_without_registrar(kind: str, name: str, clock: Any, **readings: Any) -> ProviderAccount:
    """A Vobiz account whose credentials are proved by a look at the listing."""
    return vobiz(kind, name, clock, registers=False, **readings)


def vobiz_at_trunk(kind: str, name: str, clock: Any, **readings: Any) -> ProviderAccount:
    """A Vobiz account whose passwords are proved at the domain of the trunk that names the credential."""
    where = {
        "prove_at_trunk": readings.pop("prove_at_trunk", "options"),
        "trunk_domains": TRUNKS,
        "trunk_port": registrar().address.port,
        "sip_transport": "udp",
    }
    return _vobiz(kind, name, clock, where, {"trunk_domain": TRUNKS} | readings)


def vobiz(kind: str, name: str, clock: Any, *, registers: bool = True, **readings: Any) -> ProviderAccount:
    """A Vobiz account whose passwords are proved by a SIP REGISTER."""
    where = {"registrar": registrar().address, "sip_transport": "udp"} if registers else {}
    return _vobiz(kind, name, clock, where, readings)


def _vobiz(kind: str, name: str, clock: Any, where: dict[str, Any], readings: dict[str, Any]) -> ProviderAccount:
    account = SimulatedAccount(f"MA_{name}", TOKEN, clock)
    api = VobizApi([account], clock)
    api.read_as(**readings)
    CURRENT_REALMS.serve(api.realms(), clock)
    options = account_options(kind, TOKEN, base_url=BASE, auth_id=account.name, **where)
    lag = LAG if where else Propagation()  # without a log-in nothing is waited for
    record_kind = "endpoint" if kind == "vobiz-endpoint" else "credential"
    transport = FaultyTransport(_application(api), lambda: clock)
    return ProviderAccount(kind, clock, transport, api, options, account, lambda record: record.id, record_kind, lag)


def telnyx_without_registrar(kind: str, name: str, clock: Any, **readings: Any) -> ProviderAccount:
    """A Telnyx account whose passwords are proved by what its API shows."""
    return telnyx(kind, name, clock, registers=False, **readings)


def telnyx(kind: str, name: str, clock: Any, *, registers: bool = True, **readings: Any) -> ProviderAccount:
    """A Telnyx account with a connection, whose passwords are proved by a SIP REGISTER."""
    account, domain = SimulatedAccount(name, TOKEN, clock), f"{name}.sip.telnyx.com"
    api = TelnyxApi([account], clock)
    api.read_as(**readings)
    CURRENT_REALMS.serve({domain: account}, clock)
    connection = account.create(telnyx_connections.KIND, "trunk", STANDING, {"connection_name": "trunk"}, identity="17")
    where = {"registrar": registrar().address, "sip_transport": "udp"} if registers else {"registrar": "off"}
    keys = {"base_url": f"{BASE}/v2", **where, "domain": domain}
    telephony, lag = kind == "telnyx", LAG if registers else Propagation()
    options = account_options(kind, TOKEN, **keys, **({"connection_id": connection.id} if telephony else {}))
    record_kind = telnyx_api.KIND if telephony else telnyx_connections.KIND
    transport = FaultyTransport(_application(api), lambda: clock)
    return ProviderAccount(kind, clock, transport, api, options, account, lambda record: record.id, record_kind, lag)


def apinizer(kind: str, name: str, clock: Any, **readings: Any) -> ProviderAccount:
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
    transport = FaultyTransport(_application(api), lambda: clock)
    return ProviderAccount(kind, clock, transport, api, options, account, lambda record: record.username, "credential")


@dataclass(frozen=True)
class Setup:
    """A provider, a strategy, and what the provider's pages leave open."""

    kind: str
    strategy: Strategy
    make: Callable[..., ProviderAccount]
    adopts: bool = True  # the configured credential is there before us
    readings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        said = "".join(f", {name}={value}" for name, value in self.readings)
        unproved = (vobiz_without_registrar, telnyx_without_registrar)
        said += ", without a registrar" if self.make in unproved else ""
        return f"{self.kind} {self.strategy.value}{said}"

    @property
    def usernames(self) -> tuple[str, ...]:
        return self.target().usernames

    def target(self, account: str = "one", name: str = "office", strategy: Strategy | None = None) -> Target:
        wanted = strategy or self.strategy
        names = (name, f"{name}b") if wanted is Strategy.ALTERNATING else (name,)
        # The second of two is created by the first rotation.
        new = wanted is Strategy.ALTERNATING
        return Target(name, account, wanted, names if self.adopts else (), f"sip/{name}", POLICY, new=new)


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
            ("single_get", True),
            ("delete_status", 200),
            ("list_longest_page", 1),
            ("empty_not_found", True),
            ("attached_only", True),
            ("trunks_status", 403),
            ("trunk_update_shows_credential", False),
        )
    )
    + tuple(
        Setup("vobiz", strategy, vobiz_without_registrar, readings=(("attached_only", True),))
        for strategy in (Strategy.REPLACE, Strategy.ALTERNATING)
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


class SimulatedHarness(EngineHarness):
    """Vault in memory, simulated provider accounts, a clock; processes with the real engine and the real adapters."""

    provider: ProviderAccount

    def __init__(self, setup: Setup, accounts: tuple[str, ...] = ("one",), seed: int = 1) -> None:
        super().__init__(setup.target(), seed=seed)
        self.setup = setup
        self.accounts = {name: setup.make(setup.kind, name, self.clock, **dict(setup.readings)) for name in accounts}
        self.provider = self.accounts[accounts[0]]
        for account in self.accounts.values():
            account.add(BYSTANDER)
            account.bystanders = set(account.stored_credentials())
            if setup.usernames:
                account.add(setup.usernames[0])

    def add_everywhere(self, username: str) -> None:
        """A credential at every account that was there before us, to be adopted."""
        for account in self.accounts.values():
            account.add(username)

    def engine(
        self, clock: Timer | None = None, limits: Limits | None = None, keys: Mapping[str, str] = MappingProxyType({})
    ) -> Engine:
        """A new process; its adapters, connections and pace are new as well.

        `keys` names the accounts that are configured with the key of another one.
        """
        self.processes += 1
        own = clock or self.clock
        configured = [name for name in self.accounts if name not in self.unconfigured]
        return Engine(
            store=self.store,
            providers={name: self.accounts[keys.get(name, name)].adapter(own, self.randomness) for name in configured},
            clock=own,
            randomness=self.randomness,
            audit=self.audit,
            holder=f"process-{self.processes}",
            limits=limits or self.limits,
            observe=lambda target, state: None,
            stopping=lambda: self.stopping,
            documents=fleet_documents(self.store, own),
        )

    def watch_with(self, points: CrashPoints) -> CrashPoints:
        """Every boundary of Vault and of every account is one of `points`."""
        self.store.points = points
        for account in self.accounts.values():
            account.points = points
        return points

    def cut_at(self, number: int, watch: Callable[[str], None] | None = None) -> CrashPoints:
        return self.watch_with(CrashPoints(number, watch))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self.store.failing.clear()
        self.store.losing.clear()
        for account in self.accounts.values():
            account.clear_faults()

    def all_credentials(self) -> Iterator[tuple[ProviderAccount, str, StoredCredential]]:
        """All credentials at all accounts."""
        for account in self.accounts.values():
            for identity, stored in account.stored_credentials().items():
                yield account, identity, stored
