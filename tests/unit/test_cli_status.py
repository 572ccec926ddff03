"""What `rotator status` prints beside the table."""

import inspect
import re
from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli.moments import moment_of
from rotator.cli.report_commands import status
from rotator.cli.status_table import _numbers, _pauses
from rotator.core.clocks import WORTH_TELLING
from rotator.observe.status_words import StatusWords, clock_words
from rotator.observe.target_words import FILTERS

DAY, MOMENT = timedelta(days=1), timedelta(milliseconds=1)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("offset", [timedelta(), WORTH_TELLING, -WORTH_TELLING])
def test_clocks_that_agree_are_not_worth_a_line(offset):
    assert clock_words(offset) == []


@pytest.mark.parametrize(
    ("offset", "told"),
    [
        (WORTH_TELLING + MOMENT, "this machine's clock is 1 min ahead of Vault's: correct whichever is wrong"),
        (-2 * DAY, "this machine's clock is 2 d behind Vault's: correct whichever is wrong"),
    ],
)
def test_clocks_that_differ_are_told_with_who_is_ahead(offset, told):
    assert clock_words(offset) == [told]


def test_what_is_due_and_not_done_is_never_called_done():
    assert StatusWords(NOW).future("deleted", (NOW + DAY).isoformat()) == "deleted in 1 d"
    assert StatusWords(NOW).future("deleted", NOW.isoformat()).startswith("to be deleted, due since ")


@pytest.mark.parametrize(
    ("ending", "disabled", "before", "after"),
    [
        ("forget", None, "old password forgotten in 1 d", "old password to be forgotten, due since "),
        (
            "stand-by",
            NOW,
            "pair: disabled, password forgotten in 1 d",
            "pair: disabled, password to be forgotten, due ",
        ),
        ("delete", NOW, "pair: disabled, deleted in 1 d", "pair: disabled, to be deleted, due since "),
    ],
)
def test_what_is_about_to_end_reads_as_a_sentence(ending, disabled, before, after):
    entry = {"username": "pair", "ending": ending, "disabled_at": disabled, "overwritten_at": None}
    assert StatusWords(NOW).entry(entry | {"ends_at": (NOW + DAY).isoformat()}) == before
    assert StatusWords(NOW).entry(entry | {"ends_at": NOW.isoformat()}).startswith(after)


@pytest.mark.parametrize(
    ("seconds", "rotated", "told"),
    [(60.0, NOW - DAY, "1 min old"), (None, NOW - DAY, "1 d old or more"), (None, None, "age unknown")],
)
def test_the_age_of_a_password_that_others_made_is_bounded_by_its_rotation(seconds, rotated, told):
    row = {"age_seconds": seconds, "last_rotation": rotated.isoformat() if rotated else None}
    assert StatusWords(NOW).age(row) == told


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", NOW + 7 * DAY),
        ("1h30m", NOW + timedelta(minutes=90)),
        ("2026-01-31T10:00+01:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31).astimezone()),
    ],
)
def test_a_moment_before_which_something_is_due(text, moment):
    assert moment_of(text, NOW) == moment


def test_the_help_names_every_word_of_the_filter():
    """All but one: a command reads every document that it shows, so that none of them was not looked at."""
    text = inspect.getdoc(status)
    assert {word for word in FILTERS if not re.search(rf"\b{word}\b", text)} == {"not_looked_at"}


def test_few_targets_need_no_numbers():
    numbers = {"targets": 3, "matching": 3, "states": {"idle": 3}, "needs": {"overdue": 1}}
    assert _numbers(numbers, 3) == []
    assert _numbers(numbers | {"matching": 1}, 1) == [
        "",
        "3 targets: 3 idle",
        "to be looked after: 1 overdue",
        "shown: 1, as asked for",
    ]


def test_a_pause_is_said_once_whatever_it_holds():
    """A freeze of the fleet would be a line for each target otherwise."""
    pause = {"kind": "paused", "why": "paused by alice until 2026-01-07 00:00 UTC: freeze"}
    rows = [{"name": f"t{number}", "pauses": [pause]} for number in range(6)]
    rows.append({"name": "free", "pauses": []})

    assert _pauses(rows) == [f"6 targets: {pause['why']}"]
    assert _pauses(rows[:2]) == [f"t0, t1: {pause['why']}"]
