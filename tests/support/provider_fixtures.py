"""A scripted network for adapters, raw servers on real sockets, and a meter that keeps what it is told."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from rotator.core.answers import Answer, Done, Refusal, Refused
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.fields.references import Resolved
from rotator.ports import Provider
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.registry import KINDS
from rotator.testing import FakeClock, FakeRandomness

TOKEN = "tok3n-THAT-must-never-be-SEEN"
PASSWORD = "Pass-w0rd!THAT*never_x"[:20]
BASE = "https://api.example.test"
ACCOUNT = "MA_TEST"
TRUNKS = f"/api/v1/Account/{ACCOUNT}/trunks/credentials"
CREDENTIALS = f"/api/v1/Account/{ACCOUNT}/credentials"
ENDPOINTS = f"/api/v1/Account/{ACCOUNT}/Endpoint/"

Responder = Callable[[httpx.Request], httpx.Response]

_REQUIRED: dict[str, dict[str, str]] = {
    "vobiz": {"auth_id": ACCOUNT},
    "vobiz-endpoint": {"auth_id": ACCOUNT},
    "telnyx": {"connection_id": "conn1", "registrar": "off"},
    "telnyx-connection": {"registrar": "off"},
    "apinizer": {"base_url": BASE, "project": "P"},
}
_KEYS = {"vobiz": "auth_token", "vobiz-endpoint": "auth_token", "apinizer": "access_token"}


def account_options(kind: str, key: Secret | str = TOKEN, **keys: Any) -> Any:
    """The options of an account with this API key, with an example for each required key."""
    secret = key if isinstance(key, Secret) else Secret(key)
    written = {"type": kind, _KEYS.get(kind, "api_key"): Resolved(secret)} | _REQUIRED[kind] | keys
    return KINDS[kind].options_model.model_validate(written)


def provider_on(network: "FakeNetwork", kind: str, **keys: Any) -> Provider:
    """Returns the adapter of a kind, on a fake network."""
    return KINDS[kind](account_options(kind, **keys), network.http, FakeRandomness())


def done_if_gone(answer: Answer[Any]) -> Answer[Any]:
    """A delete that is sent again after a lost answer finds nothing, which is as well."""
    return Done(None) if isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND else answer


@dataclass
class RecordingMeter:
    """A meter that keeps what it is told."""

    requests: list[tuple[str, str, str, float]] = field(default_factory=list)

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        self.requests.append((account, verb, outcome, seconds))

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        raise AssertionError("a provider does not talk to Vault")

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(verb, outcome) for _, verb, outcome, _ in self.requests]


@dataclass
class FakeNetwork:
    """An `Http` on a handler instead of the network, and everything that can be looked at afterwards."""

    handler: Responder
    options: dict[str, Any] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    meter: RecordingMeter = field(default_factory=RecordingMeter)
    sent: list[httpx.Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        defaults: dict[str, Any] = {"account": "prod", "base_url": BASE, "headers": {"X-Auth-Token": Secret(TOKEN)}}
        self.http = Http(
            HttpOptions(**defaults | self.options), self.clock, self.meter, httpx.MockTransport(self._handle)
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        response = self.handler(request)
        if not isinstance(response.stream, httpx.ByteStream):
            return response
        # Made anew with a body that was not read yet, as from a socket.
        return httpx.Response(
            response.status_code, headers=response.headers, stream=httpx.ByteStream(b"".join(response.stream))
        )

    @property
    def request_lines(self) -> list[str]:
        """What was sent, as `METHOD path`."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.sent]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.sent if request.content]


def answers_in_turn(*steps: Responder | httpx.Response | Exception) -> Responder:
    """A handler that answers one step after the other: a response, a function of the request, or an exception."""
    rest = list(steps)

    def handle(request: httpx.Request) -> httpx.Response:
        step = rest.pop(0)
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    return handle


def answer(status: int, body: Any = None, **fields: Any) -> httpx.Response:
    return httpx.Response(status, json=body, **fields) if body is not None else httpx.Response(status, **fields)


def trunk_json(identity: str = "id-1", username: str = "phone1", enabled: bool = True, **more: Any) -> dict[str, Any]:
    """A trunk credential as Vobiz shows it."""
    return {
        "id": identity,
        "account_id": ACCOUNT,
        "username": username,
        "password": "<redacted>",
        "realm": f"{ACCOUNT}.sip.vobiz.ai",
        "enabled": enabled,
        "created_at": "2026-05-12T05:11:51.635107Z",
        "updated_at": "2026-05-12T05:11:51.683393Z",
    } | more


def listing(*objects: Any, total: str = "total", count: Any = None) -> httpx.Response:
    return answer(
        200,
        {
            "meta": {"limit": 100, "offset": 0, total: len(objects) if count is None else count},
            "objects": list(objects),
        },
    )


def credential(
    identity: str | None = "id-1", username: str = "phone1", password: str | None = PASSWORD, **more: Any
) -> Credential:
    return Credential("prod", username, identity, Secret(password) if password else None, **more)


def vobiz(
    handler: Responder, *, http: dict[str, Any] | None = None, answers_get: bool | None = False, **options: Any
) -> tuple[Provider, FakeNetwork]:
    """Returns `VobizCredentials` whose requests the handler answers, and the network they cross.

    `answers_get`: whether the account is known to answer a request for a single credential; None: nobody knows.
    """
    network = FakeNetwork(handler, http or {})
    provider: Any = provider_on(network, "vobiz", **options)
    provider._listing._directory.answers_get = answers_get
    return provider, network


def endpoints(handler: Responder, **options: Any) -> tuple[Provider, FakeNetwork]:
    """Returns `VobizEndpoints` whose requests the handler answers, and the network they cross."""
    network = FakeNetwork(handler)
    return provider_on(network, "vobiz-endpoint", **options), network


SECOND = timedelta(seconds=1)


@contextmanager
def raw_server(
    behave: Callable[[socket.socket, threading.Event], object], *, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[int]]]:
    """A server on a real socket: `behave(connection, stop)` is called in a thread for each connection.

    Yields the base URL and the list of accepted connections' numbers.
    """
    stop = threading.Event()
    accepted: list[int] = []
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                behave(connection, stop)

    def serve() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                connection.settimeout(5)
                accepted.append(len(accepted))
                thread = threading.Thread(target=talk, args=(connection,))
                threads.append(thread)
                thread.start()

    server = threading.Thread(target=serve)
    server.start()
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://localhost:{listener.getsockname()[1]}", accepted
    finally:
        stop.set()
        server.join()
        for thread in threads:
            thread.join()
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Reads one request's head and body, and returns the bytes."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def http_response(text: str, body: bytes = b"") -> bytes:
    """Makes the bytes of an HTTP response."""
    return text.encode() + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
