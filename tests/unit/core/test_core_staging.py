"""Opening an attempt: whether one is opened now, with which credential, and what it will replace."""

from dataclasses import replace
from datetime import timedelta

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
    POLICY,
    REQUEST,
    TARGET,
    UNDO,
    attempt,
    document,
    facts,
)

from rotator.core.actions import Drop, LookUp, Stage
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import Facts, lookup_key
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Credential, Ending, LedgerEntry, Purpose, Request
from rotator.core.schedule import Window
from rotator.core.secret import Secret
from rotator.core.staging import stage
from rotator.testing import CHOSEN

NIGHT = replace(POLICY, window=Window("0 2 * * *", HOUR))
OFFICE = Credential("fake", "office", "id-office")
A, B = Credential("fake", "a", "id-a", Secret("a")), Credential("fake", "b", "id-b", Secret("b"))
BY_HAND = ConsumerDocument(1, exists=True, username="office", password=Secret("by hand"))
EMPTY = ConsumerDocument(0, exists=False)


def known(*credentials: Credential) -> dict[str, tuple[Credential, ...]]:
    """The look-ups by username that found these."""
    return {lookup_key(Credential("fake", found.username)): (found,) for found in credentials}


def with_standby(**changes) -> Facts:
    """`a` is published, `b` stands by."""
    rest = {"state_published": A, "consumer": document(A), "state_standby": replace(B, password=None)}
    return facts(ALTERNATING, **({**rest, "state_request": REQUEST} | changes))


# Whether


def test_while_an_attempt_is_open_no_other_is_opened():
    assert stage(facts(state_attempt=attempt(), state_request=REQUEST)) is None


@pytest.mark.parametrize(("published", "why"), [(OLD, "due since 2026-01-05T11:00:00Z"), (None, "first rotation")])
def test_a_due_rotation_is_asked_for_by_the_schedule(published, why):
    consumer = document(OLD) if published else EMPTY
    target = replace(TARGET, usernames=())
    due = facts(target, consumer=consumer, state_published=published, state_next_rotation=NOW - HOUR)
    request = Request(Purpose.ROTATE, "schedule", why, NOW)
    assert stage(due) == Stage(request, Credential("fake", ""), published)


def test_a_rotation_that_is_asked_for_is_not_explained_by_the_schedule():
    assert stage(facts(state_request=REQUEST, state_next_rotation=NOW - HOUR)).request == REQUEST


def test_a_rotation_that_was_never_drawn_is_not_due():
    assert stage(facts(state_next_rotation=None)) == Hold(HoldReason.NOT_DUE, "nothing is due")


def test_an_account_that_does_not_accept_what_was_set_gets_no_more_passwords_in_place():
    held = Hold(
        HoldReason.UNPROVED,
        "fake does not accept the passwords that were set last: find the cause at the provider",
        NOW + timedelta(seconds=10),
    )
    unproved = {"unproved_accounts": frozenset({"fake"})}
    assert stage(facts(IN_PLACE, state_request=REQUEST, **unproved)) == held
    assert stage(facts(IN_PLACE, **unproved)).reason is HoldReason.NOT_DUE
    assert isinstance(stage(facts(state_request=REQUEST, **unproved)), Stage)
    other = {"unproved_accounts": frozenset({"other"})}
    assert isinstance(stage(facts(IN_PLACE, state_request=REQUEST, **other)), Stage)


def test_a_document_of_somebody_else_is_only_overwritten_if_that_is_asked_for():
    foreign = {"consumer": document(NEW)}
    held = stage(facts(**foreign))
    assert isinstance(held, Hold)
    assert held.reason is HoldReason.FOREIGN_DOCUMENT
    assert stage(facts(**foreign, state_request=REQUEST)) == held
    assert stage(facts(**foreign, state_next_rotation=NOW)) == held
    assert isinstance(stage(facts(**foreign, state_request=replace(REQUEST, take_over=True))), Stage)
    gone = {"consumer": replace(document(OLD), exists=False)}
    assert stage(facts(**gone)).message.startswith("sip/office is gone: correct it")


def test_what_the_schedule_asks_for_waits_for_the_window_and_a_request_does_not():
    target = replace(TARGET, policy=NIGHT)
    opening = NOW.replace(hour=2) + DAY
    waiting = Hold(HoldReason.OUTSIDE_WINDOW, "a rotation is due and waits for the maintenance window", opening)
    assert stage(facts(target, state_next_rotation=NOW)) == waiting
    assert isinstance(stage(facts(target, state_request=REQUEST)), Stage)
    inside = opening + timedelta(minutes=30)
    assert isinstance(stage(facts(target, state_next_rotation=NOW, now=inside)), Stage)


def idle_entry(**changes) -> LedgerEntry:
    return replace(ENTRY, credential=B, ending=Ending.STAND_BY, **{"disable_at": NOW + HOUR} | changes)


def test_the_idle_credential_is_not_set_while_devices_may_still_use_it():
    held = Hold(HoldReason.IDLE_IN_OVERLAP, "devices may still use the idle credential")
    assert stage(with_standby(state_ledger=(idle_entry(),))) == held
    due = {"state_request": None, "state_next_rotation": NOW}
    assert stage(with_standby(state_ledger=(idle_entry(),), **due)) == held


@pytest.mark.parametrize(
    ("entry", "changes", "held"),
    [
        (idle_entry(), {"state_request": replace(REQUEST, compromised=True)}, False),
        (idle_entry(disabled_at=NOW - HOUR), {}, False),
        # The overlap is over. A request does not wait for the disabling, which may be impossible; the schedule does.
        (idle_entry(disable_at=NOW), {}, False),
        (idle_entry(disable_at=NOW), {"state_request": None, "state_next_rotation": NOW}, True),
        (replace(idle_entry(), credential=OTHER), {}, False),
    ],
)
def test_the_idle_credential_is_free_after_its_overlap_and_in_an_emergency(entry, changes, held):
    assert isinstance(stage(with_standby(state_ledger=(entry,), **changes)), Hold) is held


# With which credential


def test_replace_stages_a_new_credential_for_what_is_published():
    assert stage(facts(state_request=REQUEST)) == Stage(REQUEST, Credential("fake", ""), OLD)


@pytest.mark.parametrize("target", [TARGET, IN_PLACE])
@pytest.mark.parametrize(
    ("consumer", "password"), [(BY_HAND, Secret("by hand")), (replace(BY_HAND, username="x"), None), (EMPTY, None)]
)
def test_the_first_rotation_adopts_the_configured_credential_with_the_password_that_devices_have(
    target, consumer, password
):
    taken = replace(REQUEST, take_over=True)
    first = {"state_published": None, "consumer": consumer, "state_request": taken}
    adopted = replace(OFFICE, password=password)
    staged = Credential("fake", "") if target is TARGET else OFFICE
    assert stage(facts(target, **first, lookups=known(OFFICE))) == Stage(taken, staged, adopted)
    assert stage(facts(target, **first)) == LookUp(Credential("fake", "office"))


def test_replace_creates_at_first_only_what_is_said_to_be_new_or_has_no_name():
    first = {"state_published": None, "consumer": EMPTY, "state_request": REQUEST}
    nothing = {lookup_key(Credential("fake", "office")): ()}
    unknown = "fake has no credential 'office': correct the username, or add new: true beside it to have it created"
    assert stage(facts(**first, lookups=nothing)) == Drop(unknown)
    staged = Stage(REQUEST, Credential("fake", ""), None)
    assert stage(facts(replace(TARGET, new=True), **first, lookups=nothing)) == staged
    assert stage(facts(replace(TARGET, usernames=()), **first)) == staged
    assert stage(facts(state_request=REQUEST)) == Stage(REQUEST, Credential("fake", ""), OLD)


@pytest.mark.parametrize(("there", "missing"), [((), "a"), (("a",), "b"), (("b",), "a")])
def test_alternating_creates_at_first_only_what_is_said_to_be_new(there, missing):
    first = {"state_published": None, "consumer": EMPTY, "state_request": REQUEST}
    looked_up = {
        lookup_key(Credential("fake", name)): (replace(OFFICE, username=name),) if name in there else ()
        for name in ALTERNATING.usernames
    }
    dropped = stage(facts(ALTERNATING, **first, lookups=looked_up))
    assert isinstance(dropped, Drop)
    assert dropped.message.startswith(f"fake has no credential {missing!r}: ")
    assert isinstance(stage(facts(replace(ALTERNATING, new=True), **first, lookups=looked_up)), Stage)
    assert isinstance(stage(facts(ALTERNATING, state_request=REQUEST, lookups=looked_up)), Stage)


def test_in_place_sets_what_is_published_if_it_is_still_there():
    staged = Stage(REQUEST, replace(OLD, password=None), OLD)
    assert stage(facts(IN_PLACE, state_request=REQUEST)) == staged
    failed = {"state_request": REQUEST, "state_failures": 1}
    assert stage(facts(IN_PLACE, **failed)) == LookUp(OLD)
    assert stage(facts(IN_PLACE, **failed, lookups={lookup_key(OLD): (OLD,)})) == staged


def test_in_place_adopts_what_was_made_anew_by_hand():
    failed = {"state_request": REQUEST, "state_failures": 1}
    gone = {lookup_key(OLD): ()}
    assert stage(facts(IN_PLACE, **failed, lookups=gone)) == LookUp(Credential("fake", "office"))
    found = gone | known(replace(OFFICE, password=Secret("listed")))
    assert stage(facts(IN_PLACE, **failed, lookups=found)) == Stage(REQUEST, OFFICE, OFFICE)


def test_in_place_after_a_move_replaces_what_is_published_at_the_other_account():
    elsewhere = replace(OLD, account="other")
    moved = facts(
        IN_PLACE,
        state_request=REQUEST,
        state_published=elsewhere,
        consumer=document(elsewhere),
        capabilities={"fake": CHOSEN, "other": CHOSEN},
        lookups=known(OFFICE),
    )
    assert stage(moved) == Stage(REQUEST, OFFICE, elsewhere)


def test_in_place_drops_what_it_has_no_credential_for():
    first = {"state_published": None, "consumer": EMPTY, "state_request": REQUEST}
    nothing = {lookup_key(Credential("fake", "office")): ()}
    message = "fake has no credential 'office': correct the username, since in-place cannot create one"
    assert stage(facts(IN_PLACE, **first, lookups=nothing)) == Drop(message)


def test_alternating_stages_the_one_that_stands_by_and_never_with_its_old_password():
    assert stage(with_standby()) == Stage(REQUEST, replace(B, password=None), A)
    assert stage(with_standby(state_standby=B)) == Stage(REQUEST, replace(B, password=None), A)
    other = {"state_published": B, "consumer": document(B), "state_standby": A}
    assert stage(with_standby(**other)) == Stage(REQUEST, replace(A, password=None), B)


def test_alternating_looks_the_idle_one_up_until_it_is_known():
    wanted = Credential("fake", "b")
    for standby in (None, replace(B, account="other"), replace(B, username="c")):
        assert stage(with_standby(state_standby=standby)) == LookUp(wanted)
        assert stage(with_standby(state_standby=standby, lookups=known(B))).credential == replace(B, password=None)
        assert stage(with_standby(state_standby=standby, lookups={lookup_key(wanted): ()})).credential == wanted


def test_alternating_makes_anew_what_was_deleted_by_hand():
    failed = with_standby(state_failures=1)
    assert stage(failed) == LookUp(replace(B, password=None))
    there = {lookup_key(B): (B,)}
    assert stage(replace(failed, lookups=there)).credential == replace(B, password=None)
    gone = {lookup_key(B): (), lookup_key(Credential("fake", "b")): ()}
    assert stage(replace(failed, lookups=gone)).credential == Credential("fake", "b")


@pytest.mark.parametrize(("handed_out", "used", "idle"), [("a", A, B), ("b", B, A), ("x", A, B)])
def test_the_first_rotation_of_alternating_adopts_the_one_that_is_handed_out(handed_out, used, idle):
    taken = replace(REQUEST, take_over=True)
    consumer = replace(BY_HAND, username=handed_out)
    first = facts(ALTERNATING, consumer=consumer, state_published=None, state_request=taken)
    wanted = Credential("fake", idle.username)
    assert stage(first) == LookUp(wanted)
    half = replace(first, lookups={lookup_key(wanted): ()})
    assert stage(half) == LookUp(Credential("fake", used.username))
    password = consumer.password if handed_out == used.username else None
    adopted = replace(used, password=password)
    assert stage(replace(first, lookups=known(A, B))) == Stage(taken, replace(idle, password=None), adopted)


@pytest.mark.parametrize("changes", [{"ending": Ending.DELETE}, {"credential": replace(OTHER, account="other")}])
def test_what_the_document_hands_out_is_none_of_the_two_unless_it_stands_by_here(changes):
    entry = replace(ENTRY, **{"credential": OTHER, "ending": Ending.STAND_BY} | changes)
    taken = replace(REQUEST, take_over=True)
    first = facts(
        ALTERNATING,
        consumer=document(OTHER),
        state_published=None,
        state_ledger=(entry,),
        state_request=taken,
        lookups=known(A, B) | {lookup_key(replace(OTHER, account="fake")): ()},
    )
    assert stage(first) == Stage(taken, replace(B, password=None), replace(A, password=None))


def test_a_document_that_names_only_an_id_is_looked_up_by_that():
    by_id = replace(BY_HAND, username=None, credential_id="id-office")
    asked = facts(consumer=by_id, state_published=None, state_request=replace(REQUEST, take_over=True))
    assert stage(asked) == LookUp(Credential("fake", "", "id-office"))


def test_alternating_takes_its_first_turn_from_a_target_of_another_strategy():
    moved = facts(ALTERNATING, state_request=REQUEST, lookups=known(A, B))
    assert stage(moved) == Stage(REQUEST, replace(B, password=None), OLD)


def test_an_undo_stages_the_newest_entry_that_can_be_published():
    live = replace(ENTRY, disable_at=NOW + DAY)
    newest = replace(live, credential=OTHER)
    assert stage(facts(state_request=UNDO, state_ledger=(live, newest))) == Stage(UNDO, OTHER, OLD)
    unknown = replace(live, credential=replace(OTHER, password=None))
    assert stage(facts(state_request=UNDO, state_ledger=(live, unknown))) == Stage(UNDO, NEW, OLD)
    both = (replace(live, credential=replace(NEW, id=None)), unknown)
    reasons = "nothing can be undone: other: its password is unknown; new: it was never published"
    assert stage(facts(state_request=UNDO, state_ledger=both)) == Drop(reasons)


def test_an_undo_does_not_stage_a_credential_of_another_account_under_the_same_name():
    """It is not what is published, so only the entry itself tells: its id may be a stranger's there."""
    theirs = replace(OTHER, account="other", identity="account 1")
    live = replace(ENTRY, credential=theirs, disable_at=NOW + DAY)
    capabilities = {"fake": CHOSEN, "other": CHOSEN}
    asked = facts(state_request=UNDO, state_ledger=(live,), capabilities=capabilities)
    same = replace(asked, identities={"other": "account 1"})
    assert stage(same) == Stage(UNDO, theirs, OLD)
    held = stage(replace(asked, identities={"other": "account 2"}))
    assert isinstance(held, Hold)
    assert held.reason is HoldReason.ACCOUNT_CHANGED
    assert held.message.startswith("other is now account 2, but ")
