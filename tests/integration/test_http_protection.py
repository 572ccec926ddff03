"""TLS and the token of the HTTP endpoint, on real sockets, with certificates of an authority of the test's own."""

import json
import os
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from polling import eventually
from running_endpoint import RunningEndpoint, is_closed
from structlog.testing import capture_logs

from rotator.core.secret import Secret
from rotator.daemon import http
from rotator.daemon.http import ListenError, PeerLimits
from rotator.settings.http import TlsSettings

TOKEN = "Sentinel-Token-0123456789abcdef"


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


def typed_in(password: bytes, name: bytes = b"") -> dict[str, str]:
    """What a browser sends once a person has answered its question."""
    return bearer(b64encode(name + b":" + password).decode(), "Basic")


class Authority:
    """An authority, and the files that its certificates are in."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.settings = TlsSettings(certificate=folder / "tls.crt", key=folder / "tls.key")

    def issue(self, *, expires: datetime | None = None) -> None:
        """Writes a new certificate as cert-manager's Secret arrives in a pod: whole, behind a link that is swung."""
        leaf = self.ca.issue_cert("127.0.0.1", not_after=expires)
        for file, blob in (
            (self.settings.certificate, leaf.cert_chain_pems[0]),
            (self.settings.key, leaf.private_key_pem),
        ):
            version = file.with_name(f"{file.name}-{os.urandom(4).hex()}")
            blob.write_to_path(version)
            link = file.with_name("link")
            link.symlink_to(version)
            link.replace(file)

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.issue()
    return made


@pytest.fixture
def start(authority: Authority) -> Iterator[Callable[..., RunningEndpoint]]:
    """Starts an endpoint with TLS, which stops with the test."""
    with ExitStack() as stack:

        def started(*, limits: PeerLimits | None = None, metrics: Callable[[], bytes] | None = None) -> RunningEndpoint:
            endpoint = RunningEndpoint(metrics=metrics, limits=limits, tls=authority.settings)
            stack.callback(endpoint.server.stop, timeout=0.1)
            endpoint.trust = authority.trust()
            return endpoint

        yield started


def shown(endpoint: RunningEndpoint) -> int:
    """The serial number of the certificate that a new connection gets to see."""
    with closing(endpoint.connect()) as plain, endpoint.trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        return int(secure.getpeercert()["serialNumber"], 16)


def test_pages_are_served_by_tls_and_probes_without(start) -> None:
    page = b"rotator_something 1\n" * 250_000
    endpoint = start(metrics=lambda: page)
    assert endpoint.ask("/status")[0] == 200
    assert endpoint.ask("/metrics")[2] == page
    assert endpoint.ask("/healthz")[0] == 200  # the client of probes speaks plain HTTP
    status, headers, body = endpoint.ask("/metrics", "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(page)), b"")


def test_no_plain_http_is_spoken_and_no_log_written_for_whoever_cannot_be_served(start) -> None:
    endpoint = start()
    with capture_logs() as logged:
        assert endpoint.raw(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")[:5] != b"HTTP/"
        endpoint.trust = ssl.create_default_context()  # which does not know the authority
        with pytest.raises(ssl.SSLCertVerificationError):
            endpoint.ask("/status")
    assert logged == []


def test_a_renewed_certificate_is_shown_to_the_next_connection(start, authority) -> None:
    endpoint = start()
    first = shown(endpoint)
    assert shown(endpoint) == first
    with capture_logs() as logged:
        authority.issue()
        second = shown(endpoint)
        assert shown(endpoint) == second != first
    assert [(line["event"], line["log_level"]) for line in logged] == [("the TLS certificate was renewed", "info")]


def test_an_expired_certificate_is_no_reason_to_restart(start, authority) -> None:
    authority.issue(expires=datetime.now(UTC) - timedelta(days=1))
    endpoint = start()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        endpoint.ask("/status")
    assert endpoint.ask("/readyz")[0] == 503
    authority.issue()
    assert endpoint.ask("/status")[0] == 200


def test_files_that_do_not_belong_together_leave_the_old_certificate_in_force(start, authority, tmp_path) -> None:
    """Two files cannot be replaced at once where no link is swung."""
    endpoint = start()
    first = shown(endpoint)
    key = authority.settings.key.read_bytes()
    with capture_logs() as logged:
        authority.issue()
        fresh = authority.settings.key.read_bytes()
        authority.settings.key.unlink()
        authority.settings.key.write_bytes(key)
        assert [shown(endpoint), shown(endpoint)] == [first, first]
        authority.settings.key.unlink()
        assert shown(endpoint) == first
        authority.settings.key.write_bytes(fresh)
        assert shown(endpoint) != first
    kept = "the new TLS certificate cannot be used; the old one stays in force"
    assert [line["event"] for line in logged] == [kept, kept, "the TLS certificate was renewed"]
    assert "do not hold a certificate and its key" in logged[0]["error"]
    assert "PRIVATE" not in str(logged)


def test_a_certificate_that_cannot_be_used_at_the_start_is_refused(authority) -> None:
    authority.settings.key.write_text("no key")
    with pytest.raises(ListenError, match=r"cannot speak TLS: the files .* do not hold a certificate and its key"):
        RunningEndpoint(tls=authority.settings)


def test_a_key_with_a_passphrase_is_refused_instead_of_asked_for(authority) -> None:
    key = serialization.load_pem_private_key(authority.settings.key.read_bytes(), None)
    secured = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    authority.settings.key.write_bytes(secured)
    with pytest.raises(ListenError, match="without a passphrase"):
        RunningEndpoint(tls=authority.settings)


def test_whoever_begins_tls_and_stops_is_closed_at_the_deadline_and_delays_nobody(start) -> None:
    endpoint = start(limits=PeerLimits(request=1.0))
    hello = bytes.fromhex("16030100f8010000f40303")  # the beginning of a handshake
    with ExitStack() as stack:
        silent = [stack.enter_context(closing(endpoint.connect())) for _ in range(10)]
        for client in silent:
            client.sendall(hello)
        assert endpoint.ask("/status")[0] == 200
        assert endpoint.seconds_of("/healthz") < 1
        eventually(lambda: all(map(is_closed, silent)), "their time is over")


def test_slow_readers_by_tls_are_closed_at_the_deadline(start) -> None:
    endpoint = start(metrics=lambda: b"x" * 8_000_000, limits=PeerLimits(answer=1.0))
    with (
        closing(endpoint.connect(receive_buffer=4096)) as plain,
        endpoint.trust.wrap_socket(plain, server_hostname="127.0.0.1") as slow,
    ):
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(10) == b"HTTP/1.1 2"
        eventually(lambda: _broken(slow), "the rest never comes")


def _broken(client: ssl.SSLSocket) -> bool:
    try:
        return client.recv(1000) == b""
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("path", ["/metrics", "/status", "/status?limit=x", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("wrong-wrong-wrong-wrong-wrong"),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer(TOKEN.lower()),
        bearer(TOKEN, "Basic"),
        typed_in(b""),
        typed_in(TOKEN[:-1].encode()),
        typed_in(b"x", TOKEN.encode()),
        typed_in(TOKEN.encode() + b"\xff"),
        bearer("!" + b64encode(f":{TOKEN}".encode()).decode(), "Basic"),
        bearer("\xe9" * 30),
        {"Authorization": TOKEN},
    ],
)
def test_without_the_right_token_there_is_nothing_but_401(path, headers) -> None:
    endpoint = RunningEndpoint()
    endpoint.token = Secret(TOKEN)
    try:
        status, answered, body = endpoint.ask(path, headers=headers)
    finally:
        endpoint.server.stop()
    assert (status, answered["www-authenticate"]) == (401, 'Basic realm="rotator"')  # the last of two
    assert set(json.loads(body)) == {"error"}
    assert TOKEN.encode() not in body


def test_the_right_token_opens_the_pages_and_probes_need_none() -> None:
    endpoint = RunningEndpoint()
    endpoint.token = Secret(TOKEN)
    try:
        assert endpoint.ask("/metrics", headers=bearer(TOKEN))[0] == 200
        assert endpoint.ask("/status", headers=bearer(TOKEN, "bearer"))[0] == 200
        assert endpoint.ask("/status", headers=typed_in(TOKEN.encode()))[0] == 200
        assert endpoint.ask("/status", headers=typed_in(TOKEN.encode(), b"anybody"))[0] == 200
        assert endpoint.ask("/nothing", headers=bearer(TOKEN))[0] == 404
        assert endpoint.ask("/healthz")[0] == 200
        endpoint.token = Secret(TOKEN[::-1])  # as a reload does
        assert endpoint.ask("/metrics", headers=bearer(TOKEN))[0] == 401
        assert endpoint.ask("/metrics", headers=bearer(TOKEN[::-1]))[0] == 200
    finally:
        endpoint.server.stop()


def test_tokens_are_compared_by_their_type_which_takes_the_same_time_for_every_wrong_one() -> None:
    """`Secret` compares with hmac.compare_digest; nothing here takes the text out of one."""
    modules = Path(http.__file__).parent.glob("*.py")
    assert [file.name for file in modules if "reveal(" in file.read_text()] == []


def test_two_authorizations_are_none() -> None:
    endpoint = RunningEndpoint()
    endpoint.token = Secret(TOKEN)
    twice = f"Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\n"
    try:
        answered = endpoint.raw(f"GET /status HTTP/1.1\r\nHost: x\r\n{twice}\r\n".encode())
    finally:
        endpoint.server.stop()
    assert answered.startswith(b"HTTP/1.1 401 ")
    assert [line for line in answered.split(b"\r\n") if line.lower().startswith(b"www-")] == [
        b'WWW-Authenticate: Bearer realm="rotator"',
        b'WWW-Authenticate: Basic realm="rotator"',
    ]


def test_no_token_right_or_wrong_is_in_a_log_or_an_answer() -> None:
    def broken() -> bytes:
        raise RuntimeError("the page cannot be made")

    wrong, answers = "Another-Sentinel-0123456789", []
    endpoint = RunningEndpoint(metrics=broken)
    endpoint.token = Secret(TOKEN)
    with capture_logs() as logged:
        for token in (TOKEN, wrong):
            answers += [endpoint.ask("/metrics", headers=bearer(token))[2]]
            for request in (
                f"GET /metrics HTTP/1.1\r\nAuthorization: Bearer {token}\r\n bad folding\r\n\x01\r\n\r\n",
                f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization {token}\r\n\r\n",
                f"GET /{token}\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
                f"Authorization: Bearer {token}\r\n\r\n",
            ):
                answers += [endpoint.raw(request.encode())]
    endpoint.server.stop()
    assert [line["event"] for line in logged] == ["a page could not be rendered"]
    for token in (TOKEN, wrong):
        assert token not in str(logged)
        assert token.encode() not in b"".join(answers)
