"""The effects on replaced credentials: after each answer, the ledger, the audit and the provider's calls."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY
from single_effect import NOW, SingleEffect, after_failures, naming

from rotator.core.actions import Delete, Disable, Expire, Forget, LiftEnd, Overwrite
from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Cutoff, Ending, LedgerEntry, TargetState
from rotator.core.origin import Origin
from rotator.core.passwords import meets
from rotator.core.secret import Secret
from rotator.ports import StoreUnavailable
from rotator.testing import CHOSEN

OLD = Credential("fake", "old", "id-old", Secret("old password"), attempt="1")
STRAY = Credential("fake", "stray", "id-stray", attempt="1")
ENTRY = LedgerEntry(OLD, Ending.DELETE, NOW - DAY, NOW, 7 * DAY, failures=1, note="earlier")
PAUSED = replace(ENTRY, not_before=NOW, origin=Origin("vault:token-ci", "ticket 1", "by anna", "a1"))
OTHER = replace(ENTRY, credential=replace(OLD, username="other", id="id-other"))
ADOPTED = replace(ENTRY, credential=replace(OLD, password=None))
STATE = TargetState("office", ledger=(PAUSED, OTHER))
GONE = Refused(Refusal.NOT_FOUND, "no such credential")
UNSUPPORTED = Refused(Refusal.UNSUPPORTED, "it cannot be disabled")
LOST = Unknown("timeout")
FORBIDDEN = Refused(Refusal.PERMISSION, "not allowed")
OVER = replace(PAUSED, quarantine=timedelta())
WHO = {"requested_by": "vault:token-ci", "reason": "ticket 1", "stated": "by anna", "attempt": "a1"}
FACTS = {"replaced": "2026-01-04T12:00:00Z", **WHO, **naming(OLD)}


@pytest.mark.parametrize(
    ("action", "call"),
    [
        (Expire(PAUSED), ("expire", OLD, NOW)),
        (Disable(PAUSED), ("disable", OLD)),
        (Delete(PAUSED), ("delete", OLD)),
    ],
)
def test_the_provider_is_asked_once_and_the_audit_says_what_came_of_it(action, call):
    for answer, outcome, detail in (
        (Done(None), "done", {}),
        (GONE, "refused", {"detail": "no such credential", "gone": "somebody else has deleted it"}),
        (Retry(Wait.IN_USE, "active calls"), "retry", {"detail": "active calls"}),
        (LOST, "unknown", {"detail": "timeout"}),
    ):
        bench = SingleEffect(STATE, answer)
        bench.carry_out(action)
        assert bench.provider.calls == [call]
        told_end = {"ends": "2026-01-05T12:00:00Z"} if isinstance(action, Expire) else {}
        assert bench.recorded == (call[0], outcome, FACTS | detail | told_end)


def test_what_is_done_is_in_the_ledger_without_what_failed_before():
    settled = replace(PAUSED, failures=0, not_before=None, note="")
    told = SingleEffect(STATE).carry_out(Expire(PAUSED))
    assert told.ledger == (replace(settled, expires_at=NOW), OTHER)
    disabled = SingleEffect(STATE).carry_out(Disable(PAUSED))
    assert disabled.ledger == (replace(settled, disabled_at=NOW), OTHER)
    deleted = SingleEffect(STATE).carry_out(Delete(PAUSED))
    assert deleted.ledger == (OTHER,)
    assert (disabled.counts.disabled, deleted.counts.deleted) == (1, 1)
    assert told.claim is disabled.claim is deleted.claim is None


@pytest.mark.parametrize("action", [Expire(PAUSED), Disable(PAUSED)])
def test_what_is_gone_already_leaves_the_ledger_and_is_not_counted_as_deleted(action):
    state = SingleEffect(STATE, GONE).carry_out(action)
    assert (state.ledger, state.counts.deleted, state.claim) == ((OTHER,), 0, None)


@pytest.mark.parametrize("action", [Expire(PAUSED), Disable(PAUSED), Delete(PAUSED)])
@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (LOST, after_failures(2)),
        (Retry(Wait.RATE_LIMITED, "429", timedelta(hours=2)), NOW + timedelta(hours=2)),
        (Refused(Refusal.OTHER, "not so"), after_failures(2)),
    ],
)
def test_what_failed_is_tried_again_later(action, answer, again):
    state = SingleEffect(STATE, answer).carry_out(action)
    later = replace(PAUSED, failures=2, not_before=again, note=answer.message)
    may_end = answer == LOST and isinstance(action, Expire)
    assert state.ledger == (replace(later, uncertain=may_end), OTHER)
    assert state.claim is None


@pytest.mark.parametrize(
    ("entry", "answer", "left"),
    [
        (replace(OVER, ending=Ending.DELETE), FORBIDDEN, Cutoff.NONE),
        (replace(OVER, ending=Ending.DELETE), LOST, Cutoff.DISABLE),
        (replace(OVER, ending=Ending.DELETE, quarantine=timedelta(seconds=1)), FORBIDDEN, Cutoff.DISABLE),
        (replace(OVER, ending=Ending.STAND_BY), FORBIDDEN, Cutoff.DISABLE),
    ],
    ids=["over", "not refused", "in quarantine", "standing"],
)
def test_what_may_not_be_disabled_is_deleted_when_its_quarantine_is_over(entry, answer, left):
    bench = SingleEffect(TargetState("office", ledger=(entry,)), answer)
    (kept,) = bench.carry_out(Disable(entry)).ledger
    assert (kept.cutoff, kept.ending, kept.note) == (left, entry.ending, answer.message)


@pytest.mark.parametrize(
    ("act", "changes", "again"),
    [
        (Disable, {}, NOW + DAY),
        (Disable, {"quarantine": timedelta(hours=3)}, NOW + timedelta(hours=3)),
        (Overwrite, {"cutoff": Cutoff.OVERWRITE}, NOW + DAY),
        (Expire, {"disable_at": NOW + timedelta(hours=3)}, NOW + timedelta(hours=3)),
        (Expire, {"disable_at": NOW + DAY, "expires_at": NOW + timedelta(hours=3)}, after_failures(2)),
        (Delete, {"disable_at": NOW - 9 * DAY}, NOW + DAY),
        (Delete, {"compromised": True}, after_failures(2)),
    ],
    ids=[
        "in quarantine",
        "its end is near",
        "no other way",
        "in advance",
        "told an earlier end",
        "past its end",
        "compromised",
    ],
)
def test_what_the_key_has_no_right_to_is_tried_once_a_day_and_at_the_end(act, changes, again):
    """Each try costs a proof of what is published as well: 33 a day of both, for each entry in quarantine."""
    entry = replace(PAUSED, **changes)
    bench = SingleEffect(TargetState("office", ledger=(entry,)), FORBIDDEN)
    assert bench.carry_out(act(entry)).ledger[0].not_before == again


def test_an_end_that_devices_have_to_be_spared_is_taken_back_as_soon_as_possible():
    (entry,) = SingleEffect(TargetState("office", ledger=(PAUSED,)), FORBIDDEN).carry_out(LiftEnd(PAUSED)).ledger
    assert entry.not_before == after_failures(2)


def test_a_credential_in_use_is_asked_to_go_every_five_minutes_and_not_less_often():
    busy = Retry(Wait.IN_USE, "active calls")
    soon = SingleEffect(STATE, busy).carry_out(Delete(PAUSED)).ledger[0]
    assert soon.not_before == after_failures(2)
    often = replace(ENTRY, failures=9)
    late = SingleEffect(TargetState("office", ledger=(often,)), busy).carry_out(Delete(often)).ledger[0]
    assert late.not_before == NOW + timedelta(minutes=5)
    limited = Retry(Wait.RATE_LIMITED, "429")
    assert SingleEffect(TargetState("office", ledger=(often,)), limited).carry_out(Delete(often)).ledger[
        0
    ].not_before > NOW + timedelta(minutes=5)


def test_a_provider_that_disables_by_setting_a_password_gets_one_that_is_stored_first():
    bench = SingleEffect(TargetState("office", ledger=(ADOPTED, OTHER)), UNSUPPORTED)
    stored, other = bench.carry_out(Disable(ADOPTED)).ledger
    assert other == OTHER
    assert stored == replace(ADOPTED, credential=replace(OLD, password=stored.credential.password), is_random=True)
    assert meets(stored.credential.password, bench.session.target.policy.password)
    assert bench.session.holds_claim


def test_what_cannot_be_disabled_although_its_password_is_known_gets_a_random_one():
    bench = SingleEffect(TargetState("office", ledger=(ENTRY,)), UNSUPPORTED)
    (stored,) = bench.carry_out(Disable(ENTRY)).ledger
    assert stored.cutoff is Cutoff.OVERWRITE
    assert stored.credential.password != ENTRY.credential.password


@pytest.mark.parametrize(
    ("entry", "capabilities", "answer"),
    [
        (ENTRY, replace(CHOSEN, sets_password=False), UNSUPPORTED),
        (ADOPTED, replace(CHOSEN, sets_password=False), UNSUPPORTED),
        (ADOPTED, CHOSEN, Refused(Refusal.INVALID, "no")),
    ],
)
def test_otherwise_a_refusal_to_disable_is_only_noted(entry, capabilities, answer):
    state = TargetState("office", ledger=(entry,))
    (noted,) = SingleEffect(state, answer, capabilities=capabilities).carry_out(Disable(entry)).ledger
    assert noted == replace(entry, failures=2, not_before=after_failures(2), note=answer.message)


@pytest.mark.parametrize("action", [Disable(PAUSED), Delete(PAUSED)])
def test_beyond_the_cap_of_a_minute_nothing_is_asked_written_or_recorded(action):
    bench = SingleEffect(STATE)
    bench.throttles.admit_retirement()
    before = bench.session.state
    assert bench.carry_out(action) == before
    assert (bench.provider.calls, bench.audit.records) == ([], [])
    assert SingleEffect(STATE).throttles.retirements_left() == 1


@pytest.mark.parametrize("action", [Disable(PAUSED), Delete(PAUSED)])
def test_a_retirement_counts_whatever_came_of_it(action):
    bench = SingleEffect(STATE, LOST)
    bench.carry_out(action)
    assert bench.throttles.retirements_left() == 0


@pytest.mark.parametrize("action", [Disable(PAUSED), Overwrite(PAUSED), Delete(PAUSED)])
def test_a_retirement_that_the_audit_does_not_allow_leaves_its_place_to_another(action):
    bench = SingleEffect(STATE)
    bench.audit.refuses = StoreUnavailable("audit.required holds this up")
    with pytest.raises(StoreUnavailable):
        bench.carry_out(action)
    assert bench.provider.calls == []
    assert bench.throttles.retirements_left() == 1


def test_after_a_minute_a_retirement_has_no_place_to_give_back():
    bench = SingleEffect(STATE)
    bench.throttles.admit_retirement()
    bench.clock.advance(timedelta(minutes=1))
    assert bench.throttles.retirements_left() == 1
    bench.throttles.return_retirement()
    assert bench.throttles.retirements_left() == 1


def test_an_emergency_that_the_audit_does_not_allow_has_no_place_to_give_back():
    bench = SingleEffect(STATE)
    bench.throttles.admit_retirement()
    bench.audit.refuses = StoreUnavailable("audit.required holds this up")
    with pytest.raises(StoreUnavailable):
        bench.carry_out(Disable(replace(PAUSED, compromised=True)))
    assert bench.throttles.retirements_left() == 0


def test_a_stray_is_deleted_counted_and_looked_for_again():
    unknown = replace(ENTRY, credential=Credential("fake", "", attempt="1"))
    bench = SingleEffect(TargetState("office", ledger=(unknown,)))
    bench.session.remember_lookup(unknown.credential, (STRAY,))
    state = bench.carry_out(Delete(unknown, STRAY))
    assert bench.provider.calls == [("delete", STRAY)]
    assert bench.recorded == ("delete", "done", {"replaced": FACTS["replaced"]} | naming(STRAY))
    assert (state.ledger, state.counts.deleted, state.claim) == ((unknown,), 1, None)
    assert bench.session.lookups == {}


def test_a_stray_that_could_not_be_deleted_postpones_its_entry():
    unknown = replace(ENTRY, credential=Credential("fake", "", attempt="1"))
    state = SingleEffect(TargetState("office", ledger=(unknown,)), LOST).carry_out(Delete(unknown, STRAY))
    assert state.ledger == (replace(unknown, failures=2, not_before=after_failures(2), note="timeout"),)
    assert state.counts.deleted == 0


def test_forgetting_asks_nobody_and_is_recorded():
    bench = SingleEffect(STATE)
    state = bench.carry_out(Forget(PAUSED))
    assert (state.ledger, state.claim, bench.provider.calls) == ((OTHER,), None, [])
    assert bench.recorded == ("forget", "done", FACTS)
