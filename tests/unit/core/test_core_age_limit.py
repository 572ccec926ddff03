"""The limit of a password's age: what a policy adds up to until the old one is refused, and what counts against it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from core_facts import ATTEMPT, DAY, ENTRY, HOUR, NEW, NOW, OLD, TARGET

from rotator.core.age_limit import AgeLimit, fitting_interval, longest_life, total
from rotator.core.model import Ending, TargetState
from rotator.core.password_age import accepted_passwords, deadline
from rotator.core.schedule import Cron, Every, Window, next_due

NIGHTLY, WEEKLY = Window("0 2 * * *", 4 * HOUR), Window("0 2 * * 0", 4 * HOUR)
LIMIT = AgeLimit(90 * DAY, 7 * DAY)
LIMITED = replace(TARGET, policy=replace(TARGET.policy, age_limit=LIMIT))
MADE = NOW - 40 * DAY


@pytest.mark.parametrize(
    ("schedule", "window", "overlap", "expected"),
    [
        (Every(90 * DAY), None, DAY, 91 * DAY + 2 * HOUR),
        (Every(90 * DAY), NIGHTLY, DAY, 91 * DAY + 6 * HOUR),
        (Every(90 * DAY), None, None, 90 * DAY + HOUR),  # in place: it ends when it is replaced
        (Every(90 * DAY), None, timedelta(), 90 * DAY + 2 * HOUR),
        (Cron("0 3 1 * *"), None, DAY, 31 * DAY * 1.5 + DAY + 2 * HOUR),
    ],
)
def test_a_life_ends_when_the_old_password_is_refused(schedule, window, overlap, expected):
    assert total(longest_life(schedule, window, overlap)) == expected


def test_each_part_of_a_life_is_named():
    assert [part.what for part in longest_life(Cron("0 3 1 * *"), NIGHTLY, DAY)] == [
        "until it is due",
        "a time that a rotation on demand skips",
        "waiting for a window",
        "the rotation",
        "overlap",
        "until it is refused",
    ]


@pytest.mark.parametrize("window", [None, NIGHTLY, WEEKLY, Window("0 2 1 * *", 4 * HOUR)])
@pytest.mark.parametrize("overlap", [None, DAY])
@pytest.mark.parametrize("within", [5 * DAY, 30 * DAY, 83 * DAY, 90 * DAY])
def test_what_fits_is_the_longest_that_fits(window, overlap, within):
    fits = fitting_interval(window, overlap, within)
    unit = DAY if fits is not None and fits >= 10 * DAY else timedelta(minutes=1)
    if fits is not None:
        assert total(longest_life(Every(fits), window, overlap)) <= within
    too_long = (fits or timedelta()) + unit
    assert total(longest_life(Every(too_long), window, overlap)) > within


@pytest.mark.parametrize("hours", range(0, 24 * 31, 31))
def test_a_rotation_on_demand_skips_a_time_and_the_arithmetic_knows(hours):
    monthly, asked = Cron("0 3 1 * *"), datetime(2026, 3, 1, 3, 30, tzinfo=NOW.tzinfo) + timedelta(hours=hours)
    due = next_due(monthly, None, asked, 0)
    assert due - asked + DAY <= total(longest_life(monthly, None, DAY))


def test_a_warning_is_a_tenth_earlier_and_at_most_a_week():
    assert [AgeLimit.of(days * DAY, None).warn_before for days in (1, 30, 365)] == [0.1 * DAY, 3 * DAY, 7 * DAY]
    assert AgeLimit.of(30 * DAY, 10 * DAY).warn_before == 10 * DAY


def moment(state: TargetState) -> datetime | None:
    due = deadline(LIMITED, state)
    return due and due.at - LIMIT.max_age


def test_what_was_replaced_counts_until_it_is_refused():
    published, old = replace(NEW, made_at=NOW - DAY), replace(ENTRY, credential=replace(OLD, made_at=MADE))
    state = TargetState("office", published, ledger=(old,))
    assert moment(state) == MADE
    due = deadline(LIMITED, state)
    assert due.at - due.warns_at == LIMIT.warn_before
    for ended in (replace(old, disabled_at=NOW), replace(old, overwritten_at=NOW), replace(old, ending=Ending.FORGET)):
        assert moment(replace(state, ledger=(ended,))) == NOW - DAY


def test_what_an_attempt_has_brought_into_force_counts():
    stuck = replace(ATTEMPT, staged=replace(NEW, made_at=MADE))
    assert moment(TargetState("office", replace(OLD, made_at=NOW), attempt=stuck)) == MADE


def test_where_nobody_knows_when_it_was_made_it_counts_from_when_it_was_seen():
    seen = replace(OLD, seen_at=MADE)
    (adopted,) = accepted_passwords(LIMITED, TargetState("office", seen, first_seen=NOW - 60 * DAY))
    assert (adopted.made_at, adopted.counted_from) == (None, MADE)
    state = TargetState("office", replace(NEW, made_at=NOW), ledger=(replace(ENTRY, credential=seen),))
    assert moment(state) == MADE
    unseen = replace(ENTRY, credential=OLD, replaced_at=MADE)  # what a lost call may have created
    assert moment(replace(state, ledger=(unseen,))) == MADE


def test_what_was_never_rotated_counts_from_the_first_look():
    state = TargetState("office", first_seen=MADE)
    assert moment(state) == MADE
    (found,) = accepted_passwords(LIMITED, state)
    assert found.credential is None
    new = replace(LIMITED, new=True)  # the account has no such credential yet
    for target in (new, replace(LIMITED, usernames=()), replace(LIMITED, removed=True)):
        assert deadline(target, state) is None
    assert deadline(LIMITED, replace(state, retired_at=NOW)) is None


def test_without_a_limit_there_is_no_deadline():
    assert deadline(TARGET, TargetState("office", replace(OLD, made_at=MADE))) is None
