"""The end of an attempt, closed or abandoned: what is published, what the ledger gets, what is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from core_facts import ALTERNATING, DAY, FIRST, HOUR, LATER, NEW, NOW, OLD, SECOND, TARGET, UNDO, opened

from rotator.core import attempt_ends, ledger
from rotator.core.model import (
    Counts,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Purpose,
    Request,
    Strategy,
    TargetState,
    Verification,
)
from rotator.core.schedule import Window

STANDING = replace(ALTERNATING, usernames=("old", "new"))
MUCH_LATER = LATER + DAY
# What an attempt of unknown outcome may have made: looked for, and deleted when no late call can come any more.
STRAYS = LedgerEntry(
    Credential("fake", "", attempt="2"),
    Ending.DELETE,
    NOW,
    NOW + ledger.LATE_COMMIT,
    timedelta(),
    origin=opened().attempt.origin,
)


def test_closing_starts_overlap_and_quarantine_and_clears_what_failed():
    state = replace(opened(Phase.PROVED), failures=3, last_error="x", not_before=NOW)
    closed = attempt_ends.after_close(state, TARGET, NOW, 0.0)
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
    first, second, third = attempt_ends.after_close(state, TARGET, NOW, 0.0).ledger
    assert (first.disable_at, first.ends_at, first.not_before) == (NOW, NOW, None)
    assert second == unknown
    assert (third.credential, third.disable_at, third.ends_at) == (OLD, NOW, NOW)


def test_in_place_keeps_the_old_password_for_an_undo_but_not_in_an_emergency():
    set_anew = replace(OLD, password=NEW.password)
    state = opened(Phase.PROVED, staged=set_anew, strategy=Strategy.IN_PLACE)
    (entry,) = attempt_ends.after_close(state, TARGET, NOW, 0.0).ledger
    assert (entry.ending, entry.credential.password) == (Ending.FORGET, OLD.password)
    for changes in ({"compromised": True}, {"predecessor": replace(OLD, password=None)}, {"predecessor": set_anew}):
        state = opened(Phase.PROVED, staged=set_anew, **changes)
        assert attempt_ends.after_close(state, TARGET, NOW, 0.0).ledger == ()


def test_of_two_standing_credentials_the_replaced_one_stands_by_only_where_it_is_configured():
    closed = attempt_ends.after_close(opened(Phase.PROVED), STANDING, NOW, 0.0)
    assert closed.ledger[0].ending is Ending.STAND_BY
    assert closed.standby == replace(OLD, password=None)
    for target in (replace(STANDING, usernames=("x", "new")), replace(STANDING, account="other"), TARGET):
        assert attempt_ends.after_close(opened(Phase.PROVED), target, NOW, 0.0).ledger[0].ending is Ending.DELETE


def test_undo_takes_its_credential_out_of_the_ledger_and_puts_the_other_in():
    entry = LedgerEntry(NEW, Ending.DELETE, NOW, NOW + DAY, 7 * DAY)
    state = replace(opened(Phase.PROVED, purpose=Purpose.UNDO), ledger=(entry,), last_rotation=NOW - DAY)
    closed = attempt_ends.after_close(state, TARGET, NOW, 0.0)
    assert [left.credential for left in closed.ledger] == [OLD]
    assert (closed.counts.undone, closed.counts.succeeded) == (1, 0)
    assert closed.last_rotation == NOW - DAY


@pytest.mark.parametrize(
    ("uncertain", "known", "left"), [(False, None, 0), (True, None, 1), (False, "id", 1), (True, "id", 1)]
)
def test_what_an_abandoned_attempt_may_have_left_is_in_the_ledger_without_its_password(uncertain, known, left):
    state = attempt_ends.after_abandon(opened(staged=replace(NEW, id=known), uncertain=uncertain), NOW, LATER)
    assert len(state.ledger) == left
    assert all(entry.credential.password is None for entry in state.ledger)
    assert all(entry.disable_at == NOW + ledger.LATE_COMMIT for entry in state.ledger)
    assert (state.attempt, state.failures, state.not_before) == (None, 1, LATER)
    assert state.request is None


def test_an_abandoned_rotation_that_was_asked_for_is_asked_for_again_with_all_that_was_wished():
    state = opened(requested_by="somebody", compromised=True, take_over=True)
    wish = attempt_ends.after_abandon(state, NOW, LATER).request
    assert (wish.purpose, wish.compromised, wish.take_over) == (Purpose.ROTATE, True, True)
    waiting = replace(state, request=UNDO)
    assert attempt_ends.after_abandon(waiting, NOW, LATER).request == wish, "no undo replaces an emergency"
    harmless = replace(waiting, attempt=replace(waiting.attempt, compromised=False))
    assert attempt_ends.after_abandon(harmless, NOW, LATER).request == UNDO
    assert attempt_ends.after_abandon(opened(purpose=Purpose.UNDO, requested_by="somebody"), NOW, LATER).request is None


def test_an_abandoned_rotation_is_a_failure_and_is_asked_for_again_from_now():
    state = replace(
        opened(requested_by="somebody", reason="leaked", compromised=True), last_error="too short", failures=1
    )
    again = attempt_ends.after_abandon(state, NOW, LATER)
    assert again.request == Request(Purpose.ROTATE, "somebody", "leaked", NOW, compromised=True)
    assert (again.failures, again.counts.failed, again.not_before) == (2, 1, LATER)
    assert (again.last_error, again.claim, again.published) == ("too short", None, OLD)
    assert attempt_ends.after_abandon(opened(requested_by="schedule"), NOW, LATER).request is None


@pytest.mark.parametrize(
    ("strategy", "ending"), [(Strategy.REPLACE, Ending.DELETE), (Strategy.ALTERNATING, Ending.STAND_BY)]
)
def test_a_spare_credential_of_an_abandoned_attempt_goes_at_once_beside_the_others(strategy, ending):
    twice = replace(SECOND, credential=NEW)
    state = replace(opened(strategy=strategy, uncertain=True), ledger=(FIRST, twice))
    left = LedgerEntry(
        replace(NEW, password=None),
        ending,
        NOW,
        NOW + ledger.LATE_COMMIT,
        timedelta(),
        origin=opened().attempt.origin,
        unasked=True,
    )
    assert attempt_ends.after_abandon(state, NOW, LATER).ledger == (FIRST, left)
    assert attempt_ends.after_abandon(state, NOW, LATER, strays=True).ledger == (FIRST, left, STRAYS)
    unknown = replace(state, attempt=replace(state.attempt, staged=replace(NEW, id=None, username="x")), ledger=())
    assert len(attempt_ends.after_abandon(unknown, NOW, LATER, strays=True).ledger) == 1


@pytest.mark.parametrize(("quarantine", "kept_for"), [(DAY, DAY), (timedelta(), ledger.LATE_COMMIT)])
def test_an_abandoned_attempt_in_place_keeps_a_password_that_may_be_in_force(quarantine, kept_for):
    in_place = replace(opened(strategy=Strategy.IN_PLACE, uncertain=True), ledger=(FIRST,))
    kept = LedgerEntry(replace(NEW, id=None), Ending.FORGET, NOW, NOW, kept_for, origin=opened().attempt.origin)
    assert attempt_ends.after_abandon(in_place, NOW, LATER, kept_for=quarantine).ledger == (FIRST, kept)
    certain = replace(in_place, attempt=replace(in_place.attempt, uncertain=False))
    assert attempt_ends.after_abandon(certain, NOW, LATER, kept_for=quarantine).ledger == (FIRST,)


def test_an_abandoned_undo_has_its_credential_disabled_again():
    disabled = replace(SECOND, credential=NEW, disabled_at=NOW)
    other = replace(FIRST, disabled_at=NOW)
    undo = replace(opened(purpose=Purpose.UNDO, uncertain=True), ledger=(disabled, other))
    again = replace(disabled, disabled_at=None, ended_before=True)
    assert attempt_ends.after_abandon(undo, NOW, LATER).ledger == (again, other)


def test_a_password_that_a_late_call_may_set_in_place_is_kept_until_none_can_come():
    sent = replace(opened(strategy=Strategy.IN_PLACE, applied_at=NOW), ledger=(FIRST,))
    kept = LedgerEntry(
        replace(NEW, id=None), Ending.FORGET, LATER, LATER, ledger.LATE_COMMIT, origin=opened().attempt.origin
    )
    given_up = {"kept_for": DAY, "restored": False, "strays": False}
    assert attempt_ends.after_change(sent, "it moved", LATER, MUCH_LATER).ledger == (FIRST, kept)
    assert attempt_ends.after_abandon(sent, LATER, LATER).ledger == (FIRST, kept)
    assert attempt_ends.after_giving_up(sent, LATER, **given_up).ledger == (FIRST, kept)
    again = replace(sent, ledger=(FIRST, kept))
    assert attempt_ends.after_change(again, "it moved", LATER, MUCH_LATER).ledger == (FIRST, kept)
    never = replace(sent, attempt=replace(sent.attempt, applied_at=None))
    assert attempt_ends.after_change(never, "it moved", LATER, MUCH_LATER).ledger == (FIRST,)
    spare = replace(sent, attempt=replace(sent.attempt, strategy=Strategy.REPLACE))
    assert attempt_ends.after_change(spare, "it moved", LATER, MUCH_LATER).ledger == (FIRST,)


def test_an_undo_in_place_that_is_given_up_keeps_the_password_that_it_may_have_set():
    undo = opened(strategy=Strategy.IN_PLACE, purpose=Purpose.UNDO, uncertain=True)
    (kept,) = attempt_ends.after_giving_up(undo, NOW, kept_for=DAY, restored=False, strays=False).ledger
    assert (kept.credential.password, kept.quarantine) == (NEW.password, DAY)


def test_an_attempt_that_its_target_outgrew_leaves_nothing_and_is_asked_for_again():
    state = replace(opened(requested_by="somebody", compromised=True), ledger=(FIRST,), failures=3, not_before=LATER)
    ended = attempt_ends.after_change(replace(state, last_error="x"), "it moved", LATER, MUCH_LATER)
    wish = Request(Purpose.ROTATE, "somebody", "due", LATER, compromised=True)
    gone = replace(state, attempt=None, request=wish, claim=None)
    assert ended == replace(gone, failures=0, not_before=None, last_error="", outgrown=1)
    again = attempt_ends.after_change(replace(ended, attempt=state.attempt, failures=9), "it moved", LATER, MUCH_LATER)
    assert (again.failures, again.outgrown, again.not_before) == (1, 2, MUCH_LATER)
    assert again.last_error == "it moved, as it had before: do all processes have the same configuration?"
    for nobody in ({"requested_by": "schedule"}, {"requested_by": "somebody", "purpose": Purpose.UNDO}):
        assert attempt_ends.after_change(opened(**nobody), "it moved", LATER, MUCH_LATER).request is None
    assert attempt_ends.after_change(replace(state, request=UNDO), "it moved", LATER, MUCH_LATER).request == wish


def closed(target=TARGET, now=NOW, fraction=0.0, ledger=(), strays=False, **changes) -> TargetState:
    state = replace(opened(Phase.PROVED, **changes), ledger=ledger, failures=3, last_error="x", not_before=NOW)
    return attempt_ends.after_close(state, target, now, fraction, strays=strays)


def test_after_closing_the_staged_credential_is_the_published_one_and_the_next_rotation_is_drawn():
    state = closed(now=LATER, fraction=0.5)
    assert state == TargetState(
        "office",
        published=NEW,
        ledger=(LedgerEntry(OLD, Ending.DELETE, LATER, LATER + DAY, 7 * DAY, origin=opened().attempt.origin),),
        published_since=LATER,
        last_rotation=LATER,
        next_rotation=LATER + 90 * DAY * 0.95,
        scheduled_by=TARGET.policy.schedule_key,
        path="sip/office",
        policy="p",
        counts=Counts(succeeded=1, seconds=60.0),
        verification=Verification(NOW, accepted=True),
    )


def test_the_next_rotation_is_drawn_within_the_window():
    windowed = replace(TARGET, policy=replace(TARGET.policy, window=Window("0 2 * * *", HOUR)))
    state = closed(windowed, fraction=0.5)
    assert (state.next_rotation, state.scheduled_by) == (
        datetime(2026, 3, 31, 2, 30, tzinfo=UTC),
        windowed.policy.schedule_key,
    )


def test_a_clock_that_was_set_back_makes_no_rotation_shorter_than_nothing():
    assert closed(now=NOW - DAY).counts == Counts(succeeded=1, seconds=0.0)


def test_totals_are_added_to_what_was_counted_before():
    before = Counts(succeeded=2, failed=3, undone=4, disabled=5, deleted=6, seconds=7.0)
    state = replace(opened(Phase.PROVED), counts=before)
    after = attempt_ends.after_close(state, TARGET, LATER, 0.0).counts
    assert after == replace(before, succeeded=3, seconds=67.0)
    undoing = replace(state, attempt=replace(state.attempt, purpose=Purpose.UNDO))
    assert attempt_ends.after_close(undoing, TARGET, LATER, 0.0).counts == replace(before, undone=5)


def test_an_undo_counts_as_a_rotation_only_for_a_target_that_has_none():
    state = opened(Phase.PROVED, purpose=Purpose.UNDO)
    assert attempt_ends.after_close(state, TARGET, LATER, 0.0).last_rotation == LATER
    known = replace(state, last_rotation=NOW)
    assert attempt_ends.after_close(known, TARGET, LATER, 0.0).last_rotation == NOW


def test_the_first_rotation_replaces_nothing_and_looks_for_strays_if_it_has_to():
    assert closed(predecessor=None).ledger == ()
    assert closed(predecessor=None, strays=True).ledger == (STRAYS,)
    assert [entry.credential for entry in closed(strays=True, ledger=(FIRST,)).ledger] == [OLD, OLD, STRAYS.credential]


def test_the_credential_that_stands_by_is_remembered_without_its_password():
    assert closed(STANDING).standby == replace(OLD, password=None)
    standing = replace(opened(Phase.PROVED, predecessor=None), standby=replace(OLD, username="b"))
    assert attempt_ends.after_close(standing, STANDING, NOW, 0.0).standby == replace(OLD, username="b", password=None)
    assert closed().standby is None


def test_what_nobody_put_back_is_not_said_to_be_and_its_request_goes_on():
    """The attempt of an older state that somebody restored ends so, if the document is taken over."""
    state = opened(strategy=Strategy.IN_PLACE, requested_by="somebody", put_back=True, uncertain=True, take_over=True)
    ended = attempt_ends.after_abandon(replace(state, last_error="refused (401)"), NOW, LATER)
    assert ended.last_error == "refused (401)"
    assert ended.request.take_over
    restored = replace(state, attempt=replace(state.attempt, uncertain=False), last_error="refused (401)")
    ended = attempt_ends.after_abandon(restored, NOW, LATER)
    assert ended.last_error.startswith("refused (401); the old password was put back, and no other is tried before")
    assert ended.request is None
