"""The state document after each event: illegal ones raise, and nothing is lost on the way."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from core_facts import (
    CLAIM,
    DAY,
    FIRST,
    HOUR,
    LATER,
    NEW,
    NOW,
    OLD,
    POLICY,
    REQUEST,
    TARGET,
    UNDO,
    document,
    opened,
)

from rotator.core import advance, attempt_ends, ledger, requesting
from rotator.core.actions import Stage
from rotator.core.model import Attempt, Counts, Credential, Ending, LedgerEntry, Phase, Purpose, Strategy, TargetState
from rotator.core.schedule import Window
from rotator.core.secret import Secret
from rotator.core.transitions import ATTEMPT, AttemptEvent, IllegalTransitionError

EVENTS = {
    AttemptEvent.STAGE: lambda state: advance.after_stage(state, Stage(REQUEST, NEW, OLD), "3", NEW, NOW),
    AttemptEvent.APPLY: lambda state: advance.after_apply(state, NEW, NOW),
    AttemptEvent.DOUBT: lambda state: advance.after_failed_proof(state, "not accepted", LATER),
    AttemptEvent.PROVE: lambda state: advance.after_proof(state, "seen", NOW),
    AttemptEvent.CLOSE: lambda state: attempt_ends.after_close(state, TARGET, NOW, 0.0),
    AttemptEvent.ABANDON: lambda state: attempt_ends.after_abandon(state, NOW, LATER),
}


@pytest.mark.parametrize("event", AttemptEvent)
@pytest.mark.parametrize("phase", list(Phase))
def test_events_lead_where_the_table_says_or_raise(phase, event):
    if (phase, event) in ATTEMPT:
        after = EVENTS[event](opened(phase)).attempt
        assert (after and after.phase) is ATTEMPT[phase, event]
    else:
        with pytest.raises(IllegalTransitionError):
            EVENTS[event](opened(phase))


def test_a_refused_restore_keeps_to_the_staged_password_and_says_why():
    state = opened()
    kept = advance.after_refused_restore(replace(state, attempt=replace(state.attempt, put_back=True)), "422", LATER)
    assert (kept.attempt, kept.last_error, kept.not_before) == (state.attempt, "422", LATER)


@pytest.mark.parametrize("event", [event for event in AttemptEvent if event is not AttemptEvent.STAGE])
def test_without_an_attempt_there_is_nothing_to_move(event):
    with pytest.raises(ValueError, match=r"^no attempt is open$"):
        EVENTS[event](TargetState("office"))


def test_the_staged_password_stays_through_every_event_of_an_attempt():
    state = EVENTS[AttemptEvent.STAGE](TargetState("office", published=OLD))
    made = replace(NEW, id="id-new", password=None)
    for step in (
        lambda s: advance.after_setback(s, "lost", LATER, uncertain=True),
        lambda s: advance.after_claim(s, CLAIM),
        lambda s: advance.after_apply(s, made, NOW),
        lambda s: advance.after_early_proof(s, "not yet", LATER),
        lambda s: advance.after_failed_proof(s, "not accepted", LATER),
        lambda s: advance.after_apply(s, made, NOW),
        lambda s: advance.after_proof(s, "seen", NOW),
        lambda s: requesting.after_request(s, REQUEST, document(OLD)),
        advance.after_release,
    ):
        state = step(state)
        assert state.attempt.staged.password == NEW.password
        assert state.published == OLD
    closed = attempt_ends.after_close(state, TARGET, NOW, 0.0)
    assert closed.published.password == NEW.password
    assert [entry.credential for entry in closed.ledger] == [replace(OLD, seen_at=NOW)]


def test_a_claim_that_was_not_given_back_makes_the_open_attempt_uncertain():
    assert advance.after_claim(opened(), CLAIM).attempt.uncertain
    assert not advance.after_claim(replace(opened(), claim=None), CLAIM).attempt.uncertain
    assert advance.after_claim(TargetState("office"), CLAIM) == TargetState("office", claim=CLAIM)
    assert advance.after_release(opened()) == replace(opened(), claim=None)
    assert advance.after_claim(replace(opened(uncertain=True), claim=None), CLAIM).attempt.uncertain


def test_dropping_an_undo_is_no_failure_and_dropping_a_rotation_is():
    state = TargetState("office", request=UNDO)
    assert advance.after_drop(state, "why", LATER).failures == 0
    failed = advance.after_drop(replace(state, request=REQUEST), "why", LATER)
    assert (failed.failures, failed.not_before, failed.request, failed.last_error) == (1, LATER, None, "why")


def test_a_due_time_is_drawn_from_the_last_rotation_or_at_once():
    assert advance.after_draw(TargetState("office"), TARGET, NOW, 0.5).next_rotation == NOW
    state = advance.after_draw(TargetState("office", last_rotation=NOW - DAY), TARGET, NOW, 0.0)
    assert (state.next_rotation, state.scheduled_by) == (NOW + 89 * DAY, TARGET.policy.schedule_key)


def test_dropping_an_undo_says_why_and_changes_nothing_else():
    state = TargetState("office", request=UNDO, failures=1, not_before=NOW)
    assert advance.after_drop(state, "why", LATER) == replace(state, request=None, last_error="why")


def test_a_failure_is_counted_told_waited_for_and_gives_the_claim_back():
    state = replace(opened(), failures=2, counts=Counts(failed=5))
    failed = replace(state, failures=3, counts=Counts(failed=6), not_before=LATER, last_error="why", claim=None)
    assert advance.after_delay(state, "why", LATER) == failed
    assert advance.after_setback(state, "why", LATER, uncertain=False) == failed
    uncertain = replace(failed, attempt=replace(state.attempt, uncertain=True))
    assert advance.after_setback(state, "why", LATER, uncertain=True) == uncertain
    applied = replace(state, attempt=replace(state.attempt, phase=Phase.APPLIED))
    assert advance.after_failed_proof(applied, "why", LATER) == uncertain


def test_waiting_on_for_a_proof_is_no_failure():
    state = replace(opened(Phase.APPLIED), failures=2)
    early = replace(state, not_before=LATER, last_error="not yet", claim=None)
    assert advance.after_early_proof(state, "not yet", LATER) == early


def test_an_attempt_is_opened_as_it_was_planned():
    request = replace(REQUEST, compromised=True, take_over=True)
    state = TargetState("office", published=OLD, request=request)
    seen = replace(OLD, seen_at=LATER)  # nobody knows when its password was made
    attempt = Attempt("3", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, NEW, seen, LATER, "somebody", "because",
                      compromised=True, take_over=True)  # fmt: skip
    plan = Stage(request, Credential("fake", ""), OLD)
    assert advance.after_stage(state, plan, "3", NEW, LATER) == TargetState("office", published=OLD, attempt=attempt)


@pytest.mark.parametrize(
    ("planned", "predecessor", "strategy"),
    [
        (Credential("fake", ""), OLD, Strategy.REPLACE),
        (Credential("fake", ""), None, Strategy.REPLACE),
        (replace(NEW, password=None), OLD, Strategy.ALTERNATING),
        (replace(NEW, password=None), None, Strategy.ALTERNATING),
        (replace(NEW, password=None), replace(NEW, password=OLD.password), Strategy.IN_PLACE),
    ],
)
def test_the_strategy_of_an_attempt_is_fixed_by_what_it_stages(planned, predecessor, strategy):
    state = advance.after_stage(TargetState("office"), Stage(REQUEST, planned, predecessor), "3", NEW, NOW)
    assert state.attempt.strategy is strategy


def test_what_the_provider_leaves_out_of_its_answer_is_known_from_staging():
    staged = Credential("fake", "new", None, NEW.password, realm="sip:a", attempt="2", enabled=False)
    state = replace(opened(staged=staged, refused=True), failures=2, not_before=NOW, last_error="x")
    bare = advance.after_apply(state, Credential("fake", "", "id-new"), LATER)
    applied = replace(state.attempt, phase=Phase.APPLIED, applied_at=LATER, refused=False)
    assert bare == replace(
        state,
        attempt=replace(applied, staged=replace(staged, id="id-new", enabled=True)),
        not_before=None,
        last_error="",
    )
    told = Credential("fake", "made", "id-new", Secret("made"), realm="sip:b")
    full = advance.after_apply(state, told, LATER)
    assert full.attempt.staged == replace(told, attempt="2", made_at=LATER)


def test_a_proof_ends_the_waiting():
    state = replace(opened(Phase.APPLIED), failures=2, not_before=NOW, last_error="x")
    proved = replace(state.attempt, phase=Phase.PROVED, proof="seen", proved_at=LATER)
    assert advance.after_proof(state, "seen", LATER) == replace(state, attempt=proved, not_before=None, last_error="")


def test_a_refusal_is_marked_and_a_restore_keeps_the_refused_password_for_a_while():
    state = opened(uncertain=True)
    refused = advance.after_refusal(state, "too short")
    assert refused == replace(state, attempt=replace(state.attempt, refused=True), last_error="too short")
    kept = LedgerEntry(
        replace(NEW, id=None), Ending.FORGET, LATER, LATER, ledger.LATE_COMMIT, origin=state.attempt.origin
    )
    state = replace(refused, ledger=(FIRST,))
    assert advance.after_restore(state, LATER) == replace(
        state, attempt=replace(state.attempt, uncertain=False), ledger=(FIRST, kept)
    )


def test_the_first_due_time_is_now_or_spread_over_the_next_window():
    windowed = replace(TARGET, policy=replace(POLICY, window=Window("0 2 * * *", HOUR)))
    drawn = advance.after_draw(TargetState("office"), windowed, NOW, 0.5)
    assert drawn.next_rotation == datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
    assert (drawn.last_rotation, drawn.scheduled_by) == (None, windowed.policy.schedule_key)
    late = TargetState("office", last_rotation=NOW - DAY)
    assert advance.after_draw(late, windowed, NOW, 0.5).next_rotation == datetime(2026, 3, 30, 2, 30, tzinfo=UTC)
