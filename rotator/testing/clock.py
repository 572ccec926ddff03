"""Time and randomness under a test's control."""

import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only by `advance`, `jump` and `sleep`."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1_000.0

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
        self._now += by
        self._monotonic += by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Sets the wall clock; no time passes."""
        self._now += by


class FakeRandomness:
    """Randomness that repeats itself."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def choice(self, characters: str) -> str:
        """Draws one character."""
        return self._random.choice(characters)

    def fraction(self) -> float:
        """Draws a number in [0, 1)."""
        return self._random.random()
