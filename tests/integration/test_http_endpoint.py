"""The HTTP endpoint on real sockets."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
from polling import eventually
from prometheus_client.parser import text_string_to_metric_families

from rotator.core.secret import Secret
from rotator.daemon.http import ListenError, StatusServer
from rotator.observe.fleet import KnownFleet
from rotator.observe.health import BEAT, Health
from rotator.observe.metrics import Metrics
from rotator.observe.status_query import StatusQuery
from rotator.testing import FakeClock

SENTINEL = "Sentinel-Value-77"
Status = Callable[[StatusQuery], dict[str, Any]]


class RunningEndpoint:
    """A running endpoint."""

    def __init__(self, status: Status = lambda _: {"targets": []}, host: str = "127.0.0.1") -> None:
        self.clock = FakeClock()
        self.health = Health(self.clock)
        self.metrics = Metrics(self.clock, "1.2.3", KnownFleet(self.clock), target_series=10)
        self.host = host
        self.server = StatusServer(host, 0, self.metrics.render, self.health, status)
        self.server.start()

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection(self.host, self.server.port, timeout=10)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def raw(self, request: bytes) -> bytes:
        with closing(socket.create_connection((self.host, self.server.port), timeout=10)) as connection:
            received = b""
            with suppress(ConnectionError):  # the endpoint need not read all of what it refuses
                connection.sendall(request)
                while part := connection.recv(65_536):
                    received += part
            return received


@pytest.fixture
def endpoint() -> Iterator[RunningEndpoint]:
    made = RunningEndpoint()
    yield made
    made.server.stop()


def test_metrics_are_served_in_the_form_that_prometheus_reads(endpoint: RunningEndpoint) -> None:
    status, headers, body = endpoint.ask("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert "rotator_build_info" in names


def test_healthz_says_whether_the_loop_makes_progress(endpoint: RunningEndpoint) -> None:
    status, headers, body = endpoint.ask("/healthz")
    assert (status, json.loads(body)) == (200, {"ok": True, "reasons": []})
    assert headers["content-type"] == "application/json; charset=utf-8"
    endpoint.clock.advance(BEAT + timedelta(seconds=1))
    status, _, body = endpoint.ask("/healthz")
    assert status == 503
    assert json.loads(body)["reasons"] == ["the scheduler's loop has been stuck for 181 s; 180 s are allowed"]


def test_readyz_says_what_is_missing(endpoint: RunningEndpoint) -> None:
    status, _, body = endpoint.ask("/readyz")
    assert (status, len(json.loads(body)["reasons"])) == (503, 2)
    endpoint.health.configuration_loaded()
    endpoint.health.vault_reached()
    assert endpoint.ask("/readyz")[0] == 200


def test_status_is_the_document(endpoint: RunningEndpoint) -> None:
    status, _, body = endpoint.ask("/status")
    assert (status, json.loads(body)) == (200, {"targets": []})


def test_status_gets_the_query_of_its_address() -> None:
    asked: list[StatusQuery] = []
    endpoint = RunningEndpoint(lambda query: asked.append(query) or {})
    status, *_ = endpoint.ask("/status?limit=5&after=office%2D1&state=due&state=Never-rotated&account=a&name=o*")
    endpoint.server.stop()
    assert status == 200
    assert asked == [
        StatusQuery(states=("due", "never_rotated"), accounts=("a",), names=("o*",), after="office-1", limit=5)
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pretty=1", "no parameter pretty"),
        ("limit=x", "limit is a number"),
        ("limit=1001", "limit is a number from 0"),
        ("limit=-1", "limit is a number"),
        ("limit=%C2%B2", "limit is a number"),
        ("state=broken", "no state broken: use never_rotated, idle"),
        ("due_before=2026-01-31", "its offset from UTC"),
        ("due_before=soon", "its offset from UTC"),
    ],
)
def test_a_query_that_means_nothing_is_refused_with_what_to_ask_instead(
    endpoint: RunningEndpoint, query: str, said: str
) -> None:
    status, _, body = endpoint.ask(f"/status?{query}")
    assert status == 400
    assert said in json.loads(body)["error"]


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/status", "/nothing"])
def test_every_answer_is_uncached_unsniffed_and_says_nothing_of_the_server(
    endpoint: RunningEndpoint, path: str
) -> None:
    _, headers, _ = endpoint.ask(path)
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in headers
    assert "via" not in headers


@pytest.mark.parametrize("path", ["/", "/metrics/", "/status/../metrics", "/%2e%2e/etc/passwd", "/STATUS"])
def test_any_other_path_is_not_found(endpoint: RunningEndpoint, path: str) -> None:
    status, _, body = endpoint.ask(path)
    assert (status, json.loads(body)["pages"]) == (404, ["/healthz", "/metrics", "/readyz", "/status"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_allowed(endpoint: RunningEndpoint, method: str) -> None:
    status, headers, _ = endpoint.ask("/status", method, b"{}")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_head_has_the_headers_of_get_and_no_body(endpoint: RunningEndpoint) -> None:
    got, asked = endpoint.ask("/status"), endpoint.ask("/status", "HEAD")
    assert (asked[0], asked[2]) == (200, b"")
    assert asked[1]["content-length"] == got[1]["content-length"] == str(len(got[2]))


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /status HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nabc",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
    ],
)
def test_oversized_and_garbled_requests_are_refused_and_the_next_one_is_served(
    endpoint: RunningEndpoint, request_: bytes
) -> None:
    assert endpoint.raw(request_)[:10] in (b"", b"HTTP/1.1 4", b"HTTP/1.0 4")
    assert endpoint.ask("/healthz")[0] == 200


def test_a_page_that_fails_is_an_error_without_its_cause_and_takes_nothing_with_it() -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError(SENTINEL)

    endpoint = RunningEndpoint(broken)
    try:
        status, _, body = endpoint.ask("/status")
        assert status == 500
        assert SENTINEL.encode() not in body
        assert endpoint.ask("/metrics")[0] == 200
    finally:
        endpoint.server.stop()


def test_a_secret_that_strays_into_the_document_is_not_served() -> None:
    endpoint = RunningEndpoint(lambda _: {"oops": Secret(SENTINEL)})
    try:
        status, _, body = endpoint.ask("/status")
        assert status == 500
        assert SENTINEL.encode() not in body
    finally:
        endpoint.server.stop()


def test_more_clients_than_threads_are_all_answered(endpoint: RunningEndpoint) -> None:
    answers: list[int] = []
    clients = [threading.Thread(target=lambda: answers.append(endpoint.ask("/metrics")[0])) for _ in range(30)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(timeout=20)
    assert answers == [200] * 30
    assert sum(thread.name.startswith("waitress-") for thread in threading.enumerate()) == 4


def test_silent_connections_do_not_keep_others_from_being_answered(endpoint: RunningEndpoint) -> None:
    silent = [socket.create_connection((endpoint.host, endpoint.server.port), timeout=5) for _ in range(20)]
    try:
        assert endpoint.ask("/healthz")[0] == 200
    finally:
        for connection in silent:
            connection.close()


def test_stopping_lets_a_request_in_progress_end_and_frees_the_port() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(_: StatusQuery) -> dict[str, Any]:
        asked.set()
        assert go_on.wait(10)
        return {"slow": True}

    endpoint = RunningEndpoint(slow)
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(endpoint.ask("/status")[::2]))
    client.start()
    assert asked.wait(10)
    stopping = threading.Thread(target=endpoint.server.stop)
    stopping.start()
    go_on.set()
    for thread in (stopping, client):
        thread.join(timeout=20)
    assert [(status, json.loads(body)) for status, body in answers] == [(200, {"slow": True})]
    port = endpoint.server.port
    again = StatusServer("127.0.0.1", port, endpoint.metrics.render, endpoint.health, lambda _: {})
    again.start()
    assert again.port == port
    again.stop()


def test_stopping_ends_in_time_though_a_page_hangs() -> None:
    asked, release = threading.Event(), threading.Event()

    def hanging(_: StatusQuery) -> dict[str, Any]:
        asked.set()
        release.wait(30)
        return {}

    endpoint = RunningEndpoint(hanging)
    with closing(socket.create_connection((endpoint.host, endpoint.server.port), timeout=5)) as client:
        client.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(10)
        began = time.monotonic()
        endpoint.server.stop(timeout=0.3)
        assert time.monotonic() - began < 5
    release.set()
    eventually(lambda: not any(thread.name == "http" for thread in threading.enumerate()), "the threads have ended")


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    endpoint = RunningEndpoint()
    endpoint.server.stop()
    endpoint.server.stop()
    StatusServer("127.0.0.1", 0, endpoint.metrics.render, endpoint.health, lambda _: {}).stop()
    with pytest.raises(ConnectionRefusedError):
        endpoint.ask("/healthz")


def test_a_port_in_use_is_refused_with_what_to_change(endpoint: RunningEndpoint) -> None:
    port = endpoint.server.port
    other = StatusServer("127.0.0.1", port, endpoint.metrics.render, endpoint.health, lambda _: {})
    with pytest.raises(
        ListenError, match=rf"cannot listen on '127\.0\.0\.1', port {port}: another process uses this port; .*\(0 takes"
    ):
        other.start()


@pytest.mark.parametrize(
    ("host", "port", "advice"),
    [
        ("192.0.2.1", 0, "this machine has no such address; use 127.0.0.1"),
        ("127.0.0.1", 99_999, "a port is a number from 0 to 65535"),
        ("no.such.host.invalid", 0, "this machine has no such address"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_refused_with_what_to_change(
    host: str, port: int, advice: str
) -> None:
    clock = FakeClock()
    server = StatusServer(
        host, port, Metrics(clock, "1", KnownFleet(clock), target_series=10).render, Health(clock), lambda _: {}
    )
    with pytest.raises(ListenError, match=advice):
        server.start()


def test_ipv6_works() -> None:
    endpoint = RunningEndpoint(host="::1")
    try:
        assert endpoint.ask("/healthz")[0] == 200
    finally:
        endpoint.server.stop()
