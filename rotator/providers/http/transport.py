"""The network below the HTTP client: pooled connections that keep a call's deadline, and what a lost request means."""

import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import httpcore
import httpx

from rotator.fields.connecting import Destination, is_untrusted
from rotator.fields.proxy import ProxySettings
from rotator.fields.tls import client_context, without_old_versions
from rotator.providers.http.calls import LostTry
from rotator.providers.http.deadline import BoundedBackend, Deadline

_MOST = 100  # connections, all of them kept: as many as `daemon.workers` may need, and each new one is a TLS handshake

_REFUSED = "refused_connection"

# httpcore logs headers at DEBUG; httpx logs every URL at INFO if its client is used.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class ReadOnlyViolation(RuntimeError):
    """A request other than GET over a read-only connection: a bug in `rotator`."""


class Network(httpx.HTTPTransport):
    """httpx's transport with sockets that keep the deadline. It has no parameter for them, so its pool is replaced."""

    def __init__(self, trust: ssl.SSLContext, deadline: Deadline, proxy: ProxySettings | None) -> None:
        super().__init__(verify=trust, trust_env=False)
        limits: dict[str, Any] = {
            "ssl_context": trust,
            "max_connections": 1,
            "keepalive_expiry": 5.0,
            "network_backend": BoundedBackend(deadline),
        }

        def connection() -> httpcore.ConnectionPool:
            if proxy is None:
                return httpcore.ConnectionPool(**limits)
            return httpcore.HTTPProxy(proxy.url, proxy_headers=[*proxy.headers().items()], **limits)

        self._pool.close()
        self._pool = _Connections(connection)  # type: ignore[assignment]


class _Connections:
    """A pool of httpcore's pools, each with one connection; the one that was used last is used first.

    For each request, a pool asks the system about every connection that it has, while all other threads wait.
    """

    def __init__(self, make: Callable[[], httpcore.ConnectionPool]) -> None:
        self._make, self._closed = make, False
        self._idle: LifoQueue[httpcore.ConnectionPool | None] = LifoQueue()
        for _ in range(_MOST):
            self._idle.put(None)

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Sends a request. Its connection goes back when the response is closed."""
        try:
            connection = self._idle.get(timeout=request.extensions["timeout"]["pool"]) or self._make()
        except Empty:
            raise httpcore.PoolTimeout from None
        try:
            response = connection.handle_request(request)
        except BaseException:
            self._give_back(connection)
            raise
        assert isinstance(response.stream, Iterable)  # noqa: S101 - not one of asyncio
        stream = _LentStream(response.stream, response.close, lambda: self._give_back(connection))
        return httpcore.Response(
            response.status, headers=response.headers, content=stream, extensions=response.extensions
        )

    def _give_back(self, connection: httpcore.ConnectionPool) -> None:
        if self._closed:
            connection.close()
        self._idle.put(connection)

    def close(self) -> None:
        """Closes the connections: those that are in use as soon as they are not."""
        self._closed = True
        for _ in range(self._idle.qsize()):
            connection = self._idle.get()
            if connection is not None:
                connection.close()


class _LentStream:
    """The body of a response, whose connection goes back when it is closed."""

    def __init__(self, stream: Iterable[bytes], close: Callable[[], None], give_back: Callable[[], None]) -> None:
        self._stream, self._close, self._give_back = stream, close, give_back

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        """Gives the connection back, once."""
        give_back, self._give_back = self._give_back, lambda: None
        try:
            self._close()
        finally:
            give_back()


class ReadOnly(httpx.BaseTransport):
    """Refuses every request except GET."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Passes a GET on. Raises ReadOnlyViolation for anything else."""
        if request.method != "GET":
            raise ReadOnlyViolation(f"a {request.method} was refused: this connection is read-only")
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Closes the connections."""
        self._inner.close()


def lost(error: httpx.HTTPError, destination: Destination) -> LostTry:
    """Returns what an error means for the request: whether it was sent, and whether to send it again."""
    # The errors' texts are not used: a protocol error quotes the answer.
    if isinstance(error, httpx.ConnectTimeout):
        return LostTry(f"no connection was made in time: {destination.why_silent}", "timeout", sent=False)
    if isinstance(error, httpx.PoolTimeout):
        return LostTry("every connection to the provider was in use until the timeout", None, sent=False)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        why = destination.why_not(error)
        if is_untrusted(error):
            return LostTry(why, "untrusted", sent=False, again=False)
        if isinstance(error, httpx.ProxyError):
            why = destination.why_refused(error)
        return LostTry(f"no connection was made: {why}" if why else "no connection was made", _REFUSED, sent=False)
    if isinstance(error, httpx.TimeoutException):
        return LostTry("no complete answer came in time", "timeout", sent=True)
    return LostTry("the connection broke before the answer was complete", "reset", sent=True)


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Returns the authorities to trust: those of a file as it is now, or the public ones, whose context is shared.

    Whoever adds something to the context takes `changeable_trust`.

    Raises:
        ValueError: the file has none.
    """
    return _public_trust() if ca_file is None else changeable_trust(ca_file)


@cache
def _public_trust() -> ssl.SSLContext:
    # Some 25 ms of CPU and the memory of 150 certificates: once for all accounts, their gateways and registrars.
    return changeable_trust(None)


def changeable_trust(ca_file: Path | None) -> ssl.SSLContext:
    """Returns the same as `trusted` for one connection, which may add a certificate of its own."""
    if ca_file is None:
        return without_old_versions(httpx.create_ssl_context(trust_env=False))
    try:
        return client_context(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{ca_file} contains no CA certificate in PEM form") from error
