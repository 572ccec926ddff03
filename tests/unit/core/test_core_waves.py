"""Slots of an account's budget, and what the canaries say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from core_facts import ATTEMPT
from engine_harness import IN_PLACE, POLICY
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.canaries import CanaryResult, CanaryVerdict
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
    first, years = FirstRotations(10), timedelta(days=3650)

    written, (slot,) = Wave(3, NOW + years).reserved(first, NOW, 1)
    _, (believed,) = Wave(3, NOW + years - DAY).reserved(first, NOW, 1)

    assert (slot, written.version) == (NOW, 4)
    assert believed == NOW + years - DAY


def test_a_slot_lies_in_the_window():
    """In the next one after it, spread as ever."""
    policy = replace(POLICY, window=Window("0 2 * * *", timedelta(hours=4)))
    state = TargetState("a", next_rotation=NOW)

    inside = after_slot(state, policy, NOW + timedelta(hours=3), 0.5)
    outside = after_slot(state, policy, NOW + timedelta(hours=12), 0.5)

    assert inside.next_rotation == NOW + timedelta(hours=3)
    assert outside.next_rotation == NOW + timedelta(hours=24 + 4)


def test_the_canaries_are_the_same_everywhere_and_are_verified_early():
    """Whatever the order of the targets, and whoever computes them: by a hash of the name."""
    targets = [replace(IN_PLACE, name=f"t{number}", policy=CANARY) for number in range(20)]

    names = canaries(targets, 2)

    assert names == canaries(reversed(targets), 2) == ("t16", "t7")
    early = {target.name for target in with_canaries(targets) if target.policy.verify == HOUR}
    assert early == set(names)
    assert with_canaries([IN_PLACE]) == (IN_PLACE,)


def test_each_account_and_each_policy_has_canaries_of_its_own():
    """A policy without canaries has none, and a target that is never verified stays so."""
    other = replace(CANARY, name="other", verify=None)
    kinds = [("one", CANARY), ("two", CANARY), ("one", other), ("one", POLICY)]
    targets = [
        replace(IN_PLACE, name=f"t{number}-{kind}", account=account, policy=policy)
        for kind, (account, policy) in enumerate(kinds)
        for number in range(5)
    ]

    seen = with_canaries(targets)

    assert [one.name for one in seen] == [one.name for one in targets]
    early = [one.name[-1] for one in seen if one.policy.verify == HOUR]
    assert sorted(early) == ["0", "0", "1", "1"]
    assert all(one.policy.verify is None for one in seen if one.name.endswith("2"))


def test_a_canary_that_is_verified_more_often_than_it_waits_stays_so():
    """The sooner of the two counts."""
    often = replace(CANARY, verify=HOUR / 2)

    (target,) = with_canaries([replace(IN_PLACE, policy=often)])

    assert target.policy == often


def rotated(name: str = "a", **changes) -> TargetState:
    verified = Verification(NOW + HOUR, accepted=True)
    state = TargetState(name, Credential("fake", name), last_rotation=NOW, verification=verified)
    return replace(state, **changes)


@pytest.mark.parametrize(
    ("states", "after", "canary", "result", "why"),
    [
        ([rotated()], HOUR, "", CanaryResult.PASSED, ""),
        ([], HOUR, "", CanaryResult.PASSED, ""),
        # The first one that is waited for is named.
        ([TargetState("b"), TargetState("c")], HOUR, "b", CanaryResult.WAITING, "it was not rotated yet"),
        ([rotated(), TargetState("b")], HOUR, "b", CanaryResult.WAITING, "it was not rotated yet"),
        ([rotated(attempt=ATTEMPT)], HOUR, "a", CanaryResult.WAITING, "it was not rotated yet"),
        ([rotated()], HOUR / 2, "a", CanaryResult.WAITING, "the wait after its rotation has not passed"),
        # It may be verified a tenth of the wait early, and clocks differ; the proof of the rotation is too early.
        ([rotated(verification=Verification(NOW + HOUR * 0.8, accepted=True))], HOUR, "", CanaryResult.PASSED, ""),
        *(
            ([rotated(verification=seen)], HOUR, "a", CanaryResult.WAITING, "what it published was not verified since")
            for seen in (
                None,
                Verification(NOW + HOUR * 0.79, accepted=True),
                Verification(NOW + HOUR, accepted=False, refusals=1),
            )
        ),
        # A failure weighs more than a wait.
        (
            [TargetState("c"), rotated("b", verification=Verification(NOW + HOUR, accepted=False, refusals=2))],
            HOUR,
            "b",
            CanaryResult.FAILED,
            "what it published is not accepted",
        ),
        (
            [TargetState("c"), TargetState("b", failures=3, last_error="no right")],
            HOUR,
            "b",
            CanaryResult.FAILED,
            "no right",
        ),
        ([TargetState("b", failures=2)], HOUR, "b", CanaryResult.WAITING, "it was not rotated yet"),
        # What was retired or renamed is no canary any more.
        ([TargetState("b", retired_at=NOW), rotated()], HOUR, "", CanaryResult.PASSED, ""),
        (
            [TargetState("b", renamed_to="c"), TargetState("a")],
            HOUR,
            "a",
            CanaryResult.WAITING,
            "it was not rotated yet",
        ),
    ],
)
def test_the_others_wait_until_every_canary_is_well(states, after, canary, result, why):
    """Each was rotated, the wait has passed, and what it published was verified since."""
    assert verdict(states, CANARY, NOW + after) == CanaryVerdict(result, canary, why)


def test_where_nothing_can_be_verified_the_wait_is_enough():
    """A read-back tries no password."""
    state = rotated(verification=None)

    assert verdict([state], replace(CANARY, verify=None), NOW + HOUR).result is CanaryResult.PASSED
