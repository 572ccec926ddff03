"""The one way to a provider's HTTP API: bounded in time and size, metered, paced, and without a way out for secrets.

Only this module imports httpx. A provider opens a `Call` for each of its methods and sends requests through it; all of
them together end within `Timeouts.total`. What comes back is a `Reply` that was read to its end, or `Retry` (certainly
never sent) or `Unknown` (sent, and no whole answer). Nothing of a body, a URL's query or a header gets into a message.
"""

import ipaddress
import json
import logging
import math
import re
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpcore
import httpx

from rotator.core.answers import Wait
from rotator.core.secret import Secret
from rotator.ports import Clock, Meter
from rotator.providers.http.calls import Call, Lost, Request, Try
from rotator.providers.http.deadline import BoundedBackend, Deadline
from rotator.providers.http.rate_limit import Pacer, RateLimit
from rotator.providers.http.replies import Reply, parse

LARGEST_BODY = 1024 * 1024
"""Bytes of an answer that are read at most."""
_MARGIN = 1.0  # seconds that our own work may take beyond the deadline
_HEADER_VALUE = re.compile(r"[!-~]+")
_STATUSES = frozenset(HTTPStatus)

# At DEBUG httpcore logs headers; httpx at INFO every URL, should anybody ever use its client here.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class ReadOnlyViolation(RuntimeError):
    """A request other than GET was about to be sent by something that may only look: a fault in `rotator`."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. The first four bound one operation of a socket each, `total` bounds a whole `Call`."""

    connect: float = 5.0
    read: float = 10.0  # of silence
    write: float = 10.0
    pool: float = 5.0  # until one of our own connections is free
    total: float = 30.0

    @property
    def longest_call(self) -> timedelta:
        """The bound of everything done through one `Call`, waiting included; resolving names is the system's."""
        return timedelta(seconds=self.total + _MARGIN)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How one provider account is reached."""

    account: str  # its name in the configuration: the label of its metrics
    base_url: str
    headers: Mapping[str, Secret] = field(repr=False)  # sent with every request: the API key
    rate_limit: RateLimit | None = None
    ca_file: Path | None = None  # trust this authority and no other
    allow_plain_http: bool = False  # to hosts other than this one
    read_only: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)


class Http:
    """One provider account's connections, headers, pace and deadline. Used by any number of threads."""

    def __init__(
        self, options: HttpOptions, clock: Clock, meter: Meter, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Checks the options; connects to nothing yet.

        Args:
            options: where to, with which API key, how fast.
            clock: for deadlines and waiting.
            meter: is told every request.
            transport: in place of the network: for tests.

        Raises:
            ValueError: the URL, a header's value or the authority's file cannot be used; says why, without the value.
        """
        self.clock = clock
        self._options, self._meter, self._given = options, meter, transport
        self._others: list[Http] = []
        self._base_url = _checked_url(options)
        _check_headers(options.headers)
        self._pacer = Pacer(options.rate_limit, clock)
        self._deadline = Deadline(clock)
        # Without httpx.Client: it would read proxies and .netrc from the environment, keep cookies, log URLs, and parse
        # the target of a redirect even where it does not follow it. A transport does none of these.
        inner = transport if transport is not None else _Network(_trust(options.ca_file), self._deadline)
        self._transport = _ReadOnly(inner) if options.read_only else inner

    @property
    def longest_call(self) -> timedelta:
        """See `Timeouts.longest_call`."""
        return self._options.timeouts.longest_call

    def elsewhere(self, base_url: str, *, allow_plain_http: bool) -> "Http":
        """The same account at another address, such as a gateway: without its API key, and not at its pace.

        Closed together with this one. Raises ValueError as the constructor does.
        """
        options = replace(
            self._options, base_url=base_url, headers={}, rate_limit=None, allow_plain_http=allow_plain_http
        )
        self._others.append(Http(options, self.clock, self._meter, self._given))
        return self._others[-1]

    def call(self, within: float = math.inf) -> Call:
        """Begins what must end within `Timeouts.total`, or `within` so many seconds where that is less."""
        return Call(self, self.clock, self.clock.monotonic() + min(self._options.timeouts.total, within))

    def count(self, verb: str, outcome: str, seconds: float) -> None:
        """Meters a request to this account that went another way, such as a SIP REGISTER."""
        self._meter.provider_request(self._options.account, verb, outcome, seconds)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
        for other in self._others:
            other.close()

    def try_once(self, request: Request, deadline: float) -> Try:
        """Sends `request` once, when the pace allows it and before `deadline`."""
        left = deadline - self.clock.monotonic()
        if left <= 0:
            return Lost("no time was left to send it", None, sent=False, again=False)
        if not self._pacer.admit(left):
            message = "the account's own rate limit left no time to send it"
            return Lost(message, None, sent=False, again=False, why=Wait.RATE_LIMITED)
        self._deadline.set(deadline)
        started = self.clock.monotonic()
        tried = self._exchange(request, deadline)
        outcome = tried.outcome if isinstance(tried, Lost) else _status_label(tried)
        if outcome is not None:
            self.count(request.verb, outcome, self.clock.monotonic() - started)
        return tried

    def _exchange(self, request: Request, deadline: float) -> Try:
        try:
            with closing(self._transport.handle_request(self._built(request, deadline))) as response:
                content = self._read(response, deadline)
        except httpx.HTTPError as error:
            return _lost(error)
        if content is None:
            return Lost(f"the answer is larger than {LARGEST_BODY} bytes", "too_large", sent=True, again=False)
        return parse(response.status_code, content, response.headers, self.clock.now())

    def _built(self, request: Request, deadline: float) -> httpx.Request:
        """The request as it goes out: the only place where secrets are revealed for HTTP."""
        return httpx.Request(
            request.method,
            f"{self._base_url}{request.path}" + (f"?{urlencode(request.query)}" if request.query else ""),
            content=_content(request),
            headers=self._headers(request),
            extensions={"timeout": self._timeouts(deadline).as_dict()},
        )

    def _headers(self, request: Request) -> dict[str, str]:
        # Not compressed: what is read is then what is counted, and a small answer cannot become a large one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "rotator"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        elif request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        secret = {**self._options.headers, **request.headers}
        return headers | {name: value.reveal() for name, value in secret.items()}

    def _timeouts(self, deadline: float) -> httpx.Timeout:
        of, left = self._options.timeouts, max(deadline - self.clock.monotonic(), 0.001)
        return httpx.Timeout(
            connect=min(of.connect, left), read=min(of.read, left), write=min(of.write, left), pool=min(of.pool, left)
        )

    def _read(self, response: httpx.Response, deadline: float) -> bytes | None:
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > LARGEST_BODY:
                return None
            if self.clock.monotonic() > deadline:
                raise httpx.ReadTimeout("the deadline has passed")
        return bytes(content)


class _Network(httpx.HTTPTransport):
    """httpx's transport on sockets that keep the deadline. It passes no network backend on, so its pool is replaced."""

    def __init__(self, trust: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__(verify=trust, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=BoundedBackend(deadline),
        )


class _ReadOnly(httpx.BaseTransport):
    """Lets nothing out but GET, whoever asks for it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            raise ReadOnlyViolation(f"a {request.method} was refused: this account is opened for looking only")
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def _lost(error: httpx.HTTPError) -> Lost:
    # Their texts are not used: a protocol error quotes what it stumbled over.
    if isinstance(error, httpx.ConnectTimeout):
        return Lost("no connection was made in time", "timeout", sent=False)
    if isinstance(error, httpx.PoolTimeout):
        return Lost("none of our own connections became free in time", None, sent=False)
    if isinstance(error, httpx.ConnectError):
        if _untrusted(error):
            message = "the provider's TLS certificate is not trusted: check the base URL, or name its authority's file"
            return Lost(message, "untrusted", sent=False, again=False)
        return Lost("no connection was made", "refused_connection", sent=False)
    if isinstance(error, httpx.TimeoutException):
        return Lost("no whole answer came in time", "timeout", sent=True)
    return Lost("the connection broke before a whole answer had come", "reset", sent=True)


def _untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _status_label(reply: Reply) -> str:
    if not reply.readable and 200 <= reply.status < 300:
        return "unreadable"
    # Others as a class, so that nobody else decides how many label values there are.
    return str(reply.status) if reply.status in _STATUSES else f"{reply.status // 100}xx"


def _content(request: Request) -> bytes | None:
    if request.body is not None:
        return json.dumps(_revealed(request.body)).encode()
    return None if request.form is None else urlencode(request.form).encode()


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _revealed(inner) for key, inner in value.items()}
    return [_revealed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _checked_url(options: HttpOptions) -> str:
    try:
        url = httpx.URL(options.base_url)
    except (httpx.InvalidURL, TypeError):
        raise ValueError("the base URL is not a URL: write it as https://host or https://host:port/path") from None
    if url.scheme not in ("http", "https") or not url.host or url.port == 0 or (url.port or 1) > 65535:
        raise ValueError("the base URL must begin with https:// and name a host, and a port below 65536 if any")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the base URL must not hold a user, a password, a query or a fragment")
    if url.scheme == "http" and not options.allow_plain_http and not _is_loopback(url.host):
        raise ValueError(f"plain http:// to {url.host} would show the API key to the network: use https://")
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_headers(headers: Mapping[str, Secret]) -> None:
    for name, value in headers.items():
        if not all(_HEADER_VALUE.fullmatch(word) for word in value.reveal().split(" ")):
            raise ValueError(
                f"the value for the header {name} is empty or holds characters that no header can carry: "
                "does the secret end with a line break?"
            )


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"no certificate of an authority can be read from {ca_file}: expected PEM") from error
