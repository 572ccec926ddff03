"""Time fields: durations, time zones, cron expressions."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from rotator.core.schedule import next_time
from rotator.fields.suggestions import nearest
from rotator.fields.text import TextField, invalid

LONGEST = timedelta(days=3650)
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = r"^(?=.)([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"
_DAY_REMEDY = "write it as '2026-10-01'"
_DURATION_REMEDY = "write it with units, such as '90d', '24h', '5s' or '1h30m'"


def duration(text: str) -> timedelta:
    """Reads `90d`, `24h`, `5s`, `1h30m`: whole days, hours, minutes and seconds, in this order.

    Raises:
        ValueError: the text has another form.
    """
    match = re.fullmatch(_DURATION, text)
    if match is None:
        raise ValueError(_DURATION_REMEDY)
    return timedelta(seconds=sum(int(part[:-1]) * _UNITS[part[-1]] for part in match.groups() if part))


def duration_text(length: timedelta) -> str:
    """Formats a duration for `duration` to read. Fractions of a second are dropped."""
    rest, text = int(length.total_seconds()), ""
    for unit, seconds in _UNITS.items():
        if rest >= seconds:
            text += f"{rest // seconds}{unit}"
            rest %= seconds
    return text or "0s"


def _bounded(least: timedelta, most: timedelta = LONGEST) -> TextField:
    def read(text: str) -> timedelta:
        try:
            length = duration(text)
        except ValueError:
            raise invalid("is not a duration", _DURATION_REMEDY) from None
        if length < least:
            raise invalid("is too short", f"set at least {duration_text(least)}")
        if length > most:
            raise invalid("is too long", f"set at most {duration_text(most)}")
        return length

    return TextField(read, {"pattern": _DURATION, "examples": ["90d", "24h", "5s", "1h30m"]}, _DURATION_REMEDY)


Duration = Annotated[timedelta, _bounded(timedelta(seconds=1))]
"""A duration of a second or more."""

Grace = Annotated[timedelta, _bounded(timedelta())]
"""A duration that may be zero."""

WindowLength = Annotated[timedelta, _bounded(timedelta(minutes=1))]
"""A duration of a minute or more: cron expressions count in minutes."""

UsageInterval = Annotated[timedelta, _bounded(timedelta(minutes=1))]
"""A duration of a minute or more: each question is a request to somebody else."""

HookTime = Annotated[timedelta, _bounded(timedelta(seconds=1), timedelta(seconds=30))]
"""A duration from one second to thirty: a worker waits for it, and so does a stop."""

LeaseLength = Annotated[timedelta, _bounded(timedelta(seconds=5))]
"""A duration of five seconds or more: a lease is renewed several times within its length, over a network."""


AuditAge = Annotated[timedelta, _bounded(timedelta(days=30))]
"""A duration of thirty days or more: evidence that a mistake in the configuration must not end."""


SHORTEST_VERIFY = timedelta(minutes=5)
CanaryWait = Annotated[timedelta, _bounded(SHORTEST_VERIFY)]
"""A duration of five minutes or more: as often as something can be verified."""

_VERIFY_REMEDY = "write a duration such as '24h', or 'off'"


def _verify(text: str) -> timedelta | None:
    return None if text == "off" else _bounded(SHORTEST_VERIFY).read(text)


VerifyInterval = Annotated[
    timedelta | None, TextField(_verify, {"pattern": f"^off$|{_DURATION}", "examples": ["24h", "off"]}, _VERIFY_REMEDY)
]
"""A duration of five minutes or more, or `off`, which is None."""


SHORTEST_RECONCILE = timedelta(hours=1)


def _reconcile(text: str) -> timedelta | None:
    return None if text == "off" else _bounded(SHORTEST_RECONCILE).read(text)


ReconcileInterval = Annotated[
    timedelta | None,
    TextField(_reconcile, {"pattern": f"^off$|{_DURATION}", "examples": ["1d", "off"]}, _VERIFY_REMEDY),
]
"""A duration of an hour or more, or `off`, which is None: a whole listing of each account."""


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, KeyError, OSError):  # unknown, not a name, or a directory of the database such as `Europe`
        match = nearest(text, available_timezones())
    else:
        return text
    remedy = f"did you mean {match!r}?" if match else "use a name such as 'Europe/Berlin' or 'UTC'"
    raise invalid("is not a time zone", remedy)


def _cron(text: str) -> str:
    remedy = "write minute, hour, day of month, month and day of week, such as '0 2 * * *' for 02:00 every night"
    if len(text.split()) != 5:
        raise invalid("is not a cron expression of five fields", remedy)
    try:
        next_time(text, "UTC", datetime(2024, 1, 1, tzinfo=UTC))
    except ValueError as error:
        field = str(error).rpartition(": Bad ")[2] if ": Bad " in str(error) else ""
    else:
        return text
    raise invalid(f"the {field} is invalid or never occurs" if field else "describes a time that never occurs", remedy)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid("is not a day", _DAY_REMEDY) from None


Day = Annotated[date, TextField(_day, {"format": "date", "examples": ["2026-10-01"]}, _DAY_REMEDY)]
"""A day, meant from its beginning in UTC."""

TimeZone = Annotated[str, TextField(_timezone, {"examples": ["Europe/Berlin"]}, "use a name such as 'Europe/Berlin'")]
"""A name from the time zone database."""

CronText = Annotated[str, TextField(_cron, {"examples": ["0 2 * * *"]}, "put five fields in quotes: '0 2 * * *'")]
"""A cron expression of five fields."""
