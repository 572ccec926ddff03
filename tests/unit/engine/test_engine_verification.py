"""A proof ages: what is published is proved again before anything is retired, and before a late publishing."""

from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.holding import HoldReason
from rotator.engine import Engine
from rotator.testing import FakeFault

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def rotated_twice(target=REPLACE) -> tuple[EngineHarness, Engine]:
    """A target in its overlap: what was replaced is still accepted."""
    world = EngineHarness(target)
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    return world, engine


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_a_credential_deleted_at_the_provider_during_the_overlap_does_not_take_its_predecessor_along(target):
    world, engine = rotated_twice(target)
    old = world.state.ledger[0].credential
    world.settle(engine, HOUR)
    del world.provider.credentials[world.consumer.credential_id]
    for _ in range(30):
        world.settle(engine, 8 * HOUR)
        assert world.published_works or world.provider.accepts(old.username, old.password)
    assert world.published_works
    assert world.state.counts.succeeded + world.state.counts.undone == 3


def test_a_staged_credential_tidied_away_while_publishing_is_denied_is_not_published():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer
    world.store.unpublishable.add(world.target.path)
    check, world.store.check_publishable = world.store.check_publishable, lambda path: None
    world.request(engine)
    world.settle(engine, DAY)
    staged = world.state.attempt.staged
    del world.provider.credentials[staged.id]
    world.settle(engine, 4 * DAY, most=1000)
    world.store.unpublishable.clear()
    world.store.check_publishable = check
    for _ in range(30):
        world.settle(engine, 10 * MINUTE)
        assert world.published_works
    assert world.consumer.credential_id not in (old.credential_id, staged.id)
    world.settle(engine, 10 * DAY)
    assert world.published_works
    assert world.state.ledger == ()


def test_each_retirement_is_preceded_by_a_proof():
    world, engine = rotated_twice()
    steps = []
    for _ in range(9):
        world.clock.advance(DAY)
        steps += [step for step in engine.look(world.target).steps if step is not Step.TAKE_CLAIM]
    assert steps == [Step.VERIFY, Step.DISABLE, Step.VERIFY, Step.DELETE]


def test_what_cannot_be_asked_is_asked_again_at_growing_distances_and_nothing_is_retired_meanwhile():
    world, engine = rotated_twice()
    world.clock.advance(DAY)
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE, FakeFault.RATE_LIMITED, FakeFault.LOST_BEFORE]
    before = world.provider.calls.count("prove")
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.UNVERIFIED
    assert engine.look(world.target).steps == ()
    world.settle(engine, 5 * MINUTE)
    assert world.provider.calls.count("prove") == before + 4
    assert world.state.ledger[0].disabled


def test_an_emergency_goes_on_where_the_proof_of_what_is_published_cannot_be_made():
    world, engine = rotated_twice()
    world.request(engine, compromised=True)
    world.provider.faults["disable"] = [FakeFault.UNREACHABLE] * 2
    engine.look(world.target)
    world.clock.advance(10 * MINUTE)
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE] * 50
    world.settle(engine, 10 * MINUTE)
    assert list(world.provider.credentials) == [world.consumer.credential_id]


def test_one_proof_that_comes_too_early_is_no_refusal():
    world, engine = rotated_twice()
    world.clock.advance(DAY)
    world.provider.slow_to_accept = 1
    assert engine.look(world.target).hold.reason is HoldReason.PUBLISHED_REFUSED
    world.settle(engine, 2 * MINUTE)
    assert world.state.ledger[0].disabled
    records = [record for record in world.audit.records if record.verb == "verify"]
    assert [record.outcome for record in records] == ["retry", "done"]
