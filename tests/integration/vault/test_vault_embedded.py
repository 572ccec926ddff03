"""The server that comes along: real processes, killed and started again."""

import contextlib
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
from free_ports import free_port
from openbao_server import Bao, SkippingClock, VaultAccess
from polling import eventually

from rotator.core.model import Credential, TargetState
from rotator.core.secret import Secret
from rotator.ports import StoreDenied, StoreError
from rotator.vault import embedded, process
from rotator.vault.admin import VaultAdmin
from rotator.vault.certificates import ensure_certificate
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.logins import ServerSetup, credentials, devices, remove_device
from rotator.vault.process import EmbeddedError, find_server
from rotator.vault.store import VaultStore

# Starts the server in a thread that ends at once, keeps other threads busy, and waits to be killed.
PARENT = """
import sys, threading, time
from pathlib import Path
from openbao_server import SkippingClock
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.certificates import ensure_certificate
from rotator.vault.logins import ServerSetup, credentials, devices, remove_device

server = EmbeddedVault(Path(sys.argv[1]), SkippingClock())
starter = threading.Thread(target=server.start)
starter.start()
busy = [threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True) for _ in range(4)]
for thread in busy:
    thread.start()
starter.join()
print(server.pid, server.address, flush=True)
time.sleep(600)
"""


DAY = timedelta(days=1)


def start_parent(data_dir: Path) -> tuple[subprocess.Popen[str], int, str]:
    path = os.pathsep.join([str(Path(__file__).parents[2] / "support"), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_dir)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": path}
    )
    assert parent.stdout is not None
    pid, address = parent.stdout.readline().split()
    return parent, int(pid), address


class HurriedClock(SkippingClock):
    """Half a second passes with every look."""

    def sleep(self, seconds: float) -> None:
        super().sleep(0.5)


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def persistent_vault(tmp_path: Path) -> Iterator[EmbeddedVault]:
    with EmbeddedVault(tmp_path / "data", SkippingClock()) as server:
        yield server


def client(server: EmbeddedVault, method: Any = None) -> Any:
    return VaultAccess(method or server.rotator_login(), server.address, ca_file=server.ca_file)


def test_the_first_start_sets_up_what_rotator_needs(persistent_vault: EmbeddedVault) -> None:
    session = client(persistent_vault)
    session.store.check()
    assert session.store.write_state(TargetState("t"), 0) == 1
    over = session.store.read_consumer("any/where")
    session.store.write_consumer("any/where", Credential("a", "u", "i", Secret("p")), session.clock.now(), over)


def test_a_device_may_read_what_is_published_and_nothing_else(persistent_vault: EmbeddedVault) -> None:
    rotator, device = (
        client(persistent_vault),
        client(persistent_vault, persistent_vault.device_login("lobby", ["sip/*"], DAY)),
    )
    rotator.store.write_state(TargetState("t"), 0)
    over = rotator.store.read_consumer("sip/a")
    rotator.store.write_consumer("sip/a", Credential("a", "u", "i", Secret("p")), rotator.clock.now(), over)
    found = device.store.read_consumer("sip/a")
    assert found.username == "u"
    with pytest.raises(StoreDenied):
        device.store.read_state("t")
    with pytest.raises(StoreDenied):
        device.store.write_consumer("sip/a", Credential("a", "v", "i", Secret("p")), rotator.clock.now(), found)


def test_the_data_survive_a_kill_of_the_parent_and_the_server_does_not(tmp_path: Path) -> None:
    parent, pid, address = start_parent(tmp_path)
    assert not ended(pid), "the thread that started it has ended, and the server has not"
    VaultAccess(credentials(tmp_path, "rotator"), address, ca_file=tmp_path / "ca.pem").store.write_state(
        TargetState("kept", failures=7), 0
    )
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()
    with EmbeddedVault(tmp_path, SkippingClock()) as again:
        assert ended(pid)
        assert client(again).store.read_state("kept").state.failures == 7


def test_a_kill_of_the_server_itself_loses_nothing(tmp_path: Path) -> None:
    with EmbeddedVault(tmp_path, SkippingClock()) as server:
        client(server).store.write_state(TargetState("kept", failures=7), 0)
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: ended(server.pid), "the server is dead")
    with EmbeddedVault(tmp_path, SkippingClock()) as again:
        assert client(again).store.read_state("kept").state.failures == 7


def test_one_directory_serves_one_process(persistent_vault: EmbeddedVault, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="is in use by another rotator: stop it, or set another data_dir"):
        EmbeddedVault(tmp_path / "data", SkippingClock()).start()
    client(persistent_vault).store.check()


def test_a_command_attaches_to_the_server_that_another_process_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert not EmbeddedVault(data, SkippingClock()).attach()
    with EmbeddedVault(data, SkippingClock()) as server:
        beside = EmbeddedVault(data, SkippingClock(), port=int(server.address.rsplit(":", 1)[1]))
        assert beside.attach()
        client(beside).store.check()
    assert not EmbeddedVault(data, SkippingClock()).attach()


def test_nobody_else_can_read_the_directory(persistent_vault: EmbeddedVault, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    private = [
        "seal.key",
        "recovery-key",
        "rotator-role-id",
        "rotator-secret-id",
        "logins-secret-id",
        "server-key.pem",
        "server.log",
    ]
    assert {stat.S_IMODE((data / name).stat().st_mode) for name in [*private, "logins-secret-id"]} == {0o600}
    assert "seal.key" in (data / "README").read_text()


def test_the_root_token_is_revoked_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots: list[Secret] = []
    real = embedded.revoke_root
    monkeypatch.setattr(embedded, "revoke_root", lambda admin, *rest: roots.append(admin.token) or real(admin, *rest))
    with EmbeddedVault(tmp_path, SkippingClock()) as server:
        assert not (tmp_path / "root-token").exists()
        with pytest.raises(EmbeddedError, match="answered 403"):
            VaultAdmin(server.connection, SkippingClock(), roots[0]).call("GET", "auth/token/lookup-self")
        with pytest.raises(EmbeddedError, match="has no root token"):
            _ = server.root_token
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert roots[0].reveal().encode() not in kept


STEPS = ["sys/mounts/", "role/logins/secret-id", "revoke"]


@pytest.mark.parametrize("step", STEPS)
def test_a_first_start_that_was_cut_off_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Cut(Exception):
        pass

    real = VaultAdmin.call

    def call(self: VaultAdmin, verb: str, path: str, *rest: Any, **more: Any) -> dict[str, Any]:
        answer = real(self, verb, path, *rest, **more)
        if step in path:
            raise Cut
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(VaultAdmin, "call", call)
        with pytest.raises(Cut):
            EmbeddedVault(tmp_path, SkippingClock()).start()
    with EmbeddedVault(tmp_path, SkippingClock()) as server:
        client(server).store.check()
        assert not (tmp_path / "root-token").exists()


def test_a_start_that_was_cut_off_before_its_keys_were_kept_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            embedded,
            "initialise",
            lambda admin, _: admin.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}),
        )
        with pytest.raises(EmbeddedError, match="was interrupted before it wrote any data: remove it"):
            EmbeddedVault(tmp_path, SkippingClock()).start()


def test_a_lost_seal_key_is_named(tmp_path: Path) -> None:
    with EmbeddedVault(tmp_path, SkippingClock()):
        pass
    (tmp_path / "seal.key").unlink()
    with pytest.raises(EmbeddedError, match=r"seal\.key is missing, and without it the data cannot be read"):
        EmbeddedVault(tmp_path, SkippingClock()).start()


def test_a_wrong_seal_key_ends_in_a_bounded_time_and_points_to_the_log(tmp_path: Path) -> None:
    with EmbeddedVault(tmp_path, SkippingClock()):
        pass
    (tmp_path / "seal.key").write_bytes(b"x" * 32)
    with pytest.raises(EmbeddedError, match=r"not ready after 60 s: see .*server\.log"):
        EmbeddedVault(tmp_path, HurriedClock()).start()
    assert "unseal" in (tmp_path / "server.log").read_text()


def test_a_given_port_is_used_and_a_taken_one_is_an_error(bao: Bao, tmp_path: Path) -> None:
    taken = int(bao.address.rsplit(":", 1)[1])
    with pytest.raises(EmbeddedError, match=f"port {taken} on 127.0.0.1 is not available"):
        EmbeddedVault(tmp_path, SkippingClock(), port=taken).start()


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="is unusable"):
        EmbeddedVault(tmp_path / "file" / "data", SkippingClock()).start()


def test_a_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EmbeddedError, match=r"not installed: docs/operations\.md says how"):
        find_server()


def test_in_memory_nothing_is_left_behind() -> None:
    with EmbeddedVault(None, SkippingClock()) as server:
        directory, pid = server.log_file.parent, server.pid
    assert not directory.exists()
    assert ended(pid)


def test_another_mount_and_other_paths_can_be_planned() -> None:
    setup = ServerSetup(mount="voice", state_prefix="ops/state", consumer_paths=("phones/*",))
    with EmbeddedVault(None, SkippingClock(), setup) as server:
        session = client(server)
        store = VaultStore(session.client, "voice", "ops/state")
        store.check()
        store.write_state(TargetState("t"), 0)
        over = store.read_consumer("phones/a")
        store.write_consumer("phones/a", Credential("a", "u", "i", Secret("p")), session.clock.now(), over)
        with pytest.raises(StoreDenied):
            store.read_consumer("elsewhere/a")


def test_no_secret_is_in_a_process_list_an_environment_or_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", "urllib3.connectionpool")  # a command in this process may have quietened it
    password = "a-password-to-search-for"
    with EmbeddedVault(None, SkippingClock()) as server, EmbeddedVault(tmp_path, SkippingClock()) as other:
        secrets = [password, server.root_token.reveal()]
        for each in (server, other):
            session = client(each)
            state = TargetState("t", published=Credential("a", "u", "i", Secret(password)))
            session.store.write_state(state, 0)
            assert session.store.read_state("t").state == state
            login, token = each.rotator_login(), session.client._tokens.current()
            device = each.device_login("lobby", ["sip/*"], DAY)
            secrets += [login.current_secret_id().reveal(), device.current_secret_id().reveal(), token.reveal()]
            secrets.append((each.log_file.parent / "recovery-key").read_text())
        seen = [caplog.text, repr(session.meter.requests), *capfd.readouterr()]
        seen += [each.log_file.read_text() for each in (server, other)]
        for process_ in psutil.process_iter():
            try:
                seen += process_.cmdline()
                if process_.pid in (server.pid, other.pid):
                    seen += process_.environ().values()
            except psutil.Error:
                continue
        assert "/v1/secret/data/rotator/state/t" in caplog.text, "the search has something to search in"
        assert any(re.search(r"server\.hcl$", line) for line in seen)
    for secret in secrets:
        assert len(secret) > 20
        assert not [text for text in seen if secret in text]


def test_many_servers_started_by_many_threads_all_run() -> None:
    addresses: list[str] = []

    def run() -> None:
        with EmbeddedVault(None, SkippingClock()) as server:
            client(server).store.check()
            addresses.append(server.address)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(addresses)) == 3


class Impostor:
    """Listens where the server will, and takes whatever it is told."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard: list[bytes] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(self.tls)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(5)
                with contextlib.suppress(OSError), self.tls.wrap_socket(connection, server_side=True) as secured:
                    self.heard.append(secured.recv(65536))
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    made = Impostor()
    yield made
    made.close()


def test_an_impostor_that_has_the_port_first_learns_nothing(
    impostor: Impostor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding 2: at any first or later start, whoever binds the port before OpenBao gets no login and no keys.

    test_vault_embedded_intruder.py has it as another user, which needs root.
    """
    with EmbeddedVault(tmp_path, SkippingClock()):
        pass
    monkeypatch.setattr(embedded, "_free_ports", lambda port: (port, free_port()))  # bound just after the look
    for start in range(6):
        folder = tmp_path if start % 2 else tmp_path / f"new-{start}"
        with pytest.raises(EmbeddedError, match="ended while it was starting"):
            EmbeddedVault(folder, SkippingClock(), port=impostor.port).start()
    assert impostor.heard == []


def test_a_command_tells_an_impostor_nothing(impostor: Impostor, tmp_path: Path) -> None:
    with EmbeddedVault(tmp_path, SkippingClock()):
        beside = EmbeddedVault(tmp_path, SkippingClock(), port=impostor.port)
        assert beside.attach()
        with pytest.raises(StoreError, match=r"the TLS certificate of .* is not trusted"):
            client(beside).store.check()
        with pytest.raises(EmbeddedError):
            beside.device_login("lobby", ["sip/*"], DAY)
    assert impostor.heard == []


def test_a_certificate_of_another_folder_is_another_server(tmp_path: Path) -> None:
    with EmbeddedVault(tmp_path / "a", SkippingClock()) as one, EmbeddedVault(tmp_path / "b", SkippingClock()) as other:
        access = VaultAccess(one.rotator_login(), other.address, ca_file=one.ca_file)
        with pytest.raises(StoreError, match=r"the TLS certificate of .* is not trusted"):
            access.store.check()


def test_the_certificate_stays_until_its_last_year(tmp_path: Path) -> None:
    now = SkippingClock().now()
    ensure_certificate(tmp_path, now)
    first = (tmp_path / "ca.pem").read_bytes()
    ensure_certificate(tmp_path, now + timedelta(days=3200))
    assert (tmp_path / "ca.pem").read_bytes() == first
    ensure_certificate(tmp_path, now + timedelta(days=3300))
    second = (tmp_path / "ca.pem").read_bytes()
    assert second != first
    (tmp_path / "ca.pem").write_bytes(first)  # a start that was cut off between the files
    ensure_certificate(tmp_path, now)
    assert (tmp_path / "ca.pem").read_bytes() not in (first, second)


def test_secret_ids_end_and_are_replaced_at_each_start_and_each_day(tmp_path: Path) -> None:
    file = tmp_path / "rotator-secret-id"
    with EmbeddedVault(tmp_path, SkippingClock()):
        first = file.read_text()
    clock = SkippingClock()
    with EmbeddedVault(tmp_path, clock) as server:
        assert (second := file.read_text()) != first
        server.renew_logins()
        assert file.read_text() == second
        clock.ahead += 86400.0
        server.renew_logins()
        assert file.read_text() not in (first, second)
        client(server).store.check()
        admin = VaultAdmin(server.connection, clock)
        with admin.logged_in(credentials(tmp_path, "logins")):
            terms = admin.call("GET", "auth/approle/role/device-x", also=404)
            assert terms.get("data") is None
        short = server.device_login("short", ["sip/*"], timedelta(seconds=1))
        eventually(lambda: refused(server, short), "the id has ended")


def refused(server: EmbeddedVault, login: Any) -> bool:
    try:
        client(server, login).store.check()
    except StoreDenied:
        return True
    return False


def test_each_device_has_a_login_of_its_own(persistent_vault: EmbeddedVault) -> None:
    rotator = client(persistent_vault)
    for path in ("sip/lobby", "sip/agent-1"):
        over = rotator.store.read_consumer(path)
        rotator.store.write_consumer(path, Credential("a", "u", "i", Secret("p")), rotator.clock.now(), over)
    lobby = client(persistent_vault, persistent_vault.device_login("lobby", ["sip/lobby"], DAY))
    agents = client(persistent_vault, persistent_vault.device_login("agents", ["sip/agent-*"], DAY))
    assert lobby.store.read_consumer("sip/lobby").exists
    assert agents.store.read_consumer("sip/agent-1").exists
    for access, path in ((lobby, "sip/agent-1"), (agents, "sip/lobby")):
        with pytest.raises(StoreDenied):
            access.store.read_consumer(path)
    with persistent_vault.keeper() as admin:
        assert devices(admin) == ("agents", "lobby")
        assert remove_device(admin, "lobby")
        assert not remove_device(admin, "lobby")
    with pytest.raises(StoreDenied):
        lobby.store.read_consumer("sip/lobby")
