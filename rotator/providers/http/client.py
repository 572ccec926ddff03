"""The HTTP client of the providers: bounded in time and size, metered and rate-limited; no secret leaks from it.

A provider opens an `HttpCall` for each of its methods and sends requests through it; all of them together end within
`CallTimeouts.total`. The result is a complete `HttpReply`, or `Retry` (certainly never sent) or `Unknown` (sent, but
without a complete answer). No part of a body, a URL's query or a header gets into a message.
"""

import json
import math
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from rotator.core.answers import Wait
from rotator.core.secret import Secret
from rotator.fields.connecting import Destination
from rotator.fields.network import RateLimit, is_loopback
from rotator.fields.proxy import ProxySettings
from rotator.ports import CALL_TERMS, WITNESS, Clock, Meter
from rotator.providers.http.bodies import BodyReader
from rotator.providers.http.calls import PATIENCE, HttpCall, HttpRequest, LostTry, Try
from rotator.providers.http.deadline import Deadline
from rotator.providers.http.directory import Directories, Directory
from rotator.providers.http.rate_limit import Pacer
from rotator.providers.http.replies import HttpReply
from rotator.providers.http.transport import Network, ReadOnly, lost, trusted
from rotator.providers.http.witness import SeenAnswer, exchange

_MARGIN = 1.0  # seconds of local work beyond the deadline
_PATIENCE_ELSEWHERE = 10.0  # seconds: devices may be out until what is asked there is known
_HEADER_VALUE = re.compile(r"[!-~]+")
_WITH_LENGTH = ("POST", "PUT", "PATCH")  # which say also that they have no body (RFC 9110, 8.6)
_STATUSES = frozenset(HTTPStatus)


@dataclass(frozen=True, slots=True)
class CallTimeouts:
    """Limits in seconds. Each of the first four bounds one socket operation, `total` a whole `HttpCall`."""

    connect: float = 5.0
    read: float = 10.0  # of silence
    write: float = 10.0
    pool: float = 5.0  # until one of our connections is free
    total: float = 30.0
    patience: float = PATIENCE  # for the account's pace, beyond `total`; that wait ends with the process

    @property
    def longest_call(self) -> timedelta:
        """The maximum duration of an `HttpCall` without waits for the account's pace.

        Name resolution is extra: the system limits it.
        """
        return timedelta(seconds=self.total + _MARGIN)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The connection of one provider account."""

    account: str  # its name in the configuration: the label of its metrics
    base_url: str
    address_key: str = field(default="base_url", kw_only=True)  # of that address in the configuration
    headers: Mapping[str, Secret] = field(repr=False)  # sent with every request: the API key
    rate_limit: RateLimit | None = None
    ca_file: Path | None = None  # trust this authority and no other
    proxy: ProxySettings | None = None
    allow_plain_http: tuple[str, ...] = ()  # hosts, in addition to this machine
    read_only: bool = False
    path_words: frozenset[str] = frozenset()  # the parts of the provider's paths that are no values
    timeouts: CallTimeouts = field(default_factory=CallTimeouts)


class Http:
    """One provider account's connections, headers, rate limit and deadline. Thread-safe."""

    def __init__(
        self,
        options: HttpOptions,
        clock: Clock,
        meter: Meter,
        transport: httpx.BaseTransport | None = None,
        *,
        pacer: Pacer | None = None,
        directories: Directories | None = None,
    ) -> None:
        """Checks the options without connecting.

        Args:
            options: address, API key and rate limit.
            clock: for deadlines and waiting.
            meter: counts every request.
            transport: replaces the network in tests.
            pacer: that of the account, shared with others; by default one that keeps the rate limit alone.
            directories: those of the process; without them, what is read here is shared with nobody.

        Raises:
            ValueError: the URL, a header's value or the CA file is unusable; the message contains no value.
        """
        self.clock = clock
        self._options, self._meter, self._test_transport = options, meter, transport
        self._others: list[Http] = []
        self._directories = directories or Directories()
        self._base_url = _checked_url(options)
        _check_headers(options.headers)
        self._pacer = pacer or Pacer(options.rate_limit, clock)
        self._deadline = Deadline(clock)
        # Not httpx.Client, which reads proxies and .netrc from the environment, keeps cookies, logs URLs, and parses
        # the target of a redirect even if it does not follow it. A transport does none of that.
        proxy = options.proxy if options.proxy is not None and options.proxy.carries(options.base_url) else None
        self._destination = Destination.at(self._base_url, options.address_key, proxy)
        inner = transport if transport is not None else Network(trusted(options.ca_file), self._deadline, proxy)
        self._transport = ReadOnly(inner) if options.read_only else inner

    @property
    def longest_call(self) -> timedelta:
        """See `CallTimeouts.longest_call`."""
        return self._options.timeouts.longest_call

    def elsewhere(self, base_url: str, address_key: str) -> "Http":
        """Returns a client for another address, such as a gateway, without the API key and the rate limit.

        `address_key` is its key in the configuration. It is closed together with this one. Raises ValueError like the
        constructor.
        """
        timeouts = replace(self._options.timeouts, patience=_PATIENCE_ELSEWHERE)
        options = replace(
            self._options,
            base_url=base_url,
            address_key=address_key,
            headers={},
            rate_limit=None,
            timeouts=timeouts,
        )
        self._others.append(Http(options, self.clock, self._meter, self._test_transport))
        return self._others[-1]

    def call(self, within: float = math.inf) -> HttpCall:
        """Begins a call that ends within `CallTimeouts.total` seconds, or `within` seconds if that is less."""
        timeouts = self._options.timeouts
        return HttpCall(self, self.clock, self.clock.monotonic() + min(timeouts.total, within), timeouts.patience)

    def directory(self, listing: str, sizes: tuple[int, ...] = (), *, numbered: bool = False) -> Directory[Any]:
        """Returns the directory of the listing at this path; see `Directory` for the other arguments."""
        where = (self._base_url, listing)
        return self._directories.of(
            where, self._options.headers, lambda: Directory(self.clock, sizes, numbered=numbered)
        )

    def count(self, verb: str, outcome: str, seconds: float) -> None:
        """Counts a request to this account by another protocol, such as a SIP REGISTER."""
        self._meter.provider_request(self._options.account, verb, outcome, seconds)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
        for other in self._others:
            other.close()

    def wait_for_turn(self, within: float) -> LostTry | None:
        """Waits until the account's pace allows a request; returns why none may be sent."""
        terms = CALL_TERMS.get()
        if not self._pacer.admit(within, urgent=terms.urgent):
            wait = timedelta(seconds=max(self._pacer.delay(), _MARGIN))
            message = "the account's pace left no time to send it"
            return LostTry(message, None, sent=False, again=False, why=Wait.RATE_LIMITED, after=wait)
        if not terms.may_send():
            message = "not sent: it waited so long that another process may have taken over"
            return LostTry(message, None, sent=False, again=False, why=Wait.RATE_LIMITED)
        return None

    def try_once(self, request: HttpRequest, deadline: float) -> Try:
        """Sends `request` once, before `deadline`."""
        if self.clock.monotonic() >= deadline:
            return LostTry("there was no time left to send it", None, sent=False, again=False)
        self._deadline.set(deadline)
        started, seen = self.clock.monotonic(), SeenAnswer()
        tried = self._exchange(request, deadline, seen)
        if isinstance(tried, HttpReply):
            self._obey(tried)
        outcome = tried.outcome if isinstance(tried, LostTry) else _status_label(tried)
        seconds = self.clock.monotonic() - started
        if outcome is not None:
            self.count(request.verb, outcome, seconds)
        witness = WITNESS.get()
        if witness is not None:
            witness(exchange(request, self._options.path_words, tried, seen, seconds))
        return tried

    def _obey(self, reply: HttpReply) -> None:
        """Lets every thread and process wait, if the provider asks for that."""
        if reply.status == 429:
            self._pacer.hold(reply.after, refused=True)
        elif reply.pause is not None:
            self._pacer.hold(reply.pause, refused=False)

    def _exchange(self, request: HttpRequest, deadline: float, seen: SeenAnswer) -> Try:
        try:
            with closing(self._transport.handle_request(self._built(request, deadline))) as response:
                if WITNESS.get() is not None:
                    seen.look_at(response)
                body = request.reader()
                if not self._read(response, body, deadline):
                    message = f"the answer is larger than {body.largest} bytes"
                    return LostTry(message, "too_large", sent=True, again=False)
        except httpx.HTTPError as error:
            return lost(error, self._destination)
        return body.reply(response.status_code, response.headers, self.clock.now())

    def _built(self, request: HttpRequest, deadline: float) -> httpx.Request:
        """Builds the request: the only place where secrets are revealed for HTTP."""
        url = _url(f"{self._base_url}{request.path}" + (f"?{urlencode(request.query)}" if request.query else ""))
        content = _content(request)
        # With a stream httpx adds no headers of its own, which takes as long as all the rest.
        return httpx.Request(
            request.method,
            url,
            headers=self._headers(request, url, content),
            stream=httpx.ByteStream(content or b""),
            extensions={"timeout": self._timeouts(deadline)},
        )

    def _headers(self, request: HttpRequest, url: httpx.URL, content: bytes | None) -> dict[str, str]:
        # Not compressed: a small answer cannot become a large one.
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "rotator",
        }
        if content is not None or request.method in _WITH_LENGTH:
            headers["Content-Length"] = str(len(content or b""))
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        elif request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        secret = {**self._options.headers, **request.headers}
        return headers | {name: value.reveal() for name, value in secret.items()}

    def _timeouts(self, deadline: float) -> dict[str, float]:
        """Returns what httpx's transports read from a request."""
        of, left = self._options.timeouts, max(deadline - self.clock.monotonic(), 0.001)
        each = {"connect": of.connect, "read": of.read, "write": of.write, "pool": of.pool}
        return {name: min(seconds, left) for name, seconds in each.items()}

    def _read(self, response: httpx.Response, body: BodyReader, deadline: float) -> bool:
        """Reads the whole body; False if it is too large."""
        for chunk in response.iter_raw():
            if not body.feed(chunk):
                return False
            if self.clock.monotonic() > deadline:
                raise httpx.ReadTimeout("the deadline has passed")
        return True


@lru_cache(maxsize=1000)
def _url(text: str) -> httpx.URL:
    """Parses a URL, which takes longer than all the rest of building a request. None contains a secret."""
    return httpx.URL(text)


def _status_label(reply: HttpReply) -> str:
    if not reply.readable and 200 <= reply.status < 300:
        return "unreadable"
    # Other numbers are counted by class, so a provider cannot create arbitrarily many labels.
    return str(reply.status) if reply.status in _STATUSES else f"{reply.status // 100}xx"


def _content(request: HttpRequest) -> bytes | None:
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
        url = _url(options.base_url)
    except (httpx.InvalidURL, TypeError):
        raise ValueError("the base URL is not a URL: write it as https://host or https://host:port/path") from None
    if url.scheme not in ("http", "https") or not url.host or url.port == 0 or (url.port or 1) > 65535:
        raise ValueError("the base URL must begin with https://, a host, and optionally a port below 65536")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the base URL must not contain a user, a password, a query or a fragment")
    if url.scheme == "http" and url.host not in options.allow_plain_http and not is_loopback(url.host):
        raise ValueError(f"plain http:// to {url.host} would expose the API key to the network: use https://")
    return str(url).rstrip("/")


def _check_headers(headers: Mapping[str, Secret]) -> None:
    for name, value in headers.items():
        if not all(_HEADER_VALUE.fullmatch(word) for word in value.reveal().split(" ")):
            raise ValueError(
                f"the value of the header {name} is empty or contains characters that a header cannot carry: "
                "check that the secret has no line break"
            )
