"""The real clock and the real randomness. The composition root creates them once and passes them to everything else."""

import random
import secrets
import time
from datetime import UTC, datetime
from threading import Event


class SystemClock:
    """The machine's time. A sleep ends early once `stop` is set, so a stop never waits for one."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def now(self) -> datetime:
        """Returns the wall clock's time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits, but only until the process is asked to stop."""
        self._stop.wait(max(seconds, 0.0))


class SystemRandomness:
    """The operating system's randomness."""

    def choice(self, characters: str) -> str:
        """Returns one character, drawn by a cryptographically strong generator."""
        return secrets.choice(characters)

    def fraction(self) -> float:
        """Returns a number in [0, 1); only for spreading load."""
        return random.random()  # noqa: S311
