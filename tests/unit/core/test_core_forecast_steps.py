"""Each action that the forecast carries out on paper: what it says, and what stands afterwards."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import (
    DAY,
    ENTRY,
    HOUR,
    IN_PLACE,
    LATER,
    NEW,
    NOW,
    OLD,
    POLICY,
    REQUEST,
    TARGET,
    attempt,
    document,
    facts,
)

from rotator.core import actions as do
from rotator.core.decide import decide
from rotator.core.forecast import ForecastStep, _PaperRun
from rotator.core.forecast_events import later_events
from rotator.core.model import FormerPath, Verification
from rotator.core.removal import RemovalImpossible, check_rename
from rotator.core.schedule import SPREAD
from rotator.core.verification import after_verification_draw, is_overdue

DAILY = replace(TARGET, policy=replace(POLICY, verify=DAY))
FORMER = FormerPath("sip/former", LATER, "sip/office", failures=2, not_before=LATER, note="denied")
THERE = {"other_documents": {"sip/former": document(OLD)}}


def carried_out(action: do.Action, **changes) -> _PaperRun:
    """A run that has carried out one action."""
    run = _PaperRun(facts(**changes))
    run.carry_out(action)
    return run


def test_a_claim_needs_no_step_and_ends_the_forecast():
    run = carried_out(do.TakeClaim())
    assert (run.steps, run.waits_for) == ([], "")


def test_a_repair_is_requested():
    request = replace(REQUEST, requested_by="rotator", reason="drift: it is gone")
    run = carried_out(do.Repair(request))
    assert run.steps == [ForecastStep("request a repair of what is published", "drift: it is gone")]
    assert run.facts.state.request == request


def test_passwords_are_tried_once():
    run = carried_out(do.Settle(OLD, None), target=IN_PLACE)
    assert run.steps == [ForecastStep("try the staged and the old password of old", "which one is in force is unknown")]
    assert run.facts.unsettled


def test_what_is_published_is_proved_by_the_way_of_its_account():
    run = carried_out(do.Verify(OLD))
    proof = run.facts.capabilities["fake"].proof
    assert run.steps == [ForecastStep("prove that old is accepted", f"by {proof}")]
    assert run.facts.state.verification.proof == str(proof)


def test_the_first_verification_is_told_as_a_span():
    run = carried_out(do.DrawVerification(), target=DAILY)
    assert run.verified_from == NOW
    assert NOW + DAY - run.facts.state.verify_at < HOUR


@pytest.mark.parametrize("apart", [-40 * DAY, -timedelta(seconds=1), 40 * DAY])
def test_a_verification_is_drawn_once_whatever_the_clocks_say(apart):
    run = carried_out(do.DrawVerification(), target=DAILY, vault_now=NOW + apart)
    assert decide(run.facts) != do.DrawVerification()


def test_what_is_compromised_and_was_not_disabled_gets_a_random_password():
    run = carried_out(do.Overwrite(ENTRY), state_ledger=(ENTRY,))
    assert run.steps == [ForecastStep("give new a random password", "it was not disabled, or is still accepted")]


def test_an_attempt_that_its_target_has_outgrown_is_abandoned():
    run = carried_out(do.Abandon("office has moved"), state_attempt=attempt())
    what = "abandon the open attempt, of which nothing was carried out"
    assert run.steps == [ForecastStep(what, "office has moved")]
    assert run.facts.state.attempt is None


def test_a_rotation_is_staged_under_a_name_that_nobody_has_yet():
    run = carried_out(do.Stage(REQUEST, replace(NEW, id=None), OLD))
    assert run.facts.state.attempt.id == "(new)"


def test_a_new_path_gets_what_is_published():
    run = carried_out(do.Move(), state_path="sip/former")
    assert run.steps == [ForecastStep("publish old at sip/office as well", "its path was sip/former")]
    assert run.facts.consumer.names(OLD)
    assert not run.facts.consumer.withdrawn


def test_a_former_path_gets_it_too():
    run = carried_out(do.Republish(FORMER, NEW), state_former_paths=(FORMER,), **THERE)
    assert run.steps == [ForecastStep("publish it at sip/former as well", "devices still read there")]
    assert run.facts.document_at("sip/former").names(NEW)
    assert run.facts.state.former_paths == (replace(FORMER, failures=0, not_before=None, note=""),)


def test_a_former_path_is_withdrawn():
    run = carried_out(do.Withdraw(FORMER), state_former_paths=(FORMER,), **THERE)
    assert run.facts.document_at("sip/former").withdrawn
    assert run.facts.state.former_paths == ()


def test_a_verification_that_never_took_place_is_told_as_such():
    events = later_events(facts(state_verify_at=LATER, state_verification=None), drawn_anew=False, verified_from=None)
    (why,) = [event.why for event in events if event.what == "prove what is published"]
    assert why == "it was not proved yet"


def test_a_verification_that_lies_too_far_ahead_is_drawn_as_if_there_had_been_one_now():
    drawn = after_verification_draw(facts(state_verify_at=NOW + 40 * DAY).state, DAILY.policy, NOW, 0.5)
    assert drawn.verify_at == NOW + DAY * (1 - SPREAD * 0.5)


def test_the_first_verification_is_drawn_and_overdue_after_two_intervals():
    drawn = after_verification_draw(facts().state, DAILY.policy, NOW, 0.5)
    assert drawn == replace(facts().state, verify_at=NOW + DAY / 2)
    assert after_verification_draw(facts().state, POLICY, NOW, 0.5).verify_at is None
    assert not is_overdue(drawn, DAILY.policy, NOW + 2 * DAY)
    assert is_overdue(drawn, DAILY.policy, NOW + 3 * DAY)
    proved = replace(drawn, verification=Verification(NOW, accepted=True))
    assert is_overdue(proved, DAILY.policy, NOW + 2 * DAY + HOUR)
    assert not is_overdue(proved, DAILY.policy, NOW + 2 * DAY)


def test_a_target_is_renamed_once():
    renamed = replace(facts().state, renamed_to="reception")
    with pytest.raises(RemovalImpossible, match="office was renamed to reception"):
        check_rename(renamed, replace(facts().state, target="lobby"))
