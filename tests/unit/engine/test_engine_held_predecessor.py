"""Somebody deletes what is published: devices live on its predecessor, which has a whole overlap with the next."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, POLICY, REPLACE, EngineHarness

from rotator.core.model import Purpose, Verification

MINUTE = timedelta(minutes=1)


def deleted_after_a_rotation(target, overlap: timedelta, *, proved_meanwhile: bool = False) -> EngineHarness:
    """The published credential is deleted at once; devices have read nothing but its predecessor."""
    policy = replace(POLICY, overlap=overlap, quarantine=7 * DAY)
    world = EngineHarness(replace(target, policy=policy))
    engine = world.engine()
    engine.look(world.target)
    world.clock.advance(10 * DAY)
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, overlap / 4)
    if proved_meanwhile:  # such as for the retirement of an older credential
        world.engine().look(world.target)
        proved = Verification(world.clock.now(), accepted=True)
        found = world.store.states["office"]
        world.store.states["office"] = replace(found, state=replace(found.state, verification=proved))
    del world.provider.credentials[world.consumer.credential_id]
    return world


@pytest.mark.parametrize("proved_meanwhile", [False, True])
@pytest.mark.parametrize("overlap", [DAY, 2 * MINUTE])
@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_the_predecessor_is_accepted_until_devices_had_a_whole_overlap_to_read_its_successor(
    target, overlap, proved_meanwhile
):
    world = deleted_after_a_rotation(target, overlap, proved_meanwhile=proved_meanwhile)
    before = world.state.ledger[-1].credential
    engine, asked_at = world.engine(), world.state.published_since
    repaired_at = None
    while world.clock.now() < asked_at + 4 * overlap:
        engine.look(world.target)
        if repaired_at is None and world.state.published_since > asked_at:
            repaired_at = world.state.published_since
        handed_out = repaired_at is not None and world.state.published.username == before.username
        if repaired_at is None or world.clock.now() < repaired_at + overlap:
            assert world.provider.accepts(before.username, before.password), "devices have nothing else"
        world.clock.advance(overlap / 20)
    assert repaired_at is not None, "it was rotated anew, or the predecessor published again"
    assert world.published_works
    assert handed_out or not world.provider.accepts(before.username, before.password)


def test_what_leaked_gets_no_overlap_from_a_refusal():
    world = deleted_after_a_rotation(REPLACE, DAY)
    before = world.state.ledger[-1].credential
    engine = world.engine()
    world.clock.advance(2 * DAY)
    engine.look(world.target)
    assert not world.state.verification.accepted
    world.request(engine, Purpose.ROTATE, compromised=True)
    world.until_rotated(engine)
    world.settle(engine, 10 * MINUTE)
    assert not world.provider.accepts(before.username, before.password)
