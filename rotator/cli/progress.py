"""Shows the progress of many targets: live on a terminal, otherwise as one line for each that ends."""

import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from datetime import timedelta
from threading import Lock
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live as LiveDisplay
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from rotator.cli.printing import console, safe
from rotator.cli.request_runner import Result, RotationReport
from rotator.core.model import Phase, Target, TargetState
from rotator.observe.time_words import length_text

_PHASES = {
    Phase.STAGED: "staged in Vault; sent to the provider",
    Phase.APPLIED: "in force; being proved",
    Phase.PROVED: "proved; being published",
}


MOST_LINES = 100
"""With more targets only those that went wrong get a line of their own where there is no terminal."""
_SUM_EVERY = 10.0  # seconds
_A_WHILE = 2.0  # seconds, before which a rate says nothing
_MOST_SHOWN = 12  # lines of targets in progress


class ProgressObserver(Protocol):
    """Receives the progress of targets. Every method may be called from any thread."""

    def begins(self, what: str, total: int) -> None:
        """A stage of the command has begun, such as `ended`, that counts up to `total`."""
        ...

    def advance(self) -> None:
        """One more of the stage is done."""
        ...

    def seen(self, target: Target, state: TargetState) -> None:
        """A state was read or written."""
        ...

    def waits(self, target: Target, why: str) -> None:
        """A target waits."""
        ...

    def ended(self, report: RotationReport) -> None:
        """A target's request has ended, successfully or not: one more of the stage is done."""
        ...


class ProgressLines:
    """Progress for a pipe or a file: a line for each target, or, for many, those that went wrong and a sum."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = Lock(), clock
        self._each = total <= MOST_LINES
        self._last_wait: dict[str, str] = {}
        self._results = Counter[str]()
        self.begins("", total)

    def begins(self, what: str, total: int) -> None:
        """Begins to count anew."""
        with self._lock:
            self._what, self._total, self._done = what, total, 0
            self._began = self._told = self._clock()

    def advance(self) -> None:
        """Prints a sum, if it is time for one."""
        with self._lock:
            self._count()

    def seen(self, target: Target, state: TargetState) -> None:
        """Prints nothing: states are written several times a second."""

    def waits(self, target: Target, why: str) -> None:
        """Prints a line unless the last one had the same text."""
        with self._lock:
            if self._each and self._last_wait.get(target.name) != why:
                self._last_wait[target.name] = why
                _line(f"{target.name}: waits: {why}")

    def ended(self, report: RotationReport) -> None:
        """Prints one line."""
        with self._lock:
            self._results[_group(report)] += 1
            # Ctrl-C ends all that is left at once, in the same words: the end of the command has their number.
            if self._each or not (report.good or report.result is Result.INTERRUPTED):
                _line(ending(report))
            self._count()

    def _count(self) -> None:
        self._done += 1
        now = self._clock()
        if self._each or now - self._told < _SUM_EVERY:
            return
        self._told = now
        rate = self._done / max(now - self._began, 0.001)
        left = length_text(timedelta(seconds=(self._total - self._done) / rate))
        results = f" ({_numbers(self._results)})" if self._results else ""
        _line(f"{self._done:,} of {self._total:,} {self._what}{results}; {rate:.1f}/s, about {left} left")


class LiveProgress:
    """Progress on a terminal: a line for some of the targets in progress, and a bar for all of them."""

    def __init__(self, display: Console, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = Lock()
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._each = Progress(SpinnerColumn(), text, TimeElapsedColumn())
        self._all = Progress(
            BarColumn(bar_width=max(min(display.width - 70, 30), 10)),
            MofNCompleteColumn(),
            TextColumn("{task.fields[what]}", markup=False),
            TextColumn("{task.fields[results]}", markup=False),
            _RateAndRest(),
            get_time=clock,
        )
        self._lines = max(min(display.height - 6, _MOST_SHOWN), 1)
        # Standard output stays what it is: whoever stops the command at once asks it whether the result has begun.
        shown = Group(self._each, self._all)
        self._live = LiveDisplay(shown, console=display, transient=True, redirect_stdout=False)
        self._tasks: dict[str, TaskID] = {}
        self._ended: set[str] = set()
        self._results = Counter[str]()
        self._count = self._begin("", total)

    @contextmanager
    def visible(self) -> Iterator[None]:
        """Displays the progress inside the block and removes it at the end."""
        with self._live:
            yield

    def begins(self, what: str, total: int) -> None:
        """Shows another bar."""
        with self._lock:
            self._all.remove_task(self._count)
            self._count = self._begin(what, total)

    def advance(self) -> None:
        """Moves the bar."""
        with self._lock:
            self._all.advance(self._count)

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
            self._results[_group(report)] += 1
            self._all.update(self._count, advance=1, results=_numbers(self._results))

    def _begin(self, what: str, total: int) -> TaskID:
        return self._all.add_task("", total=total, what=what, results="")

    def _show(self, target: Target, text: str) -> None:
        with self._lock:
            if target.name in self._ended:
                return
            line = safe(f"{target.name}: {text}")
            if target.name in self._tasks:
                self._each.update(self._tasks[target.name], description=line)
            elif len(self._tasks) < self._lines:
                self._tasks[target.name] = self._each.add_task(line, total=None)


class _RateAndRest(ProgressColumn):
    """How many a second since the stage began, and how long the rest takes at that rate."""

    def render(self, task: Task) -> Text:
        """Returns the text; only how long it has taken, until there is something to go by."""
        taken = task.elapsed or 0.0
        if not task.total or task.total == 1 or not task.completed or taken < _A_WHILE:
            return Text(length_text(timedelta(seconds=taken)))
        rate = task.completed / taken  # many that end at once would be thousands a second, as rich counts it
        return Text(f"{rate:.1f}/s, {length_text(timedelta(seconds=(task.total - task.completed) / rate))} left")


def _group(report: RotationReport) -> str:
    """Returns the word under which the progress counts a result."""
    return {Result.WAITING: "waiting", Result.INTERRUPTED: "left"}.get(
        report.result, "done" if report.good else "failed"
    )


def _numbers(results: Counter[str]) -> str:
    return ", ".join(f"{results[word]:,} {word}" for word in ("done", "failed", "waiting", "left") if results[word])


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
        yield ProgressLines(total)
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
