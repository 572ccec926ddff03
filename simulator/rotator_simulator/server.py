"""The whole simulator: the simulated APIs, the registrar, and the control API.

Bound to loopback only, since the control API needs no token. Examples with the address that `rotator sandbox` prints,
here `http://127.0.0.1:8400`, and the account `MA_DEMO`:

    # Show the credentials, their history, the registrations and the planned faults
    curl -s http://127.0.0.1:8400/_sandbox/state

    # Answer the next two updates with 429 and Retry-After: 5
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "rate-limited", "verb": "update", "times": 2, "retry_after": 5}'

    # Lose the response to the next create, although it is carried out; delay a third of all listings from now on
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "lost-answer", "verb": "create"}'
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "latency", "verb": "list", "times": null, "probability": 0.33, "seconds": 2}'

    # Remove all faults
    curl -s -X DELETE http://127.0.0.1:8400/_sandbox/faults

    # Start a call, which makes a deletion of its credential fail with 409; end it
    curl -s http://127.0.0.1:8400/_sandbox/calls -H 'Content-Type: application/json' \
        -d '{"account": "MA_DEMO", "username": "officephone01"}'
    curl -s -X DELETE http://127.0.0.1:8400/_sandbox/calls/CALL

    # Read a contradiction in the provider's pages the other way
    curl -s -X PATCH http://127.0.0.1:8400/_sandbox/readings/vobiz -H 'Content-Type: application/json' \
        -d '{"put_without_password": "ignored"}'
"""

import ipaddress
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from flask import Flask

from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.control_api import ControlApi
from rotator_simulator.faults import FaultInjector, install
from rotator_simulator.http_server import Exchange, ExchangeObserver, HttpServer
from rotator_simulator.rate_limits import RateLimits
from rotator_simulator.registrar import RegistrarOptions, SimulatedRegistrar
from rotator_simulator.simulated_api import SimulatedApi


class SimulatorServer:
    """Simulated providers on real sockets. A context manager: starts on entry, stops on exit."""

    def __init__(
        self,
        apis: Iterable[SimulatedApi[Any]],
        clock: Clock,
        *,
        bind: str = "127.0.0.1",
        http_port: int = 0,
        sip_port: int = 0,
        sips_port: int = 0,
        registrar_options: RegistrarOptions | None = None,
        observe: ExchangeObserver | None = None,
    ) -> None:
        """Binds the ports; 0 takes a free one. `observe` is called with every HTTP exchange.

        Raises:
            ValueError: the address is not loopback.
            OSError: a port is taken.
        """
        _check_loopback(bind)
        self.apis = {api.name: api for api in apis}
        self.faults = FaultInjector()
        self.limits = RateLimits()
        self._stopping = threading.Event()
        self.registrar = SimulatedRegistrar(
            self._realms,
            clock,
            self.faults,
            bind=bind,
            port=sip_port,
            tls_port=sips_port,
            options=registrar_options,
        )
        try:
            self._server = HttpServer((bind, http_port), self._application(), self._stopping, observe)
        except BaseException:
            self.registrar.stop()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="simulator-http")

    @property
    def http_url(self) -> str:
        """The base URL of every simulated API."""
        host, port = self._server.server_address[:2]
        return f"http://{HostPort(str(host), int(port))}"

    @property
    def sip_address(self) -> HostPort:
        """The registrar's address for UDP and TCP."""
        return self.registrar.address

    @property
    def sips_address(self) -> HostPort:
        """The registrar's address for TLS."""
        return self.registrar.tls_address

    @property
    def accounts(self) -> Mapping[str, SimulatedAccount]:
        """Every account of every provider by its name."""
        return {account.name: account for api in self.apis.values() for account in api.accounts}

    def exchanges(self) -> tuple[Exchange, ...]:
        """Returns the HTTP requests so far, in order."""
        return tuple(self._server.journal)

    def start(self) -> None:
        """Starts serving."""
        self.registrar.start()
        self._thread.start()

    def stop(self) -> None:
        """Stops serving, breaks open connections and ends every wait. Call it once, after `start`."""
        self._stopping.set()
        self._server.stop()
        self._thread.join()
        self.registrar.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _realms(self) -> Mapping[str, SimulatedAccount]:
        return {realm: account for api in self.apis.values() for realm, account in api.realms().items()}

    def _application(self) -> Flask:
        application = Flask("rotator_simulator", static_folder=None)
        for api in self.apis.values():
            routes = api.blueprint()
            install(routes, self.faults, self.limits, api, self._stopping.wait)
            application.register_blueprint(routes)
        application.register_blueprint(ControlApi(self.apis, self.faults, self.registrar).blueprint())
        return application


def _check_loopback(bind: str) -> None:
    try:
        fine = ipaddress.ip_address(bind).is_loopback
    except ValueError:
        fine = False
    if not fine:
        raise ValueError(
            f"the simulator needs no login, so it is bound to loopback only: use 127.0.0.1 or ::1, not {bind}"
        )
