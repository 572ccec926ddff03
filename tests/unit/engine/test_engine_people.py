"""People change the documents in Vault: what a document hands out is in use, and what it names is not forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness
from lagging_standby import StandbyStore

from rotator.core.actions import Step
from rotator.core.audit_words import AuditVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.holding import HoldReason
from rotator.core.model import Phase, Purpose, Target, Verification
from rotator.engine import Engine
from rotator.ports import Versioned
from rotator.testing import GENERATED, FakeFault

HOUR = timedelta(hours=1)


def rolled_back(target: Target) -> tuple[EngineHarness, Engine, ConsumerDocument, ConsumerDocument]:
    """Somebody rolled the document back within the overlap: devices use the predecessor again."""
    world = EngineHarness(target)
    engine = world.engine()
    engine.look(world.target)
    handed_out = world.consumer
    world.request(engine)
    engine.look(world.target)
    published = world.consumer
    world.store.roll_back(world.target.path)
    return world, engine, handed_out, published


def works(world: EngineHarness, document: ConsumerDocument) -> bool:
    return bool(world.provider.accepts(document.username, document.password))


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_a_take_over_gives_what_was_handed_out_a_whole_overlap_from_then_on(target):
    world, engine, handed_out, _ = rolled_back(target)
    look = world.settle(engine, 3 * DAY)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert works(world, handed_out)
    world.request(engine, take_over=True)
    assert Step.CLOSE in engine.look(world.target).steps
    world.settle(engine, DAY - HOUR)
    assert world.consumer.username != handed_out.username
    assert world.published_works
    assert works(world, handed_out)
    world.settle(engine, 2 * HOUR)
    assert not works(world, handed_out)
    world.settle(engine, 9 * DAY)
    assert world.state.ledger == ()
    assert sum(stored.enabled for stored in world.provider.credentials.values()) == 1


def test_a_take_over_leaves_the_devices_of_the_published_pair_of_alternating_their_overlap():
    """Some read the document before it was rolled back, others after that: neither of the two is idle."""
    world, engine, handed_out, published = rolled_back(ALTERNATING)
    world.request(engine, take_over=True)
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.IDLE_IN_OVERLAP
    assert "rotator adopt office" in look.message
    assert look.next_look == world.clock.now() + DAY
    world.settle(engine, DAY - HOUR)
    assert works(world, published)
    assert works(world, handed_out)
    world.settle(engine, 2 * HOUR)
    assert world.state.request is None
    assert world.published_works
    assert not world.consumer.names(world.state.ledger[0].credential)
    assert works(world, handed_out)
    world.settle(engine, DAY - 2 * HOUR)
    assert works(world, handed_out)
    world.settle(engine, 2 * HOUR)
    assert not works(world, handed_out)


def test_an_undo_takes_over_what_alternating_hands_out_without_setting_a_password():
    world, engine, handed_out, published = rolled_back(ALTERNATING)
    world.request(engine, Purpose.UNDO, take_over=True)
    assert Step.UNDO in engine.look(world.target).steps
    world.settle(engine, DAY - HOUR)
    assert works(world, published)
    assert works(world, handed_out)
    assert world.consumer.username == handed_out.username


def test_a_take_over_of_alternating_begins_again_if_the_document_is_put_back_before_anything_is_sent():
    world, engine, _, published = rolled_back(ALTERNATING)
    world.clock.advance(2 * DAY)
    world.provider.faults["set_password"] = [FakeFault.UNREACHABLE]
    world.request(engine, take_over=True)
    assert engine.look(world.target).state.attempt.staged.username == published.username
    world.store.consumers[world.target.path] = replace(published, version=world.consumer.version + 1)
    world.settle(engine, DAY - HOUR)
    assert works(world, published)
    assert world.published_works


def test_a_take_over_of_alternating_does_not_believe_a_standby_that_lags():
    """It answers with the document of before, as if somebody had rolled it back: what is published would be idle."""
    world = EngineHarness(ALTERNATING)
    world.store = StandbyStore(world.clock)
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    published = world.consumer
    world.request(engine, take_over=True)
    world.clock.advance(DAY + HOUR)
    world.store.lags = [True]
    engine.look(world.target, fresh=False)
    assert works(world, published)
    world.settle(engine, HOUR)
    assert world.state.request is None
    assert world.published_works
    assert works(world, published)


def test_a_compromised_pair_of_alternating_that_is_taken_over_has_no_overlap():
    world, engine, handed_out, published = rolled_back(ALTERNATING)
    world.request(engine, take_over=True, compromised=True)
    world.settle(engine, HOUR)
    assert world.published_works
    assert not works(world, handed_out)
    assert not works(world, published)


def test_an_emergency_take_over_ends_what_was_handed_out_at_once():
    world, engine, handed_out, published = rolled_back(REPLACE)
    world.request(engine, take_over=True, compromised=True)
    world.settle(engine, HOUR)
    assert world.published_works
    assert not works(world, handed_out)
    assert not works(world, published)


def test_what_leaked_gets_no_second_life_by_a_take_over():
    world, engine, leaked, _ = rolled_back(REPLACE)
    known = world.store.states["office"]
    entries = tuple(replace(entry, compromised=True) for entry in known.state.ledger)
    world.store.states["office"] = replace(known, state=replace(known.state, ledger=entries))
    world.clock.advance(2 * DAY)
    world.request(engine, take_over=True)
    engine.look(world.target)
    assert not works(world, leaked)


def test_the_document_that_is_written_over_counts_not_the_one_that_was_there_when_the_attempt_began():
    world, engine, handed_out, published = rolled_back(REPLACE)
    world.store.roll_back("sip/office")  # what rotator published, again
    world.clock.advance(DAY - HOUR)
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE]
    world.request(engine, take_over=True)
    assert engine.look(world.target).state.attempt.take_over
    world.store.roll_back("sip/office")
    assert world.consumer.username == handed_out.username
    world.until_rotated(engine)
    world.settle(engine, DAY - HOUR)
    assert works(world, handed_out)
    assert works(world, published)


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
@pytest.mark.parametrize("compromised", [False, True])
def test_after_a_lost_state_a_take_over_retires_what_the_document_names(target, compromised):
    world = EngineHarness(target)
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    handed_out = world.consumer
    world.store.remove("office")
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert "rotator adopt office" in look.message
    world.request(engine, take_over=True, compromised=compromised)
    look = engine.look(world.target)
    assert Step.CLOSE in look.steps
    assert works(world, handed_out) is (target is not IN_PLACE and not compromised)
    world.settle(engine, DAY + HOUR)
    assert not works(world, handed_out)
    assert world.published_works


@pytest.mark.parametrize("keys", ["both", "state"])
def test_what_was_deleted_does_not_begin_anew(keys):
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    before, held = world.state, dict(world.provider.credentials)
    world.store.delete("office")
    if keys == "both":
        world.store.delete("sip/office")
    look = world.settle(engine, 100 * DAY)
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert world.provider.credentials == held
    world.store.undelete("office")
    assert world.state == before


def test_documents_that_end_by_themselves_are_told_before_they_end():
    world = EngineHarness()
    world.store.deletes_after = 30 * DAY
    engine = world.engine()
    engine.look(world.target)  # nothing shows it before the first version
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert "by itself at" in look.message
    held = dict(world.provider.credentials)
    look = world.settle(engine, 100 * DAY)
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert world.provider.credentials == held


def test_an_end_that_was_told_is_lifted_for_what_somebody_elses_document_hands_out():
    world = EngineHarness(REPLACE, GENERATED)
    engine = world.engine()
    engine.look(world.target)
    handed_out = world.consumer
    world.request(engine)
    engine.look(world.target)
    assert world.state.ledger[0].expires_at is not None
    restored = world.store.consumers["sip/office"]
    world.store.roll_back("sip/office")
    look = engine.look(world.target)
    assert look.steps == (Step.TAKE_CLAIM, Step.LIFT_END)
    assert world.state.ledger[0].expires_at is None
    world.settle(engine, 3 * DAY)
    world.provider.pass_time(world.clock.now())
    assert works(world, handed_out)
    assert AuditVerb.LIFT_END in world.audit.verbs("office")
    world.store.consumers["sip/office"] = replace(restored, version=9)
    world.settle(engine, HOUR)
    assert not works(world, handed_out)


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_a_take_over_that_is_cut_anywhere_gives_the_same_overlap(target):
    for number in range(1, 100):
        world, engine, handed_out, _ = rolled_back(target)
        world.settle(engine, 3 * DAY)
        world.request(engine, take_over=True)
        world.cut_at(number)
        if world.crash(lambda: engine.look(world.target)) is None:  # noqa: B023 - called at once
            return
        world.cut_at(0)
        assert works(world, handed_out)
        engine = world.engine()
        world.settle(engine, DAY - HOUR)
        assert works(world, handed_out)
        assert world.published_works
        world.settle(engine, 9 * DAY)
        assert not works(world, handed_out)
        assert world.state.ledger == ()
    raise AssertionError("it never ended uncut")


def test_a_state_that_somebody_restores_from_amid_a_rotation_in_place_puts_nothing_back():
    """Its attempt had ended long ago: it was proved in vain, and an old password was set under what devices read."""
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    engine = world.engine()
    world.until_rotated(engine)
    world.settle(engine, 20 * DAY)
    versioned = world.store.states["office"]
    verified = replace(versioned.state, verification=Verification(world.clock.now(), accepted=True))
    world.store.states["office"] = replace(versioned, state=verified)
    world.provider.slow_to_accept = 9
    world.request(engine)
    engine.look(world.target)
    amid = world.store.states["office"]
    assert amid.state.attempt.phase is Phase.APPLIED
    world.provider.slow_to_accept = 0
    world.until_rotated(engine)
    for _ in range(2):
        world.settle(engine, 20 * DAY)
        world.request(engine)
        world.until_rotated(engine)
    assert world.published_works

    current = world.store.states["office"]
    world.store.states["office"] = Versioned(replace(amid.state, claim=None), current.version + 1)
    engine = world.engine()
    look = world.settle(engine, DAY)
    assert world.published_works
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    world.request(engine, take_over=True)
    for _ in range(3):
        engine.look(world.target)
        assert world.published_works
    world.settle(engine, DAY)
    assert (world.state.attempt, world.published_works) == (None, True)
    assert world.consumer.attempt == world.state.published.attempt
