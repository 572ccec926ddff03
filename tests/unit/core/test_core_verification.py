"""What rests on the proof of what is published, and how long a proof lasts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_facts import ENTRY, HOUR, IN_PLACE, NEW, NOW, OLD, STAGED, TARGET, VERIFIED, attempt, document, facts

from rotator.core import verification
from rotator.core.actions import Apply, Delete, Disable, DrawVerification, LiftEnd, Prove, Publish, Verb, Verify
from rotator.core.clocks import Clocks
from rotator.core.decide import decide
from rotator.core.holding import Hold, HoldReason
from rotator.core.ledger import end_now
from rotator.core.model import Ending, Listed, Phase, Strategy, Target, TargetState, Verification
from rotator.core.origin import Origin
from rotator.core.verification import BELIEVED, FRESH

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
CLOCKS = Clocks(NOW, NOW)
REFUSED = Verification(NOW - HOUR, accepted=False, proof="403 Forbidden", refusals=BELIEVED)
EVERY_DAY = replace(TARGET, policy=replace(TARGET.policy, verify=timedelta(days=1)))


def due(**changes: Any) -> Any:
    """What is decided where a replaced credential is due to be disabled."""
    return decide(facts(**{"state_ledger": (ENTRY,)} | changes))


@pytest.mark.parametrize(
    ("age", "fresh"), [(timedelta(), True), (FRESH, True), (FRESH + SECOND, False), (-FRESH - SECOND, False)]
)
def test_nothing_is_retired_or_published_on_an_old_proof(age, fresh):
    known = replace(VERIFIED, at=NOW - age)
    assert due(state_verification=known) == (Disable(ENTRY) if fresh else Verify(OLD))
    over = replace(ENTRY, disabled_at=NOW - HOUR, quarantine=timedelta())
    assert due(state_verification=known, state_ledger=(over,)) == (Delete(over) if fresh else Verify(OLD))
    proved = attempt(phase=Phase.PROVED, staged=NEW, proved_at=NOW - age)
    assert decide(facts(state_attempt=proved)) == (Publish(NEW) if fresh else Prove(NEW))


def test_a_proof_ages_by_vaults_time():
    assert due(vault_now=NOW + FRESH + SECOND, state_ledger=(replace(ENTRY, disable_at=NOW - HOUR),)) == Verify(OLD)
    assert due(state_verification=None) == Verify(OLD)


def test_what_is_handed_out_already_needs_no_other_proof():
    old = attempt(phase=Phase.PROVED, staged=NEW, proved_at=None)
    assert decide(facts(state_attempt=old, consumer=document(NEW))).step == "close"


def test_one_refused_proof_already_holds_every_retirement_and_the_next_try_waits_for_its_time():
    once = replace(REFUSED, refusals=1)
    assert due(state_verification=once, state_verify_at=NOW + MINUTE).reason is HoldReason.PUBLISHED_REFUSED
    assert due(state_verification=once, state_verify_at=NOW) == Verify(OLD)


EMERGENCY = end_now((ENTRY,), NOW, Origin("tester", "because"), compromised=True)[0]
UNASKED: dict[str, Any] = {"state_verification": None, "state_verify_failures": 1, "state_verify_at": NOW + HOUR}


def test_an_emergency_waits_for_a_refusal_and_not_for_a_provider_that_cannot_be_asked():
    assert due(**UNASKED).reason is HoldReason.UNVERIFIED
    assert due(**UNASKED, state_ledger=(EMERGENCY,)) == Disable(EMERGENCY)
    refused = due(state_verification=REFUSED, state_verify_at=NOW + HOUR, state_ledger=(EMERGENCY,))
    assert refused.reason is HoldReason.PUBLISHED_REFUSED


def test_a_refusal_counts_for_an_emergency_also_while_nobody_can_be_asked_again():
    """What is compromised may be the last one that is accepted."""
    shut: dict[str, Any] = {"state_verify_at": NOW, "open_circuits": {"fake": NOW + HOUR}}
    for refusals in (1, BELIEVED):
        refused = replace(REFUSED, refusals=refusals)
        decision = due(state_verification=refused, state_ledger=(EMERGENCY,), **shut)
        assert isinstance(decision, Hold), decision
    assert due(state_verification=None, state_ledger=(EMERGENCY,), **shut) == Disable(EMERGENCY)
    gone = replace(OLD, account="gone")  # the account is not configured any more: nobody can ever be asked
    changes = {"state_published": gone, "consumer": document(gone), "state_verification": REFUSED}
    assert due(state_ledger=(EMERGENCY,), state_verify_at=NOW, **changes) == Disable(EMERGENCY)


def test_an_entry_that_waits_does_not_keep_an_emergency_behind_it():
    assert due(**UNASKED, state_ledger=(ENTRY, EMERGENCY)) == Disable(EMERGENCY)


@pytest.mark.parametrize(
    "changes",
    [
        {"state_published": replace(OLD, account="gone"), "consumer": document(replace(OLD, account="gone"))},
        {
            "state_published": replace(OLD, account="other"),
            "consumer": document(replace(OLD, account="other")),
            "open_circuits": {"other": NOW + HOUR},
        },
        {
            "state_attempt": attempt(
                strategy=Strategy.IN_PLACE, staged=replace(OLD, password=NEW.password), uncertain=True
            ),
            "state_not_before": NOW + HOUR,
        },
    ],
)
def test_what_cannot_be_asked_now_is_not_asked(changes):
    answer = due(**{"state_verification": None} | changes)
    assert isinstance(answer, Hold)


@pytest.mark.parametrize(
    ("ahead", "drawn"), [(timedelta(days=1, seconds=2), False), (timedelta(days=1, seconds=3), True)]
)
def test_a_verification_farther_ahead_than_its_interval_is_drawn_anew(ahead, drawn):
    """By Vault's clock, which was ahead; the interval may have been longer as well."""
    answer = due(target=EVERY_DAY, state_ledger=(), state_verify_at=NOW + ahead)
    assert (answer == DrawVerification()) is drawn
    assert due(state_ledger=(), state_verify_at=NOW + ahead) != DrawVerification(), "nobody asks for it"


def test_the_target_that_has_published_nothing_has_nothing_to_prove():
    state = {"state_published": None, "consumer": replace(document(OLD), exists=False), "state_verification": None}
    for unused in (replace(ENTRY, unasked=True), replace(ENTRY, disable_at=ENTRY.replaced_at)):
        assert due(**state, state_ledger=(unused,)) == Disable(unused)
    waiting = due(**state)
    assert isinstance(waiting, Hold)
    assert waiting.message.startswith(f"{ENTRY.label} is not retired before something is published")
    assert "rotator retire office --published" in waiting.message


def refused_again(state: TargetState, number: int, propagation: timedelta = SECOND) -> TargetState:
    """The state after so many refused proofs, an hour apart; the last one was now."""
    for ago in reversed(range(number)):
        clocks = Clocks(NOW - ago * HOUR, NOW - ago * HOUR)
        state = verification.after_refused_proof(state, "403 Forbidden", clocks, propagation)
    return state


def test_wrong_log_ins_are_few_and_spaced():
    state = facts().state
    spaced = [refused_again(state, number).verify_at for number in (1, 2, 3, 4)]
    assert spaced == [NOW + MINUTE, NOW + 10 * MINUTE, NOW + HOUR, NOW + HOUR]
    assert refused_again(state, 1, propagation=5 * MINUTE).verify_at == NOW + 5 * MINUTE


def test_a_refusal_is_believed_the_second_time_in_a_row():
    state = facts().state
    assert [verification.is_refused(refused_again(state, number)) for number in (0, 1, 2, 3)] == [False, False, True,
                                                                                                  True]  # fmt: skip
    accepted = verification.after_acceptance(refused_again(state, 2), TARGET, "seen", CLOCKS, 0.0)
    assert accepted.verification == Verification(NOW, accepted=True, proof="seen")
    assert not verification.is_refused(refused_again(accepted, 1))


def test_a_refusal_that_somebody_asks_for_too_soon_is_not_another_one_and_delays_the_next_try():
    once = refused_again(facts().state, 1)
    soon = Clocks(NOW + 50 * SECOND, NOW + 50 * SECOND)
    again = verification.after_refused_proof(once, "403 Forbidden", soon, SECOND)
    assert again.verification == once.verification
    assert again.verify_at == NOW + 110 * SECOND
    # Vault tells whole seconds: the try that was due is not taken for one that came too soon.
    due = Clocks(NOW + MINUTE, NOW + 59 * SECOND)
    assert verification.after_refused_proof(once, "403 Forbidden", due, SECOND).verification.refusals == BELIEVED


def test_two_processes_whose_clocks_are_days_apart_share_the_wait():
    """Each would ask at once what the other has stored for days ahead or days ago."""
    for local in (NOW - 5 * 24 * HOUR, NOW, NOW + 5 * 24 * HOUR):
        state = verification.after_refused_proof(facts().state, "403 Forbidden", Clocks(local, NOW), SECOND)
        assert state.verify_at == NOW + MINUTE
        held = due(now=local, vault_now=NOW, state_verification=state.verification, state_verify_at=state.verify_at,
                   state_ledger=(replace(ENTRY, disable_at=NOW - 10 * 24 * HOUR),))  # fmt: skip
        assert held.reason is HoldReason.PUBLISHED_REFUSED


def test_what_is_not_answered_changes_nothing_but_the_next_try():
    state = replace(facts().state, verification=REFUSED)
    after = verification.after_no_answer(state, NOW + HOUR)
    assert after == replace(state, verify_failures=1, verify_at=NOW + HOUR)
    assert verification.after_acceptance(after, TARGET, "seen", CLOCKS, 0.0).verify_failures == 0
    assert refused_again(after, 1).verify_failures == 0


@pytest.mark.parametrize(("target", "fraction", "following"), [
    (TARGET, 0.5, None), (IN_PLACE, 0.0, None), (EVERY_DAY, 0.0, NOW + 24 * HOUR), (EVERY_DAY, 0.5, NOW + 22.8 * HOUR),
])  # fmt: skip
def test_the_next_verification_is_drawn_once(target: Target, fraction, following):
    assert verification.after_acceptance(facts().state, target, "seen", CLOCKS, fraction).verify_at == following


def test_while_what_is_published_is_refused_an_end_that_was_told_is_taken_back():
    told = replace(ENTRY, disable_at=NOW + HOUR, expires_at=NOW + HOUR)
    refused = {"state_verification": REFUSED, "state_verify_at": NOW + HOUR}
    assert due(**refused, state_ledger=(told,)) == LiftEnd(told)
    assert due(**refused, state_ledger=(replace(told, compromised=True),)) != LiftEnd(told)
    assert due(state_ledger=(told,)) != LiftEnd(told)
    assert due(**refused, state_ledger=(replace(told, expires_at=NOW),)) != LiftEnd(told)


@pytest.mark.parametrize(
    ("listed", "entry", "like"),
    [
        (Listed.GONE, ENTRY, NEW),
        (Listed.DISABLED, ENTRY, OLD),
        (Listed.GONE, replace(ENTRY, ending=Ending.STAND_BY), OLD),
        (Listed.GONE, replace(ENTRY, credential=replace(NEW, account="elsewhere")), OLD),
        (Listed.GONE, replace(ENTRY, credential=replace(NEW, id=None)), OLD),
    ],
)
def test_a_new_credential_inherits_from_the_last_one_that_is_still_there(listed, entry, like):
    opened = facts(
        state_attempt=attempt(),
        state_ledger=(replace(entry, disable_at=NOW + HOUR),),
        state_verification=replace(REFUSED, listed=listed),
    )
    assert decide(opened) == Apply(Verb.CREATE, STAGED, like)
