"""The real clock and the real randomness. The composition root creates them once and passes them to everything else."""

import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread


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

    @contextmanager
    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> Iterator[None]:
        """Calls `action` after each `interval`, on a thread of its own; also while the process stops."""
        ended = Event()

        def run() -> None:
            while not ended.wait(interval.total_seconds()) and action():
                pass

        thread = Thread(target=run, name="repeat")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class SystemRandomness:
    """The operating system's randomness."""

    def choice(self, characters: str) -> str:
        """Returns one character, drawn by a cryptographically strong generator."""
        return secrets.choice(characters)

    def fraction(self) -> float:
        """Returns a number in [0, 1); only for spreading load."""
        return random.random()  # noqa: S311
