"""What holds secrets writes no core dump, and no other process of the same user reads its memory or environment."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from polling import eventually

SENTINEL = "sentinel-vault-token-71c0"
# As any user, without root's privilege to look into other processes, and as after `ulimit -c unlimited`.
_UNPRIVILEGED = """
import ctypes, os, resource, sys
try:
    most = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
except ValueError:  # only root may raise what a command run within this process has lowered
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
for capability in range(64):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP: only root has any to drop
os.execv(sys.argv[1], sys.argv[1:])
"""
_READER = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"


def unprivileged(*command: str) -> list[str]:
    return [sys.executable, "-ISc", _UNPRIVILEGED, sys.executable, *command]


@contextmanager
def started(*command: str) -> Iterator[int]:
    """A process that may dump and be read, unless it prevents that itself. Yields its id."""
    process = subprocess.Popen(
        unprivileged(*command),
        env={**os.environ, "VAULT_TOKEN": SENTINEL},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def core_limits(pid: int) -> list[str]:
    """The soft and the hard limit of a core file."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4:6] for line in lines if line.startswith("Max core file size"))


def environment_read_by_another(pid: int) -> bytes | None:
    """What another process of the same user finds; None if the kernel refuses."""
    reader = unprivileged("-ISc", _READER, f"/proc/{pid}/environ")
    done = subprocess.run(reader, capture_output=True, timeout=30, check=False)
    return done.stdout if done.returncode == 0 else None


@pytest.fixture
def silent_vault(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A configuration whose Vault takes a connection and never answers, and what waits for that connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        config = tmp_path / "config.yaml"
        document = {
            "vault": {
                "address": f"http://127.0.0.1:{server.getsockname()[1]}",
                "auth": {"method": "token", "token": {"env": "VAULT_TOKEN"}},
            },
            "providers": {"vobiz": {"type": "vobiz", "auth_id": "MA_X", "auth_token": {"env": "VAULT_TOKEN"}}},
            "targets": [
                {
                    "name": "phone",
                    "provider": "vobiz",
                    "strategy": "replace",
                    "credential": {"username": "phone1"},
                    "path": "sip/phone",
                }
            ],
            "daemon": {"http": {"listen": "127.0.0.1:0", "probes": "127.0.0.1:0"}},
        }
        config.write_text(json.dumps(document))
        with ExitStack() as connections:
            yield config, lambda: connections.enter_context(server.accept()[0])


@pytest.mark.parametrize("words", [["run"], ["status"], ["rotate", "--all"], ["undo", "phone"]], ids=lambda it: it[0])
def test_no_core_file_and_no_look_into_the_memory_of_what_holds_secrets(silent_vault, words):
    config, connected = silent_vault
    with started("-m", "rotator", *words, "--config", str(config)) as pid:
        connected()  # it has read its secrets
        assert core_limits(pid) == ["0", "0"]
        assert environment_read_by_another(pid) is None


def test_the_look_succeeds_where_nothing_prevents_it():
    with started("-c", "import time; time.sleep(60)") as pid:
        eventually(lambda: b"RLIMIT_CORE" not in Path(f"/proc/{pid}/cmdline").read_bytes(), "the process runs")
        assert SENTINEL.encode() in (environment_read_by_another(pid) or b"")
        assert core_limits(pid) != ["0", "0"] or os.geteuid() != 0
