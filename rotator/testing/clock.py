"""Time and randomness under a test's control."""

import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class FakeClock:
    """Moves only by `advance`, `jump` and `sleep`."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        """The wall clock."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Time passes."""
        self._now += by
        self._monotonic += by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """The wall clock is set; no time passes."""
        self._now += by


class FakeRandomness:
    """Repeatable."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def choice(self, characters: str) -> str:
        """One character."""
        return self._random.choice(characters)

    def fraction(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()
