"""The effects on a target and its attempt: after each answer, the state, the audit and the provider's calls."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY, IN_PLACE, POLICY, REPLACE, EngineHarness
from single_effect import LIMITS, NOW, SingleEffect, after_failures, naming

from rotator.core.actions import (
    Abandon,
    Apply,
    Close,
    DrawDueTime,
    Drop,
    LookUp,
    Prove,
    Publish,
    Restore,
    Stage,
    TakeClaim,
    Verb,
)
from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.circuit import ProviderVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import lookup_key
from rotator.core.model import (
    Attempt,
    Claim,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Proof,
    Purpose,
    Request,
    Strategy,
    TargetState,
)
from rotator.core.passwords import meets
from rotator.core.secret import Secret
from rotator.ports import StoreDenied, Versioned
from rotator.testing import CHOSEN, GENERATED, FakeFault

OLD = Credential("fake", "old", "id-old", Secret("old password"), attempt="1")
STAGED = Credential("fake", "new", None, Secret("new password"), attempt="2")
NEW = replace(STAGED, id="id-new")
ATTEMPT = Attempt("2", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, STAGED, OLD, NOW, "tester", "because")
WHY = {"attempt": "2", "requested_by": "tester", "reason": "because"}
REQUEST = Request(Purpose.ROTATE, "tester", "because", NOW)
ENTRY = LedgerEntry(OLD, Ending.DELETE, NOW - DAY, NOW, 7 * DAY)
LOST = Unknown("timeout")
LIMITED = Retry(Wait.RATE_LIMITED, "429", timedelta(hours=2))
UNAUTHORIZED = Refused(Refusal.AUTHENTICATION, "the API key was refused")
INVALID = Refused(Refusal.INVALID, "the content was refused")


def opened(phase: Phase = Phase.STAGED, **changes) -> TargetState:
    """A target whose attempt has failed once."""
    attempt = replace(ATTEMPT, phase=phase, **changes)
    return TargetState("office", published=OLD, attempt=attempt, failures=1, last_error="earlier")


def set_back(answer, *, uncertain: bool, again=after_failures(2), **changes) -> TargetState:  # noqa: B008
    """The target after its second failure."""
    state = opened(**changes)
    attempt = replace(state.attempt, uncertain=state.attempt.uncertain or uncertain)
    counts = replace(state.counts, failed=1)
    return replace(
        state, attempt=attempt, failures=2, counts=counts, not_before=again, last_error=answer.message, claim=None
    )


# Looking up


def test_what_a_look_up_finds_is_known_for_the_rest_of_the_look():
    bench = SingleEffect(TargetState("office"), Done((NEW,)))
    before = bench.session.state
    assert bench.carry_out(LookUp(STAGED)) == before
    assert bench.provider.calls == [("find", STAGED)]
    assert bench.session.lookups == {lookup_key(STAGED): (NEW,)}


@pytest.mark.parametrize(("answer", "again"), [(LOST, after_failures(2)), (LIMITED, NOW + timedelta(hours=2))])
def test_a_look_up_that_fails_sets_back_what_it_was_made_for(answer, again):
    state = SingleEffect(opened(), answer).carry_out(LookUp(STAGED))
    assert state == set_back(answer, uncertain=True, again=again)
    waiting = TargetState("office", request=REQUEST, failures=1)
    state = SingleEffect(waiting, answer).carry_out(LookUp(STAGED))
    assert (state.failures, state.not_before, state.last_error, state.request) == (2, again, answer.message, REQUEST)
    waiting = replace(opened(), ledger=(ENTRY,))
    state = SingleEffect(waiting, answer).carry_out(LookUp(STAGED, ENTRY))
    assert state.ledger == (replace(ENTRY, failures=1, not_before=again, note=answer.message),)
    assert (state.failures, state.attempt) == (1, waiting.attempt)


# Opening an attempt


def test_staging_makes_a_username_and_a_password_and_writes_both_before_anything_is_sent():
    bench = SingleEffect(TargetState("office", published=OLD, request=REQUEST))
    state = bench.carry_out(Stage(REQUEST, Credential("fake", ""), OLD))
    attempt = state.attempt
    assert attempt.staged.username.startswith("office")
    assert len(attempt.staged.username) == len("office") + 8
    assert meets(attempt.staged.password, POLICY.password)
    assert attempt.staged.attempt == attempt.id
    assert (attempt.phase, attempt.purpose, attempt.predecessor) == (
        Phase.STAGED,
        Purpose.ROTATE,
        replace(OLD, seen_at=NOW),
    )
    assert (attempt.started_at, state.request) == (NOW, None)
    assert (attempt.uncertain, bench.provider.calls) == (False, [])
    assert state.claim == Claim("me", NOW + LIMITS.claim)
    assert bench.session.holds_claim
    facts = WHY | {"attempt": attempt.id} | naming(attempt.staged)
    assert bench.recorded == ("stage", "done", facts)


def test_a_configured_username_is_kept_and_gets_a_new_password():
    known = replace(OLD, password=None)
    staged = SingleEffect(TargetState("office")).carry_out(Stage(REQUEST, known, OLD)).attempt.staged
    assert (staged.username, staged.id) == ("old", "id-old")
    assert meets(staged.password, POLICY.password)


def test_a_provider_that_generates_makes_both_itself():
    bench = SingleEffect(TargetState("office"), capabilities=GENERATED)
    staged = bench.carry_out(Stage(REQUEST, Credential("fake", ""), OLD)).attempt.staged
    assert (staged.username, staged.password) == ("", None)
    assert staged.attempt is not None


def test_an_undo_stages_the_old_credential_as_it_was():
    state = SingleEffect(TargetState("office")).carry_out(Stage(replace(REQUEST, purpose=Purpose.UNDO), OLD, NEW))
    assert state.attempt.staged == OLD


def test_nothing_is_staged_that_could_not_be_published():
    bench = SingleEffect(TargetState("office", request=REQUEST, failures=1))
    bench.store.unpublishable.add(REPLACE.path)
    state = bench.carry_out(Stage(REQUEST, Credential("fake", ""), OLD))
    assert (state.attempt, state.request, state.failures) == (None, REQUEST, 2)
    assert (state.not_before, state.last_error) == (after_failures(2), "the token may not write sip/office")
    assert bench.audit.records == []


def test_what_cannot_be_carried_out_is_dropped_with_the_reason():
    bench = SingleEffect(TargetState("office", request=REQUEST, failures=1))
    state = bench.carry_out(Drop("there is no such credential"))
    assert (state.request, state.failures, state.not_before) == (None, 2, after_failures(2))
    assert state.last_error == "there is no such credential"
    assert bench.recorded == ("drop", "refused", {"reason": "there is no such credential"})


# Applying


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        (Verb.CREATE, ("create", STAGED, "office", OLD)),
        (Verb.COMPLETE, ("complete", STAGED, OLD)),
        (Verb.SET_PASSWORD, ("set_password", STAGED)),
        (Verb.ENABLE, ("enable", STAGED)),
    ],
)
def test_each_way_to_apply_asks_the_provider_once_and_is_recorded(verb, call):
    for answer, outcome, detail in (
        (Done(NEW), "done", {}),
        (INVALID, "refused", {"detail": "the content was refused"}),
        (LIMITED, "retry", {"detail": "429"}),
        (LOST, "unknown", {"detail": "timeout"}),
    ):
        bench = SingleEffect(opened(), answer)
        bench.carry_out(Apply(verb, STAGED, OLD))
        assert bench.provider.calls == [call]
        assert bench.recorded == (verb.value, outcome, WHY | naming(STAGED) | detail)


APPLY = Apply(Verb.CREATE, STAGED, OLD)


def test_what_was_applied_is_staged_with_what_the_provider_made_of_it():
    state = SingleEffect(replace(opened(), not_before=NOW), Done(NEW)).carry_out(APPLY)
    assert state.attempt == replace(ATTEMPT, phase=Phase.APPLIED, staged=NEW, applied_at=NOW)
    assert (state.not_before, state.last_error, state.failures) == (None, "", 1)


def test_an_answer_without_a_password_says_not_which_one_is_in_force():
    bench = SingleEffect(opened(), Done(replace(NEW, password=None)))
    state = bench.carry_out(APPLY)
    unclear = Unknown("the provider does not say which password is in force")
    assert state == set_back(unclear, uncertain=True)
    assert bench.recorded[1:] == ("unknown", WHY | naming(STAGED) | {"detail": unclear.message})


@pytest.mark.parametrize(
    ("answer", "uncertain", "again"),
    [
        (LOST, True, after_failures(2)),
        (Unknown("timeout", timedelta(hours=2)), True, NOW + timedelta(hours=2)),
        (Retry(Wait.PARTIAL, "one environment of two"), True, after_failures(2)),
        (LIMITED, False, NOW + timedelta(hours=2)),
        (UNAUTHORIZED, False, after_failures(2)),
    ],
)
def test_what_was_not_applied_is_tried_again_with_the_same_password(answer, uncertain, again):
    for before in (False, True):
        state = SingleEffect(opened(uncertain=before), answer).carry_out(APPLY)
        assert state == set_back(answer, uncertain=uncertain or before, again=again)


def test_a_refused_password_is_marked():
    state = SingleEffect(opened(), INVALID).carry_out(APPLY)
    assert (state.attempt, state.last_error) == (replace(ATTEMPT, refused=True), INVALID.message)
    assert state.failures == 1


@pytest.mark.parametrize("uncertain", [True, False])
def test_an_attempt_in_place_ends_when_its_credential_is_gone_and_keeps_what_a_lost_call_may_have_set(uncertain):
    gone = Refused(Refusal.NOT_FOUND, "gone")
    for refused, action in ((False, APPLY), (True, Restore(OLD))):
        if action != APPLY and not uncertain:
            continue
        before = opened(strategy=Strategy.IN_PLACE, uncertain=uncertain, refused=refused)
        state = SingleEffect(before, gone, target=IN_PLACE).carry_out(action)
        assert state.attempt is None
        kept = [(entry.credential.password, entry.quarantine) for entry in state.ledger]
        assert kept == ([(STAGED.password, IN_PLACE.policy.quarantine)] if uncertain else [])


def test_another_attempt_whose_credential_is_gone_is_refused():
    gone = Refused(Refusal.NOT_FOUND, "gone")
    assert SingleEffect(opened(), gone).carry_out(APPLY).attempt == replace(ATTEMPT, refused=True)


def test_a_username_that_our_own_lost_create_may_have_taken_is_looked_up_instead():
    taken = Refused(Refusal.DUPLICATE, "the username is taken")
    assert SingleEffect(opened(), taken).carry_out(APPLY).attempt.refused
    assert SingleEffect(opened(uncertain=True), taken).carry_out(APPLY) == set_back(taken, uncertain=True)
    assert SingleEffect(opened(uncertain=True), INVALID).carry_out(APPLY).attempt.refused


def test_while_another_call_probes_the_account_nothing_is_sent_and_nothing_is_uncertain():
    bench = SingleEffect(opened(), Done(NEW))
    for _ in range(5):
        bench.throttles.learn_from("fake", ProviderVerb.FIND, LOST)
    answer = Retry(Wait.UNREACHABLE, "not sent: another call is testing whether fake works again")
    assert bench.caller.ask("fake", ProviderVerb.FIND, lambda provider: provider.find(STAGED)) == answer
    assert bench.carry_out(APPLY) == set_back(answer, uncertain=False)
    assert bench.provider.calls == []
    assert bench.recorded == ("create", "retry", WHY | naming(STAGED) | {"detail": answer.message})


def test_the_circuit_learns_from_each_answer():
    bench = SingleEffect(opened(), LOST)
    for _ in range(4):
        bench.throttles.learn_from("fake", ProviderVerb.FIND, LOST)
    assert bench.throttles.open_circuits() == ()
    bench.carry_out(APPLY)
    assert bench.throttles.open_circuits() == ("fake",)


# Restoring


def test_after_a_restore_the_refused_password_is_kept_for_a_while_and_nothing_is_uncertain():
    bench = SingleEffect(opened(strategy=Strategy.IN_PLACE, uncertain=True, refused=True), Done(OLD), target=IN_PLACE)
    state = bench.carry_out(Restore(OLD))
    assert bench.provider.calls == [("set_password", OLD)]
    assert state.attempt.uncertain is False
    origin = state.attempt.origin
    assert state.ledger == (LedgerEntry(STAGED, Ending.FORGET, NOW, NOW, timedelta(minutes=10), origin=origin),)
    verb, _, facts = bench.recorded
    assert (verb, facts) == ("restore", WHY | naming(OLD))


@pytest.mark.parametrize(("answer", "outcome"), [(LOST, "unknown"), (LIMITED, "retry")])
def test_a_restore_that_fails_is_tried_again(answer, outcome):
    bench = SingleEffect(opened(uncertain=True), answer)
    again = NOW + timedelta(hours=2) if answer is LIMITED else after_failures(2)
    assert bench.carry_out(Restore(OLD)) == set_back(answer, uncertain=True, again=again)
    assert bench.recorded == ("restore", outcome, WHY | naming(OLD) | {"detail": answer.message})


# Proving


def applied(ago: timedelta) -> TargetState:
    return opened(Phase.APPLIED, applied_at=NOW - ago)


def test_a_proof_is_kept_with_the_attempt():
    bench = SingleEffect(
        replace(applied(timedelta()), not_before=NOW), Done(Proof("seen by a test", tries_password=True))
    )
    state = bench.carry_out(Prove(STAGED))
    assert (state.attempt.phase, state.attempt.proof) == (Phase.PROVED, "seen by a test")
    assert (state.not_before, state.last_error) == (None, "")
    assert bench.provider.calls == [("prove", STAGED)]
    assert bench.recorded == ("prove", "done", WHY | naming(STAGED))


@pytest.mark.parametrize(
    "answer", [LOST, LIMITED, UNAUTHORIZED, Retry(Wait.UNREACHABLE, "no connection")], ids=lambda answer: answer.message
)
def test_a_proof_that_could_not_be_asked_for_is_a_failure_and_nothing_more(answer):
    bench = SingleEffect(applied(DAY), answer)
    again = NOW + timedelta(hours=2) if answer is LIMITED else after_failures(2)
    changes = {"phase": Phase.APPLIED, "applied_at": NOW - DAY}
    assert bench.carry_out(Prove(STAGED)) == set_back(answer, uncertain=False, again=again, **changes)
    assert bench.recorded[2] == WHY | naming(STAGED) | {"detail": answer.message}


def test_no_wait_that_a_registrar_asks_for_keeps_a_password_in_place_unpublished_once_it_was_proved():
    state = opened(
        Phase.PROVED, strategy=Strategy.IN_PLACE, staged=NEW, predecessor=replace(NEW, password=OLD.password)
    )
    asked = SingleEffect(state, LIMITED, target=IN_PLACE).carry_out(Prove(NEW))
    assert (asked.not_before, asked.attempt.unasked_since) == (NOW + CHOSEN.propagation, NOW)


@pytest.mark.parametrize("answer", [Retry(Wait.NOT_YET, "not yet"), Refused(Refusal.OTHER, "not accepted")])
@pytest.mark.parametrize(
    ("ago", "until"),
    [
        (timedelta(), timedelta(seconds=0.5)),
        (timedelta(seconds=4), timedelta(seconds=4)),
        (timedelta(seconds=29), timedelta(seconds=10)),
        (timedelta(seconds=-29), timedelta(seconds=0.5)),  # the clock was set back a little
    ],
)
def test_within_the_propagation_window_it_is_asked_again_soon_and_ever_less_often(answer, ago, until):
    state = SingleEffect(applied(ago), answer).carry_out(Prove(STAGED))
    assert (state.attempt.phase, state.failures) == (Phase.APPLIED, 1)
    assert (state.not_before, state.last_error, state.claim) == (NOW + until, answer.message, None)


@pytest.mark.parametrize("ago", [timedelta(seconds=30), timedelta(seconds=-30)])
def test_after_the_propagation_window_the_same_password_is_applied_again(ago):
    state = SingleEffect(applied(ago), Retry(Wait.NOT_YET, "not yet")).carry_out(Prove(STAGED))
    assert (state.attempt.phase, state.attempt.uncertain) == (Phase.STAGED, True)
    assert (state.failures, state.not_before, state.last_error) == (2, after_failures(2), "not yet")


# Publishing and closing


def test_publishing_writes_what_devices_read():
    bench = SingleEffect(opened(Phase.PROVED, staged=NEW))
    bench.carry_out(Publish(NEW))
    at = bench.clock.now()
    document = ConsumerDocument(
        1, exists=True, username="new", password=NEW.password, credential_id="id-new", attempt="2", rotated_at=at
    )
    assert bench.store.consumers[REPLACE.path] == bench.session.consumer == document
    assert bench.recorded == ("publish", "done", WHY | naming(NEW))


def test_a_document_that_may_not_be_written_is_a_failure_that_changes_nothing():
    bench = SingleEffect(opened(Phase.PROVED, staged=NEW))
    bench.store.unpublishable.add(REPLACE.path)
    denied = StoreDenied("the token may not write sip/office")
    answer = Unknown(str(denied))
    assert bench.carry_out(Publish(NEW)) == set_back(answer, uncertain=False, phase=Phase.PROVED, staged=NEW)
    assert bench.recorded == ("publish", "refused", WHY | naming(NEW) | {"detail": str(denied)})


PREDECESSOR = {"predecessor": "id-old", "predecessor_username": "old", "predecessor_account": "fake"}


def test_closing_records_how_the_credential_was_proved():
    bench = SingleEffect(opened(Phase.PROVED, staged=NEW, proof="seen"))
    state = bench.carry_out(Close())
    assert (state.attempt, state.published, state.failures) == (None, NEW, 0)
    assert state.next_rotation == NOW + POLICY.schedule.interval * 0.95
    assert [entry.credential for entry in state.ledger] == [OLD]
    assert bench.recorded == ("close", "done", WHY | naming(NEW) | {"proof": "seen"} | PREDECESSOR)


@pytest.mark.parametrize("action", [Close(), Abandon()])
@pytest.mark.parametrize(
    ("capabilities", "changes", "strays"),
    [
        (GENERATED, {"uncertain": True}, 1),
        (GENERATED, {"uncertain": False}, 0),
        (CHOSEN, {"uncertain": True}, 0),
        (GENERATED, {"uncertain": True, "purpose": Purpose.UNDO, "strategy": Strategy.ALTERNATING}, 0),
    ],
)
def test_strays_are_looked_for_after_an_uncertain_create_at_a_provider_that_generates(
    action, capabilities, changes, strays
):
    phase = Phase.PROVED if action == Close() else Phase.STAGED
    bench = SingleEffect(opened(phase, staged=NEW, **changes), capabilities=capabilities)
    unnamed = [entry for entry in bench.carry_out(action).ledger if entry.credential.username == ""]
    assert len(unnamed) == strays


def test_abandoning_is_recorded_with_what_the_provider_refused():
    bench = SingleEffect(replace(opened(refused=True), last_error="too short"))
    state = bench.carry_out(Abandon())
    assert (state.attempt, state.failures, state.not_before) == (None, 2, after_failures(2))
    assert (state.request.at, state.last_error) == (NOW, "too short")
    assert bench.recorded == ("abandon", "done", WHY | naming(STAGED) | {"detail": "too short"})


# The claim, and the due time


def test_a_claim_that_is_held_is_renewed_and_one_that_is_not_is_taken():
    bench = SingleEffect(opened())
    bench.clock.advance(timedelta(seconds=10))
    renewed = bench.carry_out(TakeClaim())
    assert renewed.claim == Claim("me", NOW + timedelta(seconds=10) + LIMITS.claim)
    assert not renewed.attempt.uncertain
    bench.session.read()  # as another process would: it did not make this claim
    taken = bench.carry_out(TakeClaim())
    assert taken.attempt.uncertain
    assert bench.session.holds_claim


def test_with_the_claim_what_devices_read_is_read_again():
    bench = SingleEffect(opened())
    bench.store.tamper(REPLACE.path, "byhand")
    bench.carry_out(TakeClaim())
    assert bench.session.consumer.username == "byhand"


def test_a_due_time_is_drawn_at_random_within_the_spread():
    bench = SingleEffect(TargetState("office", last_rotation=NOW - DAY))
    state = bench.carry_out(DrawDueTime())
    assert state.next_rotation == NOW - DAY + POLICY.schedule.interval * 0.95
    assert bench.store.states["office"].version == 2  # the next write stores it
    bench.session.flush()
    assert bench.store.states["office"] == Versioned(bench.session.state, 3)
    assert bench.session.state.next_rotation == state.next_rotation


@pytest.mark.parametrize("lost", [FakeFault.LOST_BEFORE, FakeFault.LOST_AFTER])
def test_a_generated_password_is_as_old_as_the_call_that_may_have_made_it(lost):
    """One that is found counts from the attempt; one that its own call answers with, from that call."""
    world = EngineHarness(capabilities=GENERATED)
    engine = world.engine()
    world.provider.faults["create"] = [lost]
    began = world.clock.now()
    engine.look(world.target)
    world.provider.faults["list"] = [FakeFault.LOST_BEFORE] * 30
    world.clock.advance(DAY)
    world.until_rotated(engine)
    made = world.state.published.made_at
    assert made == began if lost is FakeFault.LOST_AFTER else made >= began + DAY
