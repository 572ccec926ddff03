"""The whole sandbox: the simulated APIs, the registrar, and a surface for the operator of `rotator sandbox`.

Bound to loopback and nothing else: the operator's surface asks for no token. With the addresses that
`rotator sandbox` prints, here `http://127.0.0.1:8400` and the account `MA_DEMO`:

    # What the provider holds, what happened, who registered, which faults are planned
    curl -s http://127.0.0.1:8400/_sandbox/state

    # The next two updates are answered 429 with Retry-After: 5
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "rate-limited", "verb": "update", "times": 2, "retry_after": 5}'

    # The next create is carried out and its answer lost; a third of all listings is slow, for ever
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "lost-answer", "verb": "create"}'
    curl -s http://127.0.0.1:8400/_sandbox/faults -H 'Content-Type: application/json' \
        -d '{"fault": "latency", "verb": "list", "times": null, "probability": 0.33, "seconds": 2}'

    # No more faults
    curl -s -X DELETE http://127.0.0.1:8400/_sandbox/faults

    # A call that holds a credential, so that deleting it is answered 409, and its end
    curl -s http://127.0.0.1:8400/_sandbox/calls -H 'Content-Type: application/json' \
        -d '{"account": "MA_DEMO", "username": "officephone01"}'
    curl -s -X DELETE http://127.0.0.1:8400/_sandbox/calls/CALL

    # Another reading of a contradiction
    curl -s -X PATCH http://127.0.0.1:8400/_sandbox/readings/vobiz -H 'Content-Type: application/json' \
        -d '{"put_without_password": "ignored"}'
"""

import ipaddress
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from flask import Flask

from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator_simulator.account import Account
from rotator_simulator.control import Admin
from rotator_simulator.faults import Faults, install
from rotator_simulator.http_server import Exchange, Watch, WireServer
from rotator_simulator.registrar import Manner, Registrar
from rotator_simulator.simulated_api import SimulatedApi


class Sandbox:
    """Simulated providers on real sockets. A context manager: started on entry, stopped on exit."""

    def __init__(
        self,
        apis: Iterable[SimulatedApi],
        clock: Clock,
        *,
        bind: str = "127.0.0.1",
        http_port: int = 0,
        sip_port: int = 0,
        manner: Manner | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Binds the ports; 0 takes a free one. `watch` is shown every HTTP request with its answer.

        Raises:
            ValueError: an address that is not loopback.
            OSError: a port is taken.
        """
        _check_loopback(bind)
        self.apis = {api.name: api for api in apis}
        self.faults = Faults()
        self._stopping = threading.Event()
        self.registrar = Registrar(self._realms, clock, self.faults, bind=bind, port=sip_port, manner=manner)
        try:
            self._server = WireServer((bind, http_port), self._application(), self._stopping, watch)
        except BaseException:
            self.registrar.stop()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox-http")

    @property
    def http_url(self) -> str:
        """The base URL of every simulated API."""
        host, port = self._server.server_address[:2]
        return f"http://{HostPort(str(host), int(port))}"

    @property
    def sip_address(self) -> HostPort:
        """Where the registrar listens (UDP)."""
        return self.registrar.address

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Every account of every provider by its name."""
        return {account.name: account for api in self.apis.values() for account in api.accounts}

    def exchanges(self) -> tuple[Exchange, ...]:
        """The HTTP requests that were answered (or broken off) so far, in order."""
        return tuple(self._server.journal)

    def start(self) -> None:
        """Starts serving."""
        self.registrar.start()
        self._thread.start()

    def stop(self) -> None:
        """Stops serving, breaks open connections, ends every wait. Once, after `start`."""
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

    def _realms(self) -> Mapping[str, Account]:
        return {realm: account for api in self.apis.values() for realm, account in api.realms().items()}

    def _stir(self, account: str) -> None:
        if account in self.accounts:
            self.accounts[account].stir()

    def _application(self) -> Flask:
        application = Flask("rotator_simulator", static_folder=None)
        for api in self.apis.values():
            routes = api.blueprint()
            install(routes, self.faults, call=api.call, error=api.error, wait=self._stopping.wait, stir=self._stir)
            application.register_blueprint(routes)
        application.register_blueprint(Admin(self.apis, self.faults, self.registrar).blueprint())
        return application


def _check_loopback(bind: str) -> None:
    try:
        fine = ipaddress.ip_address(bind).is_loopback
    except ValueError:
        fine = False
    if not fine:
        raise ValueError(f"the sandbox has no login and is bound to loopback only: use 127.0.0.1 or ::1, not {bind}")
