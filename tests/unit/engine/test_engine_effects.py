"""Each answer of a provider, and what the state document says after it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, IN_PLACE, EngineHarness

from rotator.core.answers import Answer, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Attempt, Claim, Phase
from rotator.engine.claims import Claims
from rotator.testing import GENERATED, FakeClock, FakeFault

MINUTE = timedelta(minutes=1)


def after(method: str, answer: Answer, world: EngineHarness) -> Attempt | None:
    """The attempt after a look in which the provider gives `answer` to every call of `method`."""
    setattr(world.provider, method, lambda *_: answer)
    world.engine().look(world.target)
    return world.state.attempt


@pytest.mark.parametrize(
    ("answer", "uncertain"),
    [
        (Unknown("timeout"), True),
        (Retry(Wait.PARTIAL, "in one environment of two"), True),
        (Retry(Wait.UNREACHABLE, "no connection"), False),
        (Refused(Refusal.PERMISSION, "the project cannot be seen"), False),
    ],
)
def test_only_what_may_have_been_carried_out_leaves_the_attempt_uncertain(answer, uncertain):
    world = EngineHarness()
    attempt = after("create", answer, world)
    assert (attempt.phase, attempt.uncertain, attempt.refused) == (Phase.STAGED, uncertain, False)
    assert (world.state.failures, world.state.last_error) == (1, answer.message)


def test_a_username_that_is_taken_refuses_a_create_unless_our_own_may_have_taken_it():
    taken = Refused(Refusal.DUPLICATE, "the username is taken")
    world = EngineHarness()
    assert after("create", taken, world) is None
    world = EngineHarness()
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE]
    world.engine().look(world.target)
    world.clock.advance(MINUTE)
    attempt = after("create", taken, world)
    assert (attempt.uncertain, attempt.refused, world.state.failures) == (True, False, 2)


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (Unknown("timeout"), 1),
        (Retry(Wait.RATE_LIMITED, "429"), 1),
        (Refused(Refusal.AUTHENTICATION, "the API key was refused"), 1),
        (Refused(Refusal.OTHER, "not accepted"), 0),
        (Retry(Wait.NOT_YET, "not accepted yet"), 0),
    ],
)
def test_a_proof_that_could_not_be_tried_is_a_failure_and_one_that_comes_too_early_is_none(answer, failures):
    world = EngineHarness()
    attempt = after("prove", answer, world)
    assert (attempt.phase, attempt.uncertain, world.state.failures) == (Phase.APPLIED, False, failures)


def test_a_restore_that_finds_nothing_to_restore_is_done():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.engine().look(world.target)
    world.provider.faults["set_password"] = [FakeFault.LOST_BEFORE, FakeFault.REFUSED]
    world.request(world.engine())
    world.engine().look(world.target)
    world.clock.advance(MINUTE)
    world.cut_at(0, lambda label: world.provider.credentials.clear() if label == "after set_password" else None)
    world.engine().look(world.target)
    assert world.state.attempt is None


def test_only_an_uncertain_create_at_a_provider_that_generates_is_searched_for_strays():
    world = EngineHarness(ALTERNATING)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    world.until_rotated(world.engine())
    assert not any(entry.credential.username == "" for entry in world.state.ledger)


def test_a_claim_is_respected_for_its_whole_length_from_when_it_was_seen_and_again_when_it_is_renewed():
    clock = FakeClock()
    claims = Claims(clock, "me", MINUTE)
    claim = Claim("other", clock.now())
    assert claims.remaining("phone", claim) == MINUTE
    clock.advance(MINUTE / 4)
    assert claims.remaining("phone", claim) == MINUTE * 3 / 4
    assert claims.remaining("office", claim) == MINUTE
    renewed = replace(claim, until=clock.now())
    assert claims.remaining("phone", renewed) == MINUTE
    clock.advance(2 * MINUTE)
    assert claims.remaining("phone", renewed) == timedelta()
    assert claims.remaining("phone", Claim("me", clock.now())) == timedelta()
    assert claims.remaining("phone", None) == timedelta()
    assert claims.remaining("phone", renewed) == MINUTE


def test_the_claim_of_a_process_that_is_known_to_be_dead_lasts_longer_than_a_renewal_takes_and_no_more():
    clock = FakeClock()
    claims = Claims(clock, "me", MINUTE, {"dead"}.__contains__)
    claim = Claim("dead", clock.now())
    assert claims.remaining("phone", claim) == 0.45 * MINUTE
    clock.advance(0.45 * MINUTE)
    assert claims.remaining("phone", claim) == timedelta()
    assert claims.remaining("phone", replace(claim, until=clock.now())) == 0.45 * MINUTE, "it was renewed all the same"
    assert claims.remaining("phone", Claim("other", clock.now())) == MINUTE


@pytest.mark.parametrize("capabilities", [GENERATED, replace(GENERATED, expires=False)])
def test_a_replaced_credential_that_somebody_deleted_leaves_the_ledger_and_is_not_counted(capabilities):
    world = EngineHarness(capabilities=capabilities)
    engine = world.engine()
    engine.look(world.target)
    old = world.consumer.credential_id
    world.request(engine)
    world.cut_at(0, lambda label: world.provider.credentials.pop(old, None) if label == "after prove" else None)
    engine.look(world.target)
    world.settle(engine, timedelta(days=2))
    assert world.state.ledger == ()
    assert world.state.counts.deleted == 0
