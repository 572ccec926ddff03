"""The life of a credential under each strategy, on fakes: rotation, overlap, disabling, deleting, undo, emergency."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.holding import HoldReason
from rotator.core.model import Phase, Purpose
from rotator.core.schedule import Every
from rotator.engine import Outcome
from rotator.ports import Conflict, StoreDenied, StoreUnavailable
from rotator.testing import GENERATED, FakeFault

MINUTE = timedelta(minutes=1)


def enabled(world) -> list[str]:
    return sorted(held.username for held in world.provider.credentials.values() if held.enabled)


def test_first_rotation_creates_and_publishes():
    world = EngineHarness()
    look = world.engine().look(world.target)
    assert look.outcome is Outcome.ROTATED
    assert world.published_works
    assert world.state.attempt is None
    assert world.state.claim is None
    assert world.audit.verbs("office") == ["stage", "create", "prove", "publish", "close"]


def test_replace_keeps_the_old_one_for_the_overlap_then_disables_then_deletes_it():
    world = EngineHarness()
    old = world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    assert enabled(world) == sorted(["office", world.consumer.username])
    world.settle(engine, DAY - MINUTE)
    assert old.enabled
    world.settle(engine, 2 * MINUTE)
    assert not old.enabled
    assert old.id in world.provider.credentials
    world.settle(engine, 7 * DAY)
    assert old.id not in world.provider.credentials
    assert world.state.ledger == ()
    assert world.published_works


def test_rotates_again_when_due_and_not_before():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    first = world.consumer.username
    world.clock.advance(80 * DAY)
    assert engine.look(world.target).outcome in (Outcome.HELD, Outcome.RETIRED)
    assert world.consumer.username == first
    world.clock.advance(10 * DAY)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.consumer.username != first


def test_a_restart_neither_rotates_again_nor_draws_a_new_time():
    world = EngineHarness()
    world.engine().look(world.target)
    due, writes = world.state.next_rotation, world.store.states["office"].version
    for _ in range(5):
        assert world.engine().look(world.target).outcome is Outcome.HELD
    assert world.state.next_rotation == due
    assert world.store.states["office"].version == writes


def test_alternating_sets_the_idle_one_and_later_disables_the_other():
    world = EngineHarness(ALTERNATING)
    first, second = world.provider.add("officea"), world.provider.add("officeb")
    second.enabled = False
    engine = world.engine()
    engine.look(world.target)
    assert world.consumer.username == "officeb"
    assert first.enabled
    world.settle(engine, 2 * DAY)
    assert not first.enabled
    world.settle(engine, 8 * DAY)
    assert set(world.provider.credentials) == {first.id, second.id}
    world.request(engine)
    engine.look(world.target)
    assert world.consumer.username == "officea"
    assert world.published_works


def test_alternating_waits_while_devices_may_still_use_the_idle_one():
    world = EngineHarness(ALTERNATING)
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    world.request(engine)
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.IDLE_IN_OVERLAP
    world.settle(engine, DAY + MINUTE)
    assert world.state.counts.succeeded == 3


def test_in_place_keeps_the_username_and_can_be_undone():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    before = world.consumer.password
    world.request(engine)
    engine.look(world.target)
    assert world.consumer.username == "office"
    assert world.consumer.password != before
    world.request(engine, Purpose.UNDO)
    assert engine.look(world.target).outcome is Outcome.UNDONE
    assert world.consumer.password == before
    assert world.published_works
    world.settle(engine, 8 * DAY)
    assert world.state.ledger == ()
    assert len(world.provider.credentials) == 1


def test_in_place_without_its_credential_says_so_and_sets_nothing():
    world = EngineHarness(IN_PLACE)
    look = world.engine().look(world.target)
    assert look.outcome is Outcome.FAILED
    assert "no credential 'office'" in look.message
    assert not world.consumer.exists


@pytest.mark.parametrize("after", [MINUTE, 2 * DAY])
def test_undo_publishes_the_old_one_again_from_overlap_and_from_quarantine(after):
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer
    world.request(engine)
    engine.look(world.target)
    new = world.consumer
    world.settle(engine, after)
    world.request(engine, Purpose.UNDO)
    assert engine.look(world.target).outcome is Outcome.UNDONE
    assert world.consumer.username == old.username
    assert world.published_works
    world.settle(engine, 9 * DAY)
    assert enabled(world) == [old.username]
    assert new.credential_id not in world.provider.credentials


def test_undo_of_what_nobody_knows_is_refused_with_the_reason():
    world = EngineHarness()
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert "its password is unknown" in world.audit.records[-1].facts["reason"]
    assert world.state.request is None
    assert world.published_works


def test_compromised_disables_and_deletes_the_old_one_as_soon_as_the_new_is_published():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert list(world.provider.credentials) == [world.consumer.credential_id]
    assert world.state.ledger == ()


def test_active_calls_postpone_the_deletion_for_as_long_as_it_takes():
    world = EngineHarness()
    old = world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    old.busy = True
    world.settle(engine, 10 * DAY, most=1000)
    assert old.id in world.provider.credentials
    assert world.state.ledger[0].note == "active calls"
    old.busy = False
    world.settle(engine, DAY)
    assert old.id not in world.provider.credentials


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
@pytest.mark.parametrize("fault", list(FakeFault))
def test_every_fault_while_applying_ends_in_a_published_credential_that_works(target, fault):
    world = EngineHarness(target)
    world.provider.add(target.usernames[0])
    for verb in ("create", "complete", "set_password", "prove", "find"):
        world.provider.faults[verb] = [fault]
    engine = world.engine()
    world.until_rotated(engine)
    assert world.published_works
    if fault in (FakeFault.LOST_AFTER, FakeFault.LOST_BEFORE):
        assert len({r.facts["attempt"] for r in world.audit.records if "attempt" in r.facts}) == 1


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
def test_a_refusal_after_an_unknown_answer_leaves_nothing_behind(target):
    world = EngineHarness(target)
    world.provider.add(target.usernames[0])
    engine = world.engine()
    engine.look(world.target)
    before = world.consumer
    for verb in ("create", "complete", "set_password"):
        world.provider.faults[verb] = [FakeFault.LOST_AFTER, FakeFault.REFUSED]
    world.settle(engine, 2 * DAY)
    world.request(engine)
    world.settle(engine, 10 * DAY)
    assert world.published_works
    assert world.consumer != before
    assert len(enabled(world)) == 1


def test_a_provider_that_generates_is_found_again_by_the_attempts_name():
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    world.until_rotated(world.engine())
    assert len(world.provider.credentials) == 1
    assert world.published_works


def test_a_provider_that_can_is_told_at_once_when_the_old_one_is_to_end():
    world = EngineHarness(capabilities=GENERATED)
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer.credential_id
    world.request(engine)
    engine.look(world.target)
    assert world.provider.credentials[old].expires_at == world.state.ledger[0].disable_at
    world.clock.advance(2 * DAY)
    world.provider.pass_time(world.clock.now())
    assert world.provider.credentials[old].expired
    assert world.published_works
    world.settle(engine, 9 * DAY)
    assert old not in world.provider.credentials


def test_undo_in_the_overlap_takes_the_end_back_and_after_it_says_why_not():
    world = EngineHarness(capabilities=GENERATED)
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer
    world.request(engine)
    engine.look(world.target)
    world.request(engine, Purpose.UNDO)
    assert engine.look(world.target).outcome is Outcome.UNDONE
    assert world.provider.credentials[old.credential_id].expires_at is None
    assert world.consumer.username == old.username
    world.settle(engine, 2 * DAY)
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert "cannot undo that" in world.audit.records[-1].facts["reason"]


def test_the_propagation_window_is_waited_for_without_counting_a_failure():
    world = EngineHarness()
    world.provider.slow_to_accept = 4
    look = world.until_rotated(world.engine())
    assert look.outcome is Outcome.ROTATED
    assert world.state.counts.failed == 0


def test_never_accepted_is_never_published_and_stays_open():
    world = EngineHarness()
    world.provider.slow_to_accept = 10_000
    world.settle(world.engine(), timedelta(hours=3), most=500)
    assert not world.consumer.exists
    assert world.state.attempt is not None
    assert world.state.counts.failed > 2
    assert world.provider.calls.count("create") == 1


def test_a_document_that_somebody_else_wrote_is_not_overwritten_until_asked():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    world.store.tamper("sip/office", "byhand")
    world.request(engine)
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert "--take-over" in look.message
    assert world.consumer.username == "byhand"
    world.request(engine, take_over=True)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.published_works


def test_nothing_is_retired_while_the_document_is_not_ours():
    world = EngineHarness()
    old = world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.store.tamper("sip/office", "office")
    world.settle(engine, 30 * DAY)
    assert old.enabled


def test_a_token_that_may_not_publish_is_noticed_before_the_provider_hears_of_it():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.store.unpublishable.add("sip/office")
    look = world.engine().look(world.target)
    assert look.outcome is Outcome.FAILED
    assert "may not write sip/office" in look.message
    assert "set_password" not in world.provider.calls


def test_a_conflict_is_read_again_and_decided_again():
    world = EngineHarness()
    engine = world.engine()
    original = world.store.write_state
    refused = [Conflict("stale"), Conflict("stale")]

    def twice_refused(state, version) -> int:
        if refused:
            raise refused.pop()
        return original(state, version)

    world.store.write_state = twice_refused
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.published_works


def test_vault_away_is_said_and_tried_again():
    world = EngineHarness()
    world.store.failing = [StoreUnavailable("sealed")]
    engine = world.engine()
    assert engine.look(world.target).outcome is Outcome.VAULT
    assert engine.look(world.target).outcome is Outcome.ROTATED


@pytest.mark.parametrize(("error", "seconds"), [(StoreUnavailable("sealed"), 5), (StoreDenied("no right"), None)])
def test_a_vault_that_has_to_be_mended_first_is_asked_again_with_the_next_poll_only(error, seconds):
    world = EngineHarness()
    world.store.failing = [error]
    now = world.clock.now()
    expected = None if seconds is None else now + timedelta(seconds=seconds)
    assert world.engine().look(world.target).next_look == expected


@pytest.mark.parametrize("number", range(1, 8))
def test_a_write_to_vault_whose_answer_is_lost_loses_nothing(number):
    world = EngineHarness()
    world.provider.add("office")
    world.store.losing = []
    engine = world.engine()
    writes = 0
    original = world.store.write_state

    def counted(state, version) -> int:
        nonlocal writes
        writes += 1
        result = original(state, version)
        if writes == number:
            raise StoreUnavailable("the answer was lost")
        return result

    world.store.write_state = counted
    world.settle(engine, timedelta(hours=1))
    assert world.published_works
    assert world.state.attempt is None
    assert len(enabled(world)) == 2


def test_a_stop_between_two_steps_gives_the_claim_back_and_the_next_process_goes_on():
    world = EngineHarness()
    world.provider.add("office")
    steps = []

    def stop_after_create(label):
        steps.append(label)
        if label == "after create":
            world.stopping = True

    world.cut_at(0, stop_after_create)
    assert world.engine().look(world.target).outcome is Outcome.STOPPED
    staged = world.state.attempt.staged.password
    assert world.state.attempt.phase is Phase.APPLIED
    assert world.state.claim is None
    world.stopping = False
    world.cut_at(0)
    assert world.engine().look(world.target).outcome is Outcome.ROTATED
    assert world.consumer.password == staged


def test_a_claim_of_another_process_is_respected_until_it_ends():
    world = EngineHarness()
    engine = world.engine()
    world.cut_at(5)
    assert world.crash(lambda: engine.look(world.target)) == "before create"
    other = world.engine()
    look = other.look(world.target)
    assert look.hold.reason is HoldReason.CLAIMED
    world.clock.advance(world.limits.claim)
    assert other.look(world.target).outcome is Outcome.ROTATED


def test_the_circuit_opens_after_failures_in_a_row_and_closes_by_one_probe():
    world = EngineHarness()
    world.limits = replace(world.limits, circuit_failures=3, circuit_open_for=timedelta(minutes=20))
    world.provider.faults["find"] = [FakeFault.UNAUTHORIZED] * 5
    engine = world.engine()
    held = world.settle(engine, timedelta(minutes=5), most=50)
    assert held.hold.reason is HoldReason.CIRCUIT_OPEN
    assert world.provider.calls.count("find") == 3
    world.settle(engine, timedelta(hours=2))
    assert world.published_works
    assert engine.throttles.open_circuits() == ()


def test_retirements_are_capped_when_the_clock_jumps():
    world = EngineHarness()
    world.limits = replace(world.limits, retirements_per_minute=1)
    engine = world.engine()
    engine.look(world.target)
    for _ in range(4):
        world.request(engine)
        engine.look(world.target)
    world.clock.jump(60 * DAY)
    engine.look(world.target)
    retired = world.provider.calls.count("disable") + world.provider.calls.count("delete")
    assert retired == 1


def test_a_changed_policy_draws_the_due_time_anew():
    world = EngineHarness()
    world.engine().look(world.target)
    world.target = replace(world.target, policy=replace(POLICY, schedule=Every(2 * DAY)))
    world.engine().look(world.target)
    assert world.state.next_rotation <= world.clock.now() + 2 * DAY


def test_a_target_moved_to_another_strategy_retires_what_it_had():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer
    world.target = ALTERNATING
    world.request(engine)
    engine.look(world.target)
    assert world.consumer.username in ALTERNATING.usernames
    world.settle(engine, 9 * DAY)
    assert old.credential_id not in world.provider.credentials
    assert world.published_works
