"""The shared HTTP module on real sockets: nothing outlasts its bound, whatever the other side does."""

import logging
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Semaphore, Thread
from typing import Self

import pytest
import trustme
from forward_proxy import connect_proxy
from free_ports import free_port
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from polling import eventually
from provider_fixtures import TOKEN, RecordingMeter, http_response, raw_server, read_request

from rotator.core.answers import Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.providers.http import transport
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import CallTimeouts, Http, HttpOptions
from rotator.providers.http.replies import HttpReply

FAST = CallTimeouts(connect=0.3, read=0.2, write=0.3, pool=0.3, total=0.6)
GET = HttpRequest("list", "GET", "/x")
CREATE = HttpRequest("create", "POST", "/x", body={"a": 1}, repeatable=False)
SLACK = 20.0  # seconds of a busy machine; less than what an unbounded wait would take


class TimedHttp:
    """An `Http` on the real clock, and how long a request took."""

    def __init__(self, url, **options):
        self.meter = RecordingMeter()
        given = {"headers": {"X-Auth-Token": Secret(TOKEN)}} | options
        self.http = Http(HttpOptions("prod", url, **given), SystemClock(Event()), self.meter)

    def send(self, request) -> HttpReply | Retry | Unknown:
        started = time.monotonic()
        try:
            return self.http.call().send(request)
        finally:
            self.seconds = time.monotonic() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_):
        self.http.close()


def stay_silent(connection, stop):
    read_request(connection)
    stop.wait(60)


def drip(head, piece, pause=0.05) -> Callable[[socket.socket, Event], None]:
    def behave(connection, stop):
        read_request(connection)
        connection.sendall(head)
        while not stop.wait(pause):
            connection.sendall(piece)

    return behave


BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        stay_silent,
        drip(BODY + b"Content-Length: 100000\r\n\r\n", b" "),
        drip(BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(BODY, b"X-Drip: 1\r\n"),
        drip(b"", b"H"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause=0.0001),
    ],
    ids=["silence", "body", "chunks", "headers", "status line", "100 Continue", "many interim answers"],
)
def test_a_server_that_never_ends_its_answer_is_left_at_the_deadline(behave):
    with raw_server(behave) as (url, accepted), TimedHttp(url, timeouts=FAST) as opened:
        answer = opened.send(CREATE)
        assert isinstance(answer, Unknown)
        assert opened.seconds < FAST.total + SLACK
        assert opened.meter.outcomes in ([("create", "timeout")], [("create", "reset")])
        assert len(accepted) == 1


def test_a_silent_server_is_asked_again_within_the_bound_where_that_is_safe():
    with raw_server(stay_silent) as (url, _), TimedHttp(url, timeouts=FAST) as opened:
        assert isinstance(opened.send(GET), Unknown)
        assert opened.seconds < FAST.total + SLACK


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 20",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "half a body", "half a chunk", "half a status line", "not HTTP", "endless header"],
)
def test_a_connection_that_breaks_is_unknown(answer):
    def behave(connection, _):
        read_request(connection)
        connection.sendall(answer)

    with raw_server(behave) as (url, accepted), TimedHttp(url) as opened:
        assert isinstance(opened.send(CREATE), Unknown)
        assert opened.meter.outcomes == [("create", "reset")]
        assert len(accepted) == 1


def test_a_closed_port_is_a_retry_after_some_tries_whatever_the_request():
    with TimedHttp(f"http://127.0.0.1:{free_port()}", timeouts=CallTimeouts(total=2)) as opened:
        answer = opened.send(CREATE)
    assert isinstance(answer, Retry)
    assert answer.why is Wait.UNREACHABLE
    assert opened.meter.outcomes == [("create", "refused_connection")] * 3
    assert opened.seconds < 2 + SLACK


def test_a_name_that_does_not_exist_is_a_retry():
    with TimedHttp("https://no-such-host.invalid") as opened:
        assert isinstance(opened.send(CREATE), Retry)


def test_a_body_of_ten_megabytes_is_not_read_to_its_end():
    def behave(connection, _):
        read_request(connection)
        connection.sendall(http_response("HTTP/1.1 200 OK", b" " * 10_000_000))

    with raw_server(behave) as (url, _), TimedHttp(url) as opened:
        answer = opened.send(GET)
        assert isinstance(answer, Unknown)
        assert "larger" in answer.message
        assert opened.meter.outcomes == [("list", "too_large")]


def test_connections_are_used_again_and_a_closed_one_is_replaced():
    closed = Semaphore(0)

    def behave(connection, _):
        for _ in range(2):
            if read_request(connection):
                connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    with raw_server(behave) as (url, accepted), TimedHttp(url) as opened:
        for _ in range(2):
            assert opened.send(CREATE) == HttpReply(200, {})
            assert opened.send(CREATE) == HttpReply(200, {})
            assert closed.acquire(timeout=SLACK)  # a request that crosses the closing is lost, and rightly so
        assert len(accepted) == 2


def test_the_connection_that_was_used_last_is_used_first_and_closing_closes_all():
    together, asked, ended = Barrier(2), [], []

    def behave(connection, _):
        asked.append(0)
        number = len(asked) - 1
        while request := read_request(connection):
            if b"/together" in request:
                together.wait(5)
            asked[number] += 1
            connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))
        ended.append(number)

    with raw_server(behave) as (url, accepted), TimedHttp(url) as opened:
        both = [Thread(target=opened.send, args=(HttpRequest("x", "GET", "/together"),)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        for _ in range(5):
            assert opened.send(GET) == HttpReply(200, {})
        assert len(accepted) == 2
        assert sorted(asked) == [1, 6]
        opened.http.close()
        eventually(lambda: sorted(ended) == [0, 1], "both closed")


def test_a_connection_that_is_in_use_when_all_are_closed_is_closed_after_its_answer():
    busy, go_on, ended = Event(), Event(), []

    def behave(connection, _):
        read_request(connection)
        busy.set()
        go_on.wait(5)
        connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))
        ended.append(read_request(connection))

    with raw_server(behave) as (url, _), TimedHttp(url) as opened:
        answers = []
        slow = Thread(target=lambda: answers.append(opened.send(GET)))
        slow.start()
        assert busy.wait(5)
        opened.http.close()
        go_on.set()
        slow.join()
        assert answers == [HttpReply(200, {})]
        eventually(lambda: ended == [b""], "closed")


def test_there_are_no_more_connections_than_agreed_and_a_request_without_one_was_never_sent(monkeypatch):
    monkeypatch.setattr(transport, "_MOST", 1)
    busy = Event()

    def behave(connection, stop):
        read_request(connection)
        busy.set()
        stop.wait(60)

    with raw_server(behave) as (url, accepted), TimedHttp(url, timeouts=replace(FAST, read=5, total=5)) as opened:
        slow = Thread(target=opened.send, args=(CREATE,), daemon=True)
        slow.start()
        assert busy.wait(5)
        lost = opened.http.try_once(GET, deadline=opened.http.clock.monotonic() + 5)
        assert (lost.sent, len(accepted)) == (False, 1)


def test_threads_have_deadlines_of_their_own():
    gate = Event()

    def behave(connection, stop):
        gate.set()
        if b"/slow" in read_request(connection):
            stop.wait(0.15)
        connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))

    with raw_server(behave) as (url, _), TimedHttp(url) as opened:
        answers = []
        slow = Thread(target=lambda: answers.append(opened.http.call().send(HttpRequest("x", "GET", "/slow"))))
        slow.start()
        assert gate.wait(5)
        late = opened.http.try_once(GET, deadline=opened.http.clock.monotonic() - 1)
        assert not late.sent
        slow.join()
        assert answers == [HttpReply(200, {})]


def test_neither_url_nor_header_reaches_a_log_at_debug(caplog):
    caplog.set_level(logging.DEBUG)

    def behave(connection, _):
        read_request(connection)
        connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))

    with raw_server(behave) as (url, _), TimedHttp(url) as opened:
        opened.send(HttpRequest("list", "GET", "/x", query={"secret": "query-value"}))
    assert "query-value" not in caplog.text
    assert TOKEN not in caplog.text


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority, tmp_path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def tls_context(authority, *names) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def answer_politely(connection, _):
    read_request(connection)
    connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))


def test_an_authority_of_our_own_is_trusted(authority, authority_file):
    with (
        raw_server(answer_politely, tls=tls_context(authority, "localhost")) as (url, _),
        TimedHttp(url, ca_file=authority_file) as opened,
    ):
        assert opened.send(GET) == HttpReply(200, {})


def test_a_certificate_of_an_unknown_authority_is_refused_and_nothing_is_sent(authority):
    with (
        raw_server(answer_politely, tls=tls_context(authority, "localhost")) as (url, accepted),
        TimedHttp(url) as opened,
    ):
        answer = opened.send(CREATE)
        assert isinstance(answer, Retry)
        assert "is not trusted: check base_url, or set ca_file" in answer.message
        assert opened.meter.outcomes == [("create", "untrusted")]
        assert len(accepted) == 1


def test_a_certificate_for_another_name_is_refused(authority, authority_file):
    server = tls_context(authority, "other.test")
    with raw_server(answer_politely, tls=server) as (url, _), TimedHttp(url, ca_file=authority_file) as opened:
        assert "is for another name: base_url needs a name that the certificate has" in opened.send(GET).message


def test_a_server_that_never_finishes_the_handshake_is_left_at_the_deadline():
    def behave(_, stop):
        stop.wait(60)

    with raw_server(behave) as (url, _), TimedHttp(url.replace("http:", "https:"), timeouts=FAST) as opened:
        answer = opened.send(CREATE)
        assert isinstance(answer, Retry)
        assert opened.seconds < FAST.total + SLACK


@examples(60)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", BODY + b"\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]),
)
def test_whatever_bytes_come_back_nothing_is_raised(noise, head):
    def behave(connection, _):
        read_request(connection)
        connection.sendall(head + noise)

    with raw_server(behave) as (url, _), TimedHttp(url) as opened:
        assert isinstance(opened.send(CREATE), HttpReply | Retry | Unknown)


def answer_once(connection, _):
    if read_request(connection):
        connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))


def test_a_proxy_that_is_configured_carries_tls(authority, authority_file):
    options = {"ca_file": authority_file}
    with raw_server(answer_once, tls=tls_context(authority, "localhost")) as (url, _), connect_proxy() as proxy:
        with TimedHttp(url, proxy=proxy.settings(), **options) as opened:
            assert opened.send(CREATE) == HttpReply(200, {})
        assert proxy.asked == [url.removeprefix("https://")]
        with TimedHttp(url, proxy=proxy.settings("localhost"), **options) as opened:
            assert opened.send(CREATE) == HttpReply(200, {})
        assert len(proxy.asked) == 1


def test_a_proxy_that_refuses_has_sent_nothing(authority, authority_file):
    with raw_server(answer_once, tls=tls_context(authority, "localhost")) as (url, accepted), connect_proxy() as proxy:
        settings = proxy.settings(password="wrong-password")
        with TimedHttp(url, proxy=settings, ca_file=authority_file) as opened:
            answer = opened.send(CREATE)
        assert isinstance(answer, Retry)
        assert "asks for another login (407)" in answer.message
        assert set(opened.meter.outcomes) == {("create", "refused_connection")}
        assert accepted == []


def test_proxies_and_netrc_of_the_environment_are_not_used(authority, authority_file, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine localhost login me password mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    seen = []

    def behave(connection, _):
        seen.append(read_request(connection))
        connection.sendall(http_response("HTTP/1.1 200 OK", b"{}"))

    with connect_proxy() as trap:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.upper(), trap.url)
        with raw_server(behave) as (url, _), TimedHttp(url) as opened:
            assert opened.send(CREATE) == HttpReply(200, {})
        with (
            raw_server(behave, tls=tls_context(authority, "localhost")) as (url, _),
            TimedHttp(url, ca_file=authority_file) as opened,
        ):
            assert opened.send(CREATE) == HttpReply(200, {})
        assert trap.asked == []
    assert all(b"authorization" not in each.lower() for each in seen)
