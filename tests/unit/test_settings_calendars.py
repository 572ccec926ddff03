"""Blackouts in the configuration: dates, and calendars of change freezes as people export them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rotator.core.blackouts import Blackout, Extent
from rotator.fields.text import LoadContext
from rotator.settings import ConfigError
from rotator.settings.blackout_models import BlackoutSettings
from rotator.settings.calendars import AHEAD, CalendarProblem, read_calendar
from rotator.settings.load import check

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def calendar(*events: str) -> str:
    bodies = "".join(f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT\n" for number, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//a//b//EN\n{bodies}END:VCALENDAR\n"


def times(tmp_path: Path, *events: str, zone: str = "UTC") -> list[tuple[datetime, datetime]]:
    path = tmp_path / "freezes.ics"
    path.write_text(calendar(*events))
    return [(event.start, event.end) for event in read_calendar(path, zone, NOW)]


def blackout(directory: Path = Path(), **keys: str) -> Blackout:
    (found,) = BlackoutSettings.model_validate(keys, context=LoadContext({}, directory, NOW)).core()
    return found


def test_days_are_meant_wholly_in_their_time_zone():
    """From the first minute of the first day to the last of the last one."""
    found = blackout(start="2026-12-20", end="2027-01-06", timezone="Europe/Berlin", reason="end of the year")

    start, end = datetime(2026, 12, 19, 23, tzinfo=UTC), datetime(2027, 1, 6, 23, tzinfo=UTC)
    assert found == Blackout(start, end, "end of the year", Extent.CHANGES)


def test_times_are_meant_as_they_are():
    """In the time zone beside them, or in their own."""
    found = blackout(start="2026-11-27T18:00", end="2026-11-27T22:00-05:00", timezone="Europe/Berlin", reason="x")

    assert (found.start, found.end) == (
        datetime(2026, 11, 27, 17, tzinfo=UTC),
        datetime(2026, 11, 28, 3, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"start": "2026-12-20", "end": "2027-01-06"}, "needs start, end and reason"),
        ({"start": "2027-12-20", "end": "2027-01-06", "reason": "x"}, "ends before it begins"),
        ({"start": "20 December", "end": "2027-01-06", "reason": "x"}, "is neither a day nor a time"),
        ({"start": "2026-12-20", "calendar": "a.ics"}, "calendar excludes start, end and reason"),
        ({"calendar": "missing.ics"}, "missing.ics: cannot be read: No such file or directory"),
        ({"start": "2026-12-20", "end": "2027-01-06", "reason": "x", "hold": "all"}, "changes"),
    ],
)
def test_a_mistake_in_a_blackout_says_what_would_be_right(tmp_path, keys, what):
    with pytest.raises(ValidationError, match=what):
        BlackoutSettings.model_validate(keys, context=LoadContext({}, tmp_path, NOW))


def test_whole_days_and_times_in_zones(tmp_path):
    """As Outlook, Google and Nextcloud export them: the end of a day is the day after."""
    found = times(
        tmp_path,
        "DTSTART;VALUE=DATE:20261220\nDTEND;VALUE=DATE:20270107\nSUMMARY:year",
        "DTSTART;TZID=Europe/Berlin:20261127T180000\nDURATION:PT4H",
        "DTSTART:20261128T000000Z\nDTEND:20261128T010000Z",
        "DTSTART;VALUE=DATE:20261111",
        zone="Europe/Berlin",
    )

    assert found == [
        (datetime(2026, 11, 10, 23, tzinfo=UTC), datetime(2026, 11, 11, 23, tzinfo=UTC)),
        (datetime(2026, 11, 27, 17, tzinfo=UTC), datetime(2026, 11, 27, 21, tzinfo=UTC)),
        (datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 28, 1, tzinfo=UTC)),
        (datetime(2026, 12, 19, 23, tzinfo=UTC), datetime(2027, 1, 6, 23, tzinfo=UTC)),
    ]


def test_repetitions_follow_the_clock_on_the_wall(tmp_path):
    """18:00 stays 18:00 when daylight saving time begins; what is left out is, and what is added."""
    found = times(
        tmp_path,
        "DTSTART;TZID=Europe/Berlin:20270320T180000\nDTEND;TZID=Europe/Berlin:20270320T190000\n"
        "RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20270327T180000\n"
        "RDATE;TZID=Europe/Berlin:20270501T180000",
    )

    begins = [start.astimezone(BERLIN) for start, _ in found]
    assert [f"{each:%m-%d %H:%M}" for each in begins] == ["03-20 18:00", "04-03 18:00", "04-10 18:00", "05-01 18:00"]
    assert {end - start for start, end in found} == {HOUR}


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("FREQ=YEARLY", 5),
        ("FREQ=YEARLY;UNTIL=20281231", 3),
        ("FREQ=YEARLY;UNTIL=20271220T000000Z", 2),
        ("FREQ=MONTHLY;BYDAY=-1FR", 59),
    ],
)
def test_what_is_repeated_without_an_end_is_known_five_years_ahead(tmp_path, rule, number):
    """From now: what ended long ago is left out."""
    found = times(tmp_path, f"DTSTART;VALUE=DATE:19991220\nRRULE:{rule}")
    later = times(tmp_path, f"DTSTART;VALUE=DATE:20261220\nRRULE:{rule}")

    assert len(later) == number
    assert all(end > NOW - 62 * DAY and start < NOW + AHEAD for start, end in found + later)


@given(
    freq=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    interval=st.integers(1, 5),
    count=st.integers(1, 30),
    first=st.datetimes(datetime(2026, 11, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
)
def test_repetitions_are_those_of_the_rule(tmp_path_factory, freq, interval, count, first):
    """Whatever the rule."""
    rule, first = f"FREQ={freq};INTERVAL={interval};COUNT={count}", first.replace(microsecond=0)
    path = tmp_path_factory.mktemp("calendar")

    found = times(path, f"DTSTART:{first:%Y%m%dT%H%M%S}\nDURATION:PT1H\nRRULE:{rule}")

    wanted = [each.replace(tzinfo=UTC) for each in rrulestr(rule, dtstart=first)]
    assert [start for start, _ in found] == [each for each in wanted if each < NOW + AHEAD]


def test_a_cancelled_event_holds_nothing(tmp_path):
    """The rest does."""
    kept = "DTSTART;VALUE=DATE:20261220"
    assert len(times(tmp_path, f"{kept}\nSTATUS:CANCELLED", kept)) == 1


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("SUMMARY:x", "no DTSTART"),
        ("DTSTART:2026", "DTSTART is not understood"),
        ("DTSTART:20261220T000000Z", "does not end after it begins"),
        ("DTSTART:20261220T000000Z\nDTEND:20261219T000000Z", "does not end after it begins"),
        ("DTSTART;TZID=Nowhere/Else:20261220T000000\nDURATION:PT1H", "time zone is unknown"),
        ("DTSTART;VALUE=DATE:20261220\nRRULE:FREQ=BOGUS", "RRULE is not understood"),
        ("DTSTART;VALUE=DATE:20261220\nRRULE:FREQ=SECONDLY", "more often than daily"),
        ("DTSTART;VALUE=DATE:20261220\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "more than one RRULE"),
        ("DTSTART;VALUE=DATE:20261220\nRECURRENCE-ID;VALUE=DATE:20261220", "RECURRENCE-ID"),
        ("DTSTART;VALUE=DATE:19691220\nRRULE:FREQ=DAILY", "before 1970"),
        ("DTSTART;VALUE=DATE:20261220\nDTSTART;VALUE=DATE:20261221", "not understood"),
        ("DTSTART;VALUE=DATE:20261101\nRRULE:FREQ=DAILY\nRDATE;VALUE=DATE:" + ",".join(["20270101"] * 400), "2,000"),
    ],
)
def test_an_event_that_is_not_understood_is_named_with_its_line(tmp_path, event, what):
    """A freeze that is left out in silence is a freeze that is broken."""
    with pytest.raises(CalendarProblem, match=what) as found:
        times(tmp_path, "DTSTART;VALUE=DATE:20261220", event)
    assert found.value.line == 8


@pytest.mark.parametrize(
    ("content", "what", "line"),
    [
        (b"", "has no event", None),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", "has no event", None),
        (b"hello", "no line of a calendar", 1),
        (b"BEGIN:VCALENDAR\nVERSION:2.0\n\xff\n", "not text in UTF-8", 3),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "is not one calendar", None),
        (calendar("DTSTART;VALUE=DATE:20261220").encode() * 2, "is not one calendar", None),
        (b" " * (1024 * 1024 + 1), "larger than 1 MiB", None),
    ],
)
def test_a_file_that_is_no_calendar_is_refused(tmp_path, content, what, line):
    path = tmp_path / "freezes.ics"
    path.write_bytes(content)
    with pytest.raises(CalendarProblem, match=what) as found:
        read_calendar(path, "UTC", NOW)
    assert found.value.line == line


def configured(tmp_path: Path, policy: dict[str, object]) -> Path:
    document = {
        "vault": {"address": "https://vault.example.com:8200", "auth": {"method": "token", "token": {"env": "TOKEN"}}},
        "providers": {"prod": {"type": "vobiz", "auth_id": "MA_X", "auth_token": {"env": "TOKEN"}}},
        "policies": {"quarterly": policy},
        "targets": [
            {"name": "office", "provider": "prod", "strategy": "replace", "policy": "quarterly", "path": "sip/office",
             "credential": {"username": "office01"}}
        ],
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(document, indent=1))
    return path


def test_the_configuration_names_the_line_of_the_calendar(tmp_path):
    """And its own."""
    (tmp_path / "freezes.ics").write_text(calendar("DTSTART:2026"))
    path = configured(tmp_path, {"blackouts": [{"calendar": "freezes.ics"}]})
    with pytest.raises(ConfigError) as found:
        check(path, {"TOKEN": "x" * 30})
    (problem,) = found.value.problems
    assert problem.key == "policies.quarterly.blackouts[0]"
    assert "freezes.ics:4: its DTSTART is not understood; correct the event that begins here" in str(problem)


def test_a_long_blackout_is_a_warning(tmp_path):
    """Blackouts that meet count as one; a short one is made up for by the spread."""
    short = {"start": "2026-12-20", "end": "2026-12-24", "reason": "one"}
    long = [short, {"start": "2026-12-25", "end": "2027-01-06", "reason": "two"}]

    _, none = check(configured(tmp_path, {"blackouts": [short]}), {"TOKEN": "x" * 30})
    settings, warnings = check(configured(tmp_path, {"blackouts": long}), {"TOKEN": "x" * 30})

    assert not [each for each in none if "hold rotations" in each.what]
    (warning,) = (each for each in warnings if "hold rotations" in each.what)
    assert warning.what == "hold rotations for 18d: passwords may become 108d old"
    (target,) = settings.core_targets()
    assert [each.reason for each in target.policy.blackouts] == ["one", "two"]
