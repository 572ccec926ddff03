"""The connection to Vault: TLS is always verified, and the duration of every request is bounded.

The bound matters because the timeouts of `requests` count only the silence between two bytes: a dripping answer would
block a thread forever. This is the only import of `requests` and `urllib3`.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from rotator.ports import Clock, StoreError, StoreUnavailable

_LARGEST_ANSWER = 16 * 1024 * 1024  # bytes; Vault's own limit for one request is 32 MiB, for one document about 1 MiB
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Connection:
    """The address of Vault and the bounds of a request.

    Attributes:
        address: such as https://vault:8200, without a path.
        namespace: the namespace that every path is in; empty for the root namespace.
        ca_file: PEM file of the only authorities to trust; None: the system's.
        connect_timeout: seconds for opening one connection.
        timeout: seconds for one complete answer, from the request's last byte to the answer's last byte.
    """

    address: str
    namespace: str = ""
    ca_file: Path | None = None
    connect_timeout: float = 5.0
    timeout: float = 10.0


def open_session(
    connection: Connection, clock: Clock, heard: Callable[[str, float], None] | None = None
) -> requests.Session:
    """Opens a thread-safe session, whose `request` raises StoreError. Raises StoreError if the CA file is unusable.

    `heard` receives the date header of every answer, and when its request was sent by the monotonic clock.
    """
    session = _VaultSession(connection, clock, heard)
    session.verify = True if connection.ca_file is None else _checked(connection.ca_file)
    # REQUESTS_CA_BUNDLE in the environment would silently override our CA file, and plain HTTP, which is only for the
    # same machine, must not go through a proxy.
    session.trust_env = connection.ca_file is None and connection.address.startswith("https:")
    adapter = _BoundedAdapter(connection.timeout, clock)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _VaultSession(requests.Session):
    def __init__(self, connection: Connection, clock: Clock, heard: Callable[[str, float], None] | None) -> None:
        super().__init__()
        self._connection, self._clock, self._heard = connection, clock, heard

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        sent = self._clock.monotonic() if self._heard is not None else 0.0
        try:
            answer = super().request(*args, **kwargs)
        except requests.RequestException as error:
            failure = _failure(self._connection, error)
        else:
            if self._heard is not None:
                self._heard(answer.headers.get("Date", ""), sent)
            return answer
        raise failure  # outside the handler: the original error quotes bodies and headers


def _failure(connection: Connection, error: requests.RequestException) -> StoreError:
    address = connection.address
    match error:
        case requests.exceptions.SSLError():
            return StoreUnavailable(f"{address}: TLS: the certificate is not trusted; set ca_file to its authority")
        case requests.exceptions.Timeout():
            return StoreUnavailable(f"{address}: no answer within {connection.timeout:g} s")
        case requests.exceptions.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            return StoreUnavailable(f"{address}: unreachable, or the connection broke")
    return StoreError(f"{address}: the request cannot be sent ({type(error).__name__}): check address and token")


def _checked(ca_file: Path) -> str:
    try:
        ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError):
        raise StoreError(f"the CA file {ca_file} cannot be read: expected certificates in PEM form") from None
    return str(ca_file)


class _BoundedReader(io.RawIOBase):
    """Reads a socket until a deadline and up to a size."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, left: Callable[[], float]) -> None:
        self._raw = raw
        self._sock = sock
        self._left = left
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        count = self._raw.readinto(buffer)
        self._size += count or 0
        if self._size > _LARGEST_ANSWER:
            raise http.client.HTTPException("the answer is too large")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Source:
    """A stand-in for the socket of `http.client`, which only ever calls `makefile`."""

    def __init__(self, sock: socket.socket, left: Callable[[], float]) -> None:
        self._sock = sock
        self._left = left

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._sock.makefile("rb", buffering=0), self._sock, self._left))


def _response_class(timeout: float, clock: Clock) -> type[http.client.HTTPResponse]:
    class Response(http.client.HTTPResponse):
        """An answer whose time starts now: the request has just been sent."""

        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            end = clock.monotonic() + timeout
            super().__init__(_Source(sock, lambda: end - clock.monotonic()), *args, **kwargs)  # type: ignore[arg-type]

    return Response


class _BoundedAdapter(HTTPAdapter):
    """An adapter for `requests` with bounded answers. It never sends anything twice."""

    def __init__(self, timeout: float, clock: Clock) -> None:
        answer = _response_class(timeout, clock)
        plain = type("Plain", (HTTPConnection,), {"response_class": answer})
        tls = type("Tls", (HTTPSConnection,), {"response_class": answer})
        self._pools = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
        super().__init__(pool_connections=2, pool_maxsize=_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager
