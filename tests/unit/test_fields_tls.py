"""No old version of TLS is spoken, also where Python leaves that to openssl.cnf, as Debian and Fedora build it."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from rotator.providers.http.transport import changeable_trust
from rotator.settings.http import TlsSettings
from rotator.vault.transport import Connection, _tls_context

OLD, NEW = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2
CLIENTS: dict[str, Callable[[Path], ssl.SSLContext | None]] = {
    "a provider, by the public authorities": lambda _: changeable_trust(None),
    "a provider, by a file": changeable_trust,
    "Vault": lambda file: _tls_context(Connection("https://vault:8200", ca_file=file)),
}

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


@pytest.fixture(autouse=True)
def _left_to_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    default = ssl.create_default_context

    def lax(*args, **kwargs) -> ssl.SSLContext:
        context = default(*args, **kwargs)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # no version is refused for its hashes
        return context

    monkeypatch.setattr(ssl, "create_default_context", lax)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return file


def peer(protocol: int, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The other side, which speaks this version only."""
    context = ssl.SSLContext(protocol)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """The version that both agree on. Raises ssl.SSLError if there is none."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="vault"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for side in sides * 4:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return sides[0].version()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_server_that_speaks_nothing_newer_is_not_talked_to(name, authority, ca_file):
    client = CLIENTS[name](ca_file)
    authority.configure_trust(client)
    server = {version: peer(ssl.PROTOCOL_TLS_SERVER, version) for version in (OLD, NEW)}
    for context in server.values():
        authority.issue_cert("vault").configure_cert(context)
    assert shake_hands(client, server[NEW]) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        shake_hands(client, server[OLD])


def test_a_client_that_speaks_nothing_newer_is_not_served(authority, tmp_path):
    files = TlsSettings(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")
    leaf = authority.issue_cert("vault")
    leaf.cert_chain_pems[0].write_to_path(files.certificate)
    leaf.private_key_pem.write_to_path(files.key)
    client = {version: peer(ssl.PROTOCOL_TLS_CLIENT, version) for version in (OLD, NEW)}
    for context in client.values():
        authority.configure_trust(context)
    assert shake_hands(client[NEW], files.context()) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"):
        shake_hands(client[OLD], files.context())
