"""Deciding: each check by itself, each reason to hold, and the same action for the same facts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import (
    ALTERNATING,
    ATTEMPT,
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
    STAGED,
    TARGET,
    attempt,
    document,
    facts,
)
from hypothesis import given
from hypothesis import strategies as st
from state_strategies import states  # every state that a state document can hold

from rotator.core.action_properties import NEEDS_CLAIM
from rotator.core.actions import (
    Abandon,
    Action,
    Apply,
    Close,
    Delete,
    Disable,
    DrawDueTime,
    Drop,
    Forget,
    LookUp,
    Prove,
    Publish,
    Restore,
    Stage,
    TakeClaim,
    Verb,
)
from rotator.core.blackouts import Extent
from rotator.core.canaries import CanaryResult, CanaryVerdict
from rotator.core.circuit import ProviderVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.decide import CHECKS, decide, draw_due_time
from rotator.core.facts import Facts, lookup_key
from rotator.core.freezes import Freeze, Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.hook_rules import Hooks
from rotator.core.model import Claim, Credential, Ending, FormerPath, Phase, Purpose, Strategy, Verification
from rotator.core.schedule import Window
from rotator.core.secret import Secret
from rotator.core.staging import stage
from rotator.core.strategy_evidence import Standing, StrategyEvidence
from rotator.core.usage_rules import AfterExtension, Sighting, UsageRules
from rotator.testing import CHOSEN, GENERATED


def test_at_rest_nothing_is_done_until_the_rotation_is_due():
    assert decide(facts()) == Hold(HoldReason.NOT_DUE, "nothing is due", NOW + 80 * DAY)


GONE = ConsumerDocument(3, exists=False, deleted=True, remedy="vault kv undelete")


def test_a_target_at_rest_is_not_looked_at_because_its_account_has_an_open_circuit():
    shut = {"open_circuits": {"fake": NOW + HOUR}}
    assert decide(facts(**shut)).until == NOW + 80 * DAY
    assert decide(facts(**shut, state_request=REQUEST)).until == NOW + HOUR
    assert decide(facts(**shut, state_next_rotation=NOW)).until == NOW + HOUR
    assert decide(facts(**shut, state_attempt=attempt())).until == NOW + HOUR
    assert decide(facts(**shut, state_ledger=(ENTRY,))).until == NOW + HOUR
    assert decide(facts(**shut, state_verify_at=NOW)).until == NOW + HOUR


_RULES = UsageRules(("provider",), every=HOUR, extend_at_most=DAY)
_ASKING = replace(TARGET, policy=replace(POLICY, usage=_RULES))
_HOLDING = replace(TARGET, policy=replace(POLICY, usage=replace(_RULES, then=AfterExtension.HOLD)))
_SEEN = Sighting(NOW, in_use=True, evidence="provider: registered", seen_at=NOW)
HOLDS = {
    HoldReason.CLAIMED: facts(other_claim_remaining=HOUR, state_claim=Claim("other", NOW)),
    HoldReason.ACCOUNT_MISSING: facts(state_attempt=attempt(staged=replace(STAGED, account="gone"), uncertain=True)),
    HoldReason.ACCOUNT_CHANGED: facts(
        state_published=replace(OLD, identity="MA_1"), state_request=REQUEST, identities={"fake": "MA_2"}
    ),
    HoldReason.CIRCUIT_OPEN: facts(state_request=REQUEST, open_circuits={"fake": NOW + HOUR}),
    HoldReason.UNPROVED: facts(IN_PLACE, state_request=REQUEST, unproved_accounts=frozenset({"fake"})),
    HoldReason.LEFT_ALONE: facts(IN_PLACE, state_request=REQUEST, state_verify_failures=1, state_verify_at=NOW + HOUR),
    HoldReason.PACED: facts(state_request=REQUEST, paced={"fake": NOW + HOUR}),
    HoldReason.PROVING: facts(IN_PLACE, state_request=REQUEST, proving_accounts=frozenset({"fake"})),
    HoldReason.CANARY_FAILED: facts(
        state_next_rotation=None, canary=CanaryVerdict(CanaryResult.FAILED, "lobby", "it is not accepted")
    ),
    HoldReason.STRATEGY_DISPROVED: facts(
        state_request=REQUEST,
        evidence=StrategyEvidence(Standing.DISPROVED, "it does not hold that a password can be set"),
    ),
    HoldReason.STRATEGY_UNPROVED: facts(
        state_request=REQUEST,
        evidence=StrategyEvidence(Standing.UNPROVED, "nothing was tried there yet", required=True),
    ),
    HoldReason.WAITING_FOR_CANARY: facts(
        state_next_rotation=None, canary=CanaryVerdict(CanaryResult.WAITING, "lobby", "it was not rotated yet")
    ),
    HoldReason.BACKING_OFF: facts(state_request=REQUEST, state_not_before=NOW + HOUR, state_failures=1),
    HoldReason.PROPAGATING: facts(state_attempt=attempt(phase=Phase.APPLIED), state_not_before=NOW + HOUR),
    HoldReason.LOG_INS_REST: facts(state_attempt=attempt(phase=Phase.APPLIED), log_ins_rest_until={"fake": NOW + HOUR}),
    HoldReason.DOCUMENT_DELETED: facts(consumer=GONE),
    HoldReason.FOREIGN_DOCUMENT: facts(state_request=REQUEST, consumer=document(NEW)),
    HoldReason.IDLE_IN_OVERLAP: facts(
        ALTERNATING,
        consumer=document(replace(OLD, username="a")),
        state_published=replace(OLD, username="a"),
        state_standby=replace(NEW, username="b"),
        state_ledger=(replace(ENTRY, credential=replace(NEW, username="b"), disable_at=NOW + HOUR),),
        state_request=REQUEST,
    ),
    HoldReason.CLOCKS_DIFFER: facts(state_next_rotation=NOW, vault_now=NOW - HOUR),
    HoldReason.OUTSIDE_WINDOW: facts(
        replace(TARGET, policy=replace(POLICY, window=Window("0 2 * * *", HOUR))), state_next_rotation=NOW - HOUR
    ),
    HoldReason.PUBLISHED_REFUSED: facts(
        state_ledger=(ENTRY,),
        state_verification=Verification(NOW, accepted=False, proof="403 Forbidden", refusals=2),
        state_verify_at=NOW + HOUR,
    ),
    HoldReason.UNVERIFIED: facts(
        state_ledger=(ENTRY,), state_verification=None, state_verify_failures=1, state_verify_at=NOW + HOUR
    ),
    HoldReason.NOT_RETIRED: facts(state_ledger=(ENTRY,), shut_verbs={("fake", ProviderVerb.DISABLE): NOW + HOUR}),
    HoldReason.RETIREMENT_DELAYED: facts(state_ledger=(replace(ENTRY, not_before=NOW + HOUR, note="active calls"),)),
    HoldReason.RETIREMENTS_CAPPED: facts(state_ledger=(ENTRY,), retirements_left=0),
    HoldReason.RENAMED: facts(state_renamed_to="reception"),
    HoldReason.PAUSED: facts(freezes=Freezes((Freeze(HoldReason.PAUSED, NOW, NOW + DAY, "paused", Extent.CHANGES),))),
    HoldReason.BLACKOUT: facts(
        freezes=Freezes((Freeze(HoldReason.BLACKOUT, NOW, NOW + DAY, "year's end", Extent.CHANGES),))
    ),
    HoldReason.RETIRED: facts(state_retired_at=NOW),
    HoldReason.FORMER_PATH: facts(
        state_former_paths=(FormerPath("sip/old", NOW, not_before=NOW + HOUR, note="denied"),),
        other_documents={"sip/old": document(OLD)},
    ),
    HoldReason.IN_USE: facts(_ASKING, state_ledger=(replace(ENTRY, sighting=_SEEN),)),
    HoldReason.KEPT_IN_USE: facts(
        _HOLDING, state_ledger=(replace(ENTRY, replaced_at=NOW - 2 * DAY, disable_at=NOW - DAY, sighting=_SEEN),)
    ),
    HoldReason.HOOK_FAILED: facts(
        replace(TARGET, policy=replace(POLICY, hooks=Hooks(before_rotation=("ask",)))),
        state_attempt=attempt(before=("ask",)),
        state_not_before=NOW + HOUR,
        state_last_error="the hook ask failed",
    ),
    HoldReason.NOT_DUE: facts(),
}


def test_there_is_a_case_for_every_reason():
    assert set(HOLDS) == set(HoldReason)


FOREIGN = (
    "sip/office is not what rotator published: correct it, or take up what it names (rotator adopt office), or rotate "
    "(rotator rotate office --take-over)"
)
DELETED = "sip/office was deleted in Vault: vault kv undelete, or publish again what is in use (rotator adopt office)"


@pytest.mark.parametrize(
    ("reason", "message", "wait"),
    [
        (HoldReason.CLAIMED, "other is working on it", HOUR),
        (
            HoldReason.ACCOUNT_MISSING,
            (
                "gone is not in the configuration, but the attempt of office may have changed it: "
                "add it again, or give it up: rotator abandon office"
            ),
            80 * DAY,
        ),
        (
            HoldReason.ACCOUNT_CHANGED,
            (
                "fake is now MA_2, but old belongs to MA_1: "
                "correct the account, or give each of the two its own name under providers"
            ),
            80 * DAY,
        ),
        (HoldReason.CIRCUIT_OPEN, "too many calls to fake failed in a row: calls pause for a while", HOUR),
        (
            HoldReason.UNPROVED,
            "fake does not accept the passwords that were set last: find the cause at the provider",
            timedelta(seconds=10),
        ),
        (HoldReason.BACKING_OFF, "the last error", HOUR),
        (HoldReason.PROPAGATING, "the last error", HOUR),
        (
            HoldReason.LOG_INS_REST,
            "several log-ins at fake were refused: the next one waits, since registrars lock addresses out",
            HOUR,
        ),
        (HoldReason.DOCUMENT_DELETED, DELETED, 80 * DAY),
        (HoldReason.FOREIGN_DOCUMENT, FOREIGN, 80 * DAY),
        (
            HoldReason.PUBLISHED_REFUSED,
            "the provider does not accept old, which is published (403 Forbidden): nothing is retired meanwhile",
            HOUR,
        ),
        (
            HoldReason.UNVERIFIED,
            "the provider could not be asked whether it accepts what is published",
            HOUR,
        ),
        (HoldReason.RETIREMENTS_CAPPED, "this minute's maximum of retired credentials is reached", 7 * DAY),
        (HoldReason.IDLE_IN_OVERLAP, "devices may still use the idle credential", HOUR),
        (HoldReason.OUTSIDE_WINDOW, "a rotation is due and waits for the maintenance window", 14 * HOUR),
        (HoldReason.NOT_DUE, "nothing is due", 80 * DAY),
    ],
)
def test_every_reason_to_hold_is_told_with_what_to_wait_for(reason, message, wait):
    known = HOLDS[reason]
    known = replace(known, state=replace(known.state, last_error="the last error"))
    assert decide(known) == Hold(reason, message, NOW + wait)


@pytest.mark.parametrize(
    "moment",
    [
        {"state_next_rotation": NOW + HOUR},
        {"state_not_before": NOW + HOUR, "state_failures": 1, "state_next_rotation": NOW + DAY},
        {"state_ledger": (replace(ENTRY, disabled_at=NOW - 7 * DAY, not_before=NOW + HOUR),)},
        {"state_ledger": (replace(ENTRY, disable_at=NOW + HOUR),)},
        {"state_ledger": (replace(ENTRY, disabled_at=NOW + HOUR - 7 * DAY),)},
        {"state_attempt": attempt(), "open_circuits": {"fake": NOW + HOUR}},
        {"state_ledger": (ENTRY,), "shut_verbs": {("fake", ProviderVerb.DISABLE): NOW + HOUR}},
        {"state_next_rotation": NOW + HOUR, "state_ledger": (replace(ENTRY, disable_at=NOW + DAY),)},
        {"state_ledger": (replace(ENTRY, disable_at=NOW + HOUR), replace(ENTRY, disable_at=NOW + DAY))},
    ],
)
def test_a_hold_ends_as_soon_as_anything_else_may_become_possible(moment):
    assert decide(facts(**moment)).until == NOW + HOUR


def test_a_hold_does_not_end_now_and_need_not_end_at_a_known_time():
    assert decide(facts(state_not_before=NOW)).until == NOW + 80 * DAY
    assert decide(facts(consumer=document(NEW), state_next_rotation=NOW)).until is None


def test_a_claim_is_respected_for_as_long_as_it_has_to_be():
    claim = Claim("other", NOW - DAY)
    assert decide(facts(state_claim=claim)).reason is HoldReason.NOT_DUE
    assert decide(facts(other_claim_remaining=HOUR)).reason is HoldReason.NOT_DUE
    held = decide(facts(state_claim=claim, other_claim_remaining=timedelta(microseconds=1), state_request=REQUEST))
    assert held.reason is HoldReason.CLAIMED


WAITING = {"state_attempt": attempt(), "state_not_before": NOW + HOUR}
WINDOWED = replace(ALTERNATING, policy=replace(POLICY, window=Window("0 2 * * *", HOUR)))


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (facts(**WAITING, open_circuits={"fake": NOW + HOUR}), HoldReason.CIRCUIT_OPEN),
        (facts(IN_PLACE, state_request=REQUEST, unproved_accounts={"fake"}, state_not_before=NOW + HOUR),
         HoldReason.UNPROVED),
        (facts(**WAITING, consumer=document(OLD), state_published=NEW), HoldReason.BACKING_OFF),
        (facts(state_ledger=(ENTRY,), retirements_left=0, consumer=document(NEW)), HoldReason.FOREIGN_DOCUMENT),
        (facts(state_ledger=(ENTRY,), retirements_left=0, state_not_before=NOW + HOUR), HoldReason.BACKING_OFF),
        (facts(WINDOWED, state_next_rotation=NOW - HOUR, state_ledger=(ENTRY,), retirements_left=0),
         HoldReason.RETIREMENTS_CAPPED),
        (
            facts(
                WINDOWED,
                state_next_rotation=NOW - HOUR,
                state_standby=replace(NEW, username="b"),
                state_ledger=(replace(ENTRY, credential=replace(NEW, username="b"), disable_at=NOW + HOUR),),
            ),
            HoldReason.IDLE_IN_OVERLAP,
        ),
        (facts(state_request=REQUEST, state_ledger=(replace(ENTRY, not_before=NOW + HOUR),), retirements_left=0,
               capabilities={"other": CHOSEN}), HoldReason.ACCOUNT_MISSING),
    ],
)  # fmt: skip
def test_of_several_reasons_the_weightiest_is_told(known, reason):
    assert decide(known).reason is reason


def test_a_check_that_holds_does_not_keep_the_later_ones_from_acting():
    assert decide(facts(**WAITING)).reason is HoldReason.BACKING_OFF
    assert decide(facts(**WAITING, state_ledger=(replace(ENTRY, credential=OTHER),))) == Disable(
        replace(ENTRY, credential=OTHER)
    )
    assert decide(facts(**WAITING, state_next_rotation=None)) == DrawDueTime()


FOUND = {lookup_key(STAGED): (replace(NEW, password=None),)}
IDLE = replace(NEW, username="b")
ACTIONS: list[tuple[str, Facts, Action]] = [
    ("first apply", facts(state_attempt=ATTEMPT), Apply(Verb.CREATE, STAGED, OLD)),
    ("unknown: look", facts(state_attempt=attempt(uncertain=True)), LookUp(STAGED)),
    (
        "unknown, not there",
        facts(state_attempt=attempt(uncertain=True), lookups={lookup_key(STAGED): ()}),
        Apply(Verb.CREATE, STAGED, OLD),
    ),
    ("unknown, there", facts(state_attempt=attempt(uncertain=True), lookups=FOUND), Apply(Verb.COMPLETE, NEW, OLD)),
    ("doubted", facts(state_attempt=attempt(staged=NEW, uncertain=True)), Apply(Verb.COMPLETE, NEW, OLD)),
    (
        "in place",
        facts(IN_PLACE, state_attempt=attempt(strategy=Strategy.IN_PLACE, staged=OLD)),
        Apply(Verb.SET_PASSWORD, OLD),
    ),
    (
        "idle",
        facts(ALTERNATING, state_attempt=attempt(strategy=Strategy.ALTERNATING, staged=IDLE)),
        Apply(Verb.SET_PASSWORD, IDLE),
    ),
    ("undo", facts(state_attempt=attempt(purpose=Purpose.UNDO, staged=NEW)), Apply(Verb.ENABLE, NEW)),
    ("refused", facts(state_attempt=attempt(refused=True)), Abandon()),
    ("refused, spare", facts(state_attempt=attempt(refused=True, uncertain=True)), Abandon()),
    (
        "refused in place",
        facts(state_attempt=attempt(refused=True, uncertain=True, strategy=Strategy.IN_PLACE)),
        Restore(OLD),
    ),
    (
        "refused in place, nothing to go back to",
        facts(
            state_attempt=attempt(
                refused=True, uncertain=True, strategy=Strategy.IN_PLACE, predecessor=replace(OLD, password=None)
            )
        ),
        Abandon(),
    ),
    ("applied", facts(state_attempt=attempt(phase=Phase.APPLIED, staged=NEW)), Prove(NEW)),
    ("proved", facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW)), Publish(NEW)),
    ("published", facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW), consumer=document(NEW)), Close()),
    (
        "taken over",
        facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW, take_over=True), consumer=document(STAGED)),
        Publish(NEW),
    ),
    ("overlap over", facts(state_ledger=(ENTRY,)), Disable(ENTRY)),
    (
        "quarantine over",
        facts(state_ledger=(replace(ENTRY, disabled_at=NOW - 7 * DAY),)),
        Delete(replace(ENTRY, disabled_at=NOW - 7 * DAY)),
    ),
    (
        "stays",
        facts(state_ledger=(replace(ENTRY, disabled_at=NOW - 7 * DAY, ending=Ending.STAND_BY),)),
        Forget(replace(ENTRY, disabled_at=NOW - 7 * DAY, ending=Ending.STAND_BY)),
    ),
    (
        "only a password",
        facts(state_ledger=(replace(ENTRY, credential=OLD, ending=Ending.FORGET, quarantine=timedelta()),)),
        Forget(replace(ENTRY, credential=OLD, ending=Ending.FORGET, quarantine=timedelta())),
    ),
    (
        "lost create: look",
        facts(state_ledger=(replace(ENTRY, credential=STAGED),)),
        LookUp(STAGED, replace(ENTRY, credential=STAGED)),
    ),
    (
        "lost create: there",
        facts(state_ledger=(replace(ENTRY, credential=STAGED),), lookups={lookup_key(STAGED): (NEW,)}),
        Delete(replace(ENTRY, credential=STAGED), NEW),
    ),
    (
        "lost create: not there",
        facts(state_ledger=(replace(ENTRY, credential=STAGED),), lookups={lookup_key(STAGED): ()}),
        Forget(replace(ENTRY, credential=STAGED)),
    ),
    ("asked", facts(state_request=REQUEST), Stage(REQUEST, Credential("fake", ""), OLD)),
    (
        "asked in place",
        facts(IN_PLACE, state_request=REQUEST),
        Stage(REQUEST, replace(OLD, password=None), OLD),
    ),
    (
        "in place, after a failure: still there?",
        facts(IN_PLACE, state_request=REQUEST, state_failures=1),
        LookUp(OLD),
    ),
    (
        "in place, nowhere",
        facts(
            IN_PLACE,
            state_request=REQUEST,
            state_failures=1,
            lookups={lookup_key(OLD): (), lookup_key(Credential("fake", "office")): ()},
        ),
        Drop("fake has no credential 'office': correct the username, since in-place cannot create one"),
    ),
    ("never drawn", facts(state_next_rotation=None), DrawDueTime()),
    ("policy changed", facts(state_scheduled_by="another"), DrawDueTime()),
]


@pytest.mark.parametrize(("known", "action"), [case[1:] for case in ACTIONS], ids=[case[0] for case in ACTIONS])
def test_each_step(known, action):
    assert decide(known) == action
    assert decide(known) == decide(known)


@pytest.mark.parametrize("known", [case[1] for case in ACTIONS if isinstance(case[2], NEEDS_CLAIM)])
def test_an_effect_is_preceded_by_a_claim(known):
    assert decide(replace(known, holds_claim=False)) == TakeClaim()


UNDO = replace(REQUEST, purpose=Purpose.UNDO)


@pytest.mark.parametrize(
    ("ledger", "reasons"),
    [
        ((), "no replaced credential is left"),
        ((replace(ENTRY, credential=replace(NEW, password=None)),), "new: its password is unknown"),
        (
            (replace(ENTRY, credential=replace(NEW, account="gone"), disable_at=NOW + DAY),),
            "new: its account gone is not in the configuration",
        ),
        ((replace(ENTRY, disable_at=NOW + DAY, quarantine=-DAY),), "new: its quarantine has ended"),
        ((replace(ENTRY, credential=STAGED),), "new: it was never published"),
        (
            (replace(ENTRY, credential=STAGED), replace(ENTRY, credential=replace(OTHER, password=None))),
            "other: its password is unknown; new: it was never published",
        ),
    ],
)
def test_an_undo_that_is_impossible_is_dropped_with_the_reasons(ledger, reasons):
    assert stage(facts(state_ledger=ledger, state_request=UNDO)) == Drop(f"nothing can be undone: {reasons}")


def test_a_disabling_that_is_final_cannot_be_undone_and_what_waits_can():
    disabled = replace(ENTRY, disabled_at=NOW)
    final = facts(state_ledger=(disabled,), state_request=UNDO, capabilities={"fake": GENERATED})
    reason = "nothing can be undone: new: it was disabled, and this provider cannot undo that"
    assert stage(final) == Drop(reason)
    forgotten = replace(disabled, ending=Ending.FORGET)
    assert stage(facts(state_ledger=(forgotten,), state_request=UNDO, capabilities={"fake": GENERATED})) == Stage(
        UNDO, NEW, OLD
    )
    assert stage(facts(state_ledger=(disabled,), state_request=UNDO)) == Stage(UNDO, NEW, OLD)


def test_the_first_adoption_of_two_standing_credentials_sets_the_one_that_is_not_handed_out():
    both = {lookup_key(Credential("fake", name)): (Credential("fake", name, f"id-{name}"),) for name in ("a", "b")}
    taken = replace(REQUEST, take_over=True)
    for handed_out, idle in (("a", "b"), ("b", "a"), ("x", "b")):
        consumer = ConsumerDocument(1, exists=True, username=handed_out, password=Secret("by hand"))
        known = facts(ALTERNATING, consumer=consumer, state_published=None, state_request=taken, lookups=both)
        action = decide(known)
        assert isinstance(action, Stage)
        assert action.credential.username == idle
        assert action.predecessor.username != idle
        assert action.predecessor.password == (Secret("by hand") if handed_out != "x" else None)


def test_the_due_time_is_drawn_once():
    assert draw_due_time(facts()) is None
    assert draw_due_time(facts(state_scheduled_by="another policy")) == DrawDueTime()
    assert draw_due_time(facts(state_last_rotation=NOW + 40 * DAY)) is None  # whichever clock stored that
    assert len(CHECKS) == len(set(CHECKS))


@given(
    state=states,
    taken=st.booleans(),
    claimed=st.booleans(),
    target=st.sampled_from([TARGET, ALTERNATING, IN_PLACE]),
    handed_out=st.sampled_from([None, OLD, NEW]),
    offset=st.integers(-400, 400),
)
def test_any_state_whatever_gives_an_action_the_same_each_time_and_nothing_in_use_is_retired(
    state, taken, claimed, target, handed_out, offset
):
    consumer = document(handed_out) if handed_out else ConsumerDocument(0, exists=False)
    accounts = {one.account for one in (state.published, state.standby) if one} | {"fake"}
    known = Facts(
        target=target,
        capabilities=dict.fromkeys(accounts, CHOSEN),
        state=state,
        consumer=consumer,
        holds_claim=claimed,
        other_claim_remaining=HOUR if taken else timedelta(),
        now=NOW + timedelta(days=offset),
    )
    action = decide(known)
    assert action == decide(known)
    if isinstance(action, NEEDS_CLAIM):
        assert claimed
    if isinstance(action, Disable | Delete):
        assert action.entry in state.ledger
        assert not known.is_protected(action.stray or action.entry.credential)
        assert known.consumer_document_is_ours or (state.attempt and consumer.names(state.attempt.staged))
    if isinstance(action, Stage):
        assert state.attempt is None
    if isinstance(action, Hold):
        assert action.until is None or action.until > known.now


def test_a_rotation_is_due_from_its_very_moment():
    assert isinstance(decide(facts(state_next_rotation=NOW)), Stage)
    assert isinstance(decide(facts(state_next_rotation=NOW + timedelta(seconds=1))), Hold)
