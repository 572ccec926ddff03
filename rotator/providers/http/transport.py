"""The network below the HTTP client: pooled connections that keep a call's deadline, and what a lost request means."""

import logging
import ssl
from pathlib import Path
from typing import Any

import httpcore
import httpx

from rotator.fields.proxy import ProxySettings
from rotator.providers.http.calls import LostTry
from rotator.providers.http.deadline import BoundedBackend, Deadline

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
            "max_connections": 100,
            "max_keepalive_connections": 100,  # as many as `daemon.workers` may need: each new one is a TLS handshake
            "keepalive_expiry": 5.0,
            "network_backend": BoundedBackend(deadline),
        }
        if proxy is None:
            self._pool = httpcore.ConnectionPool(**limits)
        else:
            self._pool = httpcore.HTTPProxy(proxy.url, proxy_headers=[*proxy.headers().items()], **limits)


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


def lost(error: httpx.HTTPError) -> LostTry:
    """Returns what an error means for the request: whether it was sent, and whether to send it again."""
    # The errors' texts are not used: a protocol error quotes the answer.
    if isinstance(error, httpx.ConnectTimeout):
        return LostTry("no connection was made in time", "timeout", sent=False)
    if isinstance(error, httpx.PoolTimeout):
        return LostTry("every connection to the provider was in use until the timeout", None, sent=False)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        if _untrusted(error):
            message = "the provider's TLS certificate is not trusted: check base_url, or set ca_file"
            return LostTry(message, "untrusted", sent=False, again=False)
        by = "" if isinstance(error, httpx.ConnectError) else ": the proxy refused it"
        return LostTry(f"no connection was made{by}", "refused_connection", sent=False)
    if isinstance(error, httpx.TimeoutException):
        return LostTry("no complete answer came in time", "timeout", sent=True)
    return LostTry("the connection broke before the answer was complete", "reset", sent=True)


def _untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Returns the authorities to trust: those of a file, or the system's. Raises ValueError if it has none."""
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"{ca_file} contains no CA certificate in PEM form") from error
