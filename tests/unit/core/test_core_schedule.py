"""Due times and windows, through every turn of the clock, against a count minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples

from rotator.core import schedule
from rotator.core.schedule import SPREAD, Cron, Every, Window, first_due, next_due, next_time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe")  # the last one turns by half an hour
EXPRESSIONS = ("30 2 * * *", "0 2 * * *", "*/30 * * * *", "15 1-3 * * *", "45 0,1,2,3 * * 0", "0 3 1 * *", "0 0 29 2 *")
# Both turns of 2026 in each zone, and a quiet day.
TURNS = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 7, 1, tzinfo=UTC),
)
near_turns = st.builds(
    lambda turn, seconds: turn + timedelta(seconds=seconds),
    st.sampled_from(TURNS),
    st.floats(-200_000, 200_000).map(lambda number: round(number, 3)),
)
fractions = st.floats(0, 0.999)  # beyond, it is a matter of microseconds


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # The hour that is left out in spring: what was due in it comes when it is over.
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00", "2026-03-08T07:00"),
        # The hour that comes twice in autumn: once.
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:15", "2026-10-26T01:30"),
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00", "2026-11-01T05:30"),
        ("America/New_York", "30 1 * * *", "2026-11-01T06:10", "2026-11-02T06:30"),
        # What comes every so often does so in both.
        ("Europe/Berlin", "*/30 * * * *", "2026-10-25T00:30", "2026-10-25T01:00"),
    ],
)
def test_the_turns_of_the_clock(zone, expression, after, expected):
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_time(expression, zone, moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(zone=st.sampled_from(ZONES), expression=st.sampled_from(EXPRESSIONS), moment=near_turns)
def test_the_next_time_is_always_later_and_leaves_none_out(zone, expression, moment):
    found = next_time(expression, zone, moment)
    assert found > moment
    assert found.tzinfo is UTC
    middle = moment + (found - moment) / 2
    assert next_time(expression, zone, middle) == found


@given(zone=st.sampled_from(ZONES), expression=st.sampled_from(EXPRESSIONS[:5]), start=st.sampled_from(TURNS))
def test_iterating_over_a_turn_terminates_and_never_comes_twice_in_one_local_minute(zone, expression, start):
    moment, end, seen = start - 2 * DAY, start + 2 * DAY, []
    while moment < end:
        moment = next_time(expression, zone, moment)
        seen.append(moment)
    assert seen == sorted(set(seen))
    if not expression.startswith("*"):
        days = [(when.astimezone(ZoneInfo(zone)).date(), when.astimezone(ZoneInfo(zone)).time()) for when in seen]
        assert len(days) == len(set(days))


@pytest.mark.parametrize("expression", ["", "* * * *", "61 * * * *", "0 0 30 2 *", "@daily", "nonsense"])
def test_what_is_no_cron_expression_says_so(expression):
    with pytest.raises(ValueError, match="is not a cron expression of five fields"):
        next_time(expression, "UTC", TURNS[0])


@given(days=st.integers(1, 400), moment=near_turns, fraction=fractions)
def test_an_interval_is_never_exceeded_and_undercut_by_a_tenth_at_most(days, moment, fraction):
    due = Every(timedelta(days=days)).due_after(moment, fraction)
    age = due - moment
    assert timedelta(days=days) * (1 - SPREAD) <= age <= timedelta(days=days)


windows = st.builds(
    Window,
    cron=st.sampled_from(("0 2 * * *", "30 1 * * 1-5", "0 22 * * 6", "0 4 1,15 * *", "*/20 * * * *")),
    duration=st.sampled_from((timedelta(minutes=10), HOUR, 4 * HOUR, 30 * HOUR)),
    timezone=st.sampled_from(ZONES),
)


@given(window=windows, moment=near_turns)
def test_a_window_contains_its_opening_and_not_its_end(window, moment):
    opening = window.next_opening(moment)
    assert opening > moment
    assert window.contains(opening)
    assert window.contains(opening + window.duration - timedelta(seconds=1))
    if window.next_opening(opening) > opening + window.duration:
        assert not window.contains(opening + window.duration)
    if not window.contains(moment):
        assert not any(window.contains(moment + (opening - moment) * part / 7) for part in range(7))


@given(window=windows, moment=near_turns, ahead=st.floats(0, 100), fraction=fractions)
def test_a_moment_is_placed_inside_a_window_and_by_the_age_limit_where_one_ends_before_it(
    window, moment, ahead, fraction
):
    wanted = moment + timedelta(days=ahead)
    placed = window.place(wanted, moment, fraction)
    assert window.contains(placed)
    first = window.next_opening(moment)
    if first + window.duration <= wanted or window.contains(wanted):
        assert placed <= wanted
        # The last such window, so that nothing is rotated much earlier than it must be.
        assert window.next_opening(placed) + window.duration > wanted
    else:
        assert placed >= wanted


@pytest.mark.parametrize("cron", ["* * * * *", "* * * * 1", "* * * 1 *", "0 0 29 2 *"])
def test_placing_takes_few_steps_however_often_a_window_opens(cron, monkeypatch):
    steps = []
    monkeypatch.setattr(schedule, "next_time", lambda *args: steps.append(args) or next_time(*args))
    window = Window(cron, timedelta(seconds=30), "Europe/Berlin")
    rotated = datetime(2026, 1, 2, 3, 4, 50, tzinfo=UTC)
    placed = window.place(rotated + 3650 * DAY, rotated, 0.5)
    assert len(steps) < 40
    assert window.contains(placed)


def test_the_last_of_many_openings_is_found():
    window = Window("* * * 1 *", timedelta(seconds=30))
    rotated, wanted = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    assert window.place(wanted, rotated, 0.0) == datetime(2026, 1, 31, 23, 59, tzinfo=UTC)


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 2, 3, 10, 31])
def test_a_window_that_ends_at_the_very_age_limit_is_taken(days):
    window = Window("0 2 * * *", HOUR)
    wanted = NOON.replace(hour=3) + days * DAY
    assert window.place(wanted, NOON, 0.5) == wanted - HOUR / 2
    # A second earlier, that window is still open; the one before it is the last that has ended.
    assert window.place(wanted - timedelta(seconds=1), NOON, 0.5) == wanted - timedelta(seconds=1)
    early = wanted - HOUR - timedelta(seconds=1)
    assert window.place(early, NOON, 0.5) == (wanted - DAY - HOUR / 2 if days > 1 else wanted - HOUR / 2)


@pytest.mark.parametrize("minutes", range(1, 40))
def test_of_windows_that_open_every_minute_the_last_one_before_the_age_limit_is_taken(minutes):
    window = Window("* * * * *", timedelta(seconds=30))
    wanted = NOON + timedelta(minutes=minutes, seconds=45)
    assert window.place(wanted, NOON, 0.0) == NOON + timedelta(minutes=minutes)


@given(window=st.none() | windows, now=near_turns, fraction=fractions)
def test_a_target_that_was_never_rotated_is_due_at_once_or_in_the_next_window(window, now, fraction):
    due = first_due(window, now, fraction)
    assert due >= now
    if window is None or window.contains(now):
        assert due == now
    else:
        assert window.contains(due)
        assert due < window.next_opening(now) + window.duration


@examples(300)
@given(
    plan=st.one_of(
        st.builds(Every, st.sampled_from((DAY, 7 * DAY, 90 * DAY))),
        st.builds(Cron, st.sampled_from(EXPRESSIONS[:6]), st.sampled_from(ZONES)),
    ),
    window=st.none() | windows,
    rotated=near_turns,
    fraction=fractions,
)
def test_rotating_whenever_it_is_due_always_goes_forward(plan, window, rotated, fraction):
    moment = rotated
    for _ in range(4):
        due = next_due(plan, window, moment, fraction)
        assert due > moment
        assert window is None or window.contains(due)
        moment = due


@given(moment=near_turns, fraction=fractions, zone=st.sampled_from(ZONES), expression=st.sampled_from(EXPRESSIONS[:6]))
def test_a_cron_schedule_is_not_spread(moment, fraction, zone, expression):
    cron = Cron(expression, zone)
    assert cron.due_after(moment, fraction) == next_time(expression, zone, cron.soonest_after(moment))


@pytest.mark.parametrize(
    ("plan", "soonest"),
    [
        (Every(90 * DAY), 45 * DAY),
        (Cron("0 3 * * *"), DAY / 2),
        (Cron("0 3 * * 1"), 3.5 * DAY),
        (Cron("30 1 * * 2 "), 3.5 * DAY),
        (Cron("30 1 1,8 1 *"), 3.5 * DAY),  # twice, a week apart, and then not for almost a year
    ],
)
def test_nothing_is_rotated_on_schedule_twice_within_half_of_the_interval(plan, soonest):
    rotation = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
    assert plan.soonest_after(rotation) == rotation + soonest
    assert plan.due_after(rotation, 0.5) >= rotation + soonest


def test_a_cron_time_outside_of_the_window_waits_for_the_next_one_and_is_spread_over_it():
    nightly, rotated = Window("0 2 * * *", timedelta(hours=2)), datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
    for fraction in (0.0, 0.25, 0.75):
        due = next_due(Cron("0 12 * * *"), nightly, rotated, fraction)
        assert due == datetime(2026, 1, 7, 2, 0, tzinfo=UTC) + fraction * timedelta(hours=2)


def test_a_window_soon_after_a_rotation_is_not_taken_for_the_next_one():
    monthly = Window("0 2 1 * *", timedelta(hours=2))
    rotated = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    due = next_due(Every(30 * DAY), monthly, rotated, 0.5)
    assert due == datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("plan", "longest"),
    [
        (Every(90 * DAY), 90 * DAY),
        (Cron("0 3 1 * *"), 31 * DAY),
        (Cron("0 3 * * 1"), 7 * DAY),
        (Cron("0 9 * * 1-5"), 3 * DAY),
    ],
)
def test_the_greatest_age_of_a_schedule(plan, longest):
    assert plan.longest == longest
