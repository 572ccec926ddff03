"""The blackouts of a policy in the configuration: dates, and calendars of change freezes."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from rotator.core.blackouts import Blackout, Extent
from rotator.fields.section import Section
from rotator.fields.text import FilePath, TextField, context_of, invalid
from rotator.fields.times import TimeZone

_REMEDY = "write a day such as '2026-12-20', or a time such as '2026-12-20T18:00'"
_DAY = timedelta(days=1)


def _time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise invalid("is neither a day nor a time", _REMEDY) from None
    return text


BlackoutTime = Annotated[str, TextField(_time, {"examples": ["2026-12-20", "2026-12-20T18:00"]}, _REMEDY)]
"""A day, or a time, in the time zone beside it unless it says otherwise."""


class BlackoutSettings(Section):
    """A time at which nothing is changed by schedule: from `start` to `end`, or the events of a `calendar`."""

    start: BlackoutTime | None = None
    """The beginning: a day, or a time such as `2026-12-20T18:00`."""
    end: BlackoutTime | None = None
    """The end; a day is meant wholly."""
    reason: str | None = Field(default=None, min_length=1, max_length=200)
    """Why, for everybody who meets the blackout."""
    calendar: FilePath | None = None
    """An iCalendar file (`.ics`) instead: each event is a blackout, and its summary the reason. It is read at start and
    at a reload, and repeated events are known five years ahead."""
    timezone: TimeZone = "UTC"
    """The time zone of days, and of times that name none; default UTC."""
    hold: Extent = Extent.CHANGES
    """What is held: `changes` (neither rotations nor retirements; the default), or `rotations` (what was replaced
    before is still retired)."""

    _blackouts: tuple[Blackout, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _one_form(self, info: ValidationInfo) -> "BlackoutSettings":
        if self.calendar is not None:
            if self.start is not None or self.end is not None or self.reason is not None:
                raise invalid("calendar excludes start, end and reason", "keep the calendar, or the dates")
            self._blackouts = self._of_calendar(context_of(info).now)
        else:
            self._blackouts = (self._of_dates(),)
        return self

    def core(self) -> tuple[Blackout, ...]:
        """Returns the blackouts as the core defines them."""
        return self._blackouts

    def _of_dates(self) -> Blackout:
        if self.start is None or self.end is None or self.reason is None:
            raise invalid("needs start, end and reason", "add what is missing, or name a calendar")
        zone = ZoneInfo(self.timezone)
        start, end = (_moment(text, zone) for text in (self.start, self.end))
        if _is_day(self.end):
            end = _moment((date.fromisoformat(self.end) + _DAY).isoformat(), zone)
        if end <= start:
            raise invalid("ends before it begins", "exchange start and end, or correct the year")
        return Blackout(start, end, self.reason, self.hold)

    def _of_calendar(self, now: datetime) -> tuple[Blackout, ...]:
        from rotator.settings.calendars import CalendarProblem, read_calendar  # noqa: PLC0415 - few need its libraries

        assert self.calendar is not None  # noqa: S101 - its only caller has looked
        try:
            events = read_calendar(self.calendar, self.timezone, now)
        except CalendarProblem as problem:
            place = str(self.calendar) if problem.line is None else f"{self.calendar}:{problem.line}"
            what, remedy = f"{place}: {problem.what}", problem.remedy
        else:
            return tuple(Blackout(event.start, event.end, event.summary, self.hold) for event in events)
        raise invalid(what, remedy)


def _is_day(text: str) -> bool:
    return len(text) == len("2026-12-20")


def _moment(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text) if not _is_day(text) else datetime.combine(date.fromisoformat(text), time())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
