"""The real clock and the real randomness. The composition root creates them once and passes them to everything else."""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition, Event, Thread


@dataclass(slots=True)
class _Repetition:
    """What is repeated until the `with` ends."""

    interval: float
    action: Callable[[], bool]
    first: float  # when it is due first, by the monotonic clock
    ended: Event = field(default_factory=Event)
    thread: Thread | None = None

    def run(self) -> None:
        """Repeats. The first interval has passed."""
        while not self.ended.is_set() and self.action():
            self.ended.wait(self.interval)


class _FirstIntervals:
    """Waits for the first interval of each repetition of one length, on one thread for all.

    Most effects end before that: a thread for each of them would take a tenth of a rotation's time.
    """

    def __init__(self) -> None:
        self._condition = Condition()
        self._waiting: deque[_Repetition] = deque()  # in the order in which they are due
        self._runs = False

    def add(self, repetition: _Repetition) -> None:
        """Begins a thread for the repetition once its first interval has passed, unless it has ended by then."""
        with self._condition:
            self._waiting.append(repetition)
            if not self._runs:
                Thread(target=self._run, name="first intervals", daemon=True).start()
                self._runs = True

    def end(self, repetition: _Repetition) -> None:
        """Ends a repetition; a call of its action that has begun has ended when this returns."""
        with self._condition:
            repetition.ended.set()
            while self._waiting and self._waiting[0].ended.is_set():
                self._waiting.popleft()
        if repetition.thread is not None:
            repetition.thread.join()

    def _run(self) -> None:
        with self._condition:
            while self._waiting:
                left = self._waiting[0].first - time.monotonic()
                if left > 0:
                    self._condition.wait(left)
                    continue
                due = self._waiting.popleft()
                if not due.ended.is_set():
                    due.thread = Thread(target=due.run, name="repeat")
                    due.thread.start()
            self._runs = False


class SystemClock:
    """The machine's time. A sleep ends early once `stop` is set, so a stop never waits for one."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._first_intervals: dict[timedelta, _FirstIntervals] = {}

    def now(self) -> datetime:
        """Returns the wall clock's time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits, but only until the process is asked to stop."""
        self._stop.wait(max(seconds, 0.0))

    @contextmanager
    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> Iterator[None]:
        """Calls `action` after each `interval`, on another thread; also while the process stops."""
        length = interval.total_seconds()
        repetition = _Repetition(length, action, time.monotonic() + length)
        intervals = self._first_intervals.setdefault(interval, _FirstIntervals())
        intervals.add(repetition)
        try:
            yield
        finally:
            intervals.end(repetition)


class SystemRandomness:
    """The operating system's randomness."""

    def text(self, characters: str, length: int) -> str:
        """Returns a text that a cryptographically strong generator draws among all of this length.

        At once, and not character by character: each draw is a system call in which other threads take their turn.
        """
        number, drawn = secrets.randbelow(len(characters) ** length), []
        for _ in range(length):
            number, place = divmod(number, len(characters))
            drawn.append(characters[place])
        return "".join(drawn)

    def fraction(self) -> float:
        """Returns a number in [0, 1); only for spreading load."""
        return random.random()  # noqa: S311
