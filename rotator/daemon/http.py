"""The read-only HTTP endpoint: /metrics, /healthz, /readyz and /status. It changes nothing and shows no secret."""

import errno
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import structlog
from waitress import wasyncore
from waitress.server import create_server

from rotator.observe.health import Health, HealthReport
from rotator.observe.metrics import CONTENT_TYPE
from rotator.observe.status_query import StatusQuery, StatusQueryError, parse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_JSON = "application/json; charset=utf-8"
_SECURITY = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
]
_THREADS = 4
_LIMITS = {
    "threads": _THREADS,
    "connection_limit": 64,  # open connections; more wait in the kernel's queue
    "channel_timeout": 30,  # seconds after which an idle or dripping connection is closed
    "cleanup_interval": 5,  # seconds between looks for such connections
    "max_request_header_size": 16_384,
    "max_request_body_size": 4_096,  # no request here has a body
}
_log = structlog.stdlib.get_logger(__name__)


class ListenError(Exception):
    """The endpoint cannot listen on the address; the message says what to change."""


class StatusServer:
    """Serves the four pages from a bounded pool of threads.

    Args:
        host: an address of this machine; "" listens on all IPv4 addresses, "::" on all IPv4 and IPv6 addresses.
        port: 0 takes any free port; the property `port` returns it.
        metrics_render: returns the text of /metrics.
        health: answers /healthz and /readyz.
        status: returns the page of /status that a query asks for, quickly and without leaving the process.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics_render: Callable[[], bytes],
        health: Health,
        status: Callable[[StatusQuery], Mapping[str, Any]],
    ) -> None:
        self._host = host
        self._wanted = port
        self._pages: dict[str, Callable[[str], tuple[int, str, bytes]]] = {
            "/metrics": lambda _: (200, CONTENT_TYPE, metrics_render()),
            "/healthz": lambda _: _report(health.live()),
            "/readyz": lambda _: _report(health.ready()),
            "/status": lambda query: (200, _JSON, _body(status(parse(parse_qs(query, keep_blank_values=True))))),
        }
        self._map: dict[int, Any] = {}
        self._server: Any = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """The port in use once started; before that, the requested one."""
        return int(self._server.effective_port) if self._server is not None else self._wanted

    def start(self) -> None:
        """Serves in a separate thread; returns once connections are accepted.

        Raises:
            ListenError: the address is in use, belongs to another machine, or is not allowed.
        """
        listening = _listen(self._host, self._wanted)
        self._server = create_server(
            self._answer,
            map=self._map,
            sockets=[listening],
            ident=None,  # no Server header
            asyncore_use_poll=True,  # select() fails on file descriptors above 1023
            expose_tracebacks=False,
            **_LIMITS,
        )
        self._thread = Thread(target=self._server.run, name="http", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stops accepting connections, gives open requests at most `timeout` seconds, and closes. Safe to repeat."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._server.task_dispatcher.shutdown(timeout=timeout)
        # The sockets belong to the serving thread. It closes them, which also ends its loop.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._map, ignore_all=True))
        thread.join(timeout)

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        status, kind, body = self._page(method, path, environ.get("QUERY_STRING", ""))
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *_SECURITY]
        if status == 405:
            headers.append(("Allow", "GET, HEAD"))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [] if method == "HEAD" else [body]

    def _page(self, method: str, path: str, query: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, _JSON, _body({"error": "this endpoint is read-only: use GET or HEAD"})
        page = self._pages.get(path)
        if page is None:
            return 404, _JSON, _body({"error": "no such page", "pages": sorted(self._pages)})
        try:
            return page(query)
        except StatusQueryError as error:
            return 400, _JSON, _body({"error": str(error)})
        except Exception:  # noqa: BLE001 - one failing page must not bring down the others or the process
            _log.exception("a page could not be rendered", path=path)
            return 500, _JSON, _body({"error": "this page could not be rendered; the log says why"})


def _report(report: HealthReport) -> tuple[int, str, bytes]:
    return (200 if report.ok else 503), _JSON, _body({"ok": report.ok, "reasons": list(report.reasons)})


def _body(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, allow_nan=False) + "\n").encode()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ListenError(f"cannot listen on {host!r}, port {port}: {_advice(error)}") from None
    return listening


def _advice(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "a port is a number from 0 to 65535"
    if error.errno == errno.EADDRINUSE:
        return "another process uses this port; stop it, or set another port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return "permission denied; ports below 1024 need privileges: set a higher one"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "this machine has no such address; use 127.0.0.1, or 0.0.0.0 to be reached from elsewhere"
    return error.strerror or type(error).__name__
