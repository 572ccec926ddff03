"""Typing commands: in this process (fast), as a process of its own, or at a terminal."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from daemon_environment import DaemonEnvironment

from rotator.cli import main
from rotator.core.secret import Secret

LIMIT = 60.0

OFFICE = {"name": "office", "strategy": "replace", "credential": {"username": "office"}, "path": "sip/office"}
LOBBY = {"name": "lobby", "strategy": "in-place", "credential": {"username": "lobby"}, "path": "sip/lobby"}
PAIR = {"name": "pair", "strategy": "alternating", "credential": {"usernames": ["paira", "pairb"]}, "path": "sip/pair"}
DAY = {"fast": {"every": "90d", "overlap": "1d", "quarantine": "1d"}}


def create_credentials(environment: DaemonEnvironment, *usernames: str) -> None:
    """The provider has these credentials already."""
    for username in usernames:
        environment.account.create("credential", username, Secret("Vbz!2025$SecureP"))


@dataclass(frozen=True)
class CommandResult:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def row(self, target: str) -> dict[str, Any]:
        """The row of a target in a JSON document."""
        return next(row for row in self.json["targets"] if row["name"] == target)


RunCommand = Callable[..., CommandResult]


def command_runner(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunCommand:
    """Runs commands through `main`, as the entry point does."""

    def run(*words: str) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["rotator", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return CommandResult(int(end.value.code or 0), out, err)

    return run


def start_rotator(words: list[str], environ: Mapping[str, str], **more: Any) -> "subprocess.Popen[bytes]":
    """`rotator` as a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "rotator", *words], env=dict(environ), **more)


def run_at_terminal(words: list[str], environ: Mapping[str, str], columns: int, answer: str = "") -> tuple[int, str]:
    """`rotator` with a terminal as its input and outputs; the exit code and everything it wrote, escapes included.

    `answer` is typed ahead.
    """
    master, slave = pty.openpty()
    terminal = {**environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    child = start_rotator(words, terminal, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    os.write(master, answer.encode())
    written, end = b"", time.monotonic() + LIMIT
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            piece = os.read(master, 65536) if ready else b""
        except OSError:  # the other end was closed
            break
        written += piece
        if not piece and child.poll() is not None:
            break
    os.close(master)
    return child.wait(LIMIT), written.decode()
