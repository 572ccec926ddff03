"""What `rotator status` prints beside the table."""

from datetime import timedelta

import pytest

from rotator.cli.show_status import _clocks
from rotator.core.clocks import WORTH_TELLING

DAY, MOMENT = timedelta(days=1), timedelta(milliseconds=1)


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
