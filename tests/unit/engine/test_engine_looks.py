"""One look: what it answers, when to look again, and what happens if somebody else writes first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY, IN_PLACE, EngineHarness
from few_targets import fleet_documents

from rotator.core.actions import Step
from rotator.core.answers import Answer
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Claim, Credential, Phase, Purpose, Request, TargetState
from rotator.engine import Engine, Look, Outcome
from rotator.ports import Conflict, StoreCorrupt, StoreUnavailable, Versioned
from rotator.testing import Crash, FakeFault

MINUTE = timedelta(minutes=1)


def refuse_writes(world: EngineHarness, number: int) -> list[Exception]:
    """The next writes of the state document meet a conflict; returns those that are still to come."""
    original = world.store.write_state
    errors = [Conflict("stale") for _ in range(number)]

    def write(state, version) -> int:
        if errors:
            raise errors.pop()
        return original(state, version)

    world.store.write_state = write
    return errors


def rotated() -> tuple[EngineHarness, Engine]:
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    return world, engine


# What a look answers


def test_a_rotation_answers_with_its_steps_in_order_and_when_to_look_again():
    world = EngineHarness()
    look = world.engine().look(world.target)
    expected = [
        Step.DRAW_DUE_TIME,
        Step.LOOK_UP,
        Step.STAGE,
        Step.APPLY,
        Step.PROVE,
        Step.PUBLISH,
        Step.CLOSE,
    ]
    hold = Hold(HoldReason.NOT_DUE, "nothing is due", world.state.next_rotation)
    assert look == Look(
        "office", Outcome.ROTATED, "nothing is due", tuple(expected), world.state, hold, hold.until, 0.0
    )


def test_an_undo_is_told_by_its_last_step():
    world, engine = rotated()
    world.request(engine)
    engine.look(world.target)
    world.request(engine, Purpose.UNDO)
    steps = (Step.STAGE, Step.APPLY, Step.PROVE, Step.PUBLISH, Step.UNDO)
    assert engine.look(world.target).steps == steps


def test_a_failure_that_opens_the_circuit_is_told_once_and_then_the_attempt_waits():
    world = EngineHarness()
    world.limits = replace(world.limits, circuit_failures=1, circuit_open_for=20 * MINUTE)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    engine = world.engine()
    for outcome in (Outcome.FAILED, Outcome.WAITING):
        look = engine.look(world.target)
        assert (look.outcome, look.hold.reason) == (outcome, HoldReason.CIRCUIT_OPEN)
    now = world.clock.now()
    assert engine.throttles.open_until(["fake"], now) == {"fake": now + 20 * MINUTE}


def test_a_look_says_how_long_it_took():
    world = EngineHarness()
    world.cut_at(0, lambda label: world.clock.advance(timedelta(seconds=2)) if label == "before create" else None)
    assert world.engine().look(world.target).seconds == 2.0


def test_a_stop_before_the_first_step_answers_so_and_is_looked_at_again_soon():
    world = EngineHarness()
    world.stopping = True
    look = world.engine().look(world.target)
    assert (look.outcome, look.message, look.steps, look.hold) == (Outcome.STOPPED, "", (), None)
    assert look.next_look == world.clock.now() + timedelta(seconds=5)
    assert look.state is not None


@pytest.mark.parametrize(
    ("error", "seconds"), [(StoreUnavailable("sealed"), 5), (Conflict("stale"), 5), (StoreCorrupt("not ours"), None)]
)
def test_a_vault_that_cannot_be_asked_answers_with_its_message_and_no_state(error, seconds):
    world = EngineHarness()
    world.store.failing = [error]
    look = world.engine().look(world.target)
    assert (look.target, look.outcome, look.message, look.state) == ("office", Outcome.VAULT, str(error), None)
    assert (look.steps, look.hold) == ((), None)
    assert look.next_look == (None if seconds is None else world.clock.now() + timedelta(seconds=seconds))


def test_a_vault_that_fails_in_the_middle_answers_with_what_was_done_before():
    world = EngineHarness()
    world.cut_at(
        0, lambda label: world.store.failing.append(StoreUnavailable("sealed")) if label == "after prove" else None
    )
    look = world.engine().look(world.target)
    assert (look.outcome, look.message, look.hold) == (Outcome.VAULT, "sealed", None)
    assert look.steps == (Step.DRAW_DUE_TIME, Step.LOOK_UP, Step.STAGE, Step.APPLY, Step.PROVE)
    assert look.state.attempt.phase is Phase.PROVED
    assert world.state.attempt.phase is Phase.STAGED  # the claim that is left says that something is not on record


def failing(verb: str, *faults: FakeFault) -> Callable[[EngineHarness], None]:
    return lambda world: world.provider.faults.update({verb: list(faults)})


def asked(purpose: Purpose = Purpose.ROTATE, **flags: bool) -> Callable[[EngineHarness], None]:
    return lambda world: world.request(world.engine(), purpose, **flags)


def later(by: timedelta) -> Callable[[EngineHarness], None]:
    return lambda world: world.clock.advance(by)


def not_accepted(world: EngineHarness) -> None:
    world.request(world.engine())
    world.provider.slow_to_accept = 1


@pytest.mark.parametrize(
    ("happens", "outcome"),
    [
        ([], Outcome.HELD),
        ([asked()], Outcome.ROTATED),
        ([asked(), failing("create", FakeFault.UNREACHABLE)], Outcome.FAILED),
        ([asked(), failing("prove", FakeFault.UNREACHABLE)], Outcome.FAILED),
        ([not_accepted], Outcome.WAITING),
        ([later(DAY)], Outcome.RETIRED),
        ([later(DAY), asked()], Outcome.ROTATED),
        ([later(9 * DAY)], Outcome.RETIRED),
        ([asked(Purpose.UNDO)], Outcome.UNDONE),
        ([asked(compromised=True)], Outcome.ROTATED),
    ],
)
def test_the_outcome_of_a_look(happens, outcome):
    world, engine = rotated()
    world.request(engine)
    engine.look(world.target)
    for event in happens:
        event(world)
    assert engine.look(world.target).outcome is outcome


def test_forgetting_an_old_password_is_a_retirement_too():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    world.clock.advance(7 * DAY)
    look = engine.look(world.target)
    assert (look.outcome, look.steps) == (Outcome.RETIRED, (Step.FORGET,))


def test_a_rotation_that_failed_before_is_rotated_in_the_end():
    world, engine = rotated()
    world.request(engine)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    assert engine.look(world.target).outcome is Outcome.FAILED
    world.clock.advance(MINUTE)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.state.claim is None


# The claim


def while_creating(world: EngineHarness, act: Callable[[], object]) -> None:
    """Before the answer to the next create, `act` happens."""
    create = world.provider.create

    def create_slowly(*arguments) -> Answer[Credential]:
        world.provider.create = create
        answer = create(*arguments)
        act()
        return answer

    world.provider.create = create_slowly


def test_a_claim_is_renewed_while_a_call_lasts_so_that_nobody_else_acts():
    world, engine = rotated()
    other = world.engine()
    world.request(engine)
    holds = []

    def last_longer_than_the_claim() -> None:
        for _ in range(31):
            world.clock.advance(timedelta(seconds=1))
            holds.append(other.look(world.target).hold.reason)

    while_creating(world, last_longer_than_the_claim)
    look = engine.look(world.target)
    assert set(holds) == {HoldReason.CLAIMED}
    assert look.outcome is Outcome.ROTATED
    assert world.audit.verbs("office").count("create") == 2  # of two rotations


def test_the_claim_of_a_process_that_died_in_a_call_ends_after_its_length():
    world, engine = rotated()
    world.request(engine)

    def die() -> None:
        raise Crash("in the middle of a call")

    while_creating(world, die)
    with pytest.raises(Crash):
        engine.look(world.target)
    other = world.engine()
    assert other.look(world.target).next_look == world.clock.now() + world.limits.claim
    world.clock.advance(world.limits.claim)
    assert other.look(world.target).outcome is Outcome.ROTATED
    assert world.published_works


def test_what_a_process_that_stood_still_for_a_claim_sends_late_is_no_second_rotation():
    world, engine = rotated()
    other = world.engine()
    world.request(engine)

    def stand_still() -> None:
        world.clock.paused = True
        other.look(world.target)
        world.clock.advance(world.limits.claim)
        assert other.look(world.target).outcome is Outcome.ROTATED
        world.clock.paused = False

    while_creating(world, stand_still)
    assert engine.look(world.target).outcome is Outcome.HELD
    assert world.state.counts.succeeded == 2
    assert world.published_works


def engine_with(world: EngineHarness, providers, observe=lambda *_: None) -> Engine:
    return Engine(
        store=world.store,
        providers=providers,
        clock=world.clock,
        randomness=world.randomness,
        audit=world.audit,
        holder="me",
        limits=world.limits,
        observe=observe,
        stopping=lambda: False,
        documents=fleet_documents(world.store, world.clock),
    )


def test_the_claims_of_others_are_timed_for_each_target_by_itself():
    world = EngineHarness()
    other = replace(world.target, name="lobby", path="sip/lobby")
    for name in ("office", "lobby"):
        world.store.states[name] = Versioned(TargetState(name, claim=Claim(f"of {name}", world.clock.now())), 1)
    engine = world.engine()
    length = world.limits.claim
    for target in (world.target, other):
        assert engine.look(target).next_look == world.clock.now() + length
    world.clock.advance(length / 4)
    for target in (world.target, other):
        assert engine.look(target).next_look == world.clock.now() + length * 3 / 4


def test_every_state_that_is_read_or_written_is_observed_with_its_target():
    world, seen = EngineHarness(), []
    engine = engine_with(world, {"fake": world.provider}, lambda target, state: seen.append((target, state)))
    engine.look(world.target)
    assert {target.name for target, _ in seen} == {"office"}
    assert seen[-1] == (world.target, world.state)
    assert engine.facts(world.target).state == world.state


# Requests


@pytest.mark.parametrize(("purpose", "verb"), [(Purpose.ROTATE, "request_rotation"), (Purpose.UNDO, "request_undo")])
def test_a_request_is_stored_returned_and_recorded(purpose, verb):
    world, engine = rotated()
    request = Request(purpose, "somebody", "because", world.clock.now(), compromised=True)
    before = len(world.audit.records)
    assert engine.request(world.target, request) == world.state
    assert world.state.request == request
    (record,) = world.audit.records[before:]
    assert (record.verb, record.target, record.outcome) == (verb, "office", "done")
    assert record.facts == {"requested_by": "somebody", "reason": "because", "compromised": True}


def test_a_request_is_written_again_after_a_conflict_over_what_was_written_meanwhile():
    world, engine = rotated()
    refuse_writes(world, 4)
    meanwhile = replace(world.state, last_error="written meanwhile")
    world.store.states["office"] = Versioned(meanwhile, world.store.states["office"].version + 1)
    started = world.clock.monotonic()
    world.request(engine)
    assert (world.state.request.reason, world.state.last_error) == ("because", "written meanwhile")
    assert world.clock.monotonic() - started == pytest.approx(4 * 0.15)


def test_a_request_that_meets_nothing_but_conflicts_fails():
    world, engine = rotated()
    left = refuse_writes(world, 6)
    before = len(world.audit.records)
    with pytest.raises(Conflict):
        world.request(engine)
    assert (len(left), len(world.audit.records)) == (1, before)


# Conflicts


@pytest.mark.parametrize(("conflicts", "outcome"), [(5, Outcome.ROTATED), (6, Outcome.CONTENDED)])
def test_after_five_conflicts_a_look_gives_way(conflicts, outcome):
    world = EngineHarness()
    left = refuse_writes(world, conflicts)
    started = world.clock.monotonic()
    look = world.engine().look(world.target)
    assert (look.outcome, left) == (outcome, [])
    assert world.clock.monotonic() - started == pytest.approx(5 * 0.15)
    if outcome is Outcome.CONTENDED:
        assert (look.message, look.hold, look.next_look) == ("", None, world.clock.now() + timedelta(seconds=5))


def test_a_conflict_while_the_claim_is_given_back_is_no_failure():
    world = EngineHarness()
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE]
    world.engine().look(world.target)
    world.clock.advance(MINUTE)
    write = world.store.write_state

    def written_meanwhile(state, version) -> int:
        if state.claim is None and state.attempt is not None and state.attempt.phase is Phase.APPLIED:
            raise Conflict("stale")
        return write(state, version)

    world.store.write_state = written_meanwhile
    world.cut_at(0, lambda label: setattr(world, "stopping", label == "after create" or world.stopping))
    look = world.engine().look(world.target)
    assert (look.outcome, look.steps[-1]) == (Outcome.STOPPED, Step.APPLY)
    assert world.state.claim.holder == "process-2"
