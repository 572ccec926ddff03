"""The HTTP endpoint on real sockets."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from polling import eventually
from prometheus_client.parser import text_string_to_metric_families
from running_endpoint import RunningEndpoint
from structlog.testing import capture_logs

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.daemon.http import Endpoint, ListenError
from rotator.fields.network import HostPort
from rotator.observe.health import BEAT
from rotator.observe.status_query import StatusQuery
from rotator.settings.http import HttpSettings

SENTINEL = "Sentinel-Value-77"


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


def test_healthz_says_whether_the_loop_makes_progress_and_the_log_says_why_not_once(endpoint: RunningEndpoint) -> None:
    status, headers, body = endpoint.ask("/healthz")
    assert (status, json.loads(body)) == (200, {"ok": True})
    assert headers["content-type"] == "application/json; charset=utf-8"
    endpoint.clock.advance(BEAT + timedelta(seconds=1))
    with capture_logs() as logged:
        assert [endpoint.ask("/healthz")[::2] for _ in range(2)] == [(503, b'{"ok": false}\n')] * 2
    stuck = "the scheduler's loop has been stuck for 181 s; 180 s are allowed"
    assert logged == [{"event": "not alive", "log_level": "warning", "reasons": [stuck]}]
    endpoint.health.beat()
    assert endpoint.ask("/healthz")[0] == 200
    endpoint.clock.advance(BEAT + timedelta(seconds=1))
    with capture_logs() as logged:
        endpoint.ask("/healthz")
    assert len(logged) == 1


def test_readyz_does_not_show_what_is_missing_and_the_log_does(endpoint: RunningEndpoint) -> None:
    endpoint.health.vault_failed("https://vault.example.com: no answer")
    with capture_logs() as logged:
        status, _, body = endpoint.ask("/readyz")
    assert (status, json.loads(body)) == (503, {"ok": False})
    assert "https://vault.example.com: no answer" in logged[0]["reasons"][1]
    endpoint.health.configuration_loaded()
    endpoint.health.vault_reached()
    assert endpoint.ask("/readyz")[0] == 200


def test_probes_and_pages_are_on_ports_of_their_own(endpoint: RunningEndpoint) -> None:
    asked = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    assert endpoint.raw(asked % b"/healthz", "/status").startswith(b"HTTP/1.1 404 ")
    assert endpoint.raw(asked % b"/metrics", "/healthz").startswith(b"HTTP/1.1 404 ")


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
    assert headers["content-security-policy"] == "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["connection"] == "close"
    assert abs(parsedate_to_datetime(headers["date"]).timestamp() - time.time()) < 100
    assert "server" not in headers
    assert "via" not in headers


@pytest.mark.parametrize("path", ["/", "/metrics/", "/status/../metrics", "/%2e%2e/etc/passwd", "/STATUS"])
def test_any_other_path_is_not_found(endpoint: RunningEndpoint, path: str) -> None:
    status, _, body = endpoint.ask(path)
    assert (status, json.loads(body)["pages"]) == (404, ["/metrics", "/status"])


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


def test_many_clients_at_once_are_all_answered(endpoint: RunningEndpoint) -> None:
    answers: list[int] = []
    clients = [threading.Thread(target=lambda: answers.append(endpoint.ask("/metrics")[0])) for _ in range(30)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(timeout=20)
    assert answers == [200] * 30


def test_silent_connections_do_not_keep_others_from_being_answered(endpoint: RunningEndpoint) -> None:
    silent = [endpoint.connect(path) for path in ("/status", "/healthz") for _ in range(20)]
    try:
        assert [endpoint.ask(path)[0] for path in ("/status", "/healthz")] == [200, 200]
    finally:
        for connection in silent:
            connection.close()


def threads_of_the_endpoint() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("pages", "probes"))]


def at(port: int, host: str = "127.0.0.1", probes: int = 0) -> Endpoint:
    """An endpoint that answers nothing, at a port."""
    settings = HttpSettings(listen=HostPort(host, port), probes=HostPort("127.0.0.1", probes))

    def nothing(_: object) -> Any:
        raise AssertionError("nobody asks")

    return Endpoint(settings, nothing, nothing, SystemClock(threading.Event()))


def test_stopping_lets_a_request_in_progress_end_and_frees_the_port() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(_: StatusQuery) -> dict[str, Any]:
        asked.set()
        assert go_on.wait(25)
        return {"slow": True}

    endpoint = RunningEndpoint(slow)
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(endpoint.ask("/status")[::2]))
    client.start()
    assert asked.wait(25)
    stopping = threading.Thread(target=endpoint.server.stop)
    stopping.start()
    go_on.set()
    for thread in (stopping, client):
        thread.join(timeout=20)
    assert [(status, json.loads(body)) for status, body in answers] == [(200, {"slow": True})]
    port = endpoint.server.port
    again = at(port)
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
        assert asked.wait(25)
        began = time.monotonic()
        endpoint.server.stop(timeout=0.3)
        assert time.monotonic() - began < 20  # the page hangs for thirty
    release.set()
    eventually(lambda: not threads_of_the_endpoint(), "the threads have ended")


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    endpoint = RunningEndpoint()
    endpoint.server.stop()
    endpoint.server.stop()
    at(0).stop()
    for path in ("/healthz", "/status"):
        with pytest.raises(ConnectionRefusedError):
            endpoint.ask(path)


def test_a_port_in_use_is_refused_with_what_to_change(endpoint: RunningEndpoint) -> None:
    port = endpoint.server.port
    other = at(port)
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
    with pytest.raises(ListenError, match=advice):
        at(port, host).start()
    eventually(lambda: not threads_of_the_endpoint(), "the probes, which had begun, have stopped")


def test_a_port_of_the_probes_in_use_is_refused_too(endpoint: RunningEndpoint) -> None:
    with pytest.raises(ListenError, match=f"port {endpoint.server.probe_port}: another process uses this port"):
        at(0, probes=endpoint.server.probe_port).start()


def test_ipv6_works() -> None:
    endpoint = RunningEndpoint(host="::1")
    try:
        assert endpoint.ask("/healthz")[0] == 200
        assert endpoint.ask("/status")[0] == 200
    finally:
        endpoint.server.stop()
