"""What `check-provider` says of the way to a provider over TLS: what is wrong, and what would be right."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import httpx
import pytest
import trustme
from forward_proxy import connect_proxy
from free_ports import free_port
from provider_fixtures import TOKEN, RecordingMeter, account_options, http_response, raw_server, read_request

from rotator.core.evidence import AssumptionResult, Shown
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.engine.account_check import AccountCheck
from rotator.fields.connecting import Destination
from rotator.fields.proxy import ProxySettings
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.transport import lost
from rotator.providers.registry import KINDS
from rotator.settings.usage import HttpCheckSettings
from rotator.testing import MemoryAudit, MemoryStore


class ImpatientClock(SystemClock):
    """Time goes on by itself, and at once where somebody waits."""

    skipped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds


CLOCK = ImpatientClock(Event())
SOON = datetime.now(UTC) + timedelta(days=30)
EMPTY = b'{"objects": [], "meta": {"total": 0, "limit": 100, "offset": 0}}'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Example Corp")


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@contextmanager
def https(authority: trustme.CA, name: str = "localhost", ends: datetime = SOON) -> Iterator[str]:
    """A provider's API without anything in it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    begins = ends - timedelta(days=90)
    authority.issue_cert(name, not_before=begins, not_after=ends).configure_cert(context)

    def answer(connection, _):
        while read_request(connection):
            connection.sendall(http_response("HTTP/1.1 200 OK", EMPTY))

    with raw_server(answer, tls=context) as (url, _):
        yield url


def findings(url: str, **keys) -> dict[str, AssumptionResult]:
    options = account_options("vobiz", TOKEN, base_url=url, **keys)
    http = Http(options.http("prod"), CLOCK, RecordingMeter())
    try:
        check = AccountCheck(
            "prod",
            "key",
            KINDS["vobiz"](options, http, SystemRandomness()),
            (),
            store=MemoryStore(CLOCK),
            clock=CLOCK,
            randomness=SystemRandomness(),
            audit=MemoryAudit(),
            holder="me",
            version="1",
        )
        return {one.key: one for one in check.read("me").results}
    finally:
        http.close()


def refused(url: str, **keys) -> str:
    """Why the API cannot be reached; nothing else is claimed of the account."""
    found = findings(url, **keys)
    assert found["connects"].shown is Shown.DOES_NOT
    assert not {"key", "creates"} & set(found)
    assert (found["answers"].shown, found["answers"].evidence) == (Shown.NOT_SHOWN, "no answer came")
    return found["connects"].evidence


def where(url: str) -> str:
    return url.removeprefix("https://")


def test_a_private_authority_is_named_with_the_end_of_the_certificate(authority, ca_file):
    with https(authority) as url:
        found = findings(url, ca_file=ca_file)
    assert (found["connects"].shown, found["key"].shown) == (Shown.HOLDS, Shown.HOLDS)
    assert found["connects"].evidence == f"at 127.0.0.1, certificate by Example Corp until {SOON:%Y-%m-%d}"


def test_a_certificate_that_ends_soon_is_said(authority, ca_file):
    with https(authority, ends=datetime.now(UTC) + timedelta(days=3)) as url:
        assert "which is soon" in findings(url, ca_file=ca_file)["connects"].evidence


def test_an_authority_that_is_not_trusted(authority):
    with https(authority) as url:
        why = "is not trusted: check base_url, or set ca_file to the authority that issued it"
        assert refused(url) == f"the TLS certificate of {where(url)} {why}"


def test_a_certificate_that_has_expired(authority, ca_file):
    with https(authority, ends=datetime.now(UTC) - timedelta(days=1)) as url:
        why = "has expired: it has to be renewed there, unless this machine's clock is wrong"
        assert refused(url, ca_file=ca_file) == f"the TLS certificate of {where(url)} {why}"


def test_a_certificate_that_is_not_valid_yet(authority, ca_file):
    with https(authority, ends=datetime.now(UTC) + timedelta(days=100)) as url:
        why = "is not valid yet: check this machine's clock"
        assert refused(url, ca_file=ca_file) == f"the TLS certificate of {where(url)} {why}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_name(authority, ca_file, host):
    with https(authority, name="api.example.com") as served:
        url = served.replace("localhost", host)
        why = "is for another name: base_url needs a name that the certificate has"
        assert refused(url, ca_file=ca_file) == f"the TLS certificate of {where(url)} {why}"


def test_a_server_without_tls():
    def answer(connection, _):
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_server(answer) as (plain, _):
        url = plain.replace("http:", "https:")
        assert refused(url).endswith(f"{where(url)} does not speak TLS there: check the port in base_url")


@pytest.mark.parametrize(
    ("kind", "reason", "said"),
    [
        (ssl.SSLError, "WRONG_VERSION_NUMBER", "x does not speak TLS there: check the port in base_url"),
        (ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING", "the connection to x broke during the TLS handshake"),
        (ssl.SSLZeroReturnError, None, "the connection to x broke during the TLS handshake"),
        (
            ssl.SSLError,
            "UNSUPPORTED_PROTOCOL",
            "TLS with x failed: it may ask for a client certificate or another TLS version (UNSUPPORTED_PROTOCOL)",
        ),
    ],
)
def test_why_tls_failed_is_told_apart(kind, reason, said):
    """A server that asks for a client certificate was said to speak no TLS."""
    error = kind(1, "said by OpenSSL")
    error.reason = reason
    assert Destination("x", "base_url", "ca_file").why_not(error) == said


def test_a_name_that_does_not_exist():
    said = "the name of no-such-host.invalid cannot be resolved: check base_url, and the DNS of this machine"
    assert refused("https://no-such-host.invalid").endswith(said)


def test_a_port_at_which_nothing_listens():
    port = free_port()
    assert refused(f"https://localhost:{port}").endswith(f"nothing listens at localhost:{port}: check base_url")


def test_a_connection_that_nobody_answers_is_named_with_what_to_check():
    said = "no connection was made in time: %s does not answer: check %s, and what on the way may drop it (a firewall)"
    silent = httpx.ConnectTimeout("timed out")
    straight, proxied = Destination("api.x", "base_url", "ca_file"), Destination("api.x", "base_url", "ca_file", "p:1")
    assert lost(silent, straight).message == said % ("api.x", "base_url")
    assert lost(silent, proxied).message == said % ("the proxy p:1", "proxy.url")


def test_a_proxy_that_does_not_exist_is_named_and_not_the_provider(authority, ca_file):
    port = free_port()
    with https(authority) as url:
        why = refused(url, ca_file=ca_file, proxy=ProxySettings(url=f"http://localhost:{port}"))
    assert why.endswith(f"nothing listens at the proxy localhost:{port}: check proxy.url")


def test_a_proxy_that_wants_another_login(authority, ca_file):
    with https(authority) as url, connect_proxy() as proxy:
        why = refused(url, ca_file=ca_file, proxy=proxy.settings(password="wrong-password"))
        assert why.endswith(
            f"the proxy {proxy.url.removeprefix('http://')} asks for another login (407): check proxy.username and "
            "proxy.password"
        )


def test_through_a_proxy_the_certificate_of_the_provider_is_judged(authority, ca_file):
    with https(authority) as url, connect_proxy() as proxy:
        assert findings(url, ca_file=ca_file, proxy=proxy.settings())["connects"].shown is Shown.HOLDS
        assert f"certificate of {where(url)} is not trusted" in refused(url, proxy=proxy.settings())


def test_each_address_is_named_by_its_own_key():
    """A gateway's, and that of somebody who is asked about usage: nobody looks for those at base_url."""
    port = free_port()
    account = account_options("vobiz", TOKEN).http("prod")
    of_usage = HttpCheckSettings(type="http", url=f"https://localhost:{port}/{{username}}").options(
        "pbx", f"https://localhost:{port}"
    )
    for options, key in ((account, "probe_url"), (of_usage, "url")):
        http = Http(options, CLOCK, RecordingMeter())
        asked = http.elsewhere(f"https://localhost:{port}", key) if key == "probe_url" else http
        try:
            answer = asked.call().send(HttpRequest("prove", "GET", "/"))
        finally:
            http.close()
        assert answer.message.endswith(f"nothing listens at localhost:{port}: check {key}")
