"""A pause in Vault: every process obeys it within seconds, and what came due under it is spread when it ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_harness import DAY, EngineHarness
from test_engine_drift import change, stored, verified
from test_engine_waves import HOUR, WaveFleet

from rotator.core.blackouts import Blackout
from rotator.core.holding import HoldReason
from rotator.core.left_over import left_over
from rotator.core.model import FirstRotations, Purpose
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.core.schedule import Every
from rotator.engine import Engine, PauseBook
from rotator.ports import Conflict, StoreUnavailable
from rotator.testing import GENERATED, FakeFault

ORIGIN = Origin("vault:alice", "change freeze")
FRESH = timedelta(seconds=5)
NEEDLESS = "what is published is accepted again: nothing needs repair"


def rotated(harness: EngineHarness) -> int:
    return harness.state.counts.succeeded


def pause(harness: EngineHarness, length: timedelta, scope: Scope | None = None) -> None:
    now = harness.clock.now()
    added = Pause(scope or Scope(), now, now + length, ORIGIN)
    PauseBook(harness.store, harness.clock).change(lambda pauses: pauses.with_pause(added, now))


def resume(harness: EngineHarness, scope: Scope | None = None) -> None:
    now = harness.clock.now()
    PauseBook(harness.store, harness.clock).change(lambda pauses: pauses.without(scope or Scope(), now))


def running() -> tuple[EngineHarness, Engine]:
    """One target that was rotated, and the process that did it."""
    harness = EngineHarness()
    engine = harness.engine()
    harness.until_rotated(engine)
    return harness, engine


def test_a_paused_target_is_not_rotated_until_the_pause_ends():
    harness, engine = running()
    harness.clock.advance(70 * DAY)
    pause(harness, 40 * DAY)

    harness.settle(engine, 39 * DAY)
    assert rotated(harness) == 1
    harness.settle(engine, 2 * DAY)

    assert rotated(harness) == 2
    assert harness.published_works


def test_it_goes_on_when_somebody_ends_the_pause():
    harness, engine = running()
    harness.clock.advance(95 * DAY)
    pause(harness, 40 * DAY)
    assert engine.look(harness.target).hold.reason is HoldReason.PAUSED

    resume(harness)
    harness.clock.advance(FRESH)
    harness.until_rotated(engine)


def test_a_process_that_looked_before_knows_of_a_pause_within_two_seconds():
    """It reads what is paused again before it begins anything."""
    harness, engine = running()
    harness.clock.advance(95 * DAY - timedelta(minutes=5))
    other = harness.engine()
    pause(harness, DAY)
    harness.clock.advance(timedelta(minutes=5))

    for process in (engine, other):
        assert process.look(harness.target).hold.reason is HoldReason.PAUSED
    assert rotated(harness) == 1


def test_an_attempt_that_is_open_is_finished_and_nothing_is_retired():
    """Both have a rotation open: what is staged is published; what it replaced stays accepted until the pause ends."""
    harness, engine = running()
    harness.clock.advance(10 * DAY)
    old = harness.consumer
    harness.request(engine)
    harness.crash(lambda: harness.cut_at(9) and engine.look(harness.target))
    assert harness.state.attempt is not None
    harness.cut_at(0)
    pause(harness, 30 * DAY)

    harness.settle(harness.engine(), 29 * DAY)

    assert harness.state.attempt is None
    assert rotated(harness) == 2
    assert harness.provider.accepts(old.username, old.password)
    harness.settle(harness.engine(), 3 * DAY)
    assert not harness.provider.accepts(old.username, old.password)


@pytest.mark.parametrize("flags", [{"compromised": True}, {"despite_pause": True}])
def test_an_emergency_passes_and_ends_what_leaked(flags):
    harness, engine = running()
    old = harness.consumer
    pause(harness, 30 * DAY)
    harness.clock.advance(FRESH)

    harness.request(engine, **flags)
    harness.settle(engine, HOUR)

    assert rotated(harness) == 2
    assert harness.provider.accepts(old.username, old.password) is not flags.get("compromised", False)


def test_an_emergency_passes_to_its_last_means():
    """The provider says that it has disabled what leaked, and goes on accepting it: it is deleted at once."""
    harness = EngineHarness(capabilities=replace(GENERATED, tries_ended=timedelta(minutes=10)))
    harness.provider.ignores = {"disable"}
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, DAY)
    old = harness.consumer
    pause(harness, 30 * DAY)
    harness.clock.advance(FRESH)

    harness.request(engine, compromised=True)
    harness.settle(engine, HOUR)

    assert not harness.provider.accepts(old.username, old.password)
    assert harness.published_works


def test_an_emergency_passes_to_its_end_if_what_it_published_is_refused_afterwards():
    """What leaked stays while nothing else is accepted; the repair that ends it is part of the emergency."""
    harness, engine = running()
    harness.settle(engine, DAY)
    leaked = harness.consumer
    pause(harness, 30 * DAY)
    harness.clock.advance(FRESH)
    harness.provider.faults["disable"] = [FakeFault.UNREACHABLE]
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    assert harness.provider.accepts(leaked.username, leaked.password)
    change(harness)
    harness.clock.advance(timedelta(minutes=10))

    harness.settle(engine, DAY)

    assert harness.published_works
    assert not harness.provider.accepts(leaked.username, leaked.password)


def test_an_undo_passes():
    harness, engine = running()
    harness.clock.advance(10 * DAY)
    before = harness.consumer.username
    harness.request(engine)
    harness.until_rotated(engine)
    pause(harness, 30 * DAY)
    harness.clock.advance(FRESH)

    harness.request(engine, Purpose.UNDO)
    harness.settle(engine, HOUR)

    assert harness.consumer.username == before


def test_a_request_that_waits_is_carried_out_when_the_pause_ends():
    """Somebody asked before, or did not see the pause."""
    harness, engine = running()
    pause(harness, DAY)
    harness.clock.advance(FRESH)
    harness.request(engine)

    harness.settle(engine, DAY - HOUR)
    assert rotated(harness) == 1
    harness.settle(engine, 2 * HOUR)

    assert rotated(harness) == 2


def test_while_vault_does_not_say_what_is_paused_nothing_begins():
    harness, engine = running()
    harness.clock.advance(95 * DAY)
    harness.store.pauses = Pauses(4, problem="what is paused was deleted in Vault")

    look = engine.look(harness.target)

    assert "deleted in Vault" in look.hold.message
    harness.clock.advance(FRESH)
    engine.look(harness.target)
    harness.store.read_pauses = unavailable
    harness.clock.advance(FRESH)
    assert "no Vault" in engine.look(harness.target).message
    assert rotated(harness) == 1


def unavailable() -> Pauses:
    raise StoreUnavailable("no Vault")


def test_a_document_that_another_process_changed_meanwhile_is_read_again():
    """Neither of two pauses is lost."""
    harness = EngineHarness()
    stale = PauseBook(harness.store, harness.clock)
    stale.fresh()
    pause(harness, DAY, Scope(account="a"))
    pause(harness, DAY, Scope(account="b"))
    now, lost = harness.clock.now(), harness.store.write_pauses
    conflicts = [Conflict("once")]

    def write(pauses: Pauses) -> None:
        if conflicts:
            raise conflicts.pop()
        lost(pauses)

    harness.store.write_pauses = write
    stale.change(lambda pauses: pauses.with_pause(Pause(Scope(), now, now + DAY, ORIGIN), now))

    assert {each.scope.account for each in harness.store.pauses.at(now)} == {"a", "b", ""}


def test_a_renamed_target_stays_paused():
    """By its new name, from before the rename is written."""
    harness, engine = running()
    pause(harness, 30 * DAY, Scope(targets=("office",)))
    harness.clock.advance(FRESH)

    engine.removal.rename("office", "desk", origin=ORIGIN)

    assert [each.scope.targets for each in harness.store.pauses.entries] == [("desk",)]


def test_what_came_due_under_a_blackout_is_spread_after_it():
    """Not all at once: by the slots of a day's budget, whatever the number of processes."""
    fleet = WaveFleet(30, FirstRotations(per_day=10))
    for _ in range(5):
        fleet.pass_time([fleet.engine()], DAY, 6 * HOUR)
    assert len(fleet.rotated()) == 30
    began = fleet.clock.now()
    freeze = Blackout(began + 80 * DAY, began + 100 * DAY, "end of the year")
    policy = replace(fleet.targets[0].policy, schedule=Every(90 * DAY), blackouts=(freeze,), verify=None)
    fleet.targets = [replace(target, policy=policy) for target in fleet.targets]
    fleet.clock.advance(85 * DAY)

    for _ in range(15):
        fleet.pass_time([fleet.engine()], DAY, 6 * HOUR)
    assert sum(fleet.known(target).counts.succeeded for target in fleet.targets) <= 30 + 10, "those due before it began"
    for _ in range(7):
        fleet.pass_time([fleet.engine(), fleet.engine()], DAY, 6 * HOUR)

    again = [fleet.known(target).last_rotation for target in fleet.targets]
    days = [sum((moment - freeze.end) // DAY == day for moment in again) for day in range(7)]
    assert all(fleet.known(target).counts.succeeded == 2 for target in fleet.targets)
    assert max(days) <= 10 + 1


def test_a_policy_that_was_never_paused_costs_one_reading_in_two_seconds():
    """Whatever the number of targets."""
    fleet = WaveFleet(50, FirstRotations())
    engine, readings, read = fleet.engine(), [], fleet.store.read_pauses

    def counted() -> Pauses:
        readings.append(1)
        return read()

    fleet.store.read_pauses = counted
    for target in fleet.targets:
        engine.look(target)

    assert len(readings) <= 2


def black_out(harness: EngineHarness, length: timedelta) -> None:
    now = harness.clock.now()
    policy = replace(harness.target.policy, blackouts=(Blackout(now, now + length, "end of the year"),))
    harness.target = replace(harness.target, policy=policy)


def test_a_blackout_keeps_no_device_out():
    """Nobody works by hand because a calendar says so: what is refused is repaired, and nothing is retired."""
    harness, engine = verified()
    black_out(harness, 20 * DAY)
    old = harness.consumer.username
    change(harness)

    harness.settle(engine, 3 * DAY, most=2000)

    assert harness.published_works
    assert rotated(harness) == 2
    harness.settle(engine, 10 * DAY)
    assert rotated(harness) == 2
    assert any(one.username == old and one.enabled for one in harness.provider.credentials.values())
    harness.settle(engine, 20 * DAY)
    assert [one.username for one in harness.provider.credentials.values()] == [harness.consumer.username]


def test_a_repair_that_a_pause_held_is_not_carried_out_if_somebody_has_mended_it():
    """The process stopped between its request and its beginning; then somebody paused the target, and mended it."""
    harness, engine = verified()
    right = stored(harness).password
    change(harness)

    def stop_after_the_request(_: str) -> None:
        harness.stopping = harness.state.request is not None

    harness.cut_at(0, stop_after_the_request)
    harness.clock.advance(DAY)
    while harness.state.request is None:
        engine.look(harness.target)
        harness.clock.advance(timedelta(minutes=1))
    pause(harness, 2 * DAY)
    harness.cut_at(0)
    harness.stopping = False
    harness.clock.advance(FRESH)

    harness.settle(harness.engine(), HOUR)
    assert harness.state.request is not None
    stored(harness).password = right
    harness.settle(harness.engine(), 3 * HOUR)

    assert harness.state.verification.accepted, "the alert ends within the pause"
    assert harness.state.request is None
    harness.settle(harness.engine(), 4 * DAY)
    assert rotated(harness) == 1
    (dropped,) = [one for one in harness.audit.records if one.verb == "drop"]
    assert (dropped.outcome, dropped.facts["reason"]) == ("done", NEEDLESS)
    assert harness.state.counts.failed == 0


def test_a_daemon_reads_what_is_paused_when_somebody_rings_and_else_once_a_minute():
    harness = EngineHarness()
    book, read, reads = PauseBook(harness.store, harness.clock), harness.store.read_pauses, []
    harness.store.read_pauses = lambda: reads.append(harness.clock.now()) or read()
    for seconds, rung, expected in ((0, False, 1), (59, False, 1), (0, True, 2), (59, False, 2), (1, False, 3)):
        harness.clock.advance(timedelta(seconds=seconds))
        book.follow(rung=rung)
        assert len(reads) == expected, (seconds, rung)
    harness.clock.advance(FRESH)
    book.follow(rung=False)  # nobody rang until now: what was read a while ago is still true
    book.fresh()
    assert len(reads) == 3


BERLIN = Scope(labels=(("site", "berlin"),))


@pytest.mark.parametrize("scope", [BERLIN, Scope(account="fake"), Scope(targets=("office",))], ids=str)
def test_a_pause_holds_what_a_removed_target_left_behind(scope):
    """Its labels were forgotten with the configuration: a pause by label let its retirements go on."""
    harness, engine = replaced(labels=BERLIN.labels)
    pause(harness, 20 * DAY, scope)
    harness.target = left_over(harness.state, {})
    assert harness.settle(engine, 19 * DAY).hold.reason is HoldReason.PAUSED
    assert not harness.state.ledger[0].cut_off
    harness.settle(engine, 10 * DAY)
    assert harness.state.ledger == ()


@pytest.mark.parametrize("configured", [True, False], ids=["its policy is configured", "its policy is gone"])
def test_a_blackout_of_its_policy_holds_what_a_removed_target_left_behind(configured):
    """It was forgotten with the target: what had been replaced was disabled amid a change freeze."""
    harness, engine = replaced()
    now = harness.clock.now()
    policy = replace(harness.target.policy, blackouts=(Blackout(now, now + 20 * DAY, "end of the year"),))
    harness.target = left_over(harness.state, {policy.name: policy} if configured else {})
    harness.settle(engine, 19 * DAY)
    assert bool(harness.state.ledger) is configured
    harness.settle(engine, 10 * DAY)
    assert harness.state.ledger == ()


def replaced(**changes: Any) -> tuple[EngineHarness, Engine]:
    """One target that has just been rotated for the second time: the first credential is in its overlap."""
    harness, engine = running()
    harness.target = replace(harness.target, **changes)
    harness.request(engine)
    harness.until_rotated(engine)
    return harness, engine
