"""The HTTP server of the sandbox: keep-alive, one thread for each connection, and honest ways to break one.

The standard library's server and not Werkzeug's: that one closes every connection after one answer (so a client's
pool would never be exercised), reads on from a socket after the application has closed it, ends the process when
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
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit
from wsgiref.types import WSGIApplication

from werkzeug.wrappers import Response

from rotator_simulator.faults import ON_THE_WIRE, SPOILT, Fault, Kind

_LOG = logging.getLogger("rotator_simulator")
_LARGEST_REQUEST = 1_000_000
_NOW = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends a reset


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as the server saw it, without headers and bodies."""

    method: str
    path: str
    status: int  # as the application answered it, whether or not the answer got through
    fault: str | None  # what was done to the answer on the wire


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A request and the application's answer in full, for a test that holds both against a contract.

    It carries keys and passwords as they crossed the socket, so that it is shown to a `Watch` and kept nowhere.
    """

    method: str
    path: str  # as it was sent, percent-encoded
    query: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_headers: Mapping[str, str] = field(repr=False)
    answer: bytes = field(repr=False)
    spoilt: bool  # a planned fault took the answer's place, so that nothing of it is the provider's


Watch: TypeAlias = Callable[[Witnessed], None]
"""Is shown every request, in the thread that serves it; must not raise."""


class WireServer(ThreadingHTTPServer):
    """Serves a WSGI application on a loopback address."""

    daemon_threads = False  # `stop` joins them, so that nothing outlives a test
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        application: WSGIApplication,
        stopping: threading.Event,
        watch: Watch | None = None,
    ) -> None:
        """Binds and listens. Raises OSError where the port is taken."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.application = application
        self.stopping = stopping
        self.watch = watch
        self.journal: deque[Exchange] = deque(maxlen=100_000)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def stop(self) -> None:
        """Stops listening, breaks every connection and waits for its threads. `stopping` is set before."""
        self.shutdown()
        with self._lock:
            for connection in self._open:
                _end(connection)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serves a connection in a thread of its own, and remembers it until it is closed."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection. The base class would say goodbye first, and a reset would not be one any more."""
        with self._lock:
            self._open.discard(request)
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Logs what ended a connection early; a client that went away is no news, anything else is a fault of ours."""
        gone = isinstance(sys.exc_info()[1], OSError)
        _LOG.log(logging.DEBUG if gone else logging.ERROR, "a connection ended early", exc_info=not gone)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # its client was faster


class _Handler(BaseHTTPRequestHandler):
    """Carries requests to the application, and answers back as the planned fault says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: WireServer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            self.send_error(413, "send a Content-Length of at most 1 MB")
            return
        spoilt: list[Fault] = []
        environ = {**self._environ(body), SPOILT: spoilt}
        answer = Response.from_app(self.server.application, environ, buffered=True)
        fault = next((fault for fault in spoilt if fault.kind in ON_THE_WIRE), None)
        kind = fault.kind.value if fault else None
        self.server.journal.append(Exchange(self.command, environ["PATH_INFO"], answer.status_code, kind))
        _LOG.debug("%s %s: %d%s", self.command, environ["PATH_INFO"], answer.status_code, f", {kind}" if kind else "")
        if self.server.watch is not None:
            self.server.watch(self._witnessed(body, answer, spoilt=bool(spoilt)))
        if fault is None:
            self._send(answer)
        else:
            # A drip comes to its end: closing after it would be a second fault, for the connection's next request.
            self.close_connection = fault.kind is not Kind.DRIP
            self._break(fault, answer)

    def _witnessed(self, body: bytes, answer: Response, *, spoilt: bool) -> Witnessed:
        url = urlsplit(self.path)
        return Witnessed(
            self.command,
            url.path,
            url.query,
            dict(self.headers.items()),
            body,
            answer.status_code,
            dict(answer.headers.items()),
            answer.get_data(),
            spoilt,
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

    def _break(self, fault: Fault, answer: Response) -> None:
        if fault.kind is Kind.HALF:
            self._head(answer)
            self.wfile.write(answer.get_data()[: len(answer.get_data()) // 2])
            return
        if fault.kind is Kind.DRIP:
            self._head(answer)
            self._drip(answer.get_data(), fault.seconds)
            return
        if fault.kind is Kind.SILENCE:
            self.server.stopping.wait(fault.seconds)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOW)

    def _drip(self, body: bytes, seconds: float) -> None:
        for index in range(len(body)):
            if self.server.stopping.wait(seconds):
                return
            self.wfile.write(body[index : index + 1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing: `_serve` logs what may be logged."""
