"""TLS: an own authority, and nothing that switches the verification off."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from openbao_server import Bao, SkippingClock

from rotator.ports import StoreError, StoreUnavailable
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
    with pytest.raises(StoreUnavailable, match="the certificate is not trusted; set ca_file to its authority"):
        session.store.check()
    assert {outcome for _, outcome in session.meter.requests} == {"unavailable"}
    session.client.close()


def test_a_certificate_for_another_name_is_refused(bao: Bao, tls_address: str, tls_files: Path) -> None:
    session = bao.client(address=tls_address.replace("127.0.0.1", "localhost"), ca_file=tls_files / "ca.pem")
    with pytest.raises(StoreUnavailable, match="TLS"):
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


@pytest.mark.parametrize(
    ("address", "excepted", "asks"),
    [
        ("http://127.0.0.1:1", "", []),
        ("https://vault.test:8200", "", [b"CONNECT vault.test:8200"]),
        ("https://vault.test:8200", "vault.test", []),
    ],
)
def test_only_tls_goes_through_a_proxy_of_the_environment(
    address: str, excepted: str, asks: list[bytes], asked_proxy: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", excepted)
    session = VaultSession(Connection(address), SkippingClock())
    with pytest.raises(StoreUnavailable, match="unreachable, or the connection broke"):
        session.request("GET", f"{address}/v1/sys/health", timeout=5)
    assert asked_proxy == asks
    session.close()
