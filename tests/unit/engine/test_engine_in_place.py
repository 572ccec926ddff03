"""`in-place` without an outage: a log-in settles what an answer left open, and what is not accepted is put back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import simulated_accounts
from engine_harness import DAY, IN_PLACE, REPLACE, EngineHarness
from simulated_accounts import SETUPS, RequestFault, SimulatedHarness

from rotator.core.actions import Step
from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.forecast import forecast
from rotator.core.holding import HoldReason
from rotator.core.ledger import LATE_COMMIT
from rotator.core.model import Credential, Ending, Phase, Proof, Purpose, Target
from rotator.core.secret import Secret
from rotator.engine import Engine, Outcome
from rotator.fields.network import HostPort
from rotator.testing import CHOSEN, FakeFault

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
VOBIZ = SETUPS[2]
REFUSED, LOST, LATE, AWAY = FakeFault.REFUSED, FakeFault.LOST_BEFORE, FakeFault.LOST_AFTER, FakeFault.UNREACHABLE


def rotated(**changes: Any) -> tuple[EngineHarness, Engine]:
    """A target whose password was made by us, and is known therefore."""
    world = EngineHarness(replace(IN_PLACE, **changes))
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    assert world.published_works
    world.audit.records.clear()
    return world, engine


def outage(world: EngineHarness, engine: Engine, span: timedelta) -> timedelta:
    """How long in all devices that read Vault are refused, by looking every five seconds as a scheduler might."""
    step, out = timedelta(seconds=5), timedelta()
    following = world.clock.now()
    for _ in range(span // step):
        if world.clock.now() >= following:
            following = engine.look(world.target).next_look or world.clock.now() + MINUTE
        out += timedelta() if world.published_works else step
        world.clock.advance(step)
    return out


# Found on c0c64fa with the real adapter: devices out for three days, and for the day of a Retry-After


def without_registrar(world: SimulatedHarness) -> None:
    """The registrar's address is wrong, or a firewall is in the way: nothing answers there."""
    world.provider.options = world.provider.options.model_copy(update={"registrar": HostPort("127.0.0.1", 1)})


def test_a_password_that_cannot_be_proved_is_put_back_when_the_window_ends():
    world = SimulatedHarness(VOBIZ)
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, MINUTE)
    assert world.published_works
    without_registrar(world)
    engine = world.engine()
    world.request(engine, compromised=False)
    assert outage(world, engine, 10 * MINUTE) <= world.provider.capabilities.propagation + timedelta(seconds=15)
    assert world.published_works
    assert world.state.attempt is None


def test_a_wait_that_the_provider_asks_for_keeps_nobody_out(monkeypatch):
    monkeypatch.setitem(simulated_accounts._STATUS, RequestFault.ERROR_AFTER, (503, {"Retry-After": "86400"}))
    world = SimulatedHarness(VOBIZ)
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, MINUTE)
    world.request(engine)
    world.provider.transport.plan = lambda request: RequestFault.ERROR_AFTER if request.method == "PUT" else None
    assert outage(world, engine, 10 * MINUTE) <= 3 * MINUTE
    assert world.published_works
    assert world.state.counts.succeeded == 2  # the answer never came, and a log-in showed that it was carried out


# Settling


def test_a_call_that_was_carried_out_is_not_sent_again_once_a_log_in_shows_it():
    world, engine = rotated()
    world.provider.faults["set_password"] = [LATE]
    world.request(engine)
    engine.look(world.target)
    assert not world.published_works
    world.until_rotated(engine)
    assert world.provider.calls.count("set_password") == 2  # the first rotation's and this one's
    assert world.audit.verbs("office") == ["request_rotation", "stage", "set_password", "prove", "publish", "close"]
    assert world.published_works


def test_an_old_password_that_is_accepted_long_after_the_call_shows_that_it_was_not_carried_out():
    world, engine = rotated()
    world.provider.faults["set_password"] = [LOST, REFUSED]
    world.request(engine)
    engine.look(world.target)
    world.clock.advance(MINUTE)
    look = engine.look(world.target)
    # Refused, after nothing was in doubt any more: it is discarded at once, and nothing needs to be put back.
    assert look.steps == (Step.TAKE_CLAIM, Step.SETTLE, Step.APPLY, Step.ABANDON)
    assert world.published_works
    (kept,) = world.state.ledger  # the lost call may yet be carried out
    assert (kept.ending, kept.quarantine) == (Ending.FORGET, LATE_COMMIT)


def test_within_the_propagation_window_an_old_password_shows_nothing():
    """The registrar may still let devices in with it although the call was carried out."""
    world, engine = rotated()
    world.limits = replace(world.limits, backoff=replace(world.limits.backoff, base=timedelta(seconds=2)))
    engine = world.engine()
    world.provider.faults["set_password"] = [LOST, REFUSED]
    world.request(engine)
    engine.look(world.target)
    world.clock.advance(timedelta(seconds=3))
    look = engine.look(world.target)
    assert Step.RESTORE in look.steps
    assert world.published_works


def test_what_no_log_in_settles_is_sent_again_once_in_a_look():
    world, engine = rotated()
    world.provider.faults["set_password"] = [LATE, LOST]
    world.provider.slow_to_accept = 4
    world.request(engine)
    engine.look(world.target)
    world.clock.advance(MINUTE)
    assert engine.look(world.target).steps == (Step.TAKE_CLAIM, Step.SETTLE, Step.APPLY)
    world.clock.advance(MINUTE)
    assert Step.CLOSE in engine.look(world.target).steps
    assert world.published_works


def test_a_listing_instead_of_a_log_in_settles_nothing(monkeypatch):
    """A gateway that asks nobody for a password once had a password published that was never set."""
    world, engine = rotated()
    world.provider.faults["set_password"] = [LOST]
    world.request(engine)
    engine.look(world.target)
    monkeypatch.setattr(world.provider, "prove", lambda _: Done(Proof("listed and enabled", tries_password=False)))
    world.clock.advance(MINUTE)
    assert engine.look(world.target).steps == (Step.TAKE_CLAIM, Step.SETTLE, Step.RESTORE, Step.ABANDON)
    assert world.published_works


def test_what_a_process_that_died_had_sent_is_settled_by_the_next_one():
    world, engine = rotated()
    world.request(engine)
    points = world.cut_at(0)
    engine.look(world.target)
    number = points.passed.index("after set_password") + 1
    world, engine = rotated()
    world.request(engine)
    world.cut_at(number)
    assert world.crash(lambda: engine.look(world.target)) == "after set_password"
    world.cut_at(0)
    world.clock.advance(world.limits.claim + MINUTE)
    sent = world.provider.calls.count("set_password")
    world.until_rotated(world.engine())
    assert world.provider.calls.count("set_password") == sent
    assert world.published_works


def test_an_open_circuit_holds_no_log_in_up_and_no_publishing():
    world, engine = rotated()
    world.provider.faults["set_password"] = [LATE]
    world.limits = replace(world.limits, circuit_failures=1, circuit_open_for=20 * MINUTE)
    engine = world.engine()
    world.request(engine)
    engine.look(world.target)
    assert engine.throttles.open_circuits() == ("fake",)
    world.clock.advance(MINUTE)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.published_works


# Putting back


def unaccepted(world: EngineHarness, engine: Engine, *, asked: bool = False) -> None:
    """Asks for a rotation whose password cannot be proved, or is not accepted although the registrar can be asked."""
    world.provider.faults["prove"] = [] if asked else [AWAY] * 50
    world.provider.slow_to_accept = 50 if asked else 0
    world.request(engine)
    for _ in range(20):
        engine.look(world.target)
        if world.state.attempt is None:
            break
        world.clock.advance(timedelta(seconds=5))


def test_a_request_whose_password_was_put_back_is_not_carried_out_again_and_again():
    world, engine = rotated()
    unaccepted(world, engine)
    assert world.state.request is None
    sent = world.provider.calls.count("set_password")
    world.settle(engine, 3 * DAY)
    assert world.provider.calls.count("set_password") == sent
    assert world.published_works


def test_what_is_put_back_waits_long_before_the_next_try_and_an_operator_does_not():
    world, engine = rotated()
    unaccepted(world, engine)
    assert world.audit.verbs("office")[-2:] == ["restore", "abandon"]
    assert world.published_works
    state = world.state
    assert state.not_before - world.clock.now() >= 6 * HOUR
    assert "the old password was put back" in state.last_error
    world.provider.faults.clear()
    sent = world.provider.calls.count("set_password")
    world.settle(engine, 5 * HOUR)
    assert world.provider.calls.count("set_password") == sent
    world.request(engine)
    assert engine.look(world.target).outcome is Outcome.ROTATED


def test_a_password_that_may_not_be_published_is_put_back():
    """The right to publish was lost after the password had been set: devices were out until somebody gave it back."""
    world, engine = rotated()
    world.settle(engine, HOUR)
    sets = world.provider.set_password

    def lose_the_right(credential: Credential) -> Answer[Credential]:
        world.store.unpublishable.add(world.target.path)
        return sets(credential)

    world.provider.set_password = lose_the_right
    world.request(engine)
    assert outage(world, engine, HOUR) <= timedelta(seconds=5)
    assert world.state.attempt is None
    world.store.unpublishable.clear()
    world.provider.set_password = sets
    world.request(engine)
    world.until_rotated(engine)
    assert world.published_works


def test_a_password_that_cannot_be_published_over_somebody_elses_document_is_put_back():
    """A person changed the document in between: devices that had read it before were out until somebody came."""
    world, engine = rotated()
    world.settle(engine, HOUR)
    old, proves = world.state.published, world.provider.prove

    def prove(credential: Credential) -> Answer[Proof]:
        if world.state.attempt is not None:
            world.store.tamper(world.target.path, "somebody")
        return proves(credential)

    world.provider.prove = prove
    world.request(engine)
    look = engine.look(world.target)
    assert world.provider.accepts(old.username, old.password)
    assert len(look.steps) <= 12
    assert world.settle(engine, DAY).hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert world.state.attempt is None
    world.provider.prove = proves
    world.request(engine, take_over=True)
    world.until_rotated(engine)
    assert world.published_works


def test_a_put_back_that_fails_is_tried_again_soon():
    world, engine = rotated()
    world.provider.faults["set_password"] = [None, LOST, AWAY, LOST]
    unaccepted(world, engine)
    assert outage(world, engine, 10 * MINUTE) < 6 * MINUTE
    assert world.published_works
    assert world.state.attempt is None


def test_an_old_password_that_the_provider_does_not_take_back_leaves_the_new_one_in_force():
    world, engine = rotated()
    world.provider.faults["set_password"] = [None, *[REFUSED] * 9]
    unaccepted(world, engine)
    assert world.state.attempt is not None
    assert not world.state.attempt.put_back
    world.provider.faults.clear()
    world.until_rotated(engine)
    assert world.published_works
    assert world.state.counts.succeeded == 2


def test_what_somebody_may_know_is_not_put_back():
    world, engine = rotated()
    world.provider.faults["prove"] = [AWAY] * 10
    world.request(engine, compromised=True)
    world.settle(engine, 10 * MINUTE)
    assert "restore" not in world.audit.verbs("office")
    world.until_rotated(engine)
    assert world.published_works


def test_an_emergency_that_joins_while_the_old_password_is_put_back_stops_that():
    world, engine = rotated()
    world.provider.faults["set_password"] = [None, *[LOST] * 3]
    unaccepted(world, engine)
    assert world.state.attempt is not None
    assert world.state.attempt.put_back
    restored = world.audit.verbs("office").count("restore")
    world.provider.faults.clear()
    world.request(engine, compromised=True)
    world.until_rotated(engine)
    assert world.audit.verbs("office").count("restore") == restored
    assert world.published_works


def test_an_unknown_old_password_cannot_be_put_back_and_the_same_is_sent_again():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.provider.faults["prove"] = [AWAY] * 8
    engine = world.engine()
    world.until_rotated(engine)
    assert "restore" not in world.audit.verbs("office")
    assert len({record.facts["attempt"] for record in world.audit.records if "attempt" in record.facts}) == 1


def test_an_undo_that_is_not_accepted_leaves_what_was_published():
    world, engine = rotated()
    world.request(engine)
    engine.look(world.target)
    second = world.consumer
    world.provider.faults["prove"] = [AWAY] * 50
    world.request(engine, Purpose.UNDO)
    for _ in range(20):
        engine.look(world.target)
        world.clock.advance(timedelta(seconds=5))
    assert world.consumer == second
    assert world.published_works
    assert world.state.attempt is None


@pytest.mark.parametrize("faults", [[LATE] * 4, [LATE, AWAY]])
def test_a_call_without_an_answer_and_a_registrar_that_is_away_end_in_the_old_password(faults):
    world, engine = rotated()
    world.provider.faults["set_password"] = list(faults)
    world.provider.faults["prove"] = [AWAY] * 99
    world.request(engine)
    assert outage(world, engine, 15 * MINUTE) < 5 * MINUTE
    assert world.published_works
    assert world.state.attempt is None


def test_a_fleet_waits_for_the_first_that_is_accepted():
    """Beyond what the limit allows nobody is cut off, and who was put back may be the first to try again."""
    world, engine = rotated()
    world.limits = replace(world.limits, circuit_failures=1)
    engine = world.engine()
    unaccepted(world, engine, asked=True)
    world.clock.advance(7 * HOUR)
    other = replace(world.target, name="lobby", usernames=("lobby",), path="sip/lobby")
    world.provider.add("lobby")
    assert engine.look(other).hold.reason is HoldReason.UNPROVED
    world.provider.slow_to_accept = 0
    world.request(engine)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert engine.look(other).outcome is Outcome.ROTATED


def test_a_registrar_that_could_not_be_asked_says_nothing_about_the_account():
    world, engine = rotated()
    world.limits = replace(world.limits, circuit_failures=1)
    engine = world.engine()
    unaccepted(world, engine)
    world.provider.faults.clear()
    world.provider.add("lobby")
    other = replace(world.target, name="lobby", usernames=("lobby",), path="sip/lobby")
    assert engine.look(other).outcome is Outcome.ROTATED


def test_a_look_after_the_window_proves_before_it_gives_up():
    world, engine = rotated()
    world.provider.slow_to_accept = 1
    world.request(engine)
    engine.look(world.target)
    assert world.state.attempt.phase is Phase.APPLIED
    world.clock.advance(3 * DAY)
    assert engine.look(world.target).outcome is Outcome.ROTATED


# A proof that has aged while nobody can be asked


def proved_long_ago(target: Target, proof: Proof = CHOSEN.proof) -> tuple[EngineHarness, Engine]:
    """The process was stopped between proving and publishing, and the next one starts an hour later."""
    world = EngineHarness(target, replace(CHOSEN, proof=proof))
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)

    def stop(label: str) -> None:
        if label == "after prove":
            world.stopping = True

    world.cut_at(0, stop)
    assert engine.look(world.target).outcome is Outcome.STOPPED
    world.cut_at(0)
    world.stopping = False
    assert world.state.attempt.phase is Phase.PROVED
    world.clock.advance(HOUR)
    return world, world.engine()


READ_BACK = Proof("read-back", tries_password=False)


@pytest.mark.parametrize("proof", [CHOSEN.proof, READ_BACK])
def test_what_was_proved_is_published_although_nobody_can_be_asked_again(proof):
    """Devices are out, and the old password is certainly not in force."""
    world, engine = proved_long_ago(IN_PLACE, proof)
    world.provider.dead = True
    assert outage(world, engine, 10 * MINUTE) <= CHOSEN.propagation + timedelta(seconds=15)
    assert world.state.attempt is None
    assert "could not be proved again" in world.audit.records[-2].facts["detail"]
    assert world.state.verification.at < world.clock.now() - HOUR  # nothing rests on it before it is made again


def test_what_is_refused_when_it_is_proved_again_is_not_published():
    world, engine = proved_long_ago(IN_PLACE)
    world.provider.faults["prove"] = [AWAY]
    for stored in world.provider.credentials.values():
        stored.password = Secret("set by hand")
    assert outage(world, engine, 10 * MINUTE) <= CHOSEN.propagation + timedelta(seconds=15)
    assert world.published_works


def test_with_replace_an_aged_proof_is_made_again_for_as_long_as_it_takes():
    world, engine = proved_long_ago(REPLACE)
    world.provider.dead = True
    before = world.consumer
    world.settle(engine, DAY)
    assert world.consumer == before
    assert world.state.attempt.phase is Phase.PROVED


# Preflight: what cannot be proved now could not be proved after the change either


def aged(**changes: Any) -> tuple[EngineHarness, Engine]:
    """A target whose last proof is a day old."""
    world, engine = rotated(**changes)
    world.settle(engine, DAY)
    world.provider.calls.clear()
    return world, engine


def test_without_a_registrar_nothing_is_touched_for_as_long_as_it_takes():
    """Reproduced on c0c64fa: the published password was not accepted three days later."""
    world = SimulatedHarness(VOBIZ)
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, DAY)
    without_registrar(world)
    engine = world.engine()
    world.request(engine)
    sent = len(world.audit.records)
    for _ in range(3 * 24):
        look = engine.look(world.target)
        assert look.hold.reason is HoldReason.LEFT_ALONE
        assert world.published_works
        world.clock.advance(HOUR)
    (told,) = world.audit.records[sent:]  # once, and not at each of the tries
    assert (told.verb, told.outcome) == (AuditVerb.VERIFY, AuditOutcome.RETRY)
    assert "registrar" in told.facts["detail"]
    assert "keeps its password" in look.message
    assert world.state.request is not None


def test_the_present_password_is_proved_before_it_is_replaced_and_then_no_more():
    world, engine = aged()
    world.request(engine)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.provider.calls == ["prove", "set_password", "prove"]


def test_what_cannot_be_proved_is_asked_about_again_and_rotated_when_it_can():
    world, engine = aged()
    world.provider.faults["prove"] = [AWAY] * 3
    world.request(engine)
    tries = []
    for _ in range(4):
        look = engine.look(world.target)
        tries.append(look.hold.reason)
        world.clock.advance(look.next_look - world.clock.now() + timedelta(seconds=1))
    assert tries[:3] == [HoldReason.LEFT_ALONE] * 3
    assert world.published_works
    assert world.state.counts.succeeded == 2
    assert world.state.counts.failed == 0


def test_an_emergency_does_not_wait_for_a_proof_that_cannot_be_made():
    world, engine = aged()
    world.provider.faults["prove"] = [AWAY]
    world.request(engine, compromised=True)
    assert engine.look(world.target).outcome is Outcome.ROTATED


def test_a_refused_password_waits_for_whoever_asks_and_not_for_the_schedule():
    world, engine = aged()
    world.provider.credentials["id-1"].password = Secret("set by hand")
    world.request(engine)
    assert engine.look(world.target).hold.reason is HoldReason.PUBLISHED_REFUSED  # one proof may have met a change
    assert world.provider.calls == ["prove"]
    world.settle(engine, timedelta(minutes=3))
    assert world.published_works
    assert world.state.counts.succeeded == 2


def test_a_password_that_nobody_knows_cannot_be_proved_and_is_replaced():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    assert "its present password is unknown" in " ".join(forecast(world.engine().facts(world.target)).notes)
    assert world.engine().look(world.target).outcome is Outcome.ROTATED
    assert world.provider.calls == ["find", "set_password", "prove"]
    assert "its present password is unknown" not in " ".join(forecast(world.engine().facts(world.target)).notes)


def test_a_read_back_proves_nothing_beforehand():
    world = EngineHarness(IN_PLACE, replace(CHOSEN, proof=Proof("the listing", tries_password=False)))
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, DAY)
    world.provider.calls.clear()
    world.request(engine)
    engine.look(world.target)
    assert world.provider.calls == ["set_password", "prove"]


def test_an_unknown_password_stays_where_a_proof_would_not_try_the_next_one():
    """It could not be put back: a registrar that cannot be asked had devices out until somebody mended it."""
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.provider.asks = Retry(Wait.UNREACHABLE, "the SIP registrar would prove nothing")
    engine = world.engine()
    world.settle(engine, HOUR)
    assert "set_password" not in world.provider.calls
    assert world.state.attempt is None
    assert "office keeps its password" in world.state.last_error
    world.provider.asks = Done(None)
    world.until_rotated(engine)
    assert world.published_works
    world.provider.asks = Retry(Wait.UNREACHABLE, "asked once")  # the password is known now, and can be put back
    world.request(engine)
    world.until_rotated(engine)


def test_an_emergency_replaces_an_unknown_password_all_the_same():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.provider.asks = Retry(Wait.UNREACHABLE, "the SIP registrar would prove nothing")
    engine = world.engine()
    world.request(engine, compromised=True)
    world.until_rotated(engine)
    assert world.published_works


def test_in_an_emergency_nobody_who_cannot_be_asked_keeps_devices_out():
    """Nothing is put back then, and what was set was not published: devices were out until somebody could be asked."""
    world, engine = rotated()
    old = world.consumer
    world.provider.faults["prove"] = [AWAY] * 500
    world.request(engine, compromised=True)
    assert outage(world, engine, HOUR) <= 2 * MINUTE
    assert world.consumer.password != old.password
    assert world.published_works
    assert "nobody could be asked" in str([each.facts for each in world.audit.records if each.verb is AuditVerb.CLOSE])
