"""What is known of a fleet: sums that are kept while targets change say the same as sums that are made anew."""

import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from core_facts import ATTEMPT, ENTRY, IN_PLACE, OLD, OWED, REQUEST, TARGET

from rotator.core.age_limit import AgeLimit
from rotator.core.blackouts import Extent
from rotator.core.freezes import Freeze, Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import left_over
from rotator.core.model import Counts, Ended, EndedBy, Ending, Phase, Target, TargetState, Verification
from rotator.core.schedule import Every
from rotator.core.usage_rules import Sighting
from rotator.observe.fleet import LOOKED_AT_WITHIN, GroupSums, KnownFleet
from rotator.observe.needs import Need, needs
from rotator.observe.remedies import remedies
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import FILTERS, ORPHAN, STATES, has_a_word, words
from rotator.testing import FakeClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(seconds=1)
LATER = FakeClock().now() + HOUR + MOMENT
HOLDS = (None, *(Hold(reason, "why") for reason in HoldReason))
SEEN = Sighting(FakeClock().now(), in_use=True, evidence="provider: registered")
BEFORE, AHEAD = FakeClock().now() - 30 * DAY, FakeClock().now() + 40 * DAY
FREEZES = (
    Freezes(),
    Freezes((Freeze(HoldReason.PAUSED, BEFORE, FakeClock().now(), "why", Extent.CHANGES),)),
    Freezes((Freeze(HoldReason.BLACKOUT, BEFORE, FakeClock().now(), "why", Extent.ROTATIONS),)),
)
PUBLISHED = TargetState("office", published=replace(OLD, made_at=FakeClock().now()))


def sums(fleet: KnownFleet, now: datetime) -> dict[tuple[str, str], object]:
    """Everything that is told of each group, but for what was counted since the start."""
    with fleet.groups() as groups:
        return {key: _told(group, now) for key, group in groups.items() if group.targets}


def _told(group: GroupSums, now: datetime) -> object:
    needs = sorted(group.in_need(now, LOOKED_AT_WITHIN))
    counters = [+group.states, +group.blocked, +group.ledger, +Counter(group.needs(now, LOOKED_AT_WITHIN))]
    assert counters[-1] == Counter(need for need, _ in needs)
    return counters, needs, group.made, pytest.approx(group.made_sum), group.attempts, group.targets, group.max_age


def any_state(draw: random.Random, name: str, now: datetime) -> TargetState:
    def moment() -> datetime:
        return now + timedelta(hours=draw.randint(-200, 200))

    made = draw.choice([None, moment()])
    verification = Verification(moment(), accepted=draw.random() < 0.7, refusals=draw.randint(0, 3))
    return TargetState(
        name,
        published=draw.choice([None, replace(OLD, made_at=made)]),
        attempt=draw.choice([None, None, replace(ATTEMPT, started_at=moment())]),
        ledger=tuple(
            replace(ENTRY, disable_at=moment(), sighting=draw.choice([None, SEEN])) for _ in range(draw.randint(0, 3))
        ),
        ended=tuple(Ended(OLD, EndedBy.DISABLED, now, accepted=draw.randint(0, 1)) for _ in range(draw.randint(0, 2))),
        last_rotation=draw.choice([None, moment()]),
        next_rotation=draw.choice([None, moment()]),
        failures=draw.randint(0, 4),
        request=draw.choice([None, REQUEST]),
        verification=draw.choice([None, verification]),
        retired_at=draw.choice([None, None, None, now]),
        owed=tuple(replace(OWED, since=moment(), failures=draw.randint(0, 2)) for _ in range(draw.randint(0, 2))),
        counts=Counts(succeeded=draw.randint(0, 9)),
    )


def any_target(draw: random.Random, name: str) -> Target:
    days = draw.choice([1, 90])
    policy = replace(
        TARGET.policy,
        name=f"p{days}",
        schedule=Every(days * DAY),
        verify=draw.choice([None, DAY]),
        age_limit=draw.choice([None, AgeLimit(3 * DAY, DAY)]),
    )
    target = replace(TARGET, name=name, account=draw.choice("ab"), policy=policy)
    if draw.random() < 0.1:  # as `left_over` makes it: nothing is due by schedule, whatever its policy is called
        return replace(target, policy=replace(policy, schedule=Every(36_500 * DAY)), removed=True)
    return target


@pytest.mark.parametrize("seed", range(20))
def test_sums_that_are_kept_are_those_that_are_made_anew(seed):
    draw, clock = random.Random(seed), FakeClock()
    kept, names = KnownFleet(clock), [f"target{number}" for number in range(12)]
    for _ in range(200):
        name = draw.choice(names)
        kept.update(any_target(draw, name), any_state(draw, name, clock.now()))
        kept.held(name, draw.choice(HOLDS), draw.choice(FREEZES))
        if draw.random() < 0.3:  # a look that finds nothing new
            known = kept.get(name)
            kept.update(known.target, known.state)
        if draw.random() < 0.05:
            kept.forget(set(draw.sample(names, 3)))
        clock.advance(timedelta(minutes=draw.randint(0, 30)))
    anew, now = KnownFleet(FakeClock()), clock.now()
    for name, seen in kept.all().items():
        anew._clock.advance(seen.at - anew._clock.now())
        anew.update(seen.target, seen.state)
        anew.held(name, seen.hold, seen.freezes)
    assert sums(kept, now) == sums(anew, now)
    assert len(kept) == sum(kept.states().values())


@pytest.mark.parametrize(
    ("need", "target", "state", "after"),
    [
        (Need.OVERDUE, TARGET, PUBLISHED, 90 * DAY),
        (Need.OVERDUE, TARGET, TargetState("office", last_rotation=FakeClock().now()), 90 * DAY),
        (Need.FIRST_LATE, TARGET, TargetState("office", next_rotation=FakeClock().now()), DAY),
        (Need.STAYS_OPEN, TARGET, TargetState("office", attempt=replace(ATTEMPT, started_at=FakeClock().now())), HOUR),
        (
            Need.IN_USE,
            TARGET,
            replace(PUBLISHED, ledger=(replace(ENTRY, disable_at=FakeClock().now(), sighting=SEEN),)),
            HOUR,
        ),
        (
            Need.HOOK_FAILS,
            TARGET,
            replace(PUBLISHED, owed=(replace(OWED, since=FakeClock().now(), failures=1),)),
            timedelta(minutes=15),
        ),
        (
            Need.RETIREMENT_OVERDUE,
            TARGET,
            TargetState("office", ledger=(replace(ENTRY, disable_at=FakeClock().now()),)),
            timedelta(minutes=10),
        ),
        (
            Need.UNVERIFIED,
            replace(TARGET, policy=replace(TARGET.policy, verify=DAY)),
            replace(PUBLISHED, verification=Verification(FakeClock().now(), accepted=True)),
            2 * DAY,
        ),
        (Need.NOT_LOOKED_AT, TARGET, PUBLISHED, LOOKED_AT_WITHIN),
        (
            Need.DEVICES_OUT,
            TARGET,
            replace(
                PUBLISHED,
                attempt=replace(ATTEMPT, strategy=IN_PLACE.strategy, phase=Phase.APPLIED, started_at=FakeClock().now()),
            ),
            timedelta(minutes=3),
        ),
    ],
)
def test_time_alone_brings_a_need_about(need, target, state, after):
    clock = FakeClock()
    fleet = KnownFleet(clock)
    fleet.update(target, state)
    clock.advance(after)
    assert need not in fleet.in_need().get("office", [])
    clock.advance(MOMENT)
    assert need in fleet.in_need()["office"]


@pytest.mark.parametrize(
    ("need", "state"),
    [
        (Need.KEEPS_FAILING, replace(PUBLISHED, failures=3)),
        (Need.REFUSED, replace(PUBLISHED, verification=Verification(FakeClock().now(), accepted=False, refusals=2))),
        (Need.IN_THE_FUTURE, replace(PUBLISHED, last_rotation=LATER)),
        (Need.IN_THE_FUTURE, replace(PUBLISHED, ledger=(replace(ENTRY, replaced_at=LATER),))),
        (Need.IN_THE_FUTURE, replace(PUBLISHED, ledger=(replace(ENTRY, disabled_at=LATER),))),
        (Need.IN_THE_FUTURE, replace(PUBLISHED, ledger=(replace(ENTRY, overwritten_at=LATER),))),
        (Need.STAYS_OPEN, TargetState("office", attempt=replace(ATTEMPT, started_at=AHEAD))),
        (
            Need.DEVICES_OUT,
            replace(
                PUBLISHED,
                attempt=replace(ATTEMPT, strategy=IN_PLACE.strategy, phase=Phase.APPLIED, started_at=AHEAD),
            ),
        ),
    ],
)
def test_a_need_that_is_there_at_once(need, state):
    fleet = KnownFleet(FakeClock())
    fleet.update(TARGET, state)
    assert need in fleet.in_need()["office"]
    assert fleet.needs()[need] == 1
    seen = fleet.get("office")
    assert need in words(seen, seen.at, LOOKED_AT_WITHIN)
    fleet.update(TARGET, PUBLISHED)
    assert fleet.in_need() == {}


def test_a_start_that_is_a_little_ahead_is_of_another_clock_and_no_need():
    clock = FakeClock()
    fleet = KnownFleet(clock)
    out = replace(ATTEMPT, strategy=IN_PLACE.strategy, phase=Phase.APPLIED, started_at=clock.now() + HOUR - MOMENT)
    fleet.update(TARGET, replace(PUBLISHED, attempt=out))
    assert fleet.in_need() == {}


def test_what_was_replaced_by_a_clock_that_was_ahead_is_told_of_a_removed_target_too():
    clock = FakeClock()
    fleet = KnownFleet(clock)
    entry = replace(ENTRY, replaced_at=clock.now() + 40 * DAY, disable_at=clock.now() + 47 * DAY)
    fleet.update(replace(TARGET, removed=True), replace(PUBLISHED, ledger=(entry,)))
    assert fleet.in_need() == {"office": [Need.IN_THE_FUTURE]}
    clock.advance(39 * DAY + 23 * HOUR)
    assert fleet.in_need() == {}


@pytest.mark.parametrize("left", [replace(TARGET, removed=True), TARGET])
def test_a_target_that_nobody_rotates_any_more_is_in_need_only_of_what_is_left_of_it(left):
    clock = FakeClock()
    fleet = KnownFleet(clock)
    retired = None if left.removed else clock.now()
    fleet.update(left, replace(PUBLISHED, next_rotation=clock.now(), ledger=(ENTRY,), retired_at=retired))
    clock.advance(1000 * DAY)
    assert fleet.in_need() == {"office": [Need.RETIREMENT_OVERDUE]}


def test_what_is_left_of_a_removed_target_is_not_counted_with_its_policy():
    """It has no schedule: the greatest age that the policy allows stays that of the others."""
    fleet, state = KnownFleet(FakeClock()), replace(PUBLISHED, policy=TARGET.policy.name)
    fleet.update(TARGET, PUBLISHED)
    left = left_over(replace(state, target="lobby"))
    assert left.policy.name == TARGET.policy.name
    before = sums(fleet, FakeClock().now())
    fleet.update(left, state)
    after = sums(fleet, FakeClock().now())
    assert {key: after[key] for key in before} == before
    assert after.keys() - before.keys() == {(left.account, "removed")}


def test_what_ended_is_counted_once_and_from_the_first_look_on():
    fleet = KnownFleet(FakeClock())
    for succeeded in (7, 7, 8, 8, 0, 1):  # the state document began anew
        fleet.update(TARGET, TargetState("office", counts=Counts(succeeded=succeeded)))
    fleet.forget({"another"})
    with fleet.groups() as groups:
        assert groups["fake", "p"].counted()["succeeded"] == 2


@pytest.mark.unmeasured
def test_every_word_of_a_filter_is_one_that_a_target_can_have():
    draw, clock, found = random.Random(1), FakeClock(), set()
    fleet = KnownFleet(clock)
    for _ in range(3000):
        fleet.update(any_target(draw, "office"), any_state(draw, "office", clock.now()))
        fleet.held("office", draw.choice(HOLDS), draw.choice(FREEZES))
        found |= words(fleet.get("office"), clock.now(), LOOKED_AT_WITHIN)
    clock.advance(HOUR)
    fleet.update(
        replace(IN_PLACE, name="office"),
        replace(PUBLISHED, attempt=replace(ATTEMPT, strategy=IN_PLACE.strategy, phase=Phase.APPLIED)),
    )
    found |= words(fleet.get("office"), clock.now() + HOUR, LOOKED_AT_WITHIN)
    assert found == set(FILTERS) - {ORPHAN}
    assert len(found & {state.replace(" ", "_") for state in STATES}) == len(STATES)


def test_what_a_pause_holds_is_told_of_after_a_week_and_no_retirement_is_late_meanwhile():
    """Unless the pause leaves retirements alone."""
    clock = FakeClock()
    due = replace(PUBLISHED, next_rotation=clock.now(), ledger=(replace(ENTRY, disable_at=clock.now()),))
    for freezes, late in zip(FREEZES, ({"overdue"}, {"paused_long"}, {"paused_long", "overdue"}), strict=True):
        fleet = KnownFleet(clock)
        fleet.update(TARGET, due)
        fleet.held("office", None, freezes)
        later = clock.now() + 7 * DAY
        with fleet.groups() as groups:
            (group,) = groups.values()
            before = {need for need, _ in group.in_need(later, LOOKED_AT_WITHIN)}
            after = {need for need, _ in group.in_need(later + MOMENT, LOOKED_AT_WITHIN)}
        assert Need.PAUSED_LONG not in before
        assert (Need.PAUSED_LONG in after) is ("paused_long" in late)
        assert (Need.RETIREMENT_OVERDUE in after) is ("overdue" in late)


@pytest.mark.parametrize("how", ["removed", "retired", "configured"])
def test_a_retirement_that_a_freeze_holds_is_told_of_after_a_week(how):
    """Nobody would look at it otherwise: no rotation is due, and the retirement is not overdue meanwhile."""
    clock = FakeClock()
    now = clock.now()
    later = replace(ENTRY, disable_at=now + DAY)
    target, due = replace(TARGET, removed=how == "removed"), now + 180 * DAY if how == "configured" else now
    retired = now if how == "retired" else None
    state = replace(PUBLISHED, next_rotation=due, ledger=(later, replace(ENTRY, disable_at=now)), retired_at=retired)
    for freezes, told in zip(FREEZES, (False, True, False), strict=True):
        fleet = KnownFleet(clock)
        fleet.update(target, state)
        fleet.held("office", None, freezes)
        with fleet.groups() as groups:
            (group,) = groups.values()
            before = {need for need, _ in group.in_need(now + 7 * DAY, LOOKED_AT_WITHIN)}
            after = {need for need, _ in group.in_need(now + 7 * DAY + MOMENT, LOOKED_AT_WITHIN)}
        assert Need.PAUSED_LONG not in before
        assert (Need.PAUSED_LONG in after) is told


def test_a_freeze_that_begins_over_what_is_late_is_not_told_of_before_it_has_lasted_a_week():
    """It fired as soon as a nightly blackout began: a failing hook had kept a retirement for eight days."""
    now = FakeClock().now()
    paused = Freezes((Freeze(HoldReason.BLACKOUT, now, now + 9 * DAY, "nightly", Extent.CHANGES),))
    late = replace(PUBLISHED, ledger=(replace(ENTRY, disable_at=now - 8 * DAY),))
    waits = replace(PUBLISHED, next_rotation=now - 8 * DAY)
    for state, before, after in (
        (late, {Need.RETIREMENT_OVERDUE}, {Need.RETIREMENT_OVERDUE}),
        (waits, set(), {Need.PAUSED_LONG}),
        (replace(PUBLISHED, ledger=(replace(ENTRY, disable_at=now - MOMENT),)), set(), {Need.PAUSED_LONG}),
    ):
        found = dict(needs(TargetSnapshot(TARGET, state, now, freezes=paused)))
        found = {need: found[need] for need in (Need.RETIREMENT_OVERDUE, Need.PAUSED_LONG) if need in found}
        assert {need for need, since in found.items() if since <= now + 7 * DAY - MOMENT} == before
        assert {need for need, since in found.items() if since <= now + 7 * DAY} == after


def test_a_rotation_within_a_freeze_is_advised_only_if_the_freeze_has_held_one_for_long():
    """It ends nothing that was replaced, and would leave one more credential that is held."""
    now, (_, paused, _) = FakeClock().now(), FREEZES
    held = replace(PUBLISHED, next_rotation=now + DAY, ledger=(replace(ENTRY, disable_at=now),))
    for late, advised in ((7 * DAY, False), (8 * DAY - MOMENT, False), (8 * DAY, True)):
        seen = TargetSnapshot(TARGET, held, now + late, freezes=paused)
        (remedy,) = remedies({Need.PAUSED_LONG}, seen)
        assert any("--despite-pause" in command for command in remedy.commands) is advised
        assert ("End the pause" in remedy.advice) is not advised


@pytest.mark.parametrize("first", ["rotation", "retirement"])
def test_what_a_freeze_holds_for_longest_is_told_of_once(first):
    clock, (_, paused, _) = FakeClock(), FREEZES
    now = clock.now()
    rotates, retires = (now, now + DAY) if first == "rotation" else (now + DAY, now)
    fleet = KnownFleet(clock)
    fleet.update(TARGET, replace(PUBLISHED, next_rotation=rotates, ledger=(replace(ENTRY, disable_at=retires),)))
    fleet.held("office", None, paused)
    with fleet.groups() as groups:
        (group,) = groups.values()
        told = [list(group.in_need(now + late, LOOKED_AT_WITHIN)) for late in (7 * DAY + MOMENT, 8 * DAY + MOMENT)]
    assert [[name for need, name in each if need is Need.PAUSED_LONG] for each in told] == [["office"], ["office"]]


def test_what_stays_enabled_and_what_is_not_due_is_not_held_for_long():
    clock, (_, paused, _) = FakeClock(), FREEZES
    stays = replace(ENTRY, ending=Ending.STAND_BY, overwritten_at=clock.now())
    for ledger in ((), (stays,), (replace(ENTRY, disable_at=clock.now() + 8 * DAY),)):
        fleet = KnownFleet(clock)
        fleet.update(replace(TARGET, removed=True), replace(PUBLISHED, ledger=ledger))
        fleet.held("office", None, paused)
        with fleet.groups() as groups:
            (group,) = groups.values()
            assert list(group.in_need(clock.now() + 8 * DAY, LOOKED_AT_WITHIN)) == []


def test_the_words_of_a_filter_are_the_needs_that_are_counted():
    draw, clock = random.Random(2), FakeClock()
    for _ in range(300):
        fleet = KnownFleet(clock)
        fleet.update(any_target(draw, "office"), any_state(draw, "office", clock.now()))
        needs = set(fleet.in_need().get("office", []))
        asked = words(fleet.get("office"), clock.now(), LOOKED_AT_WITHIN)
        assert asked & set(Need) == needs
        for word in FILTERS:
            assert has_a_word(fleet.get("office"), (word,), clock.now(), LOOKED_AT_WITHIN) is (word in asked)
