"""Whatever a registrar answers: a result, in a bounded time, and no password in anything that is sent or said."""

import gc
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.fields.network import HostPort
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, register

PASSWORD = "sentinel-password-9f27Qz"
TIMEOUT, MARGIN = 0.3, 20.0  # seconds; the margin is for a machine that has other things to do
MOST_WORK = 0.5  # seconds of computing for one proof, which is the longest that another thread waits

VALUES = st.one_of(
    st.sampled_from(
        [
            *('Digest realm="r", nonce="n", qop="auth"', 'Digest realm="r", nonce="n"', "Digest", "Basic realm=x", ""),
            *('Digest realm="r", nonce="n", qop="auth", stale=true', 'Digest nonce="', 'Digest nonce="", qop=auth'),
            *(
                'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int"',
                "Digest nonce=n, algorithm=MD5-sess",
            ),
            *(
                "<sip:a@203.0.113.6>;expires=3600",
                "0",
                "-1",
                "5",
                "99999",
                "9" * 5000,
                "a" * 3000,
                "1 REGISTER",
                "\xff",
            ),
            *('Digest realm="\r\nX: y", nonce="n", qop="auth"', "Digest " + 'a="' * 400, "Digest " + "a=" * 700),
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=40),
)
HEADERS = st.tuples(
    st.sampled_from(
        [
            *(
                "WWW-Authenticate",
                "Proxy-Authenticate",
                "Contact",
                "m",
                "Content-Length",
                "l",
                "Via",
                "v",
                "CSeq",
                "Call-ID",
            ),
            *("To", "Expires", "", " ", "\x00", "X" * 3000),
        ]
    ),
    VALUES,
)
ANSWERS = st.one_of(
    # In the place of an answer: a status with the headers of the request, and others.
    st.tuples(
        st.sampled_from([100, 180, 200, 200, 301, 401, 401, 401, 407, 407, 403, 404, 423, 500, 603, 699]),
        st.lists(HEADERS, max_size=4),
    ),
    st.tuples(st.just(None), st.binary(max_size=300)),
    st.tuples(st.just(None), st.sampled_from([b"SIP/2.0 200 OK\r\n\r\n", b"\r\n" * 3000, b"a" * 9000, b"SIP/2.0 401"])),
)
CHALLENGE = (401, [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')])


def answer(request: bytes, status: int | None, rest) -> bytes:
    if status is None:
        return rest
    lines = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*$", request.decode().replace("\r", ""), re.MULTILINE)
    lines += [f"{name}: {value}" for name, value in rest]
    if not any(name.lower() in ("content-length", "l") for name, _ in rest):
        lines.append("Content-Length: 0")
    return "\r\n".join([f"SIP/2.0 {status} Words", *lines, "", ""]).encode("latin-1")


class HostileRegistrar:
    """Answers the next requests as it is told, and takes down what it receives."""

    def __init__(self, transport: str) -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.where = HostPort("127.0.0.1", self.socket.getsockname()[1])
        self.next: list[tuple[int | None, object]] = []
        self.received: list[bytes] = []
        if transport == "tcp":
            self.socket.listen()
        threading.Thread(target=self.by_tcp if transport == "tcp" else self.by_udp, daemon=True).start()

    def by_udp(self) -> None:
        with suppress(OSError):
            while True:
                request, source = self.socket.recvfrom(65_536)
                if source is None:  # the end of the test
                    return
                for data in self.answers(request):
                    self.socket.sendto(data, source)

    def by_tcp(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self.socket.accept()
                with link, suppress(OSError):
                    link.settimeout(10)
                    while request := link.recv(65_536):
                        for data in self.answers(request):
                            link.sendall(data)

    def answers(self, request: bytes) -> Iterator[bytes]:
        self.received.append(request)
        while self.next:
            status, rest = self.next.pop(0)
            yield answer(request, status, rest)
            if status is not None and status >= 200:
                return  # the next one answers the next request


@contextmanager
def running(transport: str) -> Iterator[HostileRegistrar]:
    registrar = HostileRegistrar(transport)
    try:
        yield registrar
    finally:
        with suppress(OSError):
            registrar.socket.shutdown(socket.SHUT_RDWR)
        registrar.socket.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_no_answer_of_a_registrar_raises_leaks_or_delays(transport: str, count_run, long_run) -> None:
    results: list[RegisterResult] = []

    @settings(max_examples=1500 if long_run else 60, phases=(Phase.explicit, Phase.generate))
    @example([CHALLENGE, (200, [])])
    @example([CHALLENGE, CHALLENGE])
    @given(st.lists(ANSWERS, min_size=1, max_size=5))
    def explore(answers) -> None:
        count_run("-", "-", f"answers of a registrar by {transport}")
        registrar.next[:] = answers
        route = SipRoute(registrar.where, transport)
        gc.disable()  # collecting what a long run has left is no work of the parser
        began, worked = time.monotonic(), time.thread_time()
        result = register(route, "phone1", Secret(PASSWORD), clock=SystemClock(threading.Event()), timeout=TIMEOUT)
        took, worked = time.monotonic() - began, time.thread_time() - worked
        gc.enable()
        assert took < TIMEOUT + MARGIN
        assert worked < MOST_WORK
        assert result.reason.isprintable()
        assert PASSWORD not in f"{result}"
        results.append(result)

    with running(transport) as registrar:
        explore()
    assert {result.authenticated for result in results} == {True, False}
    assert any(result.refused for result in results)
    assert PASSWORD.encode() not in b"".join(registrar.received)
