"""Blackouts: the times of a policy at which nothing is changed by schedule, such as the freeze at the end of a year."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class Extent(Enum):
    """What a pause or a blackout holds."""

    CHANGES = "changes"  # nothing is changed by schedule: neither rotations nor retirements
    ROTATIONS = "rotations"  # what was replaced before is still retired


@dataclass(frozen=True, slots=True)
class Blackout:
    """One time without changes, from `start` to `end`."""

    start: datetime
    end: datetime
    reason: str
    extent: Extent = Extent.CHANGES


def end_after(blackouts: Iterable[Blackout], moment: datetime) -> datetime:
    """Returns when what is due at `moment` may begin: then, or at the end of the blackouts in which it lies."""
    for start, end in stretches(blackouts):
        if start <= moment < end:
            return end
    return moment


def longest_stretch(blackouts: Iterable[Blackout]) -> timedelta:
    """Returns the longest time by which blackouts can put off a rotation: some of them meet or overlap."""
    return max((end - start for start, end in stretches(blackouts)), default=timedelta())


def stretches(blackouts: Iterable[Blackout]) -> Iterator[tuple[datetime, datetime]]:
    """Yields the beginning and the end of each stretch of blackouts that meet or overlap, in order."""
    begun: tuple[datetime, datetime] | None = None
    for blackout in sorted(blackouts, key=lambda blackout: blackout.start):
        if begun is not None and blackout.start <= begun[1]:
            begun = (begun[0], max(begun[1], blackout.end))
            continue
        if begun is not None:
            yield begun
        begun = (blackout.start, blackout.end)
    if begun is not None:
        yield begun
