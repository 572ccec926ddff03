"""A target's state document keeps the rules that its target has now, for the time after its removal."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import POLICY, REPLACE, EngineHarness

from rotator.core.blackouts import Blackout
from rotator.core.left_over import left_over
from rotator.core.model import Target, TargetState
from rotator.engine.engine import Engine

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world() -> EngineHarness:
    """A target with a replaced credential, whose overlap lasts a day."""
    world = EngineHarness(replace(REPLACE, policy=replace(POLICY, name="old")))
    engine = world.engine()
    world.until_rotated(engine)
    world.request(engine)
    world.settle(engine, HOUR)
    assert len(world.state.ledger) == 1
    return world


def other_rules(world: EngineHarness) -> Target:
    now = world.clock.now()
    frozen = (Blackout(now, now + 30 * DAY, "change freeze"),)
    policy = replace(POLICY, name="frozen", overlap=3 * DAY, blackouts=frozen)
    return replace(REPLACE, policy=policy, labels=(("site", "b"),))


def version(world: EngineHarness) -> int:
    return world.store.states[world.target.name].version


def looks(world: EngineHarness, engine: Engine, times: int = 5) -> int:
    """Returns how many times the state document is written meanwhile."""
    before = version(world)
    for fresh in (True, False) * times:
        engine.look(world.target, fresh=fresh)
        world.clock.advance(timedelta(seconds=10))
    return version(world) - before


def kept(state: TargetState) -> tuple[object, ...]:
    return state.policy, state.labels, state.overlap


def test_changed_rules_are_written_once_and_hold_what_a_removed_target_left(world):
    engine, due = world.engine(), world.state.next_rotation
    world.target = changed = other_rules(world)
    assert looks(world, engine) == 1
    assert kept(world.state) == ("frozen", (("site", "b"),), 3 * DAY)
    assert world.state.next_rotation == due
    assert world.state.claim is None
    world.target = left_over(world.state, {"frozen": changed.policy})
    world.settle(world.engine(), 3 * DAY)
    assert [entry.disabled_at for entry in world.state.ledger] == [None]


def test_unchanged_rules_are_not_written(world):
    assert looks(world, world.engine()) == 0


def test_two_processes_with_different_rules_do_not_write_in_turn_for_ever(world):
    one, other = world.engine(), world.engine()
    before, (old, new) = version(world), (world.target, other_rules(world))
    for _ in range(10):
        for engine, target in ((one, old), (other, new)):
            engine.look(target)
            world.clock.advance(timedelta(seconds=10))
    assert version(world) - before <= 2
    one.look(new)  # it has read the new configuration as well
    assert kept(world.state) == ("frozen", (("site", "b"),), 3 * DAY)
    world.target = new
    assert looks(world, one) + looks(world, other) == 0


def test_a_write_that_conflicts_is_tried_again(world):
    engine = world.engine()
    engine.look(world.target)
    elsewhere = world.store.states[world.target.name]
    world.store.write_state(elsewhere.state, elsewhere.version)
    world.target = other_rules(world)
    engine.look(world.target, fresh=False)
    assert kept(world.state) == ("frozen", (("site", "b"),), 3 * DAY)


def test_nothing_is_written_for_a_target_that_left_nothing_or_was_removed(world):
    world.target = left_over(world.state, {})
    assert looks(world, world.engine()) == 0
    fresh = EngineHarness()
    fresh.target, engine = replace(REPLACE, policy=other_rules(fresh).policy), fresh.engine()
    engine.look(fresh.target)  # draws the first rotation
    assert fresh.state.next_rotation is not None
    fresh.target = replace(fresh.target, labels=(("site", "b"),))
    assert looks(fresh, engine) == 0
    assert fresh.state.labels == ()
