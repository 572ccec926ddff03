"""The documents at paths that a target leaves: kept true during the overlap, and withdrawn at its end."""

from dataclasses import replace
from typing import Any

import pytest
from core_facts import CLAIM, DAY, ENTRY, HOUR, NEW, NOW, OLD, OTHER, TARGET, attempt, document, facts

from rotator.core import moves
from rotator.core.actions import Republish, Withdraw
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import FormerPath, TargetState

FORMER = FormerPath("sip/old", NOW + DAY, "sip/office")
DENIED = replace(FORMER, path="sip/denied", not_before=NOW + HOUR, note="403")


def left(there: ConsumerDocument, *former: FormerPath, **changes: Any) -> Any:
    """What is decided for the paths that were left, where all their documents are `there`."""
    paths = former or (FORMER,)
    return moves.leave_paths(
        facts(state_former_paths=paths, other_documents={each.path: there for each in paths}, **changes)
    )


def test_what_was_replaced_is_replaced_there_as_well():
    assert left(document(NEW), state_ledger=(ENTRY,)) == Republish(FORMER, OLD)
    assert left(document(OLD), state_ledger=(ENTRY,)) is None


def test_what_is_not_published_yet_may_be_there_already_and_stays():
    assert left(document(NEW), state_attempt=attempt(staged=NEW)) is None


@pytest.mark.parametrize("published", [None, replace(OLD, password=None)])
def test_what_has_no_password_is_not_published_there(published):
    assert left(document(NEW), state_ledger=(ENTRY,), state_published=published) is None


def test_a_document_of_somebody_else_stays_as_it_is_and_is_left_at_the_end():
    over = replace(FORMER, until=NOW)
    assert left(document(OTHER)) is None
    assert left(document(OTHER), over) == Withdraw(over, leaves_it=True)
    assert left(document(OLD), over) == Withdraw(over, leaves_it=False)


def test_a_path_that_cannot_be_written_holds_up_no_other_one():
    denied = Hold(HoldReason.FORMER_PATH, "sip/denied cannot be written: 403")
    assert left(document(OLD), DENIED) == denied
    assert left(document(OLD), DENIED, FORMER) == denied
    over = replace(FORMER, until=NOW)
    assert left(document(OLD), DENIED, over) == Withdraw(over, leaves_it=False)


def test_a_path_is_noted_once_before_a_document_is_written_there():
    state = TargetState("office", path="sip/before")
    noted = moves.before_writing(state, TARGET, NOW)
    assert noted.former_paths == (FormerPath("sip/office", NOW + DAY, "sip/before"),)
    assert moves.before_writing(noted, TARGET, NOW + HOUR) is noted
    for known in (replace(state, path="sip/office"), replace(state, path="")):
        assert moves.before_writing(known, TARGET, NOW) is known


def test_a_path_that_was_left_before_hands_out_what_the_new_one_does():
    state = TargetState("office", path="sip/before", former_paths=(FORMER, replace(FORMER, path="sip/office")))
    moved = moves.after_path_change(state, TARGET, NOW)
    assert moved.path == "sip/office"
    assert moved.former_paths == (FORMER, FormerPath("sip/before", NOW + DAY, "sip/office"))


def test_what_a_withdrawn_path_handed_out_gets_its_whole_overlap_from_then():
    handed_out, another = replace(ENTRY, disable_at=NOW + HOUR), replace(ENTRY, credential=OTHER)
    cut_off, leaked = replace(handed_out, disabled_at=NOW), replace(handed_out, compromised=True)
    state = TargetState("office", former_paths=(FORMER, DENIED), ledger=(handed_out, another, cut_off, leaked))
    withdrawn = moves.after_withdrawal(state, FORMER, document(NEW), NOW)
    overlap = handed_out.disable_at - handed_out.replaced_at
    assert withdrawn.ledger == (replace(handed_out, disable_at=NOW + overlap), another, cut_off, leaked)
    assert withdrawn.former_paths == (DENIED,)


def test_a_move_ends_the_claim_and_what_held_it_up():
    waits = {"not_before": NOW + HOUR, "last_error": "403", "claim": CLAIM}
    state = TargetState("office", path="sip/before", published=OLD, **waits)
    moved = moves.after_move(state, TARGET, NOW)
    assert moved == replace(moves.after_path_change(state, TARGET, NOW), not_before=None, last_error="", claim=None)
    assert (moved.not_before, moved.last_error, moved.claim) == (None, "", None)


def test_a_target_of_which_nothing_is_known_leaves_no_document_behind():
    moved = moves.after_move(TargetState("office", path="sip/before"), TARGET, NOW)
    assert moved == TargetState("office", path=TARGET.path)


def test_a_failure_at_a_former_path_is_noted_there_until_it_is_written():
    state = TargetState("office", former_paths=(FORMER, DENIED), claim=CLAIM)
    failed = moves.after_former_failure(state, FORMER, "403", NOW + HOUR)
    later = replace(FORMER, failures=1, not_before=NOW + HOUR, note="403")
    assert failed == TargetState("office", former_paths=(later, DENIED))
    assert moves.after_republishing(failed, later).former_paths == (FORMER, DENIED)


def test_hooks_that_come_before_an_end_run_again_where_a_withdrawal_puts_that_off():
    ready = replace(ENTRY, hooked=("drain",), held_by="ask")
    state = TargetState("office", published=OLD, ledger=(ready,), former_paths=(FORMER,))
    (entry,) = moves.after_withdrawal(state, FORMER, document(NEW), NOW).ledger
    assert entry == replace(ready, disable_at=NOW + DAY, hooked=(), held_by="")
