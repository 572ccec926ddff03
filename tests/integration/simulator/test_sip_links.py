"""REGISTER over TCP and TLS, and over any of the three against registrars that keep it waiting or lead it astray."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme
from simulator_support import GOOD, WallClock
from sip_access import authority_file

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.providers.http.transport import trusted
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, register
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.authority import server_trust
from rotator_simulator.server import SimulatorServer

NAME, DOMAIN = "officephone01", "MA_DEMO.sip.vobiz.ai"
# A proof may take 8 s; these ask for less. The margin is for a machine under load.
TIMEOUT, MARGIN = 1.0, 10.0

Behaviour = Callable[[socket.socket], None]


def route(server: SimulatorServer, transport: str) -> SipRoute:
    where = server.sips_address if transport == "tls" else server.sip_address
    return SipRoute(where, transport, trusted(authority_file()))


def ask(where: SipRoute, password: str = GOOD, timeout: float = 5.0, **more) -> RegisterResult:
    return register(where, NAME, Secret(password), clock=WallClock(), domain=DOMAIN, timeout=timeout, **more)


@pytest.fixture
def known(account: SimulatedAccount) -> str:
    return account.create("credential", NAME, Secret(GOOD)).id


@contextmanager
def listening(behave: Behaviour, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[HostPort]:
    """A registrar that treats each connection (or its only socket) as it likes, until the end of the test."""
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            with suppress(OSError, TypeError):  # the end of the test comes as a datagram from nowhere
                if kind == socket.SOCK_DGRAM:
                    behave(server)
                    return
                link, _ = server.accept()
                with link:
                    behave(link)

        if kind == socket.SOCK_STREAM:
            server.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield HostPort("127.0.0.1", server.getsockname()[1])
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def response(request: bytes, status: int, *extra: str, length: str = "Content-Length: 0") -> bytes:
    lines = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*$", request.decode().replace("\r", ""), re.MULTILINE)
    return "\r\n".join([f"SIP/2.0 {status} Words", *lines, *extra, *([length] if length else []), "", ""]).encode()


# -- the real thing


@pytest.mark.parametrize("transport", ["tls", "tcp", "udp"])
def test_right_and_wrong_passwords(simulator: SimulatorServer, known: str, transport: str) -> None:
    assert ask(route(simulator, transport)).authenticated
    wrong = ask(route(simulator, transport), "wrong-password")
    assert (wrong.status, wrong.refused) == (401, True)


def test_the_via_names_the_transport(simulator: SimulatorServer, known: str) -> None:
    seen: list[bytes] = []

    def refuse(link: socket.socket) -> None:
        seen.append(link.recv(4096))
        link.sendall(response(seen[0], 403))
        link.recv(1)

    with listening(refuse) as where:
        assert ask(SipRoute(where, "tcp")).refused
    assert b"\r\nVia: SIP/2.0/TCP 127.0.0.1:" in seen[0]


def test_a_certificate_of_another_authority_is_not_trusted(simulator: SimulatorServer, tmp_path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for trust in (trusted(None), trusted(other)):
        result = ask(SipRoute(simulator.sips_address, "tls", trust))
        assert result.status is None
        assert f"the TLS certificate of {simulator.sips_address} is not trusted" in result.reason
        assert "sip_ca_file" in result.reason


def test_the_certificate_has_to_name_the_registrar(tmp_path) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("sip.elsewhere.example").configure_cert(context)

    def shake(link: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(link, server_side=True) as secured:
            secured.recv(1)

    with listening(shake) as where:
        result = ask(SipRoute(where, "tls", trusted(file)))
    said = (
        f"the TLS certificate of {where} is for another name: the registrar's address needs a name that the certificate"
    )
    assert said in result.reason


def test_tls_at_the_port_of_plain_sip_says_so(simulator: SimulatorServer) -> None:
    result = ask(SipRoute(simulator.sip_address, "tls", trusted(authority_file())), timeout=TIMEOUT)
    assert result.status is None
    assert "SIP over TLS has a port of its own, usually 5061" in result.reason


def test_a_closed_tcp_port_is_reported(simulator: SimulatorServer) -> None:
    simulator_port = simulator.sips_address
    with listening(lambda link: None) as where:
        pass
    assert "nothing listens on TCP" in ask(SipRoute(where, "tcp")).reason
    assert simulator_port.port != where.port


def test_an_address_that_is_silent_leaves_time_for_the_next(
    simulator: SimulatorServer, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # nobody accepts them, so the next one gets no answer
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        there = (simulator.sip_address.host, simulator.sip_address.port)
        both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (full.getsockname(), there)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        assert ask(SipRoute(HostPort("two.example", 5060), "tcp"), timeout=6.0).authenticated


# -- framing


def test_messages_in_pieces_with_bodies_and_line_ends_between_them() -> None:
    def answer(link: socket.socket) -> None:
        request = link.recv(4096)
        trying = response(request, 100, length="Content-Length: 5") + b"hello"
        whole = b"\r\n\r\n" + trying + b"\r\n\r\n" + response(request, 403, length="l: 4") + b"body"
        for at in range(len(whole)):
            link.sendall(whole[at : at + 1])
        link.recv(1)

    with listening(answer) as where:
        assert ask(SipRoute(where, "tcp")).status == 403


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda request: b"HTTP/1.1 200 OK\r\n\r\n", "neither a SIP request nor a SIP response"),
        (lambda request: response(request, 200, length=""), "without its length"),
        (lambda request: response(request, 200, length="Content-Length: 99999"), "longer one than an answer can be"),
        (lambda request: response(request, 200, length="Content-Length: -1"), "without its length"),
        (lambda request: b"a" * 20_000, "more than 8192 bytes"),
        (lambda request: b"", "closed the connection without an answer"),
        (lambda request: response(request, 100) * 200, "more than 100 messages and no answer"),
    ],
)
def test_a_stream_that_is_not_sip_ends_the_proof_at_once(spoilt, said: str) -> None:
    def answer(link: socket.socket) -> None:
        link.sendall(spoilt(link.recv(4096)))
        link.shutdown(socket.SHUT_WR)
        link.recv(1)

    with listening(answer) as where:
        result = ask(SipRoute(where, "tcp"))
    assert (result.status, result.authenticated, result.refused) == (None, False, False)
    assert said in result.reason


# -- registrars that keep it waiting


def silent(link: socket.socket) -> None:
    while link.recv(4096):
        pass


def dripping(link: socket.socket) -> None:
    request = link.recv(4096)
    for byte in response(request, 200, "X: " + "y" * 1000):
        link.sendall(bytes([byte]))
        time.sleep(0.02)


def dripping_line_ends(link: socket.socket) -> None:
    link.recv(4096)
    while True:
        link.sendall(b"\r\n")
        time.sleep(0.02)


def dripping_in_tls(link: socket.socket) -> None:
    with server_trust().wrap_socket(link, server_side=True) as secured:
        dripping(secured)


def dripping_handshake(link: socket.socket) -> None:
    for byte in b"\x16\x03\x03\x40\x00" + bytes(4000):
        link.sendall(bytes([byte]))
        time.sleep(0.02)


def always_trying(link: socket.socket) -> None:
    request, source = link.recvfrom(4096)
    while True:
        link.sendto(response(request, 100), source)
        time.sleep(0.05)


def flooding(link: socket.socket) -> None:
    _request, source = link.recvfrom(4096)
    while True:
        link.sendto(b"SIP/2.0 401 x\r\nWWW-Authenticate: Digest " + b'a="' * 20_000, source)


def always_challenging(link: socket.socket) -> None:
    for number in range(1000):
        request, source = link.recvfrom(4096)
        ask_again = f'WWW-Authenticate: Digest realm="r", nonce="{number}", qop="auth", stale=true'
        link.sendto(response(request, 401, ask_again), source)


@pytest.mark.parametrize(
    ("behave", "transport"),
    [
        (silent, "tcp"),
        (silent, "tls"),
        (dripping, "tcp"),
        (dripping_line_ends, "tcp"),
        (dripping_in_tls, "tls"),
        (dripping_handshake, "tls"),
        (always_trying, "udp"),
        (flooding, "udp"),
        (always_challenging, "udp"),
    ],
)
def test_the_total_deadline_holds(behave: Behaviour, transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with listening(behave, kind) as where:
        began = time.monotonic()
        result = ask(SipRoute(where, transport, trusted(authority_file())), timeout=TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + MARGIN
    assert (result.authenticated, result.refused) == (False, False)


# As long as a header may be, and as much of it as a message may have.
HARD = {
    "one name": "a" * 1950,
    "names without values": "a=" * 970,
    "open quotation marks": 'a="' * 650,
    "escapes": 'a="' + '\\"' * 950 + '"',
    "spaces": ("a" + " " * 99) * 19,
    "commas": "," * 1950,
    "too large": "a" * 60_000,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_no_other_thread_waits_for_a_hostile_registrar(text: str) -> None:
    """One datagram of the registrar once stopped the whole process for 23 s.

    What the whole proof computes is the longest that it can keep the interpreter from another thread. Unlike the time
    that passes, it does not depend on what else the machine does.
    """

    def hard(link: socket.socket) -> None:
        while True:
            request, source = link.recvfrom(4096)
            other = re.sub(rb"Via: [^\r]*", lambda _: f"Via: {text}".encode(), response(request, 200))
            for _ in range(20):
                link.sendto(other, source)
            challenges = [f"WWW-Authenticate: Digest {text}"] * (1 if len(text) > 10_000 else 3)
            link.sendto(response(request, 401, *challenges), source)

    with listening(hard, socket.SOCK_DGRAM) as where:
        began = time.thread_time()
        result = ask(SipRoute(where, "udp"), timeout=TIMEOUT)
        assert time.thread_time() - began < 0.2
    assert (result.status, result.untried) == ((401, True) if len(text) < 10_000 else (None, False))


# -- challenges and bindings


def challenging(*headers: str) -> Behaviour:
    def answer(link: socket.socket) -> None:
        request, source = link.recvfrom(4096)
        link.sendto(response(request, 401, *headers), source)
        request, source = link.recvfrom(4096)
        seen.append(request)
        link.sendto(response(request, 200), source)

    seen: list[bytes] = []
    answer.seen = seen  # type: ignore[attr-defined]
    return answer


def test_a_challenge_without_qop_is_not_answered_unless_that_is_allowed() -> None:
    behave = challenging('WWW-Authenticate: Digest realm="r", nonce="n"')
    with listening(behave, socket.SOCK_DGRAM) as where:
        result = ask(SipRoute(where, "udp"))
        assert (result.status, result.untried, result.refused, behave.seen) == (401, True, False, [])
        assert "allow_digest_without_qop: true" in result.reason
    with listening(challenging('WWW-Authenticate: Digest realm="r", nonce="n"'), socket.SOCK_DGRAM) as where:
        assert ask(SipRoute(where, "udp"), without_qop=True).authenticated


def test_sha_256_is_preferred() -> None:
    digest = 'WWW-Authenticate: Digest realm="r", qop="auth", nonce="n", algorithm='
    behave = challenging(digest + "MD5", digest + "SHA-256")
    with listening(behave, socket.SOCK_DGRAM) as where:
        assert ask(SipRoute(where, "udp")).authenticated
    assert b"algorithm=SHA-256" in behave.seen[0]


def test_bindings_are_noticed(simulator: SimulatorServer, known: str) -> None:
    assert not ask(route(simulator, "udp")).lists_bindings
    assert ask(route(simulator, "udp"), contact="sip:phone@desk").lists_bindings
    assert ask(route(simulator, "tls")).lists_bindings
