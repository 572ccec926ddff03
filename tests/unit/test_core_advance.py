"""The state document after each event: illegal ones raise, nothing is lost on the way, wishes join."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core import advance, ledger
from rotator.core.actions import Stage
from rotator.core.model import (
    Attempt,
    Claim,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Policy,
    Purpose,
    Request,
    Strategy,
    Target,
    TargetState,
)
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.core.transitions import ATTEMPT, AttemptEvent, IllegalTransitionError

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy("p", Every(90 * DAY), None, DAY, 7 * DAY, PasswordRules())
TARGET = Target("office", "fake", Strategy.REPLACE, ("office",), "sip/office", POLICY)
ALTERNATING = replace(TARGET, strategy=Strategy.ALTERNATING, usernames=("old", "new"))
OLD = Credential("fake", "old", "id-old", Secret("old password"), attempt="1")
NEW = Credential("fake", "new", "id-new", Secret("new password"), attempt="2")
ROTATE = Request(Purpose.ROTATE, "somebody", "because", NOW)
UNDO = replace(ROTATE, purpose=Purpose.UNDO)
CLAIM = Claim("me", LATER)


def opened(phase=Phase.STAGED, **changes):
    attempt = Attempt("2", Purpose.ROTATE, Strategy.REPLACE, phase, NEW, OLD, NOW, "schedule", "due")
    return TargetState("office", published=OLD, claim=CLAIM, attempt=replace(attempt, **changes))


EVENTS = {
    AttemptEvent.STAGE: lambda state: advance.after_stage(state, Stage(ROTATE, NEW, OLD), "3", NEW, NOW),
    AttemptEvent.APPLY: lambda state: advance.after_apply(state, NEW, NOW),
    AttemptEvent.DOUBT: lambda state: advance.after_failed_proof(state, "not accepted", LATER),
    AttemptEvent.PROVE: lambda state: advance.after_proof(state, "seen"),
    AttemptEvent.CLOSE: lambda state: advance.after_close(state, TARGET, NOW, 0.0),
    AttemptEvent.ABANDON: lambda state: advance.after_abandon(state, NOW, LATER),
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


@pytest.mark.parametrize("event", [event for event in AttemptEvent if event is not AttemptEvent.STAGE])
def test_without_an_attempt_there_is_nothing_to_move(event):
    with pytest.raises(ValueError, match="no attempt is open"):
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
        lambda s: advance.after_proof(s, "seen"),
        lambda s: advance.after_request(s, ROTATE),
        advance.after_release,
    ):
        state = step(state)
        assert state.attempt.staged.password == NEW.password
        assert state.published == OLD
    closed = advance.after_close(state, TARGET, NOW, 0.0)
    assert closed.published.password == NEW.password
    assert [entry.credential for entry in closed.ledger] == [OLD]


def test_a_claim_that_was_not_given_back_makes_the_open_attempt_uncertain():
    assert advance.after_claim(opened(), CLAIM).attempt.uncertain
    assert not advance.after_claim(replace(opened(), claim=None), CLAIM).attempt.uncertain
    assert advance.after_claim(replace(opened(uncertain=True), claim=None), CLAIM).attempt.uncertain


def test_closing_starts_overlap_and_quarantine_and_clears_what_failed():
    state = replace(opened(Phase.PROVED), failures=3, last_error="x", not_before=NOW)
    closed = advance.after_close(state, TARGET, NOW, 0.0)
    (entry,) = closed.ledger
    assert (entry.disable_at, entry.ends_at, entry.ending) == (NOW + DAY, NOW + 8 * DAY, Ending.DELETE)
    assert (closed.failures, closed.last_error, closed.not_before, closed.claim) == (0, "", None, None)
    assert closed.next_rotation == NOW + 90 * DAY
    assert closed.counts.succeeded == 1


def test_an_emergency_takes_overlap_and_quarantine_from_everything_but_a_create_on_its_way():
    unknown = LedgerEntry(Credential("fake", "", attempt="0"), Ending.DELETE, NOW, NOW + HOUR, timedelta())
    waiting = LedgerEntry(replace(OLD, username="older", id="id-older"), Ending.DELETE, NOW, NOW + DAY, 7 * DAY,
                          not_before=NOW + HOUR)  # fmt: skip
    state = replace(opened(Phase.PROVED, compromised=True), ledger=(waiting, unknown))
    first, second, third = advance.after_close(state, TARGET, NOW, 0.0).ledger
    assert (first.disable_at, first.ends_at, first.not_before) == (NOW, NOW, None)
    assert second == unknown
    assert (third.credential, third.disable_at, third.ends_at) == (OLD, NOW, NOW)


def test_in_place_keeps_the_old_password_for_an_undo_but_not_in_an_emergency():
    set_anew = replace(OLD, password=NEW.password)
    state = opened(Phase.PROVED, staged=set_anew, strategy=Strategy.IN_PLACE)
    (entry,) = advance.after_close(state, TARGET, NOW, 0.0).ledger
    assert (entry.ending, entry.credential.password) == (Ending.FORGET, OLD.password)
    for changes in ({"compromised": True}, {"predecessor": replace(OLD, password=None)}, {"predecessor": set_anew}):
        state = opened(Phase.PROVED, staged=set_anew, **changes)
        assert advance.after_close(state, TARGET, NOW, 0.0).ledger == ()


def test_of_two_standing_credentials_the_replaced_one_stands_by_only_where_it_is_configured():
    closed = advance.after_close(opened(Phase.PROVED), ALTERNATING, NOW, 0.0)
    assert closed.ledger[0].ending is Ending.STAND_BY
    assert closed.standby == replace(OLD, password=None)
    for target in (replace(ALTERNATING, usernames=("x", "new")), replace(ALTERNATING, account="other"), TARGET):
        assert advance.after_close(opened(Phase.PROVED), target, NOW, 0.0).ledger[0].ending is Ending.DELETE


def test_undo_takes_its_credential_out_of_the_ledger_and_puts_the_other_in():
    entry = LedgerEntry(NEW, Ending.DELETE, NOW, NOW + DAY, 7 * DAY)
    state = replace(opened(Phase.PROVED, purpose=Purpose.UNDO), ledger=(entry,), last_rotation=NOW - DAY)
    closed = advance.after_close(state, TARGET, NOW, 0.0)
    assert [left.credential for left in closed.ledger] == [OLD]
    assert (closed.counts.undone, closed.counts.succeeded) == (1, 0)
    assert closed.last_rotation == NOW - DAY


@pytest.mark.parametrize(
    ("uncertain", "known", "left"), [(False, None, 0), (True, None, 1), (False, "id", 1), (True, "id", 1)]
)
def test_what_an_abandoned_attempt_may_have_left_is_in_the_ledger_without_its_password(uncertain, known, left):
    state = advance.after_abandon(opened(staged=replace(NEW, id=known), uncertain=uncertain), NOW, LATER)
    assert len(state.ledger) == left
    assert all(entry.credential.password is None for entry in state.ledger)
    assert all(entry.disable_at == NOW + ledger.LATE_COMMIT for entry in state.ledger)
    assert (state.attempt, state.failures, state.not_before) == (None, 1, LATER)
    assert state.request is None


def test_an_abandoned_rotation_that_was_asked_for_is_asked_for_again_with_all_that_was_wished():
    state = opened(requested_by="somebody", compromised=True, take_over=True)
    wish = advance.after_abandon(state, NOW, LATER).request
    assert (wish.purpose, wish.compromised, wish.take_over) == (Purpose.ROTATE, True, True)
    waiting = replace(state, request=UNDO)
    assert advance.after_abandon(waiting, NOW, LATER).request == UNDO
    assert advance.after_abandon(opened(purpose=Purpose.UNDO, requested_by="somebody"), NOW, LATER).request is None


flags = st.booleans()


@given(first=st.tuples(flags, flags), second=st.tuples(flags, flags), phase=st.none() | st.sampled_from(Phase))
def test_no_emergency_and_no_take_over_is_lost_between_two_requests(first, second, phase):
    state = TargetState("office", published=OLD) if phase is None else opened(phase)
    for compromised, take_over in (first, second):
        state = advance.after_request(state, replace(ROTATE, compromised=compromised, take_over=take_over))
    wishes = [wish for wish in (state.attempt, state.request) if wish is not None]
    assert any(wish.compromised for wish in wishes) is (first[0] or second[0])
    assert any(wish.take_over for wish in wishes) is (first[1] or second[1])
    if phase is not Phase.PROVED:
        assert (state.attempt is None) is (state.request is not None)
    if phase is Phase.PROVED and (first[0] or second[0]):
        assert state.request.compromised
    assert state.not_before is None


def test_a_second_undo_joins_the_first_and_a_rotation_waits_for_it():
    undoing = opened(purpose=Purpose.UNDO)
    assert advance.after_request(undoing, UNDO).request is None
    assert advance.after_request(undoing, ROTATE).request == ROTATE
    assert advance.after_request(opened(), UNDO).request == UNDO


def test_dropping_an_undo_is_no_failure_and_dropping_a_rotation_is():
    state = TargetState("office", request=UNDO)
    assert advance.after_drop(state, "why", LATER).failures == 0
    failed = advance.after_drop(replace(state, request=ROTATE), "why", LATER)
    assert (failed.failures, failed.not_before, failed.request, failed.last_error) == (1, LATER, None, "why")


def test_a_due_time_is_drawn_from_the_last_rotation_or_at_once():
    assert advance.after_draw(TargetState("office"), TARGET, NOW, 0.5).next_rotation == NOW
    state = advance.after_draw(TargetState("office", last_rotation=NOW - DAY), TARGET, NOW, 0.0)
    assert (state.next_rotation, state.scheduled_by) == (NOW + 89 * DAY, TARGET.schedule_key)


FIRST = LedgerEntry(OLD, Ending.FORGET, NOW - HOUR, NOW, HOUR)
SECOND = LedgerEntry(replace(OLD, password=NEW.password), Ending.DELETE, NOW, NOW + DAY, DAY)
BOTH = TargetState("office", published=NEW, ledger=(FIRST, SECOND), claim=CLAIM)


def test_two_entries_of_one_credential_do_not_get_in_each_others_way():
    assert ledger.after_forget(BOTH, FIRST).ledger == (SECOND,)
    disabled = ledger.after_disable(BOTH, SECOND, LATER)
    assert disabled.ledger == (FIRST, replace(SECOND, disabled_at=LATER))
    assert disabled.ledger[1].ends_at == LATER + DAY
    postponed = ledger.after_postponement(BOTH, SECOND, "active calls", LATER)
    assert postponed.ledger == (FIRST, replace(SECOND, failures=1, not_before=LATER, note="active calls"))
    known = ledger.after_new_password(BOTH, SECOND, Secret("third"))
    assert [entry.credential.password for entry in known.ledger] == [OLD.password, Secret("third")]
    assert ledger.after_expire(BOTH, SECOND, NOW + DAY).ledger == (FIRST, replace(SECOND, expires_at=NOW + DAY))


def test_what_is_gone_from_the_provider_leaves_nothing_in_the_ledger():
    gone = ledger.after_removal(BOTH, SECOND, deleted=True)
    assert (gone.ledger, gone.counts.deleted, gone.claim) == ((), 1, None)
    assert ledger.after_removal(BOTH, SECOND, deleted=False).counts.deleted == 0
    assert ledger.after_stray_removal(BOTH).ledger == (FIRST, SECOND)
