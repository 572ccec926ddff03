"""The entries of the ledger: each event changes one of them, and a clock that was wrong spoils none."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import CLAIM, DAY, FIRST, HOUR, LATER, NEW, NOW, OLD, SECOND, document

from rotator.core import ledger
from rotator.core.model import (
    Counts,
    Ending,
    TargetState,
)
from rotator.core.origin import Origin
from rotator.core.secret import Secret

BOTH = TargetState("office", published=NEW, ledger=(FIRST, SECOND), claim=CLAIM)
WHO = Origin("tester", "because")


def test_of_two_accounts_that_the_document_may_mean_the_one_whose_password_it_has_comes_first():
    elsewhere = replace(SECOND, credential=replace(OLD, account="other", password=Secret("another")))
    handed_out = replace(FIRST, ending=Ending.DELETE)
    for order in ((elsewhere, handed_out), (handed_out, elsewhere)):
        state = replace(BOTH, ledger=order)
        assert ledger.handed_out_entry(state, document(OLD)) == handed_out
    assert ledger.handed_out_entry(replace(BOTH, ledger=(elsewhere,)), document(OLD)) == elsewhere
    assert ledger.handed_out_entry(replace(BOTH, ledger=()), document(OLD)) is None


def test_two_entries_of_one_credential_do_not_get_in_each_others_way():
    assert ledger.after_forget(BOTH, FIRST).ledger == (SECOND,)
    disabled = ledger.after_disable(BOTH, SECOND, LATER)
    assert disabled.ledger == (FIRST, replace(SECOND, disabled_at=LATER))
    assert disabled.ledger[1].ends_at == LATER + DAY
    postponed = ledger.after_postponement(BOTH, SECOND, "active calls", LATER)
    assert postponed.ledger == (FIRST, replace(SECOND, failures=1, not_before=LATER, note="active calls"))
    known = ledger.after_new_password(BOTH, SECOND, Secret("third"))
    assert [entry.credential.password for entry in known.ledger] == [OLD.password, Secret("third")]
    told = ledger.after_expire(BOTH, SECOND, NOW + DAY)
    assert told.ledger == (FIRST, replace(SECOND, expires_at=NOW + DAY))
    assert told.verify_at == NOW + 23 * HOUR


def test_the_idle_one_is_known_to_be_disabled_so_that_its_next_password_enables_it():
    standing = replace(BOTH, standby=SECOND.credential)
    assert not ledger.after_disable(standing, SECOND, LATER).standby.enabled
    another = replace(BOTH, standby=NEW)
    assert ledger.after_disable(another, SECOND, LATER).standby == NEW


def test_what_is_gone_from_the_provider_leaves_nothing_in_the_ledger():
    gone = ledger.after_removal(BOTH, SECOND, deleted=True)
    assert (gone.ledger, gone.counts.deleted, gone.claim) == ((), 1, None)
    assert ledger.after_removal(BOTH, SECOND, deleted=False).counts.deleted == 0
    assert ledger.after_stray_removal(BOTH).ledger == (FIRST, SECOND)


def test_in_an_emergency_what_was_disabled_late_is_not_disabled_later_and_a_lost_create_is_waited_for():
    over = replace(SECOND, disable_at=NOW - HOUR, not_before=LATER)
    assert ledger.end_now((over,), NOW, WHO) == (
        replace(over, quarantine=timedelta(), not_before=None, origin=WHO, unasked=True),
    )
    assert ledger.end_now((SECOND,), NOW, WHO, compromised=True)[0].disable_at == NOW
    lost = replace(SECOND, credential=replace(OLD, id=None))
    assert ledger.end_now((lost,), NOW, WHO, compromised=True) == (lost,)


PAUSED = replace(SECOND, failures=2, not_before=LATER, note="active calls")


@pytest.mark.parametrize(
    ("after", "entries", "counts"),
    [
        (
            lambda s: replace(ledger.after_expire(s, PAUSED, LATER), verify_at=None),
            (replace(SECOND, expires_at=LATER),),
            Counts(),
        ),
        (lambda s: ledger.after_disable(s, PAUSED, LATER), (replace(SECOND, disabled_at=LATER),), Counts(disabled=1)),
        (
            lambda s: ledger.after_postponement(s, PAUSED, "429", NOW),
            (replace(PAUSED, failures=3, not_before=NOW, note="429"),),
            Counts(),
        ),
        (lambda s: ledger.after_forget(s, PAUSED), (), Counts()),
        (ledger.after_stray_removal, (PAUSED,), Counts(deleted=1)),
    ],
)
def test_an_event_of_one_entry_changes_that_one_and_gives_the_claim_back(after, entries, counts):
    state = TargetState("office", published=NEW, ledger=(FIRST, PAUSED), claim=CLAIM)
    assert after(state) == replace(state, ledger=(FIRST, *entries), counts=counts, claim=None)


def test_a_new_password_is_stored_and_the_claim_kept_since_the_provider_hears_of_it_next():
    third = replace(PAUSED.credential, password=Secret("third"))
    known = replace(PAUSED, credential=third, is_random=True, devices_password=PAUSED.credential.password)
    state = TargetState("office", ledger=(FIRST, PAUSED), claim=CLAIM)
    assert ledger.after_new_password(state, PAUSED, Secret("third")) == replace(state, ledger=(FIRST, known))
