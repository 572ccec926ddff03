"""`rotator device-login`: each device reads what it needs at an embedded Vault, and nothing else."""

import stat
from pathlib import Path

import pytest
from command_runner import RunCommand, command_runner
from free_ports import free_port

CONFIGURATION = """\
vault: {embedded: {data_dir: data, port: %d}}
providers: {prod: {type: vobiz, auth_id: MA_X, auth_token: {vault: {path: keys/prod, key: token}}}}
targets: [{name: a, provider: prod, strategy: replace, credential: {username: phone01}, path: sip/a}]
"""


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    port = free_port()
    (tmp_path / "config.yaml").write_text(CONFIGURATION % port)
    monkeypatch.setenv("ROTATOR_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.chdir(tmp_path)
    return f"https://127.0.0.1:{port}"


@pytest.fixture
def run(address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCommand:
    return command_runner(monkeypatch, capfd)


def test_a_login_is_made_renewed_listed_and_ended(run: RunCommand, address: str, tmp_path: Path) -> None:
    done = run("device-login", "lobby", "--path", "sip/a", "-d", "lobby agent")
    assert done.code == 0, done
    assert f"VAULT_ADDR={address}" in done.out
    folder = tmp_path / "lobby agent"
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert files == {"role-id": 0o600, "secret-id": 0o600, "ca.pem": 0o600}
    first = (folder / "secret-id").read_text()
    assert first not in done.out + done.err
    assert run("device-login", "lobby", "--path", "sip/b", "-d", "lobby agent", "--days", "5").code == 0
    assert (folder / "secret-id").read_text() != first
    assert run("device-login").out.split() == ["lobby"]
    assert run("device-login", "lobby", "--end").code == 0
    assert run("device-login", "lobby", "--end").code == 1
    assert run("device-login").out.split() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lobby", "--path", "rotator/state/a", "-d", "x"], "contains what only rotator may read"),
        (["lobby", "--path", "*", "-d", "x"], "is not a path below the mount"),
        (["lobby", "--path", "keys/*", "-d", "x"], "contains what only rotator may read"),
        (["lobby", "--path", '"} x', "-d", "x"], "is not a path below the mount"),
        (["../a", "--path", "sip/a", "-d", "x"], "NAME has small letters"),
        (["lobby", "-d", "x"], "needs --path and --directory"),
    ],
)
def test_a_wrong_use_says_what_is_right(run: RunCommand, words: list[str], said: str) -> None:
    done = run("device-login", *words)
    assert done.code == 2
    assert said in done.err
