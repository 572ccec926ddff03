"""The bell: who was rung for since when, in a document that stays small, and what somebody has missed."""

from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.bell import MOST_NAMES, Bell, Ring, Ringing

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ASKED, CHANGED = Ringing.ASKED, Ringing.CHANGED


def test_each_listener_hears_what_was_rung_for_after_the_last_ring_that_it_heard():
    bell = Bell().after_ring(ASKED, "x", ["a", "b"], NOW).after_ring(ASKED, "x", ["c"], NOW + SECOND)
    assert bell.number == 2
    assert [bell.rung_since(number) for number in (0, 1, 2)] == [{"a", "b", "c"}, {"c"}, set()]
    assert not bell.has_lost_since(0)


def test_a_listener_tells_the_kinds_apart_and_does_not_hear_itself():
    bell = Bell().after_ring(ASKED, "x", ["a"], NOW).after_ring(CHANGED, "y", ["b"], NOW)
    assert (bell.rung_since(0, [ASKED]), bell.rung_since(0, [CHANGED])) == ({"a"}, {"b"})
    assert (bell.rung_since(0, but_by="x"), bell.rung_since(0, but_by="y")) == ({"b"}, {"a"})
    assert bell.rung_since(0, [ASKED], but_by="x") == set()


def test_a_ring_is_kept_for_a_minute_and_whoever_missed_it_knows():
    bell = Bell(4, (Ring(4, NOW, ASKED, "x", ("a",)),), dropped=3)
    assert bell.after_ring(ASKED, "x", ["b"], NOW + 59 * SECOND).rung_since(0) == {"a", "b"}
    later = bell.after_ring(ASKED, "x", ["b"], NOW + 60 * SECOND)
    assert later == Bell(5, (Ring(5, NOW + 60 * SECOND, ASKED, "x", ("b",)),), dropped=4)
    assert [later.has_lost_since(number) for number in (0, 3, 4, 5)] == [True, True, False, False]


@pytest.mark.parametrize("more", [0, 1])
def test_a_ring_for_more_than_the_document_holds_is_lost_and_everybody_knows(more):
    many = [f"target-{number}" for number in range(MOST_NAMES + more)]
    bell = Bell().after_ring(ASKED, "x", many, NOW)
    assert bell.rung_since(0) == (set() if more else set(many))
    assert bell.has_lost_since(0) is bool(more)
    assert not bell.has_lost_since(1)


@pytest.mark.unmeasured
def test_the_document_stays_small_and_the_latest_rings_stay_in_it():
    bell = Bell()
    for number in range(MOST_NAMES + 10):
        bell = bell.after_ring(CHANGED, "x", [f"one-{number}"], NOW)
    assert len(bell.rings) == MOST_NAMES
    assert bell.dropped == 10
    assert f"one-{MOST_NAMES + 9}" in bell.rung_since(bell.number - 1)
    assert (bell.has_lost_since(9), bell.has_lost_since(10)) == (True, False)
