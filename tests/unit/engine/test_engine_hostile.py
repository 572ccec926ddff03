"""What a hostile world does to an attempt: refusals, changed configuration, wrong clocks, documents that others touch.

Each of these once broke a rule of the design's section 6, lost a wish, or went round in a tight loop.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness
from process_variants import SkewedClock, act_at_boundary, start_process

from rotator.core.answers import Refusal, Refused
from rotator.core.attempts import is_published
from rotator.core.circuit import ProviderVerb
from rotator.core.holding import HoldReason
from rotator.core.model import Ending, Purpose, Strategy
from rotator.core.schedule import Every
from rotator.engine import Engine, Outcome
from rotator.ports import Conflict
from rotator.testing import CHOSEN, GENERATED, FakeFault, FakeProvider

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def enabled(world) -> list[str]:
    return sorted(held.username for held in world.provider.credentials.values() if held.enabled)


def rotated(target=REPLACE, capabilities=CHOSEN) -> tuple[EngineHarness, Engine]:
    """A world whose target was rotated twice, long enough ago that nothing waits."""
    world = EngineHarness(target, capabilities)
    if capabilities is CHOSEN:
        world.provider.add(target.usernames[0])
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, 20 * DAY)
    world.request(engine)
    engine.look(world.target)
    world.settle(engine, 20 * DAY)
    return world, engine


# Tight loops


def test_passwords_that_are_refused_are_followed_by_others_with_back_off():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")  # its password is unknown, so that it cannot be restored
    world.provider.faults["set_password"] = [FakeFault.LOST_BEFORE] + [FakeFault.REFUSED] * 1000
    world.settle(world.engine(), 6 * HOUR)
    assert world.state.counts.succeeded == 0
    assert world.provider.calls.count("set_password") < 60


def test_a_clock_set_back_while_a_change_propagates_does_not_ask_twice_a_second_until_it_catches_up():
    world = EngineHarness()
    world.provider.slow_to_accept = 10_000
    engine = world.engine()
    assert engine.look(world.target).hold.reason is HoldReason.PROPAGATING
    world.clock.jump(-30 * DAY)
    world.settle(engine, 3 * HOUR)
    assert world.provider.calls.count("prove") < 400
    world.provider.slow_to_accept = 0
    world.until_rotated(engine)
    assert world.published_works


def test_a_listing_refused_at_staging_is_not_asked_again_at_once_though_the_ledger_names_the_same_username():
    world = EngineHarness(ALTERNATING)
    world.provider.add("officea")
    world.provider.faults["create"] = [FakeFault.LOST_AFTER, FakeFault.REFUSED]
    world.provider.faults["complete"] = [FakeFault.REFUSED]
    engine = world.engine()
    for _ in range(8):
        engine.look(world.target)
        if world.state.ledger:
            break
        world.clock.advance(MINUTE)
    assert world.state.ledger[0].credential.username == "officeb"
    world.provider.faults["find"] = [FakeFault.RATE_LIMITED] * 1000
    before = world.provider.calls.count("find")
    world.clock.advance(MINUTE)
    engine.look(world.target)
    assert world.provider.calls.count("find") - before <= 2


def test_conflicts_that_do_not_end_are_not_met_by_looking_again_at_once():
    world = EngineHarness()
    engine = world.engine()

    def always(state, version):
        raise Conflict("stale")

    world.store.write_state = always
    look = engine.look(world.target)
    assert look.outcome is Outcome.CONTENDED
    assert look.next_look > world.clock.now() + timedelta(seconds=1)


def test_a_back_off_written_by_a_clock_that_was_far_ahead_does_not_hold_for_ever():
    world = EngineHarness()
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    world.clock.jump(3650 * DAY)
    engine = world.engine()
    engine.look(world.target)
    world.clock.jump(-3650 * DAY)
    world.settle(engine, 2 * HOUR)
    assert world.published_works


# Blocked for ever


def test_an_attempt_whose_account_left_the_configuration_waits_and_says_so():
    world = EngineHarness()
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    world.engine().look(world.target)
    world.clock.advance(HOUR)
    moved = replace(world.target, account="other")
    without = start_process(world, providers={"other": FakeProvider(account="other")})
    look = without.look(moved)
    assert look.hold.reason is HoldReason.ACCOUNT_MISSING
    assert "fake" in look.message
    world.until_rotated(world.engine())
    assert world.published_works
    assert len(world.provider.credentials) == 1


def test_an_in_place_credential_deleted_after_an_unknown_answer_does_not_block_for_ever():
    world, engine = rotated(IN_PLACE)
    world.provider.faults["set_password"] = [FakeFault.LOST_BEFORE]
    world.request(engine)
    engine.look(world.target)
    world.provider.credentials.clear()
    world.settle(engine, 2 * HOUR)
    assert world.state.attempt is None
    again = world.provider.add("office")
    world.request(engine)
    world.settle(engine, 3 * HOUR)
    assert world.published_works
    assert world.consumer.credential_id == again.id


def test_an_in_place_credential_made_anew_by_hand_is_adopted_again():
    world, engine = rotated(IN_PLACE)
    world.provider.credentials.clear()
    again = world.provider.add("office")
    world.request(engine)
    world.settle(engine, 2 * HOUR)
    assert world.published_works
    assert world.consumer.credential_id == again.id
    assert enabled(world) == ["office"]


def test_an_idle_credential_deleted_by_hand_is_made_again():
    world, engine = rotated(ALTERNATING)
    del world.provider.credentials[world.state.standby.id]
    before = world.consumer.username
    world.request(engine)
    world.settle(engine, 3 * HOUR)
    assert world.published_works
    assert world.consumer.username != before


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_a_published_credential_deleted_by_hand_is_replaced_at_the_next_rotation(target):
    world, engine = rotated(target)
    del world.provider.credentials[world.consumer.credential_id]
    world.request(engine)
    world.settle(engine, 20 * DAY)
    assert world.published_works
    assert world.state.ledger == ()


# Orphans, and credentials that are forgotten too early


def test_forgetting_a_replaced_password_does_not_forget_the_credential_that_waits_to_be_deleted():
    world, engine = rotated(IN_PLACE)
    world.request(engine)
    engine.look(world.target)
    old = world.consumer.credential_id
    world.settle(engine, 6 * DAY + 20 * HOUR)
    world.target = replace(REPLACE)
    world.request(engine)
    engine.look(world.target)
    assert len(enabled(world)) == 2
    world.settle(engine, 20 * DAY)
    assert old not in world.provider.credentials
    assert enabled(world) == [world.consumer.username]


@pytest.mark.parametrize("first_answer", [FakeFault.LOST_BEFORE])
def test_a_generating_provider_that_carries_out_a_lost_create_late_leaves_no_orphan(first_answer):
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [first_answer]
    engine = world.engine()
    engine.look(world.target)
    staged = world.state.attempt.staged
    world.until_rotated(engine)
    world.provider._create(staged)  # the first request arrives after all
    assert len(world.provider.credentials) == 2
    world.settle(engine, HOUR)
    assert list(world.provider.credentials) == [world.consumer.credential_id]
    assert world.state.ledger == ()
    assert world.published_works


def test_both_creates_of_one_attempt_carried_out_leave_one_credential():
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    engine = world.engine()
    engine.look(world.target)
    world.provider._create(world.state.attempt.staged)
    world.provider._create(world.state.attempt.staged)
    assert len(world.provider.credentials) == 3
    world.until_rotated(engine)
    world.settle(engine, HOUR)
    assert list(world.provider.credentials) == [world.consumer.credential_id]
    assert world.published_works


def test_every_stray_of_an_abandoned_attempt_is_removed():
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER, FakeFault.REFUSED]
    engine = world.engine()
    engine.look(world.target)
    staged = world.state.attempt.staged
    hidden = dict(world.provider.credentials)
    world.provider.credentials.clear()  # the listing does not show it yet
    world.clock.advance(HOUR)
    engine.look(world.target)
    assert world.state.ledger
    world.provider.credentials.update(hidden)
    world.provider._create(staged)
    world.settle(engine, HOUR)
    assert list(world.provider.credentials) == [world.consumer.credential_id]


def test_an_emergency_does_not_stop_waiting_for_a_create_that_may_still_come():
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE]
    engine = world.engine()
    engine.look(world.target)
    staged = world.state.attempt.staged
    world.until_rotated(engine)
    world.request(engine, compromised=True)
    engine.look(world.target)
    world.provider._create(staged)
    world.settle(engine, HOUR)
    assert list(world.provider.credentials) == [world.consumer.credential_id]


def test_an_alternating_target_moved_to_another_account_leaves_nothing_standing_at_the_old_one():
    world, _ = rotated(ALTERNATING)
    other = FakeProvider(account="other")
    other._next = 100  # ids do not collide
    world.target = replace(ALTERNATING, account="other")
    engine = start_process(world, providers={"fake": world.provider, "other": other})
    published = world.consumer.credential_id
    world.request(engine)
    engine.look(world.target)
    world.settle(engine, 20 * DAY)
    assert published not in world.provider.credentials
    assert other.accepts(world.consumer.username, world.consumer.password)


# Wishes


def test_a_second_request_does_not_take_the_emergency_out_of_the_first():
    world, engine = rotated()
    world.store.tamper("sip/office", "byhand")
    world.request(engine, compromised=True, take_over=True)
    world.request(engine)
    assert world.state.request.compromised
    assert world.state.request.take_over


def test_an_emergency_that_joined_a_scheduled_attempt_outlives_its_refusal():
    world = EngineHarness()
    world.provider.add("office")
    engine = world.engine()
    world.provider.faults["create"] = [FakeFault.UNREACHABLE, FakeFault.REFUSED]
    engine.look(world.target)
    world.request(engine, compromised=True)
    world.settle(engine, 2 * HOUR)
    assert enabled(world) == [world.consumer.username]


def test_an_emergency_after_publishing_replaces_what_was_published():
    world, engine = rotated()
    world.request(engine)
    points = world.cut_at(0)
    first = engine.look(world.target)
    assert first.outcome is Outcome.ROTATED
    cut = len(points.passed) - points.passed[::-1].index("after write consumer")
    world, engine = rotated()
    world.request(engine)
    world.cut_at(cut)
    assert world.crash(lambda: engine.look(world.target)) == "after write consumer"
    world.cut_at(0)
    leaked = world.consumer
    assert is_published(world.state.attempt, world.consumer)
    other = world.engine()
    world.request(other, compromised=True)
    world.settle(other, HOUR)
    assert world.consumer.username != leaked.username
    assert enabled(world) == [world.consumer.username]


def test_undo_asked_for_twice_is_undone_once():
    world, engine = rotated()
    before = world.consumer.username
    world.request(engine)
    engine.look(world.target)
    world.provider.faults["enable"] = [FakeFault.UNREACHABLE]
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert world.state.attempt.purpose is Purpose.UNDO
    world.request(engine, Purpose.UNDO)
    world.settle(engine, HOUR)
    assert world.consumer.username == before
    assert world.state.counts.undone == 1


def test_undo_never_publishes_a_password_that_the_provider_refused():
    world, engine = rotated(ALTERNATING)
    good = world.consumer
    world.provider.faults["set_password"] = [FakeFault.LOST_AFTER, FakeFault.REFUSED]
    world.request(engine)
    engine.look(world.target)
    for _ in range(6):
        if world.state.attempt is None:
            break
        world.clock.advance(MINUTE)
        engine.look(world.target)
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert world.consumer == good
    assert world.state.counts.undone == 0


def test_undo_reaches_the_published_predecessor_past_an_abandoned_attempt():
    world, engine = rotated()
    before = world.consumer.username
    world.request(engine)
    engine.look(world.target)
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE, FakeFault.REFUSED]
    world.request(engine)
    for _ in range(6):
        engine.look(world.target)
        world.clock.advance(timedelta(seconds=20))
        if any(entry.credential.id is None for entry in world.state.ledger):
            break
    assert any(entry.credential.id is None for entry in world.state.ledger)
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert world.consumer.username == before
    assert world.published_works


# Claims


def test_a_request_leaves_the_claim_of_the_process_that_works_alone():
    world, engine = rotated()
    world.request(engine)
    client = start_process(world, name="command line")
    once = act_at_boundary(world, "after create", lambda: world.request(client, take_over=True))
    look = engine.look(world.target)
    assert once.done
    assert look.outcome is Outcome.ROTATED
    assert world.published_works


def test_a_claim_left_by_a_crash_is_not_lost_by_a_write_that_is_no_effect():
    world = EngineHarness()
    engine = world.engine()
    world.provider.points = world.store.points
    points = world.cut_at(0)
    engine.look(world.target)
    number = points.passed.index("after create") + 1
    world = EngineHarness()
    engine = world.engine()
    world.cut_at(number)
    assert world.crash(lambda: engine.look(world.target)) == "after create"
    world.cut_at(0)
    world.clock.advance(HOUR)
    # The account's circuit is open at the next process, whose policy was changed: it only draws a due time.
    other = start_process(world)
    for _ in range(world.limits.circuit_failures):
        other.throttles.admit_call("fake", ProviderVerb.CREATE)
        other.throttles.learn_from(
            "fake", ProviderVerb.CREATE, Refused(Refusal.AUTHENTICATION, "the API key was refused")
        )
    changed = replace(world.target, policy=replace(POLICY, schedule=Every(2 * DAY)))
    other.look(changed)
    world.until_rotated(world.engine())
    world.settle(world.engine(), 5 * DAY)
    assert set(world.provider.credentials) == {world.consumer.credential_id}


def test_a_process_whose_clock_is_ahead_does_not_act_beside_one_that_works():
    world, engine = rotated()
    world.request(engine)
    ahead = start_process(world, clock=SkewedClock(world, HOUR))
    looks = []
    act_at_boundary(world, "before create", lambda: looks.append(ahead.look(world.target)))
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert looks[0].hold.reason is HoldReason.CLAIMED


def test_a_claim_left_by_a_process_whose_clock_was_far_ahead_ends_all_the_same():
    world = EngineHarness()
    ahead = start_process(world, clock=SkewedClock(world, 365 * DAY))
    world.request(ahead)
    world.cut_at(5)
    assert world.crash(lambda: ahead.look(world.target)) == "before create"
    world.cut_at(0)
    engine = world.engine()
    assert engine.look(world.target).hold.reason is HoldReason.CLAIMED
    world.clock.advance(world.limits.claim)
    assert engine.look(world.target).outcome is Outcome.ROTATED


def test_a_process_that_slept_through_its_claim_takes_it_anew_before_it_acts():
    world, engine = rotated()
    world.request(engine)
    writes = []

    class Slept(type(world.store.points)):
        def reach(self, label):
            self.passed.append(label)
            if label == "after write state" and world.state.attempt and not writes:
                writes.append(world.store.states["office"].version)
                world.clock.jump(HOUR)  # the machine was suspended: its monotonic clock stood still
            if label == "before create":
                writes.append(world.store.states["office"].version)

    world.store.points = world.provider.points = Slept()
    engine.look(world.target)
    assert writes[1] > writes[0]


# Documents that others wrote


def test_first_adoption_by_take_over_does_not_set_the_password_that_devices_use():
    world = EngineHarness(ALTERNATING)
    world.provider.add("officea", "a")
    used = world.provider.add("officeb", "b")
    world.store.tamper("sip/office", "officeb")
    engine = world.engine()
    world.request(engine, take_over=True)
    engine.look(world.target)
    assert world.consumer.username == "officea"
    assert world.published_works
    assert used.password.reveal() == "b"
    assert used.enabled
    world.settle(engine, 2 * DAY)
    assert not used.enabled


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
@pytest.mark.parametrize("cut", range(1, 24))
@pytest.mark.parametrize("how", ["deleted", "changed"])
def test_a_document_touched_at_any_boundary_is_never_overwritten_unasked(target, cut, how):
    world, engine = rotated(target)
    world.request(engine)
    seen = []

    class Touch(type(world.store.points)):
        def reach(self, label):
            self.passed.append(label)
            if len(self.passed) == cut:
                if how == "deleted":
                    current = world.store.consumers["sip/office"]
                    world.store.consumers["sip/office"] = replace(
                        current, version=current.version + 1, exists=False, username=None, password=None
                    )
                else:
                    world.store.tamper("sip/office", "byhand")
                seen.append(world.store.consumers["sip/office"])

    world.store.points = world.provider.points = Touch()
    engine.look(world.target)
    if not seen:
        return
    world.settle(engine, 10 * DAY, most=3000)
    assert world.consumer == seen[0]
    assert world.state.published is not None
    world.store.points = world.provider.points = type(Touch.__mro__[1]())()
    world.request(engine, take_over=True)
    world.settle(engine, 12 * DAY, most=3000)
    assert world.published_works
    assert world.state.attempt is None
    assert len(enabled(world)) == 1


def test_ledger_entries_of_an_account_that_left_the_configuration_are_kept_until_it_is_back():
    world, _ = rotated()
    world.request(world.engine())
    world.engine().look(world.target)
    moved = replace(REPLACE, account="other")
    other = FakeProvider(account="other")
    without = start_process(world, providers={"other": other})
    for _ in range(3):
        world.clock.advance(5 * DAY)
        assert without.look(moved).outcome is Outcome.HELD
    assert len(world.state.ledger) == 1
    assert world.state.ledger[0].ending is Ending.DELETE
    world.settle(world.engine(), 20 * DAY)
    assert world.state.ledger == ()


def test_a_strategy_changed_in_the_middle_of_an_attempt_does_not_bend_it():
    for before in (REPLACE, ALTERNATING, IN_PLACE):
        for after in (REPLACE, ALTERNATING, IN_PLACE):
            world, engine = rotated(before)
            for verb in ("create", "set_password"):
                world.provider.faults[verb] = [FakeFault.LOST_AFTER]
            world.request(engine)
            engine.look(world.target)
            staged = world.state.attempt.staged
            world.provider.faults.clear()
            world.target = after
            world.until_rotated(engine)
            assert world.consumer.password == staged.password
            assert world.published_works
            world.settle(engine, 20 * DAY)
            assert enabled(world) == [world.consumer.username], (before.strategy, after.strategy)
            assert world.state.published is not None
            assert isinstance(world.target.strategy, Strategy)


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING])
def test_a_late_disable_of_what_an_undo_published_again_is_made_good(target):
    world = EngineHarness(target)
    engine, other = world.engine(), world.engine()
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    world.request(engine)
    engine.look(world.target)
    old = world.state.ledger[0].credential
    world.clock.advance(DAY)

    def meanwhile(label):
        # The first process is stopped between deciding and sending, for longer than its claim.
        if label == "before disable":
            world.cut_at(0)
            world.request(other, Purpose.UNDO)
            for _ in range(3):
                other.look(world.target)
                world.clock.advance(2 * world.limits.claim)
            assert world.consumer.username == old.username

    world.cut_at(0, meanwhile)
    engine.look(world.target)
    world.cut_at(0)
    assert world.consumer.username == old.username
    assert world.published_works
    assert "reassert" in world.audit.verbs("office")


def test_a_late_delete_of_what_an_undo_published_again_leads_to_a_rotation():
    world = EngineHarness()
    engine, other = world.engine(), world.engine()
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    world.request(engine)
    engine.look(world.target)
    world.settle(engine, 2 * DAY)
    world.clock.advance(5 * DAY + timedelta(hours=23))

    def meanwhile(label):
        if label == "before delete":
            world.cut_at(0)
            world.clock.jump(-DAY)
            world.request(other, Purpose.UNDO)
            for _ in range(3):
                other.look(world.target)
                world.clock.advance(2 * world.limits.claim)

    world.cut_at(0, meanwhile)
    world.settle(engine, DAY)
    world.cut_at(0)
    world.settle(engine, timedelta(hours=1))
    assert world.published_works
    assert any(record.facts.get("requested_by") == "rotator" for record in world.audit.records)
