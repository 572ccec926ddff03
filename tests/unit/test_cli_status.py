"""What `rotator status` prints beside the table."""

from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli.show_status import _age, _clocks, _future
from rotator.core.clocks import WORTH_TELLING

DAY, MOMENT = timedelta(days=1), timedelta(milliseconds=1)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("offset", [timedelta(), WORTH_TELLING, -WORTH_TELLING])
def test_clocks_that_agree_are_not_worth_a_line(offset):
    assert _clocks(offset) == []


@pytest.mark.parametrize(
    ("offset", "told"),
    [
        (WORTH_TELLING + MOMENT, "this machine's clock is 1 min ahead of Vault's: correct whichever is wrong"),
        (-2 * DAY, "this machine's clock is 2 d behind Vault's: correct whichever is wrong"),
    ],
)
def test_clocks_that_differ_are_told_with_who_is_ahead(offset, told):
    assert _clocks(offset) == [told]


def test_what_is_due_and_not_done_is_never_called_done():
    assert _future("deleted", (NOW + DAY).isoformat(), NOW) == "deleted in 1 d"
    assert _future("deleted", NOW.isoformat(), NOW).startswith("to be deleted, due since ")


@pytest.mark.parametrize(
    ("seconds", "rotated", "told"),
    [(60.0, NOW - DAY, "1 min old"), (None, NOW - DAY, "1 d old or more"), (None, None, "age unknown")],
)
def test_the_age_of_a_password_that_others_made_is_bounded_by_its_rotation(seconds, rotated, told):
    row = {"age_seconds": seconds, "last_rotation": rotated.isoformat() if rotated else None}
    assert _age(row, NOW) == told
