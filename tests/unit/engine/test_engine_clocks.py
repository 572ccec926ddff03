"""Clocks that are days off: nothing is rotated too often, and no overlap is cut short, whoever's clock is wrong."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness
from process_variants import SkewedClock, start_process

from rotator.core.holding import HoldReason
from rotator.core.model import Phase, Target
from rotator.core.schedule import Every
from rotator.engine import Outcome
from rotator.testing import FakeFault

HOUR = timedelta(hours=1)
OVERLAPPING = pytest.mark.parametrize("target", [REPLACE, ALTERNATING], ids=lambda target: target.strategy.value)


def in_overlap(target: Target) -> EngineHarness:
    """A harness whose second rotation has just ended."""
    world = EngineHarness(target)
    engine = world.engine()
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    world.request(engine)
    world.until_rotated(engine)
    return world


def is_accepted(world: EngineHarness) -> bool:
    """True if the credential that was replaced last is accepted."""
    replaced = world.state.ledger[-1].credential
    return world.provider.accepts(replaced.username, replaced.password)


@OVERLAPPING
@pytest.mark.parametrize("vault_too", [False, True], ids=["its own", "and Vault's"])
def test_a_look_by_a_clock_that_is_three_days_behind_costs_no_overlap(target, vault_too):
    world = in_overlap(target)
    off = timedelta(days=-3)
    world.store.ahead = off if vault_too else timedelta()
    start_process(world, clock=SkewedClock(world, off)).look(target)
    world.store.ahead = timedelta()  # both are right again
    engine = world.engine()
    world.settle(engine, DAY - HOUR)
    assert is_accepted(world)
    world.settle(engine, 2 * HOUR)
    assert not is_accepted(world)


@OVERLAPPING
@pytest.mark.parametrize("ahead", [timedelta(days=3), timedelta(days=-3)])
def test_what_is_rotated_on_demand_while_one_clock_is_wrong_gets_its_whole_overlap(target, ahead):
    world = in_overlap(target)
    world.settle(world.engine(), 2 * DAY)
    world.store.ahead = ahead
    engine = world.engine()
    world.request(engine)
    world.until_rotated(engine)
    world.store.ahead = timedelta()
    world.settle(engine, DAY - HOUR)
    assert is_accepted(world)


@pytest.mark.unmeasured
@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE], ids=lambda target: target.strategy.value)
@pytest.mark.parametrize(("every", "off"), [(1, 26 * HOUR), (1, 2 * DAY), (1, -2 * DAY), (2, 4 * DAY), (30, 40 * DAY)])
def test_two_processes_days_apart_rotate_no_more_often_than_one(target, every, off):
    target = replace(target, policy=replace(POLICY, schedule=Every(every * DAY), overlap=HOUR))
    world = EngineHarness(target)
    for username in target.usernames:
        world.provider.add(username)
    right, wrong = world.engine(), start_process(world, clock=SkewedClock(world, off))
    world.until_rotated(right)
    for _ in range(3 * every * 24):
        wrong.look(target)
        right.look(target)
        world.clock.advance(HOUR)
    assert 1 <= world.state.counts.succeeded <= 4
    assert world.published_works


def test_a_rotation_on_demand_stores_fresh_times_once_both_clocks_are_right_again():
    world = EngineHarness()
    world.clock.jump(30 * DAY)
    world.until_rotated(world.engine())
    world.clock.jump(-30 * DAY)
    engine = world.engine()
    engine.look(world.target)
    assert world.state.last_rotation > world.clock.now()  # what the alert goes by
    world.request(engine)
    world.until_rotated(engine)
    assert world.state.last_rotation <= world.clock.now()
    assert world.state.next_rotation <= world.clock.now() + POLICY.schedule.longest


def test_what_is_due_by_one_clock_only_says_which_one_is_ahead():
    world = EngineHarness()
    world.until_rotated(world.engine())
    world.clock.advance(world.state.next_rotation - world.clock.now() - DAY)
    ahead = start_process(world, clock=SkewedClock(world, 2 * DAY)).look(world.target)
    assert ahead.hold.reason is HoldReason.CLOCKS_DIFFER
    assert "this machine's is 2 days, 0:00:00 ahead of Vault's" in ahead.message
    behind = start_process(world, clock=SkewedClock(world, timedelta(hours=-30)))
    world.clock.advance(DAY)
    held = behind.look(world.target)
    assert "this machine's is 1 day, 6:00:00 behind Vault's" in held.message
    assert world.engine().look(world.target).outcome is Outcome.ROTATED


@pytest.mark.parametrize("apart", [40 * DAY, -40 * DAY])
def test_a_failure_that_one_process_met_is_waited_out_by_another_whose_clock_differs(apart):
    world = EngineHarness(REPLACE)
    first, second = world.engine(), start_process(world, clock=SkewedClock(world, apart))
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 10
    first.look(REPLACE)
    assert world.provider.calls.count("create") == 1
    for engine in (second, first, second):
        engine.look(REPLACE)
    assert world.provider.calls.count("create") == 1
    world.clock.advance(world.limits.backoff.base)
    second.look(REPLACE)
    assert world.provider.calls.count("create") == 2


@pytest.mark.parametrize("ahead", [timedelta(days=3), HOUR, -HOUR, timedelta(days=-3)])
def test_a_proof_that_nobody_answers_is_not_asked_for_again_and_again_by_clocks_that_are_apart(ahead):
    """The wait was stored by the wrong clock: 60 log-ins in one look, and so in each."""
    world = EngineHarness(replace(REPLACE, policy=replace(POLICY, verify=DAY)))
    engine = world.engine()
    world.until_rotated(engine)
    world.settle(engine, 10 * DAY)
    world.store.ahead = ahead
    world.clock.advance(5 * DAY)
    asked = world.provider.calls.count("prove")
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE] * 100
    for _ in range(10):
        assert len(engine.look(world.target).steps) <= 1
    assert world.provider.calls.count("prove") == asked + 1
    world.clock.advance(world.limits.backoff.base)
    engine.look(world.target)
    assert world.provider.calls.count("prove") == asked + 2


def test_a_window_of_propagation_is_the_same_for_a_process_whose_clock_differs():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    other = start_process(world, clock=SkewedClock(world, 40 * DAY))
    world.provider.slow_to_accept = 2
    world.engine().look(IN_PLACE)
    world.clock.advance(timedelta(seconds=1))
    other.look(IN_PLACE)
    assert world.state.attempt is not None
    assert world.state.attempt.phase is Phase.APPLIED
    assert world.state.failures == 0


@pytest.mark.parametrize("vault_too", [False, True], ids=["its own", "and Vault's"])
def test_a_clock_that_was_ahead_puts_no_verification_off(vault_too):
    """The years, seed 1420: Vault's clock was ahead, and a credential that somebody disabled was found months later."""
    often, ahead = replace(REPLACE, policy=replace(POLICY, verify=5 * DAY)), 40 * DAY
    world = EngineHarness(often)
    world.store.ahead = ahead if vault_too else timedelta()
    world.until_rotated(start_process(world, clock=SkewedClock(world, ahead)))
    world.store.ahead = timedelta()
    world.settle(world.engine(), 6 * DAY)
    assert world.state.verification is not None
    assert world.clock.now() - 2 * DAY < world.state.verification.at <= world.clock.now()
