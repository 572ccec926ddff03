"""The ports of time and of randomness."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of time. Only the composition root creates a real one."""

    def now(self) -> datetime:
        """Returns the wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits; returns early if the process must stop."""
        ...


class Timer(Clock, Protocol):
    """A clock that can do something again and again."""

    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> AbstractContextManager[None]:
        """Calls `action` after each `interval`, beside the body of the `with`, until it returns False.

        A call that has begun has ended when the `with` ends.
        """
        ...


class Randomness(Protocol):
    """A source of passwords, ids and spread. Only the composition root creates a real one."""

    def text(self, characters: str, length: int) -> str:
        """Draws a text of so many of these characters, uniformly among all, cryptographically strong."""
        ...

    def fraction(self) -> float:
        """Draws a number in [0, 1)."""
        ...
