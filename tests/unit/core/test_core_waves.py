"""Slots of an account's budget, and what the canaries say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from engine_harness import IN_PLACE, POLICY
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.canaries import CanaryResult
from rotator.core.model import Credential, FirstRotations, TargetState, Verification
from rotator.core.schedule import Window
from rotator.core.waves import Wave, after_slot, at_once, canaries, verdict, with_canaries

NOW = datetime(2026, 1, 5, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CANARY = replace(POLICY, verify=DAY, first=FirstRotations(canary=2, wait=HOUR))


@given(
    per_day=st.integers(1, 300),
    steps=st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 30)), max_size=25),
)
def test_no_day_has_more_than_the_budget(per_day, steps):
    """Whoever reserves how many, and whenever: in any 24 hours, and none before it was asked for."""
    first, wave, now, slots = FirstRotations(per_day), Wave(), NOW, []
    for seconds, number in steps:
        now += timedelta(seconds=seconds)
        wave, more = wave.reserved(first, now, number)
        assert all(slot >= now for slot in more)
        slots += more
    slots.sort()
    for start, slot in enumerate(slots):
        assert sum(slot <= other < slot + DAY for other in slots[start:]) <= max(per_day, 2)


def test_a_few_are_due_at_once_and_the_rest_is_spread():
    """A tenth of a day's budget; then evenly."""
    first = FirstRotations(per_day=100)

    _, slots = Wave().reserved(first, NOW, 30)

    assert slots.count(NOW) == at_once(first) == 10
    assert [later - earlier for earlier, later in pairwise(slots[9:])] == [DAY / 90] * 20


def test_what_was_reserved_with_a_wrong_clock_is_forgotten():
    """Ten years ahead is no reservation."""
    _, (slot,) = Wave(3, NOW + timedelta(days=5000)).reserved(FirstRotations(10), NOW, 1)

    assert slot == NOW


def test_a_slot_lies_in_the_window():
    """In the next one after it, spread as ever."""
    policy = replace(POLICY, window=Window("0 2 * * *", timedelta(hours=4)))
    state = TargetState("a", next_rotation=NOW)

    inside = after_slot(state, policy, NOW + timedelta(hours=3), 0.5)
    outside = after_slot(state, policy, NOW + timedelta(hours=12), 0.5)

    assert inside.next_rotation == NOW + timedelta(hours=3)
    assert outside.next_rotation == NOW + timedelta(hours=24 + 4)


def test_the_canaries_are_the_same_everywhere_and_are_verified_early():
    """Whatever the order of the targets; by account and policy."""
    targets = [replace(IN_PLACE, name=f"t{number}", policy=CANARY) for number in range(20)]

    names = canaries(targets, 2)

    assert names == canaries(reversed(targets), 2)
    early = {target.name for target in with_canaries(targets) if target.policy.verify == HOUR}
    assert early == set(names)
    assert with_canaries([IN_PLACE]) == (IN_PLACE,)


def rotated(name: str = "a", **changes) -> TargetState:
    verified = Verification(NOW + HOUR, accepted=True)
    state = TargetState(name, Credential("fake", name), last_rotation=NOW, verification=verified)
    return replace(state, **changes)


@pytest.mark.parametrize(
    ("states", "after", "result", "why"),
    [
        ([rotated()], HOUR, CanaryResult.PASSED, ""),
        ([], HOUR, CanaryResult.PASSED, ""),
        ([rotated(), TargetState("b")], HOUR, CanaryResult.WAITING, "it was not rotated yet"),
        ([rotated()], HOUR / 2, CanaryResult.WAITING, "the wait after its rotation has not passed"),
        (
            [rotated(verification=Verification(NOW, accepted=True))],
            HOUR,
            CanaryResult.WAITING,
            "what it published was not verified since",
        ),
        (
            [rotated(), rotated("b", verification=Verification(NOW + HOUR, accepted=False, refusals=2))],
            HOUR,
            CanaryResult.FAILED,
            "what it published is not accepted",
        ),
        ([TargetState("b", failures=3, last_error="no right")], HOUR, CanaryResult.FAILED, "no right"),
        ([rotated(), TargetState("b", retired_at=NOW)], HOUR, CanaryResult.PASSED, ""),
    ],
)
def test_the_others_wait_until_every_canary_is_well(states, after, result, why):
    """A failure weighs more than a wait."""
    found = verdict(states, CANARY, NOW + after)

    assert (found.result, found.why) == (result, why)


def test_where_nothing_can_be_verified_the_wait_is_enough():
    """A read-back tries no password."""
    state = rotated(verification=None)

    assert verdict([state], replace(CANARY, verify=None), NOW + HOUR).result is CanaryResult.PASSED
