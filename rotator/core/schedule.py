"""When a target is due: intervals, cron expressions with a time zone, maintenance windows, spread.

A due time is computed once, stored, and never recomputed at a look: a random moment that is drawn again at each look
would never come, or always.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

SPREAD = 0.1  # of an interval: how much earlier than its end a rotation may fall due, so that a fleet spreads out


@dataclass(frozen=True, slots=True)
class Every:
    """A rotation whenever the published password reaches this age; never later, up to a tenth earlier."""

    interval: timedelta

    def due_after(self, moment: datetime, fraction: float) -> datetime:
        """The due time after a rotation at `moment`; `fraction` in [0, 1) is the spread that was drawn."""
        return moment + self.interval * (1 - SPREAD * fraction)

    @property
    def longest(self) -> timedelta:
        """The greatest age that this schedule allows."""
        return self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """A rotation at the times of a cron expression, in its time zone."""

    expression: str
    timezone: str = "UTC"

    def due_after(self, moment: datetime, _fraction: float) -> datetime:
        """The next time of the expression after `moment`. The spread is left out: the operator named the time."""
        return next_time(self.expression, self.timezone, moment)

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
    """When scheduled rotations may start: `duration` from each time of the cron expression. Requests do not wait."""

    cron: str
    duration: timedelta
    timezone: str = "UTC"

    def contains(self, moment: datetime) -> bool:
        """True where a window that opened at or before `moment` has not ended yet."""
        opening = next_time(self.cron, self.timezone, moment - self.duration)
        return opening <= moment

    def next_opening(self, moment: datetime) -> datetime:
        """When the next window after `moment` opens."""
        return next_time(self.cron, self.timezone, moment)

    def place(self, wanted: datetime, not_before: datetime, fraction: float) -> datetime:
        """The moment inside a window that suits `wanted` best.

        `wanted` itself where it lies in a window; else a moment in the last window that ends before it (a password
        is rotated ahead of its age limit rather than after it), or, where none is left, in the next one.
        """
        if self.contains(wanted):
            return wanted
        opening = self.next_opening(wanted)
        earlier = self._last_opening(not_before, wanted)
        chosen = earlier if earlier is not None else opening
        return chosen + self.duration * fraction

    def _last_opening(self, after: datetime, before: datetime) -> datetime | None:
        """The last opening after `after` of a window that ends by `before`.

        Searched by halves: openings may be minutes or years apart, and there may be a million of them.
        """
        latest = before - self.duration
        if self.next_opening(after) > latest:
            return None
        low, high = after, latest  # what is sought comes after `low`, and not after `high`
        while high - low > timedelta(minutes=1):  # no two openings are closer
            middle = low + (high - low) / 2
            if self.next_opening(middle) <= latest:
                low = middle
            else:
                high = middle
        return self.next_opening(low)


def next_time(expression: str, timezone: str, after: datetime) -> datetime:
    """The first time of a cron expression strictly after `after`, in UTC.

    Raises:
        ValueError: the expression is not one of five cron fields, or it never comes.
    """
    try:
        # Where summer time ends, the second hour of the same name is searched as if it were the first, and a time
        # that is past would be found again and again.
        times = (time.astimezone(UTC) for time in CronSim(expression, after.astimezone(ZoneInfo(timezone))))
        return next(time for time in times if time > after)
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"{expression!r} is not a cron expression of five fields: {error}") from None


def first_due(window: Window | None, now: datetime, fraction: float) -> datetime:
    """When a target that was never rotated is due: at once, or in the next window, spread over that window."""
    if window is None or window.contains(now):
        return now
    return window.next_opening(now) + window.duration * fraction


def next_due(schedule: Schedule, window: Window | None, rotated: datetime, fraction: float) -> datetime:
    """When a target that was rotated at `rotated` is due again."""
    wanted = schedule.due_after(rotated, fraction)
    if window is None or window.contains(wanted):
        return wanted
    if isinstance(schedule, Cron):
        # Never ahead of its time: the expression would find the same time once more.
        return window.next_opening(wanted) + window.duration * fraction
    return window.place(wanted, rotated, fraction)
