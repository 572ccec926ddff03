"""What people do to the two documents, as `decide` and the ledger take it."""

from dataclasses import replace

import pytest
from core_facts import (
    ALTERNATING,
    DAY,
    ENTRY,
    HOUR,
    IN_PLACE,
    NEW,
    NOW,
    OLD,
    OTHER,
    REQUEST,
    TARGET,
    attempt,
    document,
    facts,
)

from rotator.core import advance, ledger
from rotator.core.actions import DrawDueTime, LiftEnd, LookUp, Stage, TakeClaim
from rotator.core.adoption import AdoptionPlan, KnownToOperator, adoption_plan, after_adopt, credential_in_use
from rotator.core.circuit import ProviderVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.decide import decide
from rotator.core.facts import lookup_key
from rotator.core.forecast import forecast
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Ending, LedgerEntry, Phase, TargetState
from rotator.core.origin import Origin
from rotator.core.retirement import retire
from rotator.core.staging import stage
from rotator.testing import CHOSEN

ENDS = NOW + 30 * DAY
TOLD = replace(ENTRY, credential=NEW, disable_at=NOW + HOUR, expires_at=NOW + HOUR)
HANDS_OUT_NEW = document(NEW)
TAKE_OVER = replace(REQUEST, take_over=True)
WHO = Origin("tester", "because")


def test_over_a_deleted_state_nothing_is_done_whatever_is_due():
    known = facts(state_request=REQUEST)
    known = replace(known, state=TargetState("office"), state_deleted=True, state_remedy="undelete")
    lost = "the state document of office was deleted in Vault: "
    assert decide(known) == Hold(HoldReason.DOCUMENT_DELETED, f"{lost}undelete")
    assert decide(replace(known, state_remedy="")).message == f"{lost}take up what is in use (rotator adopt office)"
    assert isinstance(decide(replace(known, state_deleted=False, consumer=ConsumerDocument(0, False))), DrawDueTime)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"state_ends": ENDS}, "the state document of office"),
        ({"consumer": replace(document(OLD), ends_at=ENDS, remedy="keep it")}, "sip/office"),
    ],
)
def test_a_document_that_ends_holds_what_would_be_staged_or_retired(changes, what):
    due = replace(ENTRY, credential=OTHER, disable_at=NOW - HOUR)
    known = facts(state_request=TAKE_OVER, state_ledger=(due,), consumer=changes.get("consumer"))
    if "state_ends" in changes:
        known = replace(known, state_ends_at=ENDS, state_remedy="keep it")
    message = f"Vault deletes {what} by itself at 2026-02-04 12:00:00 UTC: keep it"
    held = Hold(HoldReason.DOCUMENT_DELETED, message)
    assert retire(known) == stage(known) == held


def test_a_deleted_consumer_document_is_written_over_only_if_that_is_asked_for():
    gone = ConsumerDocument(3, exists=False, deleted=True, remedy="undelete")
    assert stage(facts(consumer=gone, state_request=REQUEST)).reason is HoldReason.DOCUMENT_DELETED
    assert isinstance(stage(facts(consumer=gone, state_request=TAKE_OVER)), Stage)
    fresh = facts(consumer=gone, state_request=REQUEST, state_published=None, state_last_rotation=None)
    assert stage(fresh).reason is HoldReason.DOCUMENT_DELETED
    assert stage(fresh).message == (
        "sip/office was deleted in Vault: undelete, or publish again what is in use (rotator adopt office)"
    )


def test_a_document_that_names_what_a_fresh_state_does_not_know_is_told_as_such():
    known = facts(consumer=HANDS_OUT_NEW, state_published=None, state_request=REQUEST)
    assert stage(known).message.startswith("sip/office names a credential of which the state document knows nothing: ")
    by_hand = replace(HANDS_OUT_NEW, credential_id=None)
    assert stage(replace(known, consumer=by_hand)).message.startswith("sip/office is not what rotator published: ")


def test_an_end_is_lifted_only_while_somebody_elses_document_hands_the_credential_out():
    known = facts(consumer=HANDS_OUT_NEW, state_ledger=(replace(ENTRY, credential=OTHER), TOLD))
    assert retire(known) == decide(known) == LiftEnd(TOLD)
    assert decide(replace(known, holds_claim=False)) == TakeClaim()
    assert retire(replace(known, consumer=document(OTHER))).reason is HoldReason.FOREIGN_DOCUMENT
    assert not isinstance(retire(replace(known, consumer=document(OLD))), LiftEnd)


@pytest.mark.parametrize(
    "entry",
    [
        replace(TOLD, expires_at=None),
        replace(TOLD, expires_at=NOW),  # it has passed, and that is final
        replace(TOLD, not_before=NOW + HOUR),
        replace(TOLD, credential=replace(NEW, account="elsewhere")),
    ],
)
def test_an_end_that_cannot_be_lifted_is_left(entry):
    assert retire(facts(consumer=HANDS_OUT_NEW, state_ledger=(entry,))).reason is HoldReason.FOREIGN_DOCUMENT


def test_an_end_is_not_lifted_through_an_open_circuit():
    known = facts(consumer=HANDS_OUT_NEW, state_ledger=(TOLD,))
    for shut in (
        {"open_circuits": {"fake": NOW + HOUR}},
        {"shut_verbs": {("fake", ProviderVerb.ENABLE): NOW + HOUR}},
    ):
        assert retire(replace(known, **shut)).reason is HoldReason.FOREIGN_DOCUMENT
    assert retire(replace(known, shut_verbs={("fake", ProviderVerb.DELETE): NOW + HOUR})) == LiftEnd(TOLD)


def test_a_lifted_end_is_forgotten_and_told_anew_once_the_overlap_is_known():
    failed = replace(TOLD, failures=2, not_before=NOW, note="no connection")
    state = facts(state_ledger=(failed, ENTRY)).state
    lifted = ledger.after_lift(replace(state, claim=None), failed)
    assert lifted.ledger == (replace(TOLD, expires_at=None), ENTRY)
    moved = replace(TOLD, disable_at=NOW + DAY)
    expires = replace(CHOSEN, expires=True)
    verified = facts(state_ledger=(moved,), capabilities={"fake": expires})
    assert retire(replace(verified, state=replace(verified.state, ledger=(TOLD,)))) is None
    assert retire(verified).entry == moved


def test_the_plan_says_that_an_end_is_taken_back():
    shown = forecast(facts(consumer=HANDS_OUT_NEW, state_ledger=(TOLD,)))
    assert [(step.what, step.why) for step in shown.steps] == [("tell fake not to end new", "devices still need it")]
    assert shown.waits_for.startswith("sip/office is not what rotator published")


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({}, NEW),
        ({"take_over": False}, None),
        ({"entry": replace(TOLD, ending=Ending.FORGET)}, None),
        ({"entry": replace(TOLD, disabled_at=NOW)}, None),
        ({"consumer": document(OTHER)}, None),
    ],
)
def test_before_a_take_over_what_is_handed_out_is_noted(changes, noted):
    opened = attempt(phase=Phase.PROVED, take_over=changes.get("take_over", True), staged=OTHER)
    state = facts(state_attempt=opened, state_ledger=(changes.get("entry", TOLD),)).state
    after = advance.before_publish(state, changes.get("consumer", HANDS_OUT_NEW))
    assert after == replace(state, attempt=replace(opened, handed_out=noted))
    assert advance.before_publish(after, changes.get("consumer", HANDS_OUT_NEW)) == after


def test_a_whole_overlap_is_never_shorter_than_what_was_left():
    late = replace(TOLD, credential=NEW, disable_at=NOW - DAY)
    long = replace(TOLD, credential=NEW, disable_at=NOW + 9 * DAY)
    untouched = (
        replace(late, credential=OTHER),
        replace(late, disabled_at=NOW - HOUR),
        replace(late, compromised=True),
        replace(late, ending=Ending.FORGET),
    )
    given = ledger.with_overlap_from((late, long, *untouched), NEW, NOW, TARGET.policy)
    assert given == (
        replace(late, replaced_at=NOW, disable_at=NOW + DAY),
        replace(long, replaced_at=NOW, disable_at=NOW + 9 * DAY),
        *untouched,
    )


def test_after_a_lost_state_the_documents_credential_is_looked_up_by_its_id_and_replaced():
    known = facts(consumer=HANDS_OUT_NEW, state_published=None, state_request=TAKE_OVER)
    wanted = replace(NEW, password=None, attempt=None)
    assert stage(known) == LookUp(wanted)
    found = replace(known, lookups={lookup_key(wanted): (replace(NEW, password=None),)})
    assert stage(found).predecessor == NEW
    renamed = replace(found, lookups={lookup_key(wanted): (replace(NEW, username="renamed", password=None),)})
    assert stage(renamed).predecessor == replace(NEW, username="renamed", password=None)
    gone = replace(known, lookups={lookup_key(wanted): ()})
    assert stage(gone) == LookUp(replace(OTHER, username="office", id=None, password=None, attempt=None))


def test_in_place_sets_no_password_of_a_credential_that_is_not_configured():
    known = facts(IN_PLACE, consumer=HANDS_OUT_NEW, state_published=None, state_request=TAKE_OVER)
    wanted = replace(NEW, password=None, attempt=None)
    found = replace(known, lookups={lookup_key(wanted): (replace(NEW, password=None),)})
    assert stage(found) == LookUp(replace(NEW, username="office", id=None, password=None, attempt=None))


def test_of_two_the_one_that_the_document_does_not_name_gets_the_password():
    first, second = replace(OLD, username="a"), replace(NEW, username="b")
    entry = LedgerEntry(second, Ending.STAND_BY, NOW - DAY, NOW - HOUR, 7 * DAY)
    handed_out = replace(document(second), written_at=NOW - DAY)
    known = facts(
        ALTERNATING, consumer=handed_out, state_published=first, state_ledger=(entry,), state_request=TAKE_OVER
    )
    wanted = replace(first, id=None, password=None, attempt=None)
    assert stage(known) == LookUp(wanted)
    staged = stage(replace(known, lookups={lookup_key(wanted): (first,)}))
    assert (staged.credential, staged.predecessor) == (replace(first, password=None), second)
    elsewhere = {"sip/before": document(first)}  # not the other one's devices only
    in_use = replace(known, lookups={lookup_key(wanted): (first,)}, other_documents=elsewhere)
    assert stage(in_use).reason is HoldReason.IDLE_IN_OVERLAP
    disabled = replace(known.state, ledger=(replace(entry, disabled_at=NOW),))
    assert stage(replace(known, state=disabled)) == LookUp(replace(second, id=None, password=None, attempt=None))


def test_an_adoption_changes_what_it_has_to_and_nothing_else():
    before = facts(
        state_failures=3, state_not_before=NOW, state_last_error="x", state_ledger=(TOLD, ENTRY), state_request=REQUEST
    ).state
    plan = AdoptionPlan(NEW, NOW - 10 * DAY, writes_document=False, replaced=OLD, told_end=None)
    after = after_adopt(before, TARGET, plan, WHO, NOW, 0.0)
    assert after == replace(
        before,
        published=replace(NEW, seen_at=NOW - 10 * DAY),
        ledger=(LedgerEntry(OLD, Ending.DELETE, NOW, NOW + DAY, 7 * DAY, origin=WHO),),
        last_rotation=NOW - 10 * DAY,
        published_since=NOW - 10 * DAY,
        next_rotation=NOW + 80 * DAY,
        path="sip/office",
        policy="p",
        verification=None,
        failures=0,
        not_before=None,
        last_error="",
    )
    ahead = after_adopt(before, TARGET, replace(plan, rotated_at=NOW + DAY), WHO, NOW, 0.0)
    assert ahead.last_rotation == NOW
    unknown = after_adopt(before, TARGET, replace(plan, rotated_at=None), WHO, NOW, 0.0)
    assert (unknown.last_rotation, unknown.published_since, unknown.next_rotation) == (None, NOW, NOW + DAY)
    assert after_adopt(before, TARGET, replace(plan, credential=OLD, replaced=None), WHO, NOW, 0.0) is before


def test_the_published_one_is_named_again_where_its_document_is_gone():
    gone, state = ConsumerDocument(0, exists=False), facts().state
    assert credential_in_use(TARGET, state, gone, KnownToOperator(), "") == OLD
    assert credential_in_use(TARGET, state, gone, KnownToOperator("old"), "") == OLD
    other = credential_in_use(TARGET, state, gone, KnownToOperator("other"), "")
    assert (other.username, other.id, other.password) == ("other", None, None)
    plan = adoption_plan(TARGET, state, gone, OLD, (replace(OLD, password=None, enabled=True),), KnownToOperator(), "")
    assert plan == AdoptionPlan(OLD, None, writes_document=True, replaced=None, told_end=None, known=True)
