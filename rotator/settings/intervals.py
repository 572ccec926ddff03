"""How far apart rotations and openings of windows are."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from rotator.core.schedule import SPREAD, Cron, Every, Schedule

_TIMES = 400  # at most so many times of a cron expression are computed, and none after _END
_END = datetime(2100, 1, 1, tzinfo=UTC)


def shortest_interval(schedule: Schedule) -> timedelta:
    """Returns the shortest time between two rotations."""
    if isinstance(schedule, Every):
        return schedule.interval * (1 - SPREAD)
    return min(gaps(schedule))


@lru_cache  # many targets share one policy
def gaps(schedule: Cron) -> tuple[timedelta, ...]:
    """Returns the gaps between the times of a cron expression, starting in a leap year."""
    moments = [schedule.due_after(datetime(2024, 1, 1, tzinfo=UTC), 0)]
    while len(moments) < 2 or (len(moments) <= _TIMES and moments[-1] < _END):
        moments.append(schedule.due_after(moments[-1], 0))
    return tuple(later - earlier for earlier, later in pairwise(moments))
