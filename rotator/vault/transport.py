"""The connection to Vault: TLS is always verified, and the duration of every request is bounded.

The bound matters because the timeouts of a socket count only the silence between two bytes: a dripping answer would
block a thread forever. `VaultSession` is what hvac sends through instead of a session of `requests`, which takes more
time than all the rest of a request. This is the only import of `urllib3`.
"""

import http.client
import io
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import dumps as encode
from json import loads as decode
from pathlib import Path
from sys import getsizeof
from typing import Any
from urllib.parse import urlencode, urlsplit

from urllib3 import PoolManager, ProxyManager, Timeout, exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse

from rotator.core.nesting import DEEPEST, is_too_deep
from rotator.fields.connecting import Destination
from rotator.fields.proxy import ProxySettings
from rotator.fields.tls import client_context
from rotator.ports import Clock, StoreError, StoreUnavailable

_LARGEST_ANSWER = 8 * 1024 * 1024  # bytes, read and as text; the list of 100,000 targets has 6, a document about 1 MiB
_MOST_PARTS = 400_000  # of one answer: each costs up to 100 bytes of memory
_PIECE = 64 * 1024  # bytes to read at a time
_CONNECTIONS = 128  # that are kept open: more than there are workers, watches and renewals
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warning quotes the headers that it cannot read
NOT_VAULT = "the answer is not from Vault: check the address, and any proxy in between"
"""Said of an answer that does not have Vault's form."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The address of Vault and the bounds of a request.

    Attributes:
        address: such as https://vault:8200, without a path.
        namespace: the namespace that every path is in; empty for the root namespace.
        ca_file: PEM file of the only authorities to trust; None: the system's.
        connect_timeout: seconds for opening one connection.
        timeout: seconds for one complete answer, from the request's last byte to the answer's last byte.
        proxy: that requests go through, if its exceptions do not name the address; nothing comes from the environment.
        client_certificate: PEM files of a certificate and its key, which are read again by `VaultSession.reconnect`.
    """

    address: str
    namespace: str = ""
    ca_file: Path | None = None
    connect_timeout: float = 5.0
    timeout: float = 10.0
    proxy: ProxySettings | None = None
    client_certificate: tuple[Path, Path] | None = None

    @property
    def tunnel(self) -> ProxySettings | None:
        """The proxy, if the address is reached through it."""
        return self.proxy if self.proxy is not None and self.proxy.carries(self.address) else None

    @property
    def longest_request(self) -> float:
        """Seconds for one request, with the way to the server."""
        return self.connect_timeout + self.timeout * (1 if self.tunnel is None else 2)


class VaultResponse:
    """An answer, with what hvac reads of one."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content

    @property
    def ok(self) -> bool:
        """True unless it reports an error."""
        return self.status_code < 400

    text = ""  # what hvac would put into its errors

    def json(self) -> dict[str, Any]:
        """The body, a JSON object. Raises ValueError, also where it would need much more memory than it has bytes."""
        text = self.content.decode()
        if getsizeof(text) > 2 * _LARGEST_ANSWER:  # one character outside of ASCII makes all of them larger
            raise ValueError("too large")
        openings = text.count("[") + text.count("{")
        if openings + text.count(",") > _MOST_PARTS:
            raise ValueError("too many parts")
        try:
            document = decode(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if openings > DEEPEST and is_too_deep(document):
            raise ValueError("nested too deeply")
        if not isinstance(document, dict):
            raise ValueError("not an object")  # noqa: TRY004 - what hvac expects
        errors = document.get("errors") or []
        if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
            raise ValueError("errors that are not texts")  # hvac joins them
        return document


class VaultSession:
    """Sends requests to one address over pooled connections. Thread-safe.

    Nothing is sent twice, and no redirect is followed, which would carry the token to another host.
    """

    verify, cert, proxies = True, None, None  # hvac asks a session for them

    def __init__(self, connection: Connection, clock: Clock, heard: Callable[[str, float], None] | None = None) -> None:
        """Connects on first use. Raises StoreError if the CA file is unusable.

        `heard` receives the date header of every answer, and when its request was sent by the monotonic clock.
        """
        self._connection, self._clock, self._heard = connection, clock, heard
        self._pool = _pool(connection, clock)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        timeout: tuple[float, float] | float = 5.0,
        **_: Any,  # what else hvac knows of sessions
    ) -> VaultResponse:
        """Sends one request and returns the answer, whatever its status. Raises StoreError if there is none."""
        path = url.removeprefix(self._connection.address) + (f"?{urlencode(params)}" if params else "")
        body = None if json is None else encode(json).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        sent = self._clock.monotonic() if self._heard is not None else 0.0
        try:
            answer = self._pool.urlopen(
                method.upper(),
                path,
                body,
                {**(headers or {}), **kind, "Accept-Encoding": "identity"},
                retries=False,
                redirect=False,
                timeout=Timeout(connect=connect, read=read),
                preload_content=False,
                decode_content=False,
            )
            content = _content(answer)
        except (exceptions.HTTPError, http.client.HTTPException, ValueError) as error:
            failure = _failure(self._connection, error)
        else:
            if self._heard is not None:
                self._heard(answer.headers.get("Date", ""), sent)
            return VaultResponse(answer.status, answer.headers, content)
        raise failure  # outside the handler: the original error quotes bodies and headers

    def reconnect(self) -> None:
        """Reads the client certificate again, for all connections from now on. Raises StoreError if it is unusable."""
        old, self._pool = self._pool, _pool(self._connection, self._clock)
        old.close()

    def close(self) -> None:
        """Closes its connections."""
        self._pool.close()


class _OversizedAnswer(http.client.HTTPException):
    """An answer is compressed, although that was not asked for, or too large."""


def _content(answer: BaseHTTPResponse) -> bytes:
    """Reads an answer to its end, and gives the connection back. Raises _OversizedAnswer.

    Nothing is decompressed: a few bytes cannot become many.
    """
    encoding = answer.headers.get("Content-Encoding", "identity")
    content = bytearray()
    if encoding.lower() == "identity":
        while piece := answer.read(_PIECE):
            content += piece
            if len(content) > _LARGEST_ANSWER:
                break
        else:
            answer.release_conn()
            return bytes(content)
    answer.close()
    raise _OversizedAnswer


def _failure(connection: Connection, error: Exception) -> StoreError:
    vault = Destination(urlsplit(connection.address).netloc, "vault.address", "vault.ca_file")
    match error:
        case exceptions.ProxyError():
            what = "the proxy cannot be reached, or refuses to connect: check vault.proxy"
        case exceptions.TimeoutError() if not isinstance(error, exceptions.NewConnectionError):  # to urllib3 one, too
            is_silent = isinstance(error, exceptions.ConnectTimeoutError) and connection.tunnel is None
            what = vault.why_silent if is_silent else f"no answer within {connection.timeout:g} s"
        case _OversizedAnswer():
            what = NOT_VAULT
        case exceptions.SSLError() | exceptions.NewConnectionError() | exceptions.ProtocolError():
            what = vault.why_not(error) or "unreachable, or the connection broke"
        case _:
            what = f"the request cannot be sent ({type(error).__name__}): check address and token"
            return StoreError(f"{connection.address}: {what}")
    return StoreUnavailable(f"{connection.address}: {what}")


def _pool(connection: Connection, clock: Clock) -> HTTPConnectionPool:
    answer = _response_class(connection.timeout, clock)
    plain = type("Plain", (_InOnePiece, HTTPConnection), {"response_class": answer})
    tls = type("Tls", (_InOnePiece, HTTPSConnection), {"response_class": answer})
    proxy = connection.tunnel
    options: dict[str, Any] = {"maxsize": _CONNECTIONS, "ssl_context": _tls_context(connection)}
    manager = (
        PoolManager(**options) if proxy is None else ProxyManager(proxy.url, proxy_headers=proxy.headers(), **options)
    )
    manager.pool_classes_by_scheme = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
    try:
        return manager.connection_from_url(connection.address)
    except exceptions.HTTPError as error:
        failure = _failure(connection, error)
    raise failure


def _tls_context(connection: Connection) -> ssl.SSLContext | None:
    if not connection.address.startswith("https:"):
        return None
    try:
        context = client_context(connection.ca_file)
    except (OSError, ssl.SSLError):
        what = f"the CA file {connection.ca_file} cannot be read: expected certificates in PEM form"
        raise StoreError(what) from None
    if connection.client_certificate is not None:
        certificate, key = connection.client_certificate
        try:
            context.load_cert_chain(certificate, key, password="")  # else OpenSSL asks for one at the terminal
        except (OSError, ssl.SSLError):
            what = f"the client certificate {certificate} and its key {key} cannot be used: expected both in PEM form"
            raise StoreError(f"{what}, the key without a password") from None
    return context


class _InOnePiece:
    """A connection that sends the head and the body of a request together: after each write a thread queues anew."""

    _pieces: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._pieces = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            pieces, self._pieces = self._pieces, None
        super().send(b"".join(pieces))  # type: ignore[misc]

    def send(self, data: bytes) -> None:
        if self._pieces is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._pieces.append(data)


class _BoundedReader(io.RawIOBase):
    """Reads a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, left: Callable[[], float]) -> None:
        self._raw = raw
        self._sock = sock
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

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
