"""`rotator sandbox` as a newcomer meets it: started, followed to the letter, and ended with Ctrl-C."""

import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import psutil
import pytest
import requests

COMMAND = [sys.executable, "-m", "rotator", "sandbox", "--port", "0", "--sip-port", "0", "--sips-port", "0"]
LAST = "Ctrl-C ends the sandbox"


class SandboxProcess:
    """The sandbox as a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        # Blanks in the name: what is printed has to be quoted well.
        self.directory, self.output, self.temporary = folder / "sand box", folder / "output", folder / "tmp"
        self.temporary.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        with self.output.open("wb") as output:
            command = [*COMMAND, "--dir", str(self.directory), *words]
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, start_new_session=True
            )

    def text(self) -> str:
        return self.output.read_text()

    def ready(self) -> str:
        end = time.monotonic() + 60
        while LAST not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end, self.text()
            Event().wait(0.05)
        return self.text()

    def environment(self) -> dict[str, str]:
        lines = shlex.split((self.directory / "env").read_text())
        return dict(line.split("=", 1) for line in lines)

    def commands(self, *words: str) -> str:
        """The printed lines that set the environment, then those `rotator` commands among them."""
        printed = [line.strip() for line in self.text().splitlines() if line.startswith("  ")]
        setting = [line for line in printed if line.startswith(("set -a", "export "))]
        wanted = [next(line for line in printed if line.startswith(f"rotator {word}")) for word in words]
        assert len(setting) == 2
        return "\n".join(["set -eu", *setting, *wanted])


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    started: list[SandboxProcess] = []

    def begin(*words: str) -> SandboxProcess:
        started.append(SandboxProcess(tmp_path, *words))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(30)


def shell(script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs lines as they were printed, in a shell that finds `rotator`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": os.environ.get("HOME", "/"), **more}
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=90, check=False
    )


def test_what_it_prints_can_be_typed_and_rotates_a_password(start_sandbox) -> None:
    sandbox = start_sandbox()
    sandbox.ready()
    done = shell(sandbox.commands("check-config", "plan", "rotate office-phone", "status"))
    assert done.returncode == 0, done.stdout + done.stderr
    known = sandbox.environment()
    headers = {"X-Vault-Token": known["VAULT_TOKEN"]}
    address = f"{known['VAULT_ADDR']}/v1/secret/data/sip/office-phone"
    document = requests.get(address, headers=headers, timeout=10, verify=known["VAULT_CACERT"]).json()["data"]["data"]
    assert document["username"].startswith("officephone01")
    assert document["username"] != "officephone01"
    url = next(word for word in sandbox.text().split() if word.startswith("http://"))
    state = requests.get(f"{url}/_sandbox/state", timeout=10).json()
    held = {each["username"]: each["enabled"] for each in state["accounts"]["MA_DEMO"]["credentials"]}
    assert held[document["username"]]
    for secret in (document["password"], known["VOBIZ_AUTH_TOKEN"], known["ROTATOR_SECRET_ID"], known["VAULT_TOKEN"]):
        assert secret not in sandbox.text() + done.stdout + done.stderr


def test_secrets_are_in_one_private_file_and_in_no_command_line(start_sandbox) -> None:
    sandbox = start_sandbox()
    text = sandbox.ready()
    assert stat.S_IMODE(sandbox.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((sandbox.directory / "env").stat().st_mode) == 0o600
    assert sorted(path.name for path in sandbox.directory.iterdir()) == ["config.yaml", "env", "sip-ca.pem"]
    family = psutil.Process(sandbox.process.pid)
    lines = [" ".join(each.cmdline()) for each in (family, *family.children(recursive=True))]
    assert any("bao" in line for line in lines)
    secrets = [value for name, value in sandbox.environment().items() if name not in ("VAULT_ADDR", "VAULT_CACERT")]
    assert len(secrets) == 5
    for secret in secrets:
        assert not [
            where for where in (text, *lines, (sandbox.directory / "config.yaml").read_text()) if secret in where
        ]


def test_the_printed_faults_and_calls_are_taken(start_sandbox) -> None:
    sandbox = start_sandbox("--no-vault")
    sandbox.ready()
    printed = sandbox.text().replace("\\\n", "").splitlines()
    posts = [shlex.split(line) for line in printed if line.startswith("  curl") and " -d " in line]
    assert len(posts) == 3
    for words in posts:
        answer = requests.post(words[2], data=words[-1], headers={"Content-Type": words[4].split(": ")[1]}, timeout=10)
        assert answer.status_code == 200, (words, answer.text)


def test_the_printed_deletion_deletes_what_it_names(start_sandbox) -> None:
    sandbox = start_sandbox("--no-vault")
    url = next(word for word in sandbox.ready().split() if word.startswith("http://"))
    (line,) = [line for line in sandbox.text().splitlines() if "-X DELETE" in line and line.endswith("/ID")]

    def ids() -> list[str]:
        state = requests.get(f"{url}/_sandbox/state", timeout=10).json()
        return [each["id"] for each in state["accounts"]["MA_DEMO"]["credentials"]]

    before = ids()
    script = line.removesuffix("ID") + before[0]
    subprocess.run(["sh", "-c", script], env={**os.environ, **sandbox.environment()}, timeout=20, check=True)
    assert ids() == before[1:]


@pytest.mark.parametrize("words", [(), ("--no-vault",)])
def test_ctrl_c_ends_it_well_and_leaves_the_folder_only(start_sandbox, words: tuple[str, ...]) -> None:
    sandbox = start_sandbox(*words)
    sandbox.ready()
    children = psutil.Process(sandbox.process.pid).children(recursive=True)
    assert bool(children) is (words == ())
    os.killpg(sandbox.process.pid, signal.SIGINT)
    assert sandbox.process.wait(20) == 0
    assert not [child for child in children if child.is_running()]
    assert list(sandbox.temporary.iterdir()) == []
    assert "Traceback" not in sandbox.text()


def test_without_vault_the_configuration_brings_its_own(start_sandbox) -> None:
    sandbox = start_sandbox("--no-vault")
    text = sandbox.ready()
    assert "started by rotator run" in text
    assert "http://127.0.0.1:9464/" in text
    done = shell(sandbox.commands("check-config"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "embedded" in (sandbox.directory / "config.yaml").read_text()


def test_it_starts_again_over_its_own_folder(start_sandbox, tmp_path: Path) -> None:
    first = start_sandbox()
    first.ready()
    before = first.environment()
    first.process.terminate()
    assert first.process.wait(20) == 0
    (tmp_path / "tmp").rmdir()
    second = start_sandbox()
    second.ready()
    assert second.environment()["VOBIZ_AUTH_TOKEN"] != before["VOBIZ_AUTH_TOKEN"]


def test_a_configuration_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("vault: {address: https://vault}\n")
    command = [*COMMAND, "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "was not written by the sandbox: choose another directory with --dir" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    assert (tmp_path / "config.yaml").read_text() == "vault: {address: https://vault}\n"


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [*COMMAND, "--dir", str(tmp_path / "file" / "below")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "is unusable" in done.stderr
    assert "--dir" in done.stderr


@pytest.mark.parametrize(
    ("kind", "option"),
    [(socket.SOCK_STREAM, "--port"), (socket.SOCK_DGRAM, "--sip-port"), (socket.SOCK_STREAM, "--sips-port")],
)
def test_a_port_that_is_taken_is_said(tmp_path: Path, kind: socket.SocketKind, option: str) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        taken = str(other.getsockname()[1])
        command = [*COMMAND, "--dir", str(tmp_path / "dir"), option, taken]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert taken in done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr
