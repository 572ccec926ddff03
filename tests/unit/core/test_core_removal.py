"""What is given up of a target whose accounts are out of reach, or which nobody configures any more."""

from dataclasses import replace

import pytest
from core_facts import DAY, ENTRY, NEW, NOW, OLD, OTHER, POLICY, opened

from rotator.core.model import Ended, EndedBy, Ending, TargetState
from rotator.core.origin import Origin
from rotator.core.removal import RemovalImpossible, after_forgetting, after_taking_in, forgotten

ORIGIN = Origin("ann", "ticket")
STATE = replace(opened(), published=OLD, standby=OTHER)


def test_what_can_be_reached_is_kept_while_the_target_is_configured():
    assert forgotten(STATE, {"fake"}, configured=True) == ()
    assert after_forgetting(STATE, {"fake"}, configured=True) == STATE


def test_an_attempt_out_of_reach_is_given_up_and_what_is_published_is_kept():
    assert [one.username for one in forgotten(STATE, (), configured=True)] == [NEW.username]
    assert after_forgetting(STATE, (), configured=True) == replace(STATE, attempt=None)


def test_of_a_target_that_is_not_configured_both_credentials_are_given_up():
    assert forgotten(STATE, {"fake"}, configured=False) == (OLD, OTHER)
    assert after_forgetting(STATE, {"fake"}, configured=False) == replace(STATE, published=None, standby=None)


def test_what_is_still_accepted_although_everything_was_tried_can_be_given_up():
    """No command ended it: the provider lets in what its API says is gone, or its account has left for good."""
    beyond = Ended(replace(OLD, username="deleted"), EndedBy.DELETED, NOW, accepted=3)
    pending = replace(beyond, credential=replace(OLD, username="pending"), accepted=0)
    in_ledger = replace(beyond, credential=ENTRY.credential, by=EndedBy.DISABLED)
    old_password = replace(beyond, credential=OTHER, by=EndedBy.REPLACED)
    away = replace(pending, credential=replace(NEW, account="gone"))
    kept_password = replace(ENTRY, credential=OTHER, ending=Ending.FORGET)
    state = replace(STATE, attempt=None, ledger=(ENTRY, kept_password))
    state = replace(state, ended=(beyond, pending, in_ledger, old_password, away))

    given_up = forgotten(state, {"fake"}, configured=True)

    assert given_up == (beyond.credential, old_password.credential, away.credential)
    assert after_forgetting(state, {"fake"}, configured=True) == replace(state, ended=(pending, in_ledger))


def test_nothing_is_taken_in_by_a_document_that_is_being_moved_away():
    """The move empties it next: the orphan would be one again, although the audit says that it is retired."""
    state = TargetState("office", published=OLD, renamed_to="lobby")
    with pytest.raises(RemovalImpossible, match="office is being renamed to lobby"):
        after_taking_in(state, OTHER, POLICY, NOW, ORIGIN)
    (entry,) = after_taking_in(replace(state, renamed_to=""), OTHER, POLICY, NOW, ORIGIN).ledger
    assert (entry.credential, entry.disable_at, entry.quarantine) == (OTHER, NOW + DAY, 7 * DAY)
