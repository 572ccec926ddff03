"""Deciding on the next step of an open attempt."""

from dataclasses import replace

import pytest
from core_facts import DAY, ENTRY, HOUR, IN_PLACE, NEW, NOW, OLD, OTHER, STAGED, attempt, document, facts

from rotator.core.actions import Abandon, Apply, Disable, Restore, Settle, Verb
from rotator.core.decide import decide
from rotator.core.holding import HoldReason
from rotator.core.model import Phase, Strategy


def test_nothing_is_applied_that_could_not_be_published_unless_it_is_to_be_taken_over():
    foreign = {"consumer": document(OTHER)}
    assert decide(facts(state_attempt=attempt(), **foreign)).reason is HoldReason.FOREIGN_DOCUMENT
    taken = attempt(take_over=True)
    assert decide(facts(state_attempt=taken, **foreign)) == Apply(Verb.CREATE, STAGED, OLD)
    assert decide(facts(state_attempt=attempt(refused=True), **foreign)) == Abandon()


def test_a_document_that_hands_out_what_is_staged_is_nobody_elses():
    staged = attempt(staged=NEW, uncertain=True)
    by_hand = replace(document(NEW), attempt=None)
    assert decide(facts(state_attempt=staged, consumer=by_hand)) == Apply(Verb.COMPLETE, NEW, OLD)
    entry = replace(ENTRY, credential=OTHER)
    waiting = facts(
        state_attempt=staged,
        consumer=by_hand,
        state_ledger=(entry,),
        state_not_before=NOW + HOUR,
        state_failures=1,
    )
    assert decide(waiting) == Disable(entry)


def test_an_unsettled_password_is_tried_and_then_the_old_one_if_that_is_known():
    for old, tried in ((OLD, OLD), (replace(OLD, password=None), None), (None, None)):
        uncertain = attempt(strategy=Strategy.IN_PLACE, staged=OLD, predecessor=old, uncertain=True)
        assert decide(facts(IN_PLACE, state_attempt=uncertain)) == Settle(OLD, tried)


@pytest.mark.parametrize(
    "changes", [{"uncertain": True, "put_back": True}, {"phase": Phase.PROVED, "uncertain": True, "applied_at": NOW}]
)
def test_nothing_is_put_back_beside_what_a_later_rotation_has_published(changes):
    """The state is an older one that somebody restored: the old password that it knows ended long ago."""
    undone = attempt(strategy=Strategy.IN_PLACE, staged=replace(OLD, attempt="2"), **changes)
    later = replace(document(OTHER), rotated_at=NOW + HOUR, attempt="9")
    assert decide(facts(IN_PLACE, state_attempt=undone, consumer=later)).reason is HoldReason.FOREIGN_DOCUMENT
    others = (
        replace(later, rotated_at=NOW),  # an older version of the document was restored
        replace(later, attempt=None),  # somebody wrote it
        replace(later, rotated_at=None),
        replace(later, attempt="2"),  # somebody changed it
    )
    for document_ in others:
        assert decide(facts(IN_PLACE, state_attempt=undone, consumer=document_)) == Restore(OLD)
    taken = replace(undone, take_over=True, put_back=True, phase=Phase.STAGED)
    assert decide(facts(IN_PLACE, state_attempt=taken, consumer=later)) == Abandon()


@pytest.mark.parametrize("known", ["predecessor", "published", "standby", "ledger"])
def test_what_the_state_knows_is_of_no_later_rotation_however_far_behind_the_clock_is_that_began(known):
    """Devices would be refused for good: the attempt ended, and the old password was not put back."""
    began = attempt(
        strategy=Strategy.IN_PLACE, staged=replace(OLD, attempt="2"), uncertain=True, put_back=True, take_over=True
    )
    by = replace(OTHER, attempt="9")
    named = {
        "predecessor": {"state_attempt": replace(began, predecessor=replace(OLD, attempt="9"))},
        "published": {"state_attempt": began, "state_published": by},
        "standby": {"state_attempt": began, "state_standby": by},
        "ledger": {"state_attempt": began, "state_ledger": (replace(ENTRY, credential=by),)},
    }[known]
    at_hand = replace(document(OTHER), rotated_at=NOW + 40 * DAY, attempt="9")
    decided = decide(facts(IN_PLACE, consumer=at_hand, **named))
    assert decided == Restore(named["state_attempt"].predecessor)
