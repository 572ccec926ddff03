"""Crash points: a run is cut at any boundary between two effects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Crash(BaseException):
    """The end of the process. Not an `Exception`: no handler may catch it and go on."""


class CrashPoints:
    """Counts the boundaries that a run passes, and ends it at the chosen one (from 1; 0: never).

    `watch` is called at every boundary to check the invariants.
    """

    def __init__(self, at: int = 0, watch: Callable[[str], None] | None = None) -> None:
        self.at = at
        self.passed: list[str] = []
        self._watch = watch

    def reach(self, label: str) -> None:
        """Passes a boundary. Raises Crash if it is the chosen one."""
        self.passed.append(label)
        if self._watch is not None:
            self._watch(label)
        if len(self.passed) == self.at:
            raise Crash(label)

    @contextmanager
    def around(self, label: str) -> Iterator[None]:
        """Passes a boundary before an effect, and another one after it, before its answer is seen."""
        self.reach(f"before {label}")
        yield
        self.reach(f"after {label}")
