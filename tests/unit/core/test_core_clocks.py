"""Two clocks, and which of them counts."""

from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.clocks import RESOLUTION, Clocks

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("vault", "offset"), [(NOW - HOUR, HOUR), (NOW + HOUR, -HOUR)])
def test_the_earlier_clock_says_what_is_due_and_the_later_one_when_a_period_begins(vault, offset):
    clocks = Clocks(NOW, vault)
    assert clocks.offset == offset
    assert (clocks.earliest, clocks.latest) == (min(NOW, vault), max(NOW, vault))
    assert clocks.differ


@pytest.mark.parametrize("off", [RESOLUTION, -RESOLUTION])
def test_what_cannot_be_measured_is_no_difference(off):
    clocks = Clocks(NOW, NOW + off)
    assert (clocks.offset, clocks.earliest, clocks.latest) == (timedelta(), NOW, NOW)


def test_a_difference_of_more_than_a_minute_is_told():
    assert not Clocks(NOW, NOW + timedelta(minutes=1)).differ
    assert Clocks(NOW, NOW + timedelta(minutes=1, microseconds=1)).differ
