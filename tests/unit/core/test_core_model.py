"""The types: which document names which credential, which credentials are one, when a quarantine ends."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import DAY, ENTRY, NEW, NOW, OLD, TARGET, attempt, document, facts

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import is_same_credential, ledger_entry_of, lookup_key
from rotator.core.model import Credential, Proof, TargetState
from rotator.core.schedule import Cron, Every, Window
from rotator.core.secret import Secret

BARE = Credential("fake", "")


@pytest.mark.parametrize(
    "changes",
    [{"exists": False}, {"username": "x"}, {"password": Secret("x")}, {"credential_id": "x"}, {"password": None}],
)
def test_a_document_names_a_credential_if_all_of_it_is_the_same(changes):
    assert document(OLD).names(OLD)
    assert not replace(document(OLD), **changes).names(OLD)
    unknown = replace(OLD, password=None)
    assert not document(unknown).names(unknown)


@pytest.mark.parametrize(
    ("consumer", "credential", "concerned"),
    [
        (document(OLD), replace(OLD, password=None), True),
        (document(OLD), replace(OLD, username="renamed"), True),
        (document(OLD), replace(OLD, id="another"), False),
        (document(OLD), replace(OLD, id=None), True),
        (replace(document(OLD), credential_id=None), OLD, True),
        (replace(document(OLD), credential_id=None), NEW, False),
        (replace(document(OLD), exists=False), OLD, False),
        (ConsumerDocument(1, exists=True, username=""), BARE, False),
    ],
)
def test_a_document_concerns_a_credential_by_its_id_or_else_its_username(consumer, credential, concerned):
    assert consumer.concerns(credential) is concerned


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (OLD, replace(OLD, password=None, username="renamed", attempt=None), True),
        (OLD, replace(OLD, account="other"), False),
        (OLD, replace(OLD, id="another"), False),
        (replace(OLD, id=None), OLD, True),
        (replace(OLD, id=None), replace(NEW, id=None), False),
        (replace(BARE, attempt="1"), replace(BARE, attempt="1"), True),
        (replace(BARE, attempt="1"), replace(BARE, attempt="2"), False),
        (BARE, BARE, False),
        (replace(BARE, attempt="1"), replace(OLD, username=""), False),
        (replace(BARE, attempt="1"), replace(OLD, id=None), True),
    ],
)
def test_credentials_are_one_by_id_or_username_or_the_attempt_that_made_them(one, other, same):
    assert is_same_credential(one, other) is is_same_credential(other, one) is same


def test_a_look_up_is_known_by_the_most_precise_name():
    assert lookup_key(OLD) == "fake/id-old"
    assert lookup_key(replace(OLD, id=None)) == "fake/old"
    assert lookup_key(replace(BARE, attempt="1")) == "fake/1"


def test_the_entry_of_a_credential_is_found_among_others():
    state = TargetState("office", ledger=(ENTRY, replace(ENTRY, credential=OLD)))
    assert ledger_entry_of(state, OLD) == state.ledger[1]
    assert ledger_entry_of(TargetState("office", ledger=(ENTRY,)), OLD) is None


def test_what_is_published_staged_or_handed_out_is_protected():
    known = facts(state_attempt=attempt(staged=NEW), consumer=ConsumerDocument(1, exists=True, username="by hand"))
    assert known.is_protected(replace(OLD, password=None))
    assert known.is_protected(replace(NEW, password=None))
    assert known.is_protected(Credential("fake", "by hand"))
    assert not known.is_protected(Credential("fake", "another"))
    assert not facts().is_protected(NEW)


def test_a_document_is_ours_if_it_names_what_is_published_or_if_there_is_neither():
    assert facts().consumer_document_is_ours
    assert not facts(consumer=document(NEW)).consumer_document_is_ours
    nothing = ConsumerDocument(0, exists=False)
    assert facts(state_published=None, consumer=nothing).consumer_document_is_ours
    assert not facts(state_published=None).consumer_document_is_ours
    assert not facts(consumer=nothing).consumer_document_is_ours


def test_an_entry_is_named_by_what_is_known_of_it():
    names = [replace(ENTRY, credential=c).label for c in (OLD, replace(OLD, username=""), BARE)]
    assert names == ["old", "id-old", "what a lost call may have created"]


def test_a_quarantine_runs_from_the_disabling_or_from_when_that_should_be():
    assert replace(ENTRY, disable_at=NOW).ends_at == NOW + 7 * DAY
    assert replace(ENTRY, disable_at=NOW, disabled_at=NOW + DAY).ends_at == NOW + 8 * DAY
    assert (ENTRY.disabled, replace(ENTRY, disabled_at=NOW).disabled) == (False, True)


def test_the_schedule_key_changes_with_the_schedule_and_with_the_window():
    policies = [
        replace(TARGET.policy, schedule=schedule, window=window)
        for schedule in (Every(DAY), Every(2 * DAY), Cron("0 3 * * *"), Cron("0 3 * * *", "Europe/Berlin"))
        for window in (None, Window("0 2 * * *", timedelta(hours=1)))
    ]
    keys = [policy.schedule_key for policy in policies]
    assert len(set(keys)) == len(keys)
    assert replace(policies[0], name="other").schedule_key == keys[0]


def test_a_proof_that_tries_no_password_says_so():
    assert str(Proof("a SIP REGISTER", tries_password=True)) == "a SIP REGISTER"
    assert str(Proof("its list", tries_password=False)) == "read-back without trying the password (its list)"
