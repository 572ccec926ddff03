"""Waits until no other process works on a target, for the commands that change its state document themselves."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import TypeVar

from rotator.cli.exits import CommandError, Exit
from rotator.core.holding import Hold
from rotator.ports import Clock

T = TypeVar("T")

_PAUSE = 0.5  # seconds
_PATIENCE = timedelta(minutes=1)  # in addition to the claim of a process that died


def when_free(act: Callable[[], T | Hold], target: str, *, clock: Clock, stop: Event, claim: timedelta) -> T:
    """Returns what `act` does to a target, once it does not hold because another process works there.

    Args:
        claim: how long the claim of a dead process may last.

    Raises:
        CommandError: the other process did not end in time, or Ctrl-C was pressed; nothing was changed.
    """
    began, patience = clock.monotonic(), (_PATIENCE + claim).total_seconds()
    while True:
        done = act()
        if not isinstance(done, Hold):
            return done
        if stop.is_set():
            raise CommandError(f"{target}: stopped; nothing was changed", Exit.STOPPED)
        if clock.monotonic() - began > patience:
            raise CommandError(f"{target}: {done.message}; nothing was changed: try again")
        clock.sleep(_PAUSE)
