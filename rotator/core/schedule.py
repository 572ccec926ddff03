"""Due times: intervals, cron expressions with a time zone, maintenance windows, spread.

A due time is drawn once and stored. Drawn again at each look, a random time would never come, or come at once.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_TIMES_FOR_AN_INTERVAL = 6
SPREAD = 0.1  # of an interval: a rotation is due up to this much earlier, which spreads a fleet


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule by age: rotate when the published password reaches it, or up to a tenth earlier, never later."""

    interval: timedelta

    def due_after(self, rotation: datetime, fraction: float, made: datetime | None = None) -> datetime:
        """Returns the due time after a rotation; `fraction` in [0, 1) is the drawn spread.

        Args:
            made: when the published password was made, if an undo published an older one than that of the rotation.
        """
        return max((made or rotation) + self.interval * (1 - SPREAD * fraction), self.soonest_after(rotation))

    def soonest_after(self, rotation: datetime) -> datetime:
        """Returns the earliest moment of a scheduled rotation after another: half of the interval later."""
        return rotation + self.interval / 2

    @property
    def longest(self) -> timedelta:
        """The greatest age that this schedule allows."""
        return self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule by a cron expression, in its time zone."""

    expression: str
    timezone: str = "UTC"

    def due_after(self, rotation: datetime, _fraction: float, _made: datetime | None = None) -> datetime:
        """Returns the next time of the expression after a rotation, without spread: the operator named the time.

        A time less than half an interval away is skipped.
        """
        return next_time(self.expression, self.timezone, self.soonest_after(rotation))

    def soonest_after(self, rotation: datetime) -> datetime:
        """Returns the earliest moment of a scheduled rotation after another: half of the interval later.

        The interval is the shortest gap among the next times: they may be a week apart, and then half a year.
        """
        times = [next_time(self.expression, self.timezone, rotation)]
        while len(times) < _TIMES_FOR_AN_INTERVAL:
            times.append(next_time(self.expression, self.timezone, times[-1]))
        return rotation + min(later - earlier for earlier, later in pairwise(times)) / 2

    @property
    def longest(self) -> timedelta:
        """The longest gap among the next year's times, as an estimate of the greatest age."""
        gaps, moment = [timedelta()], datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC"))
        end = moment + timedelta(days=366)
        while moment < end and len(gaps) < 400:
            following = next_time(self.expression, self.timezone, moment)
            gaps.append(following - moment)
            moment = following
        return max(gaps)


Schedule: TypeAlias = Every | Cron


@dataclass(frozen=True, slots=True)
class Window:
    """The times when scheduled rotations may start: `duration` from each time of the cron expression."""

    cron: str
    duration: timedelta
    timezone: str = "UTC"

    def contains(self, moment: datetime) -> bool:
        """True if a window that opened at or before `moment` has not ended yet."""
        opening = next_time(self.cron, self.timezone, moment - self.duration)
        return opening <= moment

    def next_opening(self, moment: datetime) -> datetime:
        """Returns when the next window after `moment` opens."""
        return next_time(self.cron, self.timezone, moment)

    def place(self, wanted: datetime, not_before: datetime, fraction: float) -> datetime:
        """Returns the best moment inside a window for a rotation that is due at `wanted`.

        That is `wanted` itself if it lies in a window; otherwise a moment in the last window that ends before it, since
        it is better to rotate before the age limit than after it; otherwise one in the next window.
        """
        if self.contains(wanted):
            return wanted
        opening = self.next_opening(wanted)
        earlier = self._last_opening(not_before, wanted)
        chosen = earlier if earlier is not None else opening
        return chosen + self.duration * fraction

    def _last_opening(self, after: datetime, before: datetime) -> datetime | None:
        """Returns the last opening after `after` of a window that ends by `before`.

        A binary search: openings may be minutes or years apart, and there may be a million of them.
        """
        latest = before - self.duration
        if self.next_opening(after) > latest:
            return None
        low, high = after, latest  # the opening lies after `low`, and not after `high`
        while high - low > timedelta(minutes=1):  # no two openings are closer
            middle = low + (high - low) / 2
            if self.next_opening(middle) <= latest:
                low = middle
            else:
                high = middle
        return self.next_opening(low)


@lru_cache(maxsize=1000)  # a target that waits for its window asks the same at every look
def next_time(expression: str, timezone: str, after: datetime) -> datetime:
    """Returns the first time of a cron expression strictly after `after`, in UTC.

    Raises:
        ValueError: the expression does not have five cron fields, or describes a time that never occurs.
    """
    try:
        # An hour occurs twice when daylight saving time ends. cronsim confuses the two and may return a past time.
        times = (time.astimezone(UTC) for time in CronSim(expression, after.astimezone(ZoneInfo(timezone))))
        return next(time for time in times if time > after)
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"{expression!r} is not a cron expression of five fields: {error}") from None


def first_due(window: Window | None, now: datetime, fraction: float) -> datetime:
    """Returns the due time of a target that was never rotated: now, or spread over the next window."""
    if window is None or window.contains(now):
        return now
    return window.next_opening(now) + window.duration * fraction


def next_due(
    schedule: Schedule, window: Window | None, rotated: datetime, fraction: float, made: datetime | None = None
) -> datetime:
    """Returns the next due time of a target that was rotated at `rotated`, and whose password was made at `made`."""
    wanted = schedule.due_after(rotated, fraction, made)
    if window is None or window.contains(wanted):
        return wanted
    if isinstance(schedule, Cron):
        # Never before its time: the expression would yield the same time again.
        return window.next_opening(wanted) + window.duration * fraction
    return window.place(wanted, schedule.soonest_after(rotated), fraction)
