"""TLS: an own authority, and nothing that switches the verification off."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from forward_proxy import connect_proxy
from openbao_server import Bao, SkippingClock, VaultAccess
from provider_fixtures import raw_server, read_request

from rotator.ports import StoreDenied, StoreError, StoreUnavailable
from rotator.vault.admin import VaultAdmin
from rotator.vault.auth import Cert
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.transport import Connection, VaultSession


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tls_files(authority: dict[str, str], tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text(authority["issuing_ca"])
    (tmp_path / "server.pem").write_text(authority["certificate"] + "\n" + authority["private_key"])
    return tmp_path


@pytest.fixture
def tls_address(bao: Bao, tls_files: Path) -> Iterator[str]:
    """OpenBao behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files / "server.pem")
    host, port = bao.address.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(OSError):
                    outside = context.wrap_socket(plain, server_side=True)
                    inside = socket.create_connection((host, int(port)))
                    open_sockets.extend([outside, inside])
                    for pair in ((outside, inside), (inside, outside)):
                        threads.append(threading.Thread(target=pump, args=pair))
                        threads[-1].start()

    acceptor = threading.Thread(target=serve)
    acceptor.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join()
    for open_socket in open_sockets:
        with suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for open_socket in open_sockets:
        open_socket.close()


def test_an_own_authority_is_trusted(bao: Bao, tls_address: str, tls_files: Path) -> None:
    session = bao.client(address=tls_address, ca_file=tls_files / "ca.pem")
    session.store.check()
    session.client.close()


def test_the_environment_neither_weakens_nor_breaks_an_own_authority(
    bao: Bao, tls_address: str, tls_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    monkeypatch.setenv("VAULT_TOKEN", "not-a-token")
    session = bao.client(address=tls_address, ca_file=tls_files / "ca.pem")
    session.store.check()
    session.client.close()


def test_an_unknown_authority_is_refused_before_a_token_is_sent(bao: Bao, tls_address: str) -> None:
    session = bao.client(address=tls_address)
    with pytest.raises(
        StoreUnavailable,
        match=r"is not trusted: check vault\.address, or set vault\.ca_file to the authority that issued it",
    ):
        session.store.check()
    assert {outcome for _, outcome in session.meter.requests} == {"unavailable"}
    session.client.close()


def test_a_certificate_for_another_name_is_refused(bao: Bao, tls_address: str, tls_files: Path) -> None:
    session = bao.client(address=tls_address.replace("127.0.0.1", "localhost"), ca_file=tls_files / "ca.pem")
    with pytest.raises(
        StoreUnavailable, match=r"is for another name: vault\.address needs a name that the certificate has"
    ):
        session.store.check()
    session.client.close()


def test_the_answer_of_a_port_with_tls_to_a_request_without_is_not_vaults(bao: Bao) -> None:
    """To a log-in, too, which Vault itself refuses with that status."""

    def behave(connection: socket.socket, _: threading.Event) -> None:
        read_request(connection)  # as Go's server does, and so Vault and OpenBao
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")

    with raw_server(behave) as (url, _):
        session = bao.client(bao.app_role("default"), url)
        with pytest.raises(StoreUnavailable, match="the answer is not from Vault: check the address"):
            session.store.check()
        session.client.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://127.0.0.1:1", "nothing listens at 127.0.0.1:1: check vault.address"),
        ("https://vault.invalid:8200", "the name of vault.invalid:8200 cannot be resolved: check vault.address"),
        ("{plain}", "does not speak TLS there: check the port in vault.address"),
    ],
)
def test_an_address_that_is_wrong_is_told_how(bao: Bao, address: str, said: str) -> None:
    session = bao.client(address=address.format(plain=bao.address.replace("http:", "https:")))
    with pytest.raises(StoreUnavailable, match=said):
        session.store.check()
    session.client.close()


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_a_ca_file_that_cannot_be_used_is_an_error_at_once(bao: Bao, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StoreError, match=r"ca\.pem cannot be read: expected certificates in PEM form"):
        bao.client(address="https://127.0.0.1:1", ca_file=file)


@pytest.fixture
def asked_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a proxy, which the environment names for every scheme, is asked for."""
    listener = socket.create_server(("127.0.0.1", 0))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.getsockname()[1]}")
    asked: list[bytes] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                asked.append(client.recv(65536).partition(b" HTTP/")[0])
                client.close()

    acceptor = threading.Thread(target=serve)
    acceptor.start()
    yield asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_a_proxy_of_the_environment_is_not_asked(address: str, asked_proxy: list[bytes]) -> None:
    session = VaultSession(Connection(address), SkippingClock())
    with pytest.raises(StoreUnavailable, match=r"nothing listens at 127\.0\.0\.1:1: check vault\.address"):
        session.request("GET", f"{address}/v1/sys/health", timeout=5)
    assert asked_proxy == []
    session.close()


def test_a_netrc_of_the_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login me password mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    asked: list[bytes] = []

    def behave(connection: socket.socket, _: threading.Event) -> None:
        asked.append(read_request(connection))

    with raw_server(behave) as (url, _):
        session = VaultSession(Connection(url), SkippingClock())
        with pytest.raises(StoreUnavailable):
            session.request("GET", f"{url}/v1/sys/health", timeout=5)
    assert b"authorization" not in asked[0].lower()


def test_a_proxy_that_is_configured_carries_tls_and_sees_no_more_than_the_name(
    bao: Bao, tls_address: str, tls_files: Path
) -> None:
    with connect_proxy() as proxy:
        session = bao.client(address=tls_address, ca_file=tls_files / "ca.pem", proxy=proxy.settings())
        session.store.check()
        session.client.close()
        assert set(proxy.asked) == {tls_address.removeprefix("https://")}
        excepted = bao.client(address=tls_address, ca_file=tls_files / "ca.pem", proxy=proxy.settings("127.0.0.1"))
        before = len(proxy.asked)
        excepted.store.check()
        excepted.client.close()
        assert len(proxy.asked) == before


def test_a_proxy_that_refuses_is_named(bao: Bao, tls_address: str, tls_files: Path) -> None:
    with connect_proxy() as proxy:
        settings = proxy.settings(password="wrong")
        session = bao.client(address=tls_address, ca_file=tls_files / "ca.pem", proxy=settings)
        with pytest.raises(
            StoreUnavailable, match=r"the proxy cannot be reached, or refuses.*check vault\.proxy"
        ) as told:
            session.store.check()
    assert "wrong" not in str(told.value)


@pytest.fixture(scope="module")
def tls_vault() -> Iterator[EmbeddedVault]:
    """An OpenBao that asks for client certificates, and has the method `cert`."""
    with EmbeddedVault(None, SkippingClock()) as server:
        yield server


def test_a_client_certificate_logs_in_and_is_read_again_when_it_was_renewed(
    tls_vault: EmbeddedVault, tmp_path: Path
) -> None:
    clients, others = trustme.CA(), trustme.CA()
    root = VaultAdmin(tls_vault.connection, SkippingClock(), tls_vault.root_token)
    root.call("POST", "sys/auth/cert", {"type": "cert"}, also=400)
    terms = {"certificate": clients.cert_pem.bytes().decode(), "token_policies": ["rotator"], "token_ttl": "1h"}
    root.call("POST", "auth/cert/certs/rotator", terms)
    files = (tmp_path / "client.pem", tmp_path / "client-key.pem")

    def issue(authority: trustme.CA) -> None:
        issued = authority.issue_cert("rotator.test", common_name="rotator.test")
        files[0].write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        files[1].write_bytes(issued.private_key_pem.bytes())

    issue(others)
    options = {"ca_file": tls_vault.ca_file, "client_certificate": files}
    session = VaultAccess(Cert("rotator"), tls_vault.address, **options)
    with pytest.raises(StoreDenied):
        session.store.check()
    issue(clients)
    session.store.check()
    VaultAccess(Cert(), tls_vault.address, **options).store.check()
    with pytest.raises(StoreDenied):
        VaultAccess(Cert("another"), tls_vault.address, **options).store.check()
    session.client.close()
    root.close()


def test_a_client_certificate_that_cannot_be_used_is_an_error_at_once(bao: Bao, tmp_path: Path) -> None:
    files = (tmp_path / "client.pem", tmp_path / "client-key.pem")
    with pytest.raises(StoreError, match=r"client\.pem and its key .* cannot be used: expected both in PEM form"):
        bao.client(address="https://127.0.0.1:1", client_certificate=files)
