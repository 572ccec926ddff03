"""Calendars of change freezes: the events of an iCalendar file (RFC 5545) as times without changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar
from icalendar.parser import Contentline

AHEAD = timedelta(days=5 * 366)
"""Events are repeated so far into the future; a reload begins there anew."""
_BEHIND = timedelta(days=62)  # what came due in an event that has ended is spread by it
_LARGEST = 1024 * 1024  # bytes
_MOST = 2000  # events, repeated ones counted each time
_BEGINS = date(1970, 1, 1)  # repetitions are counted from the first
_OFTEN = {"SECONDLY", "MINUTELY", "HOURLY"}
_DAY = timedelta(days=1)


class CalendarProblem(Exception):
    """The file cannot be used. `line` is counted from 1; None for the whole file."""

    def __init__(self, what: str, remedy: str, line: int | None = None) -> None:
        super().__init__(what)
        self.what, self.remedy, self.line = what, remedy, line


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One event, once for each of its repetitions."""

    start: datetime
    end: datetime
    summary: str


def read_calendar(path: Path, timezone: str, now: datetime) -> tuple[CalendarEvent, ...]:
    """Returns the events of a file that have not ended long ago and begin within `AHEAD`.

    Args:
        timezone: of days, and of times that name no zone.

    Raises:
        CalendarProblem: it cannot be read, is not a calendar, or has an event that is not understood.
    """
    text = _text(path)
    lines = _beginnings(text)
    try:
        calendar = Calendar.from_ical(text)
    except ValueError as error:
        reason = str(error).partition(":")[0]
    else:
        return _events(calendar, lines, timezone, now)
    raise CalendarProblem(f"is not one calendar: {reason}", "export it again")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise CalendarProblem(f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    if len(content) > _LARGEST:
        raise CalendarProblem("is larger than 1 MiB", "export only the calendar of change freezes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise CalendarProblem("is not text in UTF-8", "save it as UTF-8", line)


def _beginnings(text: str) -> list[int]:
    """Returns the line of each event; raises CalendarProblem for a line that is none of a calendar."""
    begins, number = [], 0
    for line in text.splitlines():
        number += 1
        if not line or line[0] in " \t":
            continue  # the rest of the line before
        try:
            name, _, value = Contentline(line, strict=False).parts()  # type: ignore[no-untyped-call]
        except ValueError:
            raise CalendarProblem("this is no line of a calendar", "export it again", number) from None
        if (name.upper(), value.upper()) == ("BEGIN", "VEVENT"):
            begins.append(number)
    if not begins:
        # A volume that is not filled yet must not pass for a year without freezes.
        raise CalendarProblem("has no event", "put the change freezes into it, or leave the calendar out")
    return begins


def _events(calendar: Any, lines: list[int], timezone: str, now: datetime) -> tuple[CalendarEvent, ...]:
    found: list[CalendarEvent] = []
    for line, event in zip(lines, calendar.walk("VEVENT"), strict=True):
        try:
            found += islice(_repeated(event, ZoneInfo(timezone), now), _MOST + 1)
        except _NotUnderstood as problem:
            raise CalendarProblem(str(problem), "correct the event that begins here", line) from None
        except (AttributeError, OverflowError, TypeError, ValueError):  # such as a property that is there twice
            what, remedy = "this event is not understood", "check its DTSTART, DTEND, RRULE and EXDATE"
            raise CalendarProblem(what, remedy, line) from None
        if len(found) > _MOST:
            raise CalendarProblem(
                f"has more than {_MOST:,} events within five years", "export only the change freezes", line
            )
    return tuple(sorted(found, key=lambda event: event.start))


class _NotUnderstood(Exception):
    pass


def _repeated(event: Any, zone: ZoneInfo, now: datetime) -> Iterator[CalendarEvent]:
    """Yields an event as often as it takes place."""
    if event.errors:
        name, _ = event.errors[0]
        raise _NotUnderstood(f"its {name} is not understood")
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    if "RECURRENCE-ID" in event:
        raise _NotUnderstood("a single repetition was changed (RECURRENCE-ID): write it as an event of its own")
    start, length = _first(event, zone)
    left_out = set(_dates(event, "EXDATE", zone))
    summary = " ".join(str(event.get("SUMMARY", "")).split())[:200] or "calendar"
    last = now + AHEAD
    for begins in (*_by_rule(event, start, last), *_dates(event, "RDATE", zone)):
        begun = begins.astimezone(UTC)
        if begins not in left_out and begun < last and begun + length > now - _BEHIND:
            yield CalendarEvent(begun, begun + length, summary)


def _first(event: Any, zone: ZoneInfo) -> tuple[datetime, timedelta]:
    """Returns when an event takes place first, and for how long."""
    if "DTSTART" not in event:
        raise _NotUnderstood("it has no DTSTART")
    start = _moment(event["DTSTART"].dt, event["DTSTART"].params, zone)
    if start.date() < _BEGINS:
        raise _NotUnderstood("it begins before 1970")
    if "DTEND" in event:
        end = _moment(event["DTEND"].dt, event["DTEND"].params, zone)
        length = end.astimezone(UTC) - start.astimezone(UTC)
    elif "DURATION" in event:
        length = event["DURATION"].dt
    else:
        length = timedelta() if isinstance(event["DTSTART"].dt, datetime) else _DAY
    if length <= timedelta():
        raise _NotUnderstood("it does not end after it begins")
    return start, length


def _moment(given: date | datetime, parameters: Any, zone: ZoneInfo) -> datetime:
    if not isinstance(given, datetime):
        return datetime.combine(given, time(), zone)
    if given.tzinfo is not None:
        return given
    if "TZID" in parameters:
        raise _NotUnderstood("its time zone is unknown")
    return given.replace(tzinfo=zone)


def _by_rule(event: Any, start: datetime, last: datetime) -> Iterator[datetime]:
    """Yields the times of the first event and of those that repeat it, up to `last`."""
    if "RRULE" not in event:
        yield start
        return
    rule = event["RRULE"]
    if isinstance(rule, list):
        raise _NotUnderstood("it has more than one RRULE")
    if _OFTEN & {str(each).upper() for each in rule.get("FREQ", [])}:
        raise _NotUnderstood("it is repeated more often than daily")
    until = [_until(each, start) for each in rule.pop("UNTIL", [])]
    end = min([*until, last])
    # By the clock on the wall, which is what people mean; the zone follows, whatever daylight saving does.
    for local in rrulestr(rule.to_ical().decode(), dtstart=start.replace(tzinfo=None)):
        begins = local.replace(tzinfo=start.tzinfo)
        if begins > end:
            return
        yield begins


def _until(given: date | datetime, start: datetime) -> datetime:
    """Returns the last moment that a rule names. A day is meant wholly."""
    if not isinstance(given, datetime):
        return datetime.combine(given, time.max, start.tzinfo)
    return given if given.tzinfo is not None else given.replace(tzinfo=start.tzinfo)


def _dates(event: Any, name: str, zone: ZoneInfo) -> Iterator[datetime]:
    if name not in event:
        return
    given = event[name]
    for some in given if isinstance(given, list) else [given]:
        for each in some.dts:
            if isinstance(each.dt, tuple):
                raise _NotUnderstood(f"its {name} has a period")
            yield _moment(each.dt, each.params, zone)
