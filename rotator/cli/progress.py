"""Shows what happens to many targets while it happens: live on a terminal, else one line for each that ended."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from threading import Lock
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live as LiveDisplay
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from rotator.cli.printing import console, safe
from rotator.cli.request_runner import Result, RotationReport
from rotator.core.model import Phase, Target, TargetState

_PHASES = {
    Phase.STAGED: "staged in Vault; sent to the provider",
    Phase.APPLIED: "in force; being proved",
    Phase.PROVED: "proved; being published",
}


class Watch(Protocol):
    """Somebody looks on. Every method may be called from any thread."""

    def seen(self, target: Target, state: TargetState) -> None:
        """A state was read or written."""
        ...

    def waits(self, target: Target, why: str) -> None:
        """A target waits."""
        ...

    def ended(self, report: RotationReport) -> None:
        """A target's request has ended, well or not."""
        ...


class Lines:
    """For a pipe or a file: a line for each wait that is new, and for each end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._said: dict[str, str] = {}

    def seen(self, target: Target, state: TargetState) -> None:
        """Says nothing: a state is written several times a second."""

    def waits(self, target: Target, why: str) -> None:
        """One line, unless the last one was the same."""
        with self._lock:
            if self._said.get(target.name) != why:
                self._said[target.name] = why
                _line(f"{target.name}: waits: {why}")

    def ended(self, report: RotationReport) -> None:
        """One line."""
        with self._lock:
            _line(ending(report))


class Live:
    """For a terminal: a line for each target that is being worked on, and a bar for all of them."""

    def __init__(self, shown_on: Console, total: int) -> None:
        self._lock = Lock()
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._each = Progress(SpinnerColumn(), text, TimeElapsedColumn())
        self._all = Progress(BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("ended"), TimeElapsedColumn())
        self._count = self._all.add_task("", total=total)
        self._live = LiveDisplay(Group(self._each, self._all), console=shown_on, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._ended: set[str] = set()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows it inside the block; nothing of it stays."""
        with self._live:
            yield

    def seen(self, target: Target, state: TargetState) -> None:
        """Shows how far the attempt has come."""
        if state.attempt is not None:
            self._show(target, _PHASES[state.attempt.phase])

    def waits(self, target: Target, why: str) -> None:
        """Shows why."""
        self._show(target, f"waits: {why}")

    def ended(self, report: RotationReport) -> None:
        """Takes the target's line away; the result says what went wrong."""
        with self._lock:
            self._ended.add(report.target.name)
            task = self._tasks.pop(report.target.name, None)
            if task is not None:
                self._each.remove_task(task)
            self._all.advance(self._count)

    def _show(self, target: Target, text: str) -> None:
        with self._lock:
            if target.name in self._ended:
                return
            line = safe(f"{target.name}: {text}")
            if target.name in self._tasks:
                self._each.update(self._tasks[target.name], description=line)
            else:
                self._tasks[target.name] = self._each.add_task(line, total=None)


@contextmanager
def screen() -> Iterator[Console]:
    """Standard error for everybody: what others write there, such as logs, appears above what is shown live."""
    shared = console(sys.stderr)
    if not sys.stderr.isatty():
        yield shared
        return
    with redirect_stderr(_Above(shared)):
        yield shared


class _Above(io.TextIOBase):
    """A stream whose lines appear above what is shown live, unbroken: an audit record has to stay one line."""

    def __init__(self, shown_on: Console) -> None:
        self._console, self._line, self._lock = shown_on, "", Lock()

    def write(self, text: str) -> int:
        """Prints every line that is complete."""
        with self._lock:
            *lines, self._line = (self._line + text).split("\n")
            for line in lines:
                self._console.out(line, highlight=False)
        return len(text)

    def isatty(self) -> bool:
        """True: there is none of these without a terminal."""
        return True


@contextmanager
def watching(shown_on: Console, total: int) -> Iterator[Watch]:
    """Shows progress in the way that suits standard error."""
    if not shown_on.is_terminal:
        yield Lines()
        return
    live = Live(shown_on, total)
    with live.shown():
        yield live


def ending(report: RotationReport) -> str:
    """One line about how a request ended."""
    head = f"{report.target.name}: {report.result.value}"
    if report.result in (Result.ROTATED, Result.UNDONE):
        by = " by another process" if report.elsewhere else ""
        return f"{head}{by} in {report.seconds:.1f} s"
    return f"{head}: {report.message}" if report.message else head


def _line(text: str) -> None:
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()
