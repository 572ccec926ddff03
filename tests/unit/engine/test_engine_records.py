"""What effects leave on record, word for word: who looks at the audit or at a state later has nothing else."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from engine_harness import DAY, REPLACE
from single_effect import NOW, SingleEffect, naming

from rotator.core.actions import Abandon, Attach, Delete, Republish, RunHook, Settle, TryEnded, Verify
from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.hook_rules import HookCall, HookMoment
from rotator.core.model import (
    Attempt,
    Credential,
    Ended,
    EndedBy,
    Ending,
    FormerPath,
    LedgerEntry,
    Phase,
    Proof,
    Purpose,
    Strategy,
    TargetState,
)
from rotator.core.origin import Origin
from rotator.core.secret import Secret
from rotator.ports import CALL_TERMS
from rotator.testing import ATTACHING, CHOSEN, FakeHook

OLD = Credential("fake", "old", "id-old", Secret("old password"), attempt="1")
NEW = Credential("fake", "new", "id-new", Secret("new password"), attempt="2")
ATTEMPT = Attempt("2", Purpose.ROTATE, Strategy.REPLACE, Phase.PROVED, NEW, OLD, NOW, "tester", "because")
WHO = Origin("tester", "because")
WHY = {"attempt": "2", "requested_by": "tester", "reason": "because"}
LOG_IN, LISTED = Proof("SIP REGISTER", tries_password=True), Proof("listed", tries_password=False)
NOT_YET = Retry(Wait.NOT_YET, "refused (403)")
ENDED = Ended(OLD, EndedBy.DISABLED, NOW - DAY, origin=WHO)
ENDED_FACTS = {"ended_by": "disabled", "ended_at": "2026-01-04T12:00:00Z"} | WHO.facts


def opened(**changes) -> TargetState:
    return TargetState("office", published=OLD, attempt=replace(ATTEMPT, **changes))


def test_a_provider_that_does_not_show_its_trunks_is_on_record():
    bench = SingleEffect(opened(), Done((), note="it shows no trunks"), capabilities=ATTACHING)
    bench.carry_out(Attach(NEW, (OLD,)))
    assert bench.recorded == ("attach", "done", WHY | naming(NEW) | {"detail": "it shows no trunks"})


def test_an_attempt_that_a_change_ends_says_which():
    bench = SingleEffect(opened(phase=Phase.STAGED, staged=replace(NEW, id=None)))
    bench.carry_out(Abandon("the target is at another account now"))
    detail = {"detail": "the target is at another account now"}
    assert bench.recorded == ("abandon", "done", WHY | naming(replace(NEW, id=None)) | detail)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Done(LISTED), "that settles nothing: read-back without trying the password (listed)"),
        (NOT_YET, "refused (403)"),
    ],
)
def test_each_log_in_that_is_to_settle_a_password_says_which_it_tried(answer, words):
    bench = SingleEffect(opened(strategy=Strategy.IN_PLACE, phase=Phase.STAGED, uncertain=True), answer)
    bench.carry_out(Settle(NEW, OLD))
    staged, old = bench.audit.records
    assert (staged.facts["detail"], old.facts["detail"]) == (words, f"the old password: {words}")
    assert (staged.facts["username"], old.facts["username"]) == ("new", "old")


def test_what_is_about_to_be_written_where_a_target_was_is_announced_with_its_path():
    former = FormerPath("sip/before", NOW + DAY, "sip/office")
    bench = SingleEffect(TargetState("office", published=OLD, former_paths=(former,), path="sip/office"))
    bench.store.consumers["sip/before"] = ConsumerDocument(0, exists=False)
    bench.carry_out(Republish(former, OLD))
    (announced,), (done,) = bench.audit.intended, bench.audit.records
    for record in (announced, done):
        assert (record.verb, record.target, dict(record.facts)) == (
            "publish",
            "office",
            naming(OLD) | {"path": "sip/before"},
        )


def test_a_stray_that_is_about_to_be_deleted_is_announced_by_its_own_name():
    stray = Credential("fake", "stray", "id-stray", attempt="1")
    lost = LedgerEntry(Credential("fake", "", attempt="1"), Ending.DELETE, NOW - DAY, NOW, 7 * DAY)
    bench = SingleEffect(TargetState("office", ledger=(lost,)))
    bench.carry_out(Delete(lost, stray))
    (announced,) = bench.audit.intended
    assert announced.facts["credential"] == "id-stray"


def test_how_a_credential_was_verified_is_kept():
    bench = SingleEffect(TargetState("office", published=OLD), Done(LOG_IN))
    assert bench.carry_out(Verify(OLD)).verification.proof == "SIP REGISTER"


def test_a_hook_is_on_record_with_the_credential_that_it_concerns_and_gets_no_other_ones_password():
    call = HookCall("tell", HookMoment.AFTER_ROTATION, "2.k", "fake", "old", "id-old", "rotate", False, WHO)
    given = []
    for published in (OLD, replace(OLD, id="id-other")):
        bench, hook = SingleEffect(TargetState("office", published=published)), FakeHook(takes_password=True)
        bench.caller = replace(bench.caller, hooks={"tell": hook})
        bench.carry_out(RunHook(call))
        given += hook.passwords
        (record,) = bench.audit.records
        assert (record.facts["credential"], record.facts["username"]) == ("id-old", "old")
    assert given == [OLD.password]


def answering(state: TargetState, tried: Answer[Proof], proof: Answer[Proof]) -> SingleEffect:
    """Log-ins with what was ended get the first answer, proofs of what is published the second."""
    bench = SingleEffect(state)
    bench.provider.log_in, bench.provider.prove = (lambda _: tried), (lambda _: proof)
    return bench


@pytest.mark.parametrize(
    ("tried", "proof", "outcome", "detail"),
    [
        (NOT_YET, Done(LOG_IN), "done", "refused (403); what is published is accepted: SIP REGISTER"),
        (NOT_YET, Done(LISTED), "unknown",
         "not shown yet: it is refused, and what is published is not accepted beside it: its proof tries no password"),
        (NOT_YET, NOT_YET, "unknown",
         "not shown yet: it is refused, and what is published is not accepted beside it: refused (403)"),
        (Done(LOG_IN), NOT_YET, "refused", "it is still accepted: SIP REGISTER"),
    ],
)  # fmt: skip
def test_what_a_log_in_with_an_ended_credential_shows_is_on_record(tried, proof, outcome, detail):
    bench = answering(TargetState("office", published=NEW, ended=(ENDED,)), tried, proof)
    bench.carry_out(TryEnded(ENDED))
    assert bench.recorded == ("try_ended", outcome, ENDED_FACTS | naming(OLD) | {"detail": detail})


def test_what_no_log_in_can_show_is_on_record_with_the_reason():
    bench = SingleEffect(TargetState("office", published=NEW, ended=(ENDED,)))
    bench.carry_out(TryEnded(ENDED, "its password is not known"))
    detail = {"detail": "not shown: its password is not known"}
    assert bench.recorded == ("try_ended", "unknown", ENDED_FACTS | naming(OLD) | detail)


def test_an_ended_credential_that_is_accepted_within_the_propagation_time_is_tried_after_it():
    just = replace(ENDED, at=NOW)
    bench = answering(TargetState("office", published=NEW, ended=(just,)), Done(LOG_IN), Done(LOG_IN))
    (left,) = bench.carry_out(TryEnded(just)).ended
    assert (left.accepted, left.not_before) == (0, NOW + CHOSEN.propagation)
    assert bench.audit.records == []


def test_a_target_that_has_tried_what_it_ended_waits_for_its_next_turn():
    bench = answering(TargetState("office", published=NEW, ended=(ENDED,)), NOT_YET, NOT_YET)
    every = replace(CHOSEN, tries_ended=timedelta(hours=3))
    turns = partial(bench.throttles.log_ins.ended_turns, bench.session.state, {"fake": every})
    assert turns(bench.session.clocks()) == {"fake": NOW}
    bench.carry_out(TryEnded(ENDED))
    assert turns(bench.session.clocks()) == {"fake": NOW + timedelta(hours=3)}


@pytest.mark.parametrize("compromised", [True, False])
def test_the_calls_of_an_emergency_are_urgent(compromised):
    """Also those that end what leaked, until it is disabled."""
    leaked = LedgerEntry(OLD, Ending.DELETE, NOW - DAY, NOW, 7 * DAY, compromised=compromised)
    for state in (opened(compromised=compromised), TargetState("office", published=NEW, ledger=(leaked,))):
        assert SingleEffect(state, target=REPLACE).session.terms().urgent is compromised
    assert not SingleEffect(TargetState("office", ledger=(replace(leaked, disabled_at=NOW),))).session.terms().urgent
    assert not CALL_TERMS.get().urgent
