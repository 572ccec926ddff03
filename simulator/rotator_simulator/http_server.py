"""The simulator's HTTP server: keep-alive, a thread for each connection, and several ways to break one.

It is based on the standard library and not on Werkzeug, whose server closes every connection after one response (which
would never exercise a client's pool), keeps reading from a socket that the application has closed, ends the process if
the port is taken, and prints each request.
"""

import io
import logging
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit
from wsgiref.types import WSGIApplication

from werkzeug.wrappers import Response

from rotator_simulator.faults import INJECTED, ON_THE_WIRE, FaultKind, SimulatedFault

_LOG = logging.getLogger("rotator_simulator")
_LARGEST_REQUEST = 1_000_000
_LINGER_ZERO = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends a reset


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its status, without headers and bodies."""

    method: str
    path: str
    status: int  # the application's, even if the response was lost
    fault: str | None  # what happened to the response on the wire


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """A request and the application's response in full, for a test that compares both with a contract.

    It contains keys and passwords as they crossed the socket: an `ExchangeObserver` sees it, and nothing stores it.
    """

    method: str
    path: str  # as it was sent, percent-encoded
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_headers: Mapping[str, str] = field(repr=False)
    answer: bytes = field(repr=False)
    replaced: bool  # by a planned fault: the response is not the provider's


ExchangeObserver: TypeAlias = Callable[[RecordedExchange], None]
"""Called with every exchange, in the thread that serves it; must not raise."""


class HttpServer(ThreadingHTTPServer):
    """Serves a WSGI application on a loopback address."""

    daemon_threads = False  # `stop` joins them: no thread outlives a test
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        application: WSGIApplication,
        stopping: threading.Event,
        observe: ExchangeObserver | None = None,
    ) -> None:
        """Binds and listens. Raises OSError if the port is taken."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.application = application
        self.stopping = stopping
        self.observe = observe
        self.journal: deque[Exchange] = deque(maxlen=100_000)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _RequestHandler)

    def stop(self) -> None:
        """Stops listening, breaks every connection and waits for the threads. Set `stopping` first."""
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client may have closed it already
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves a connection in its own thread, and keeps track of it until it is closed."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection at once. The base class shuts it down first, which would prevent a reset."""
        with self._lock:
            self._open.discard(request)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Logs why a connection ended early. If the client did not close it, the server has a bug."""
        by_client = isinstance(sys.exc_info()[1], OSError)
        _LOG.log(logging.DEBUG if by_client else logging.ERROR, "a connection ended early", exc_info=not by_client)


class _RequestHandler(BaseHTTPRequestHandler):
    """Passes requests to the application, and its responses back, broken if a fault is planned."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            self.send_error(413, "send a Content-Length of at most 1 MB")
            return
        injected: list[SimulatedFault] = []
        environ = {**self._environ(body), INJECTED: injected}
        answer = Response.from_app(self.server.application, environ, buffered=True)
        fault = next((fault for fault in injected if fault.kind in ON_THE_WIRE), None)
        kind = fault.kind.value if fault else None
        self.server.journal.append(Exchange(self.command, environ["PATH_INFO"], answer.status_code, kind))
        _LOG.debug("%s %s: %d%s", self.command, environ["PATH_INFO"], answer.status_code, f", {kind}" if kind else "")
        if self.server.observe is not None:
            self.server.observe(self._exchange(body, answer, replaced=bool(injected)))
        if fault is None:
            self._send(answer)
        else:
            # A drip is a complete response: closing the connection after it would be a second fault.
            self.close_connection = fault.kind is not FaultKind.DRIP
            self._break(fault, answer)

    def _exchange(self, body: bytes, answer: Response, *, replaced: bool) -> RecordedExchange:
        url = urlsplit(self.path)
        return RecordedExchange(
            self.command,
            url.path,
            url.query,
            dict(self.headers.items()),
            body,
            answer.status_code,
            dict(answer.headers.items()),
            answer.get_data(),
            replaced,
        )

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _LARGEST_REQUEST:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _environ(self, body: bytes) -> dict[str, Any]:
        url = urlsplit(self.path)
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "QUERY_STRING": url.query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in set(self.headers) - {"Content-Type", "Content-Length"}:
            environ["HTTP_" + name.upper().replace("-", "_")] = ",".join(self.headers.get_all(name, []))
        return environ

    def _send(self, answer: Response) -> None:
        self._head(answer)
        if self.command != "HEAD":
            self.wfile.write(answer.get_data())

    def _head(self, answer: Response) -> None:
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        if answer.status_code != 204:
            self.send_header("Content-Length", str(len(answer.get_data())))
        self.end_headers()

    def _break(self, fault: SimulatedFault, answer: Response) -> None:
        if fault.kind is FaultKind.HALF:
            self._head(answer)
            self.wfile.write(answer.get_data()[: len(answer.get_data()) // 2])
            return
        if fault.kind is FaultKind.DRIP:
            self._head(answer)
            self._drip(answer.get_data(), fault.seconds)
            return
        if fault.kind is FaultKind.SILENCE:
            self.server.stopping.wait(fault.seconds)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    def _drip(self, body: bytes, seconds: float) -> None:
        for index in range(len(body)):
            if self.server.stopping.wait(seconds):
                return
            self.wfile.write(body[index : index + 1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Logs nothing: `_serve` logs what may be logged."""
