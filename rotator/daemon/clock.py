"""The real clock and the real randomness: made once, by the composition root, and handed to everything else."""

import random
import secrets
import time
from datetime import UTC, datetime
from threading import Event


class SystemClock:
    """Time as the machine has it. A sleep ends early once `stop` is set, so that a stop never waits for one."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits for so many seconds, or until the process is asked to stop."""
        self._stop.wait(max(seconds, 0.0))


class SystemRandomness:
    """From the operating system."""

    def choice(self, characters: str) -> str:
        """One character, cryptographically strong."""
        return secrets.choice(characters)

    def fraction(self) -> float:
        """A number in [0, 1); for spread only."""
        return random.random()  # noqa: S311
