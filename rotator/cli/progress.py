"""Shows the progress of many targets: live on a terminal, otherwise as one line for each that ends."""

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


class ProgressObserver(Protocol):
    """Receives the progress of targets. Every method may be called from any thread."""

    def seen(self, target: Target, state: TargetState) -> None:
        """A state was read or written."""
        ...

    def waits(self, target: Target, why: str) -> None:
        """A target waits."""
        ...

    def ended(self, report: RotationReport) -> None:
        """A target's request has ended, successfully or not."""
        ...


class ProgressLines:
    """Progress for a pipe or a file: a line when a target begins to wait and when it ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last_wait: dict[str, str] = {}

    def seen(self, target: Target, state: TargetState) -> None:
        """Prints nothing: states are written several times a second."""

    def waits(self, target: Target, why: str) -> None:
        """Prints a line unless the last one had the same text."""
        with self._lock:
            if self._last_wait.get(target.name) != why:
                self._last_wait[target.name] = why
                _line(f"{target.name}: waits: {why}")

    def ended(self, report: RotationReport) -> None:
        """Prints one line."""
        with self._lock:
            _line(ending(report))


class LiveProgress:
    """Progress on a terminal: a line for each target in progress and a bar for all of them."""

    def __init__(self, display: Console, total: int) -> None:
        self._lock = Lock()
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._each = Progress(SpinnerColumn(), text, TimeElapsedColumn())
        self._all = Progress(BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("ended"), TimeElapsedColumn())
        self._count = self._all.add_task("", total=total)
        self._live = LiveDisplay(Group(self._each, self._all), console=display, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._ended: set[str] = set()

    @contextmanager
    def visible(self) -> Iterator[None]:
        """Displays the progress inside the block and removes it at the end."""
        with self._live:
            yield

    def seen(self, target: Target, state: TargetState) -> None:
        """Shows the phase of the attempt."""
        if state.attempt is not None:
            self._show(target, _PHASES[state.attempt.phase])

    def waits(self, target: Target, why: str) -> None:
        """Shows why the target waits."""
        self._show(target, f"waits: {why}")

    def ended(self, report: RotationReport) -> None:
        """Removes the target's line. The result explains any failure."""
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
    """Shares standard error: other output, such as logs, appears above the live display."""
    shared = console(sys.stderr)
    if not sys.stderr.isatty():
        yield shared
        return
    with redirect_stderr(_Above(shared)):
        yield shared


class _Above(io.TextIOBase):
    """A stream whose lines appear above the live display. They are not wrapped: an audit record must stay one line."""

    def __init__(self, display: Console) -> None:
        self._console, self._line, self._lock = display, "", Lock()

    def write(self, text: str) -> int:
        """Prints every complete line."""
        with self._lock:
            *lines, self._line = (self._line + text).split("\n")
            for line in lines:
                self._console.out(line, highlight=False)
        return len(text)

    def isatty(self) -> bool:
        """Returns True: the stream exists only on a terminal."""
        return True


@contextmanager
def show_progress(display: Console, total: int) -> Iterator[ProgressObserver]:
    """Shows progress in the form that suits standard error."""
    if not display.is_terminal:
        yield ProgressLines()
        return
    live = LiveProgress(display, total)
    with live.visible():
        yield live


def ending(report: RotationReport) -> str:
    """Returns one line about how a request ended."""
    head = f"{report.target.name}: {report.result.value}"
    if report.result in (Result.ROTATED, Result.UNDONE):
        by = " by another process" if report.elsewhere else ""
        return f"{head}{by} in {report.seconds:.1f} s"
    return f"{head}: {report.message}" if report.message else head


def _line(text: str) -> None:
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()
