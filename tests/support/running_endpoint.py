"""The daemon's HTTP endpoint in this process, on free ports, and clients of it."""

import http.client
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from threading import Event
from typing import Any

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.daemon.http import Endpoint, PageForPeople, Pages, PeerLimits, Probes
from rotator.fields.network import HostPort
from rotator.observe.fleet import KnownFleet
from rotator.observe.health import Health
from rotator.observe.metrics import Metrics
from rotator.observe.status_query import StatusQuery
from rotator.settings.http import HttpSettings
from rotator.testing import FakeClock

PROBES = ("/healthz", "/readyz")
Answered = tuple[int, dict[str, str], bytes]


def is_closed(connection: socket.socket) -> bool:
    """True if the other side has closed or reset the connection, whatever it has sent before."""
    poller = select.poll()
    poller.register(connection, select.POLLRDHUP)
    return bool(poller.poll(0))


class RunningEndpoint:
    """A running endpoint."""

    def __init__(
        self,
        status: Callable[[StatusQuery], Mapping[str, Any]] = lambda _: {"targets": []},
        *,
        host: str = "127.0.0.1",
        metrics: Callable[[], bytes] | None = None,
        people: Callable[[str, str], PageForPeople | None] = lambda *_: None,
        limits: PeerLimits | None = None,
        **settings: Any,
    ) -> None:
        self.clock = FakeClock()
        self.health = Health(self.clock)
        self.metrics = Metrics(self.clock, "1.2.3", KnownFleet(self.clock), target_series=10)
        self.host = host
        self.token: Secret | None = None
        self.trust: ssl.SSLContext | None = None  # of the clients; None: they speak plain HTTP
        self.settings = HttpSettings(listen=HostPort(host, 0), probes=HostPort(host, 0), **settings)
        pages = Pages(metrics or self.metrics.render, status, people, lambda: self.token)
        # Deadlines are those of real sockets, so their clock is a real one.
        self.server = Endpoint(self.settings, pages, Probes(self.health), SystemClock(Event()), limits)
        self.server.start()

    def port_of(self, path: str) -> int:
        """The port that serves the path."""
        return self.server.probe_port if path.startswith(PROBES) else self.server.port

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """One request, and the answer with the names of its headers in lower case."""
        with closing(self.client(path)) as connection:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def client(self, path: str) -> http.client.HTTPConnection:
        """A client of the port that serves the path."""
        port = self.port_of(path)
        if self.trust is not None and port == self.server.port:
            return http.client.HTTPSConnection(self.host, port, timeout=10, context=self.trust)
        return http.client.HTTPConnection(self.host, port, timeout=10)

    def raw(self, request: bytes, path: str = "/status") -> bytes:
        """Everything that is answered to these bytes until the connection is closed."""
        with closing(self.connect(path)) as connection:
            received = b""
            with suppress(ConnectionError):  # the endpoint need not read all of what it refuses
                connection.sendall(request)
                while part := connection.recv(65_536):
                    received += part
            return received

    def connect(self, path: str = "/status", *, receive_buffer: int | None = None) -> socket.socket:
        """A connection to the port that serves the path."""
        connection = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        connection.settimeout(10)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((self.host, self.port_of(path)))
        return connection

    def seconds_of(self, path: str) -> float:
        """How long a probe takes to be answered, whatever the answer is."""
        began = time.monotonic()
        self.ask(path)
        return time.monotonic() - began
