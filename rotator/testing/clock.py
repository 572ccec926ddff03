"""Time and randomness under a test's control."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass(eq=False, slots=True)
class _FakeRepetition:
    due: timedelta
    interval: timedelta
    action: Callable[[], bool]


class FakeClock:
    """A clock that moves only by `advance`, `jump` and `sleep`; whoever moves it carries out what is repeated.

    While `paused`, nothing is repeated: the process stands still, but time passes.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._passed = timedelta()
        self._monotonic = 1_000.0
        self._repetitions: list[_FakeRepetition] = []
        self.paused = False

    def now(self) -> datetime:
        """Returns the wall clock."""
        return self._now

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Advances the clock without waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Lets time pass."""
        end = self._passed + by
        while due := [each for each in self._repetitions if each.due <= end]:
            first = min(due, key=lambda each: each.due)
            self._pass_until(first.due)
            first.due += first.interval
            if not self.paused and not first.action():
                self._repetitions.remove(first)
        self._pass_until(end)

    def _pass_until(self, moment: timedelta) -> None:
        self._now += moment - self._passed
        self._passed = moment
        self._monotonic = 1_000.0 + moment.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Sets the wall clock; no time passes."""
        self._now += by

    @contextmanager
    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> Iterator[None]:
        """Calls `action` whenever another `interval` has passed."""
        repetition = _FakeRepetition(self._passed + interval, interval, action)
        self._repetitions.append(repetition)
        try:
            yield
        finally:
            if repetition in self._repetitions:
                self._repetitions.remove(repetition)


class FakeRandomness:
    """Randomness that repeats itself."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def text(self, characters: str, length: int) -> str:
        """Draws a text."""
        return "".join(self._random.choice(characters) for _ in range(length))

    def fraction(self) -> float:
        """Draws a number in [0, 1)."""
        return self._random.random()
