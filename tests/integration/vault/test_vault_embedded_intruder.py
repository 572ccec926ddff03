"""Another user of the machine, at any moment of the embedded server's start, learns nothing from it (finding 2).

The starts are real, and so is the other user. Only root can become another user.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port
from intruder import Intruder
from openbao_server import SkippingClock, VaultAccess

from rotator.core.model import Credential, TargetState
from rotator.core.secret import Secret
from rotator.vault import embedded
from rotator.vault.admin import VaultAdmin
from rotator.vault.bootstrap import initialise
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.process import EmbeddedError

PASSWORD = "the-password-that-nobody-else-reads"
FILES = ("seal.key", "recovery-key", "rotator-role-id", "rotator-secret-id", "logins-role-id", "logins-secret-id")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, as /var/lib is; pytest's own is closed to others."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; .ci/run does, whoever runs it")
    made = Path(tempfile.mkdtemp(prefix="rotator-intruder-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def secrets_of(server: EmbeddedVault, folder: Path) -> set[str]:
    """All that is secret about a server that runs, after it was used."""
    access = VaultAccess(server.rotator_login(), server.address, ca_file=server.ca_file)
    state = TargetState("lobby", published=Credential("a", "u", "i", Secret(PASSWORD)))
    access.store.write_state(state, access.store.read_state("lobby").version)
    over = access.store.read_consumer("sip/lobby")
    access.store.write_consumer("sip/lobby", Credential("a", "u", "i", Secret(PASSWORD)), access.clock.now(), over)
    key = (folder / "server-key.pem").read_text().splitlines()[1]
    kept = {(folder / name).read_bytes().decode("latin-1") for name in FILES}
    return {PASSWORD, access.client._tokens.current().reveal(), key, *kept}


def test_another_user_learns_nothing_at_any_moment_of_a_start(place: Path, long_run: bool) -> None:
    port, secrets, outcomes = free_port(), set(), {"ready": 0, "refused": 0}
    with Intruder(port, place) as intruder:
        for start in range(300 if long_run else 6):
            folder = place / ("again" if start % 4 < 2 else f"new-{start}")
            try:
                with EmbeddedVault(folder, SkippingClock(), port=port) as server:
                    secrets |= secrets_of(server, folder)
                outcomes["ready"] += 1
            except EmbeddedError:  # the other user has the port
                outcomes["refused"] += 1
            if folder.name != "again":
                shutil.rmtree(folder)
    counts = intruder.report["counts"]
    print(outcomes, counts)
    assert min(outcomes.values()) > 0, "it was there first, and it was not"
    assert counts["taken"] > 0
    assert counts["connected to"] > 0, "the port was taken while somebody asked there"
    assert counts["refused environ"] > 0
    assert f"-config={place}" in intruder.read, "what it reads includes the server's processes"
    assert '"initialized":true' in intruder.read, "and the server's answers"
    assert intruder.report["heard"] == []
    assert len(secrets) > len(FILES)
    assert [secret for secret in secrets if len(secret) < 20 or secret in intruder.read] == []


def test_a_server_that_another_user_has_set_up_first_is_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks a new server first may set it up. It is empty then, and stays so."""
    roots: list[str] = []

    def overtaken(admin: VaultAdmin, directory: Path) -> None:
        keys = admin.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
        roots.append(keys["root_token"])
        initialise(admin, directory)

    with monkeypatch.context() as patch:
        patch.setattr(embedded, "initialise", overtaken)
        with pytest.raises(EmbeddedError, match="answered 400 to sys/init"):
            EmbeddedVault(tmp_path, SkippingClock()).start()
    assert len(roots) == 1
    with pytest.raises(EmbeddedError, match="before it wrote any data: remove it"):
        EmbeddedVault(tmp_path, SkippingClock()).start()
    assert not list(tmp_path.glob("*-id"))


def test_a_folder_of_another_user_is_refused(place: Path) -> None:
    """Its owner could read every password in it, whatever its mode was when they were written."""
    prepared = place / "data"
    prepared.mkdir()
    os.chown(prepared, 65534, 65534)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        EmbeddedVault(prepared, SkippingClock()).start()
    assert list(prepared.iterdir()) == []
    (place / "link").symlink_to(prepared)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        EmbeddedVault(place / "link", SkippingClock()).start()
    assert stat.S_IMODE(prepared.stat().st_mode) == 0o755
