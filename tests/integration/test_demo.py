"""The demo from outside: as a process it tells the truth and leaves nothing behind; sabotaged, it says so."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import psutil
import pytest
import typer
from long_runs import only_long

import rotator_simulator.demo.run as demo_module
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator_simulator import commands
from rotator_simulator.demo.measure import passwords_of
from rotator_simulator.demo.run import Demo, DemoError, DemoOptions
from rotator_simulator.devices.device import DeviceTiming
from rotator_simulator.environment import PolicyTimes

COMMAND = [sys.executable, "-m", "rotator", "demo"]
NO_OVERLAP = PolicyTimes(every=9, overlap=0, quarantine=5, propagation=0)
# Whatever is refused was read less than a rotation ago, however slowly a busy machine starts.
SLOW = DeviceTiming(interval=0.3, refresh=60.0, retry=0.2, patience=60.0, overlap=30.0)


class DemoProcess:
    """The demo as a process of its own, in a session and with temporary files of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.output = folder / "tmp", folder / "output"
        self.folder.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.folder), "PYTHONUNBUFFERED": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *words], stdout=output, stderr=output, env=environment, start_new_session=True
            )
        self.children: dict[int, psutil.Process] = {}
        self.command_lines: set[str] = set()

    def text(self) -> str:
        return self.output.read_text()

    def watch(self, limit: float, until: str | None = None) -> None:
        """Looks at the processes until this text is printed, or until the end."""
        end = time.monotonic() + limit
        while self.process.poll() is None and (until is None or until not in self.text()):
            assert time.monotonic() < end, self.text()
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.children.setdefault(child.pid, child)
                try:
                    self.command_lines.add(" ".join(child.cmdline()))
                except psutil.Error:
                    continue
            Event().wait(0.1)

    def nothing_is_left(self) -> bool:
        return not any(child.is_running() for child in self.children.values()) and not list(self.folder.iterdir())


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., DemoProcess]]:
    started: list[DemoProcess] = []

    def begin(*words: str) -> DemoProcess:
        started.append(DemoProcess(tmp_path, *words))
        return started[-1]

    yield begin
    for each in started:
        for process in (each.process, *each.children.values()):
            if process.poll() is None if isinstance(process, subprocess.Popen) else process.is_running():
                process.kill()
        each.process.wait()


def numbers(text: str, name: str) -> dict[str, float]:
    """The figures of one row of the summary: each number by the word before it."""
    row = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
    return {word: float(value) for word, value in re.findall(r"([A-Za-z-]+) ([0-9]+(?:\.[0-9]+)?)", row)}


def test_the_whole_demo_keeps_every_promise(start_demo) -> None:
    demo = start_demo()
    demo.watch(limit=100)
    text = demo.text()
    assert demo.process.returncode == 0, text
    assert text.splitlines()[-1].startswith("RESULT: no device was cut off")
    assert "\x1b" not in text
    rotations = numbers(text, "rotations")
    assert rotations["replace"] >= 9
    assert rotations["alternating"] >= 4
    assert rotations["in-place"] >= 9
    assert rotations["undone"] == 1
    overlap = numbers(text, "devices, overlap")
    assert overlap["accepted"] > 100
    assert (overlap["refused"], overlap["off"]) == (0, 0)
    others = numbers(text, "devices, others")
    assert others["accepted"] > 100
    assert others["off"] == 0
    credentials = numbers(text, "credentials")
    assert credentials["provider"] == credentials["Vault"] >= 12
    assert credentials["orphans"] == 0
    assert "targets with a working password 11 of 11" in text
    assert numbers(text, "secrets")["found"] == 0
    assert "not shown" not in text
    assert len(re.findall(r"^  shown ", text, re.MULTILINE)) == 6
    kept = re.search(
        r"deletion by hand: (\w+) was gone, so (\w+) was kept until ([\d.]+) s after (\w+) was published", text
    )
    assert kept
    assert len({kept[1], kept[2], kept[4]}) == 3
    assert float(kept[3]) >= 4.0, "a whole overlap with what phones can use"
    assert f"{kept[1]}, although it is published: nothing is retired meanwhile" in text
    # A whole life: staged before the provider hears of it, published only when proved, disabled before deleted.
    first = re.search(r"office-phone +staged +(\w+),", text)
    assert first
    life = ["staged", "created", "proved", "published", "disabled", "deleted"]
    assert in_order(text, "office-phone", first[1]) == life
    assert in_order(text, "office-phone", "officephone01") == ["disabled", "deleted"]
    assert demo.nothing_is_left()


def in_order(text: str, target: str, username: str) -> list[str]:
    """The events of one credential, each once, without the actions of the demo itself."""
    lines = [line.split() for line in text.splitlines() if f" {target} " in line and f"{username}," in line]
    return list(dict.fromkeys(words[3] for words in lines if words[3] not in ("not", "call")))


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, "starting"),
        (signal.SIGINT, "SIGUSR1"),
        *only_long((signal.SIGINT, "starting"), (signal.SIGTERM, "SIGUSR1")),
    ],
)
def test_a_stop_ends_it_soon_and_leaves_nothing(start_demo, number: signal.Signals, moment: str) -> None:
    demo = start_demo()
    demo.watch(limit=60, until=moment)
    asked = time.monotonic()
    os.killpg(demo.process.pid, number)  # as a terminal does: to everybody in the foreground
    demo.watch(limit=30)
    assert time.monotonic() - asked < 15
    assert demo.process.returncode == 130
    assert "RESULT" not in demo.text()
    assert "Traceback" not in demo.text()
    assert demo.nothing_is_left()


class RecordedDemo(Demo):
    """A demo that can be asked afterwards."""

    runs: ClassVar[list["RecordedDemo"]] = []

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.runs.append(self)


def test_without_the_promised_overlap_devices_are_cut_off_and_the_command_fails(monkeypatch, capsys) -> None:
    monkeypatch.setattr(demo_module, "Demo", RecordedDemo)
    monkeypatch.setattr(demo_module, "DemoOptions", lambda seconds: DemoOptions(9, times=NO_OVERLAP, timing=SLOW))
    with pytest.raises(typer.Exit) as ended:
        commands.demo(duration=40)
    assert ended.value.exit_code == 1
    shown = capsys.readouterr().out
    wrong = [line for line in shown.splitlines() if line.startswith("  WRONG ")]
    assert wrong
    assert all("cut off: " in line and "within the overlap of 30 s" in line for line in wrong)
    assert shown.splitlines()[-1].startswith("RESULT: FAILED")
    # What was searched for, searched for once more by other means.
    demo = RecordedDemo.runs.pop()
    passwords = [one.reveal() for account in demo._environment.accounts.values() for one in passwords_of(account)]
    assert len(set(passwords)) > 10
    text = "\n".join((shown, *demo._processes))
    assert "bao server" in text
    assert not [password for password in passwords if password in text]


def test_a_daemon_that_does_not_start_is_reported_with_its_reason() -> None:
    impossible = PolicyTimes(every=2, overlap=4, quarantine=1)
    stop = Event()
    demo = Demo(DemoOptions(times=impossible), SystemClock(stop), SystemRandomness(), stop, lambda _: None)
    with pytest.raises(DemoError, match="the daemon ended at its start") as caught:
        demo.run()
    assert "is too long: the next rotation may follow after" in str(caught.value)


def test_a_duration_in_which_nothing_can_be_shown_is_refused() -> None:
    done = subprocess.run([*COMMAND, "--duration", "5"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "35" in done.stderr


SHOW = """
from rotator_simulator.commands import _show
from rotator_simulator.demo.timeline import LineStyle, TimelineEntry
_show(TimelineEntry(1.0, "desk", "published", "x" * 200 + " [bold]", LineStyle.GOOD))
"""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_it_asks_for_none(no_color: str, coloured: bool) -> None:
    controller, terminal = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm-256color"}
    subprocess.run([sys.executable, "-c", SHOW], stdout=terminal, env=environment, timeout=60, check=True)
    os.close(terminal)
    shown = os.read(controller, 10_000).decode()
    os.close(controller)
    assert ("\x1b[32m" in shown) is coloured
    assert "x" * 200 + " [bold]" in shown
