"""The limit of a password's age, counted until the provider refuses it, and what a policy adds up to. Pure.

A password's life begins when it is made, and ends when it is disabled, overwritten, deleted or replaced in place: a
replaced one is accepted during the overlap, so its life is longer than the interval of the schedule.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from rotator.core.schedule import Cron, Every, Schedule, Window

ROTATION_TAKES = timedelta(hours=1)
"""From when a rotation is due until it is published; an attempt that stays open longer raises an alert."""
RETIREMENT_TAKES = timedelta(hours=1)
"""From the end of the overlap until the old one is refused; an alert is raised sooner."""
_LONGEST_NOTICE = timedelta(days=7)
_WHOLE_DAYS_FROM = timedelta(days=10)
_NO = timedelta()


@dataclass(frozen=True, slots=True)
class AgeLimit:
    """The greatest age at which a password may still be accepted."""

    max_age: timedelta
    warn_before: timedelta  # how long before somebody is told

    @classmethod
    def of(cls, max_age: timedelta, warn_before: timedelta | None) -> "AgeLimit":
        """Returns a limit; without `warn_before` notice is given a tenth of it before, at most seven days."""
        return cls(max_age, min(max_age / 10, _LONGEST_NOTICE) if warn_before is None else warn_before)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a password's life, at its longest."""

    what: str
    length: timedelta


@lru_cache(1024)
def longest_until_due(schedule: Schedule, window: Window | None) -> timedelta:
    """Returns the greatest age that a published password reaches while everything works.

    With a window it is the schedule's interval, or half of it (no window is used earlier) and the longest gap between
    two openings, whichever is greater, plus the length of the window, over which rotations are spread. A time of a cron
    expression waits for the next window. Cached: a cron expression is slow to evaluate, and a fleet has few policies.
    """
    longest = schedule.longest
    if window is None:
        return longest
    gap = Cron(window.cron, window.timezone).longest
    return (longest + gap if isinstance(schedule, Cron) else max(longest, longest / 2 + gap)) + window.duration


def longest_life(
    schedule: Schedule, window: Window | None, overlap: timedelta | None, until_refused: timedelta = RETIREMENT_TAKES
) -> tuple[Stretch, ...]:
    """Returns the parts of the longest life of a password while everything works, from its making to its refusal.

    Args:
        overlap: how long it stays accepted after it was replaced; None: it ends when it is replaced.
        until_refused: from the end of the overlap.
    """
    is_cron = isinstance(schedule, Cron)
    parts = [
        Stretch("until it is due", schedule.longest),
        # What is rotated on demand shortly before a time skips that time.
        Stretch("a time that a rotation on demand skips", schedule.longest / 2 if is_cron else _NO),
        Stretch("waiting for a window", longest_until_due(schedule, window) - schedule.longest),
        Stretch("the rotation", ROTATION_TAKES),
    ]
    if overlap is not None:
        parts += [Stretch("overlap", overlap), Stretch("until it is refused", until_refused)]
    return tuple(part for part in parts if part.length)


def total(parts: tuple[Stretch, ...]) -> timedelta:
    """Returns the length of a life."""
    return sum((part.length for part in parts), _NO)


def fitting_interval(
    window: Window | None, overlap: timedelta | None, within: timedelta, until_refused: timedelta = RETIREMENT_TAKES
) -> timedelta | None:
    """Returns the longest interval whose passwords are refused `within` that age; None if there is none.

    It is whole days or, if it is short, whole minutes. For the other arguments see `longest_life`.
    """
    rest = within - total(longest_life(Every(_NO), None, overlap, until_refused))
    if window is not None:
        rest -= window.duration
        rest = min(rest, 2 * (rest - Cron(window.cron, window.timezone).longest))
    unit = timedelta(days=1) if rest >= _WHOLE_DAYS_FROM else timedelta(minutes=1)
    whole = rest // unit * unit
    return whole if whole > _NO else None
