"""What is only noted until the next write: it rides along, is put on record when a look ends, and may be lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.attempts import is_published
from rotator.core.holding import HoldReason
from rotator.core.model import Claim, Phase, Purpose, Target, TargetState
from rotator.engine import Look, Outcome
from rotator.engine.memory import Memory
from rotator.engine.session import Session
from rotator.ports import Conflict
from rotator.testing import CHOSEN, GENERATED, Crash, FakeFault

HOUR = timedelta(hours=1)
SETUPS = {
    "replace": (REPLACE, CHOSEN),
    "alternating": (ALTERNATING, CHOSEN),
    "in-place": (IN_PLACE, CHOSEN),
    "generated": (replace(REPLACE, usernames=()), GENERATED),
}


def rotated(setup: str = "replace") -> EngineHarness:
    """A target that has rotated twice, so that a ledger entry may be left."""
    target, capabilities = SETUPS[setup]
    world = EngineHarness(target, capabilities)
    if setup == "in-place":
        world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.clock.advance(91 * DAY)
    engine.look(world.target)
    return world


def at(world: EngineHarness, label: str, act: Callable[[], object]) -> None:
    """Does something at the first boundary of this name."""
    done: list[str] = []

    def watch(passed: str) -> None:
        if passed == label and not done:
            done.append(passed)
            act()

    world.cut_at(0, watch)


def cut_after_publishing(world: EngineHarness) -> None:
    """A process dies after it has written the consumer document."""

    def die(passed: str) -> None:
        if passed == "after write consumer":
            raise Crash(passed)

    world.cut_at(0, die)
    assert world.crash(lambda: world.engine().look(world.target)) == "after write consumer"
    world.cut_at(0)


def taken_over(world: EngineHarness) -> Look:
    """Another process looks, once the claim that it found has ended."""
    engine = world.engine()
    assert engine.look(world.target).hold.reason is HoldReason.CLAIMED
    world.clock.advance(world.limits.claim)
    return engine.look(world.target)


@pytest.mark.parametrize("setup", SETUPS)
def test_a_rotation_writes_its_state_twice_and_the_document_once(setup):
    world = rotated(setup)
    world.settle(world.engine(), 20 * DAY)
    world.clock.advance(91 * DAY)
    points = world.cut_at(0)
    assert world.engine().look(world.target, fresh=False).outcome is Outcome.ROTATED
    writes = [label for label in points.passed if label.startswith("after write")]
    told = ["after write state", "after write state"] if setup == "generated" else []  # the end of the old one
    assert writes == ["after write state", "after write consumer", *(told or ["after write state"])]


@pytest.mark.parametrize("setup", SETUPS)
def test_after_a_crash_that_published_the_attempt_closes_without_a_call(setup):
    world = rotated(setup)
    world.settle(world.engine(), 20 * DAY)
    world.clock.advance(91 * DAY)
    cut_after_publishing(world)
    staged, published = world.state.attempt.staged, world.consumer
    assert world.state.attempt.phase is Phase.STAGED
    assert world.state.claim is not None
    world.provider.calls.clear()
    world.provider.dead = True
    look = taken_over(world)
    assert look.outcome is Outcome.ROTATED
    assert world.state.attempt is None
    assert not {"create", "set_password", "complete", "enable"} & set(world.provider.calls)
    now = world.state.published
    assert (now.username, now.password, now.id) == (published.username, published.password, published.credential_id)
    assert now.attempt == staged.attempt
    assert now.made_at is not None
    assert world.state.verification is None  # nothing rests on a proof of which nothing is known
    world.provider.dead = False
    world.settle(world.engine(), 20 * DAY)
    assert world.published_works
    assert world.state.ledger == ()


def test_an_undo_that_was_published_is_enabled_again_before_it_closes():
    """Its document has an older attempt's id, which somebody may have put back by hand."""
    world = rotated()
    world.request(world.engine(), Purpose.UNDO)
    cut_after_publishing(world)
    assert not is_published(world.state.attempt, world.consumer)
    world.provider.calls.clear()
    assert taken_over(world).outcome is Outcome.UNDONE
    assert world.provider.calls[:2] == ["enable", "prove"]


def test_a_document_of_the_attempt_that_somebody_edited_is_somebody_elses():
    world = rotated()
    world.settle(world.engine(), 20 * DAY)
    world.clock.advance(91 * DAY)
    cut_after_publishing(world)
    world.store.tamper(world.target.path, "byhand")
    look = taken_over(world)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert look.state.attempt is not None


def test_what_was_noted_is_written_when_a_look_ends():
    world = rotated()
    world.clock.advance(91 * DAY)
    world.provider.slow_to_accept = 3
    look = world.engine().look(world.target)
    assert look.hold.reason is HoldReason.PROPAGATING
    assert (world.state.attempt.phase, world.state.claim) == (Phase.APPLIED, None)
    assert world.state.attempt.staged.id is not None


def test_a_proof_by_itself_is_written_once():
    world = rotated()
    world.settle(world.engine(), 20 * DAY)
    version = world.store.states["office"].version
    engine = world.engine()
    answer, state = engine.verify(world.target)
    assert world.store.states["office"].version == version + 1
    assert world.state.verification == state.verification
    assert answer is not None


def test_an_end_that_a_lost_call_may_have_told_is_taken_back():
    world = EngineHarness(*SETUPS["generated"])
    engine = world.engine()
    engine.look(world.target)
    world.provider.faults["expire"] = [FakeFault.LOST_AFTER] * 100
    world.clock.advance(91 * DAY)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    (entry,) = world.state.ledger
    assert (entry.expires_at, entry.uncertain) == (None, True)
    world.store.roll_back(world.target.path)  # devices read the replaced one again
    world.settle(engine, 2 * HOUR)
    assert "lift_end" in world.audit.verbs("office")
    assert [stored.expires_at for stored in world.provider.credentials.values()] == [None, None]
    (entry,) = world.state.ledger
    assert not entry.uncertain


def test_another_write_in_the_middle_costs_a_proof_and_loses_nothing():
    """A command asks for something while the new password is being proved: what was noted is gone with the conflict."""
    for setup in SETUPS:
        world = rotated(setup)
        world.clock.advance(91 * DAY)
        other = world.engine()
        at(world, "before prove", lambda: world.request(other, Purpose.ROTATE))  # noqa: B023
        world.engine().look(world.target)
        world.cut_at(0)
        world.settle(world.engine(), 20 * DAY)
        assert world.state.attempt is None, setup
        assert world.state.ledger == (), setup
        assert world.published_works, setup
        assert sum(stored.enabled for stored in world.provider.credentials.values()) == 1, setup


def test_a_document_that_was_written_meanwhile_leaves_on_record_what_was_proved():
    world = rotated()
    world.clock.advance(91 * DAY)
    at(world, "before write consumer", lambda: world.store.tamper(world.target.path, "byhand"))
    look = world.engine().look(world.target)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert world.state.attempt.phase is Phase.PROVED
    assert world.provider.calls.count("create") == 3
    assert "find" not in world.provider.calls[world.provider.calls.index("create") + 1 :][-3:]


class NotingSession:
    """A session under a claim, on a store that somebody else may write."""

    def __init__(self, target: Target = REPLACE) -> None:
        self.world = EngineHarness(target)
        self.observed: list[TargetState] = []
        self.session = Session(
            target,
            self.world.store,
            self.world.clock,
            "me",
            self.world.limits.claim,
            lambda _, state: self.observed.append(state),
            Memory(),
        )
        self.session.write_claimed(TargetState(target.name))

    @property
    def version(self) -> int:
        return self.world.store.states["office"].version


def test_a_note_is_written_by_the_renewal_of_the_claim():
    bench = NotingSession()
    bench.session.note(replace(bench.session.state, last_error="noted"))
    assert (bench.version, bench.session.has_unwritten) == (1, True)
    assert bench.observed[-1].last_error == "noted"
    with bench.session.renewing():
        bench.world.clock.advance(bench.world.limits.claim / 2)
    assert (bench.version, bench.session.has_unwritten) == (2, False)
    assert bench.world.state.last_error == "noted"
    bench.session.flush()
    assert bench.version == 2


def test_a_note_keeps_the_claim_that_was_renewed_meanwhile():
    bench = NotingSession()
    before = bench.session.state
    with bench.session.renewing():
        bench.world.clock.advance(bench.world.limits.claim / 2)
    renewed = bench.session.state.claim
    bench.session.note(replace(before, last_error="noted"))
    assert bench.session.state.claim == renewed != before.claim


def test_a_claim_that_somebody_else_wrote_over_is_lost_at_its_renewal():
    bench = NotingSession()
    theirs = replace(bench.session.state, claim=Claim("other", bench.world.clock.now()))
    with bench.session.renewing():
        bench.world.store.write_state(theirs, 1)
        bench.world.clock.advance(bench.world.limits.claim / 2)
    assert not bench.session.holds_claim
    with pytest.raises(Conflict):
        bench.session.write(bench.session.state)


def test_forgetting_needs_no_claim():
    world = rotated("in-place")
    world.clock.advance(10 * DAY)
    look = world.engine().look(world.target)
    assert look.steps == (Step.FORGET,)
