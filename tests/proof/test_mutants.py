"""Deliberately broken protocols: each has to be caught by the very checks that the protocol itself passes.

A mutant that survives is a hole in the proof, and fails this suite. What catches it are `cuts` and `switches`.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_harness import DAY, EngineHarness
from faulted_lifecycles import fault_at_each_boundary
from simulated_accounts import SETUPS, SimulatedHarness, vobiz_without_registrar
from tidied_away import published_is_tidied_away, staged_is_tidied_away
from two_processes import switches

from rotator.core import actions as do
from rotator.core import advance, attempt_ends, continuation, decide, drift, ends, ledger, removal, retirement, staging
from rotator.core.actions import Action
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.blackouts import Blackout
from rotator.core.facts import Facts
from rotator.core.freezes import Freezes
from rotator.core.model import Credential, LedgerEntry, Phase, Policy, Proof, Purpose, Request, TargetState
from rotator.core.origin import Origin
from rotator.core.orphan_evidence import MadeCredentials
from rotator.core.pauses import Pause, Scope
from rotator.core.processes import Role
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import MOST_KEPT, AfterExtension, UsageRules
from rotator.core.verification import refused_hold
from rotator.engine import (
    FormerNames,
    OrphanRepair,
    PauseBook,
    Presence,
    Reconciler,
    attachment_effects,
    attempt_effects,
    end_effects,
    in_place_effects,
    ledger_effects,
    orphan_repair,
    session,
)
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session
from rotator.fields.network import HostPort
from rotator.ports import Conflict, Versioned
from rotator.testing import CHOSEN, MemoryStore

REPLACE, ALTERNATING, IN_PLACE = SETUPS[:3]
ATTACHED = replace(REPLACE, readings=(("attached_only", True),))
IGNORING = replace(REPLACE, readings=(("enabled_honoured", False), ("enabled_echoed", True)))
UNTRIED = replace(ATTACHED, make=vobiz_without_registrar)
LOST = "answer lost, again and again"
KILLED = "process killed at a boundary"
MutantCheck = Callable[[], Iterator[str]]


def lifecycle_check(setup, scenario: str, kind: str = KILLED) -> MutantCheck:
    return lambda: fault_at_each_boundary(setup, scenario, kind)


def two_process_check(setup, scenario: str = "due") -> MutantCheck:
    return lambda: switches(setup, scenario, timedelta(), stride=2)


def tidied_away_check(setup, scenario: Callable[[Any], Iterator[str]]) -> MutantCheck:
    return lambda: scenario(setup)


# -- trunks


def trunks_are_not_looked_at(patch) -> None:
    patch.setattr(continuation, "_attach", lambda facts, attempt: None)
    patch.setattr(attachment_effects, "still_named", lambda *_: None)
    patch.setattr(ledger_effects, "still_named", lambda *_: None)


def published_before_a_trunk_names_it(patch) -> None:
    patch.setattr(continuation, "_attach", lambda facts, attempt: None)


def that_a_trunk_may_name_it_is_not_on_record(patch) -> None:
    patch.setattr(advance, "before_attach", lambda state, now: state)


# -- a proof ages


def retired_on_an_old_proof(patch) -> None:
    patch.setattr(retirement, "before_retirement", lambda facts, entry: None)


def published_on_an_old_proof(patch) -> None:
    patch.setattr(continuation, "is_fresh", lambda proved_at, facts: True)


def what_is_refused_is_never_repaired(patch) -> None:
    patch.setattr(drift, "_repair", refused_hold)


# -- the order of operations


def publish_before_apply(patch) -> None:
    def check(facts) -> Action:
        attempt = facts.state.attempt
        if attempt is not None and attempt.phase is Phase.STAGED and not facts.consumer.names(attempt.staged):
            return do.Publish(attempt.staged)
        return continue_attempt(facts)

    continue_attempt = decide.continue_attempt
    patch.setattr(decide, "CHECKS", tuple(check if one is continue_attempt else one for one in decide.CHECKS))


def fresh_password_after_an_unknown_answer(patch) -> None:
    made = iter(range(10_000))

    def after_setback(state, message, not_before, *, uncertain, **sent) -> TargetState:
        after = original(state, message, not_before, uncertain=uncertain, **sent)
        staged = replace(after.attempt.staged, password=Secret(f"Another1$password{next(made)}"))
        return replace(after, attempt=replace(after.attempt, staged=staged)) if uncertain else after

    original = advance.after_setback
    patch.setattr(advance, "after_setback", after_setback)


def attempt_replaced_while_unknown(patch) -> None:
    def after_setback(state, message, not_before, *, uncertain, **sent) -> TargetState:
        after = original(state, message, not_before, uncertain=uncertain, **sent)
        return replace(after, attempt=None) if uncertain and after.attempt.purpose is Purpose.ROTATE else after

    original = advance.after_setback
    patch.setattr(advance, "after_setback", after_setback)


def no_proof_before_publishing(patch) -> None:
    def prove(caller, current, action):
        current.write(advance.after_proof(current.state, "taken on trust", current.clocks().vault))

    patch.setattr(attempt_effects, "prove", prove)


def staged_only_after_applying(patch) -> None:
    def after_stage(state, plan, attempt_id, credential, now) -> TargetState:
        without = original(state, plan, attempt_id, credential, now)
        return replace(without, attempt=replace(without.attempt, staged=credential)) if credential.id else state

    original = advance.after_stage
    patch.setattr(advance, "after_stage", after_stage)


# -- what a lost answer leaves behind


def uncertain_mark_skipped(patch) -> None:
    def after_setback(state, message, not_before, *, uncertain, **sent) -> TargetState:
        return original(state, message, not_before, uncertain=False, **sent)

    original = advance.after_setback
    patch.setattr(advance, "after_setback", after_setback)


def a_dead_process_is_not_suspected(patch) -> None:
    patch.setattr(advance, "after_claim", lambda state, claim: replace(state, claim=claim))


def unknown_taken_for_done(patch) -> None:
    def apply(caller, current, action):
        with pytest.MonkeyPatch.context() as believing:
            believing.setattr(
                ProviderCaller,
                "ask",
                lambda *asked, **urgent: _take_unknown_for_done(ask(*asked, **urgent), action.credential),
            )
            original(caller, current, action)

    original, ask = attempt_effects.apply, ProviderCaller.ask
    patch.setattr(attempt_effects, "apply", apply)
    no_proof_before_publishing(patch)


def _take_unknown_for_done(answer, credential) -> Answer[Any]:
    return Done(credential) if isinstance(answer, Unknown) else answer


def unknown_taken_for_refused(patch) -> None:
    def ask(self, *asked, **urgent) -> Answer[Any]:
        answer = original(self, *asked, **urgent)
        return Refused(Refusal.INVALID, answer.message) if isinstance(answer, Unknown) else answer

    original = ProviderCaller.ask
    patch.setattr(ProviderCaller, "ask", ask)


def abandoned_without_a_trace(patch) -> None:
    def after_abandon(state, now, not_before, **left) -> TargetState:
        return replace(original(state, now, not_before, **left), ledger=state.ledger)

    original = attempt_ends.after_abandon
    patch.setattr(attempt_ends, "after_abandon", after_abandon)


# -- what is replaced


def deleted_by_age_instead_of_by_ledger(patch) -> None:
    def delete(caller, current, action):
        provider = caller.providers[action.entry.credential.account]
        everything: list[ListedCredential] = []
        provider.each(everything.append)
        for item in everything:
            credential = Credential(action.entry.credential.account, item.username, item.id)
            if not current.consumer.concerns(credential):
                provider.delete(credential)
        original(caller, current, action)

    original = ledger_effects.delete
    patch.setattr(ledger_effects, "delete", delete)


def retired_before_the_overlap_ends(patch) -> None:
    def replaced_entry(attempt, target, now) -> LedgerEntry | None:
        entry = original(attempt, target, now)
        return entry and replace(entry, disable_at=entry.disable_at - timedelta(hours=1))

    original = ledger.replaced_entry
    patch.setattr(attempt_ends, "replaced_entry", replaced_entry)


def the_overlap_is_not_waited_for(patch) -> None:
    def early(facts, entry) -> Action:
        return original(facts, replace(entry, disable_at=min(entry.disable_at, facts.now)))

    original = retirement._retirement
    patch.setattr(retirement, "_retirement", early)


def the_predecessor_is_forgotten(patch) -> None:
    patch.setattr(attempt_ends, "replaced_entry", lambda attempt, target, now: None)


def published_again_without_being_enabled(patch) -> None:
    def apply(caller, current, action):
        if action.verb is do.Verb.ENABLE:
            current.write(advance.after_apply(current.state, action.credential, caller.clock.now()))
        else:
            original(caller, current, action)

    original = attempt_effects.apply
    patch.setattr(attempt_effects, "apply", apply)
    no_proof_before_publishing(patch)


def what_is_published_again_stays_in_the_ledger(patch) -> None:
    patch.setattr(attempt_ends, "without_credential", lambda entries, credential, but=None: entries)
    patch.setattr(Facts, "is_protected", lambda self, credential: False)


# -- in place, and in emergencies


def what_is_not_accepted_stays_in_force(patch) -> None:
    for module in (attempt_effects, in_place_effects):
        patch.setattr(module, "can_put_back", lambda attempt, can: False)


def nothing_is_proved_beforehand(patch) -> None:
    patch.setattr(staging, "preflight", lambda facts, request, current: None)


def an_emergency_waits_like_everything(patch) -> None:
    patch.setattr(retirement, "_is_urgent", lambda action: False)


def without_registrar(verified: timedelta, longest: timedelta) -> MutantCheck:
    """A password in place is asked for, `verified` after the last proof, while the registrar cannot be reached."""

    def check() -> Iterator[str]:
        harness = SimulatedHarness(IN_PLACE)
        engine = harness.engine()
        engine.look(harness.target)
        harness.settle(engine, verified)
        harness.provider.options = harness.provider.options.model_copy(update={"registrar": HostPort("127.0.0.1", 1)})
        engine, out = harness.engine(), timedelta()
        harness.request(engine)
        for _ in range(60):
            engine.look(harness.target)
            yield "no registrar"
            out += timedelta() if harness.published_works else timedelta(seconds=5)
            assert out <= longest, "devices are out for longer than the propagation window and one recovery"
            harness.clock.advance(timedelta(seconds=5))

    return check


def emergency_in_a_fleet() -> Iterator[str]:
    """No retirement is left in this minute, and somebody's password was read."""
    harness = SimulatedHarness(REPLACE)
    engine = harness.engine(limits=replace(harness.limits, retirements_per_minute=0))
    harness.until_rotated(engine)
    old = harness.consumer
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    yield "no retirement left"
    harness.clock.advance(timedelta(seconds=10))
    assert not harness.provider.accepts(old.username, old.password), "what is compromised is still accepted"


PROVED_JUST_NOW = without_registrar(timedelta(minutes=1), timedelta(minutes=1))
PROVED_LONG_AGO = without_registrar(timedelta(days=1), timedelta())


# -- more than one process


def no_check_and_set(patch) -> None:
    def write_state(self, state, version) -> int:
        with self.points.around("write state"):
            self.states[state.target] = Versioned(state, version + 1)
        return version + 1

    def write_consumer(self, path, credential, at, over) -> int:
        return original(self, path, credential, at, self.read_consumer(path))

    original = MemoryStore.write_consumer
    patch.setattr(MemoryStore, "write_state", write_state)
    patch.setattr(MemoryStore, "write_consumer", write_consumer)


def a_conflict_is_overwritten(patch) -> None:
    def check_and_set(self, state, claim_ends):
        try:
            original(self, state, claim_ends)
        except Conflict:
            self.version = self._store.read_state(self.target.name).version
            original(self, state, claim_ends)

    original = session.Session._check_and_set
    patch.setattr(session.Session, "_check_and_set", check_and_set)


# -- the evidence that the old is dead


def an_end_is_believed_without_a_log_in(patch) -> None:
    def try_ended(caller: ProviderCaller, session: Session, action: do.TryEnded) -> None:
        now = session.clocks().vault
        session.write(ends.after_refusal(session.state, action.ended, "it was disabled", now))

    patch.setattr(end_effects, "try_ended", try_ended)


def a_refusal_is_evidence_by_itself(patch) -> None:
    def beside(caller: ProviderCaller, session: Session, answer: Answer[Proof]) -> Answer[Proof]:
        return Done(Proof("nothing", tries_password=True)) if isinstance(answer, Retry) else answer

    patch.setattr(end_effects, "_beside_published", beside)


def locked_out() -> Iterator[str]:
    """A registrar that refuses whatever comes from our address, and lets everybody else in."""
    harness = EngineHarness(capabilities=replace(CHOSEN, tries_ended=timedelta(minutes=10)))
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.request(engine)
    harness.until_rotated(engine)
    harness.provider.ignores = {"disable"}
    prove, refused = harness.provider.prove, Retry(Wait.NOT_YET, "refused (403)")
    harness.provider.log_in = lambda _: refused
    harness.provider.prove = lambda one: refused if "disable" in harness.provider.calls else prove(one)
    harness.settle(engine, 2 * DAY)
    yield "locked out"
    assert harness.state.counts.ends_shown == 0, "evidence says that it is refused, and it is accepted"


# -- freezes, uses and ends


def a_blackout_holds_repairs(patch) -> None:
    patch.setattr(Freezes, "of_repairs", property(lambda freezes: freezes.of_rotations))


def changed_by_hand(*, by_pause: bool) -> tuple[EngineHarness, Secret]:
    """Somebody changes at the provider what is published, in a freeze; with the right password."""
    harness = EngineHarness()
    harness.target = replace(harness.target, policy=replace(harness.target.policy, verify=DAY))
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 10 * DAY)
    now = harness.clock.now()
    if by_pause:
        pause = Pause(Scope(), now, now + 3 * DAY, Origin("somebody", "works on it by hand"))
        PauseBook(harness.store, harness.clock).change(lambda pauses: pauses.with_pause(pause, now))
    else:
        freeze = Blackout(now, now + 20 * DAY, "end of the year")
        harness.target = replace(harness.target, policy=replace(harness.target.policy, blackouts=(freeze,)))
    stored = harness.provider.credentials[harness.consumer.credential_id]
    right, stored.password = stored.password, Secret("set by hand")
    harness.clock.advance(timedelta(seconds=6))
    return harness, right


def changed_within_a_blackout() -> Iterator[str]:
    harness, _ = changed_by_hand(by_pause=False)
    harness.settle(harness.engine(), 3 * DAY)
    yield "in a blackout"
    assert harness.published_works, "devices are out for as long as the blackout lasts"
    assert harness.state.counts.succeeded == 2


def a_repair_is_carried_out_whatever_has_happened_since(patch) -> None:
    patch.setattr(staging, "needless_repair", lambda facts, request: None)
    patch.setattr(staging, "before_repair", lambda facts, request: None)


def mended_within_a_pause() -> Iterator[str]:
    harness, right = changed_by_hand(by_pause=True)
    harness.settle(harness.engine(), DAY + timedelta(hours=4))
    repair = Request(Purpose.ROTATE, drift.REPAIRED_BY, "drift", harness.clock.now(), repairs=True)
    requested = replace(harness.state, request=repair)  # it was written a moment before the pause
    harness.store.write_state(requested, harness.store.states["office"].version)
    harness.provider.credentials[harness.consumer.credential_id].password = right
    harness.settle(harness.engine(), 4 * DAY)
    yield "mended in a pause"
    assert harness.state.counts.succeeded == 1, "rotated, although nothing was refused any more"


def what_is_in_use_is_kept_without_an_end(patch) -> None:
    patch.setattr(staging, "kept_hold", lambda facts: None)


def nobody_can_say_who_uses_it() -> Iterator[str]:
    rules = UsageRules(("nobody",), every=DAY / 2, extend_at_most=DAY, then=AfterExtension.HOLD)
    policy = replace(EngineHarness().target.policy, usage=rules, schedule=Every(5 * DAY))
    harness = EngineHarness(replace(EngineHarness().target, policy=policy))
    harness.settle(harness.engine(), 60 * DAY, most=2000)
    yield "for two months"
    assert len(harness.state.ledger) <= MOST_KEPT, "the ledger grows with each rotation"


def ends_are_tried_on_without_a_bound(patch) -> None:
    patch.setattr(ends, "_one_too_many", lambda state: None)


def every_end_is_ignored() -> Iterator[str]:
    harness = EngineHarness(capabilities=replace(CHOSEN, tries_ended=timedelta(minutes=10)))
    harness.provider.ignores = {"disable", "set_password", "delete"}
    engine = harness.engine()
    for _ in range(ends.MOST_ENDED + 4):
        harness.request(engine)
        harness.until_rotated(engine)
        harness.settle(engine, 3 * DAY)
    yield "every end is ignored"
    assert len(harness.state.ended) <= ends.MOST_ENDED, "one more is tried every day, for ever"


def an_orphan_has_no_overlap(patch) -> None:
    taken_in = removal.after_taking_in

    def at_once(state: TargetState, orphan: Credential, policy: Policy, now: datetime, origin: Origin) -> TargetState:
        return taken_in(state, orphan, replace(policy, overlap=timedelta()), now, origin)

    patch.setattr(orphan_repair, "after_taking_in", at_once)


def a_name_shows_who_made_it(patch) -> None:
    patch.setattr(MadeCredentials, "target_of", lambda made, accounts, entry: "office")


def orphans_of_a_restored_vault() -> Iterator[str]:
    """Vault is restored from before a rotation; another installation at the account has a target of the same name."""
    harness = EngineHarness()
    harness.until_rotated(harness.engine())
    before = dict(harness.store.states), dict(harness.store.consumers)
    harness.request(harness.engine())
    harness.until_rotated(harness.engine())
    lost = harness.consumer
    harness.store.states, harness.store.consumers = before
    strangers = harness.provider.add("officeqrstuv12")
    made = MadeCredentials()
    for record in harness.audit.records:
        made.take({name: getattr(record, name) for name in ("verb", "target", "outcome", "facts")})
    engine, providers, targets = harness.engine(), {"fake": harness.provider}, [harness.target]
    presence = Presence(harness.store, harness.clock, "reconciler", Role.COMMAND)
    names, read_each = FormerNames(harness.store, {"office"}), lambda read, them: [read(name) for name in them]
    keys = {"fake": "fake"}
    reconciler = Reconciler(harness.store, harness.clock, providers, keys, targets, [], names, presence, read_each)
    reconciler.read_documents(reconciler.names())
    repair = OrphanRepair(harness.store, harness.clock, providers, targets, engine.removal, made)
    for orphan in repair.judge(reconciler.reconcile("fake")):
        if not orphan.why_not:
            repair.retire(orphan, Origin("somebody", "restored"))
    harness.settle(engine, harness.target.policy.overlap / 2)
    yield "within the overlap"
    assert harness.provider.accepts(lost.username, lost.password), "devices that had read it are cut off"
    harness.settle(engine, 30 * DAY)
    yield "afterwards"
    assert lost.credential_id not in harness.provider.credentials
    assert strangers.id in harness.provider.credentials, "what another installation made is gone"


MUTANTS: dict[Callable[..., None], tuple[MutantCheck, ...]] = {
    trunks_are_not_looked_at: (lifecycle_check(REPLACE, "retirement"),),
    published_before_a_trunk_names_it: (lifecycle_check(UNTRIED, "rotation"),),
    that_a_trunk_may_name_it_is_not_on_record: (lifecycle_check(ATTACHED, "rotation"),),
    publish_before_apply: (lifecycle_check(REPLACE, "rotation"),),
    fresh_password_after_an_unknown_answer: (lifecycle_check(REPLACE, "rotation", LOST),),
    attempt_replaced_while_unknown: (lifecycle_check(REPLACE, "rotation", LOST),),
    no_proof_before_publishing: (lifecycle_check(REPLACE, "rotation"),),
    staged_only_after_applying: (lifecycle_check(REPLACE, "rotation"),),
    uncertain_mark_skipped: (lifecycle_check(REPLACE, "rotation", LOST),),
    a_dead_process_is_not_suspected: (lifecycle_check(REPLACE, "rotation"),),
    unknown_taken_for_done: (lifecycle_check(ALTERNATING, "rotation", "request lost, again and again"),),
    unknown_taken_for_refused: (lifecycle_check(IN_PLACE, "rotation", LOST),),
    abandoned_without_a_trace: (lifecycle_check(REPLACE, "rotation", "answer lost, then refused"),),
    deleted_by_age_instead_of_by_ledger: (lifecycle_check(REPLACE, "rotation"),),
    retired_before_the_overlap_ends: (lifecycle_check(REPLACE, "rotation"),),
    the_overlap_is_not_waited_for: (lifecycle_check(ALTERNATING, "rotation"),),
    the_predecessor_is_forgotten: (lifecycle_check(REPLACE, "rotation"),),
    published_again_without_being_enabled: (lifecycle_check(REPLACE, "undo from quarantine"),),
    what_is_published_again_stays_in_the_ledger: (lifecycle_check(REPLACE, "undo from overlap"),),
    retired_on_an_old_proof: (tidied_away_check(REPLACE, published_is_tidied_away),),
    published_on_an_old_proof: (tidied_away_check(REPLACE, staged_is_tidied_away),),
    what_is_refused_is_never_repaired: (tidied_away_check(REPLACE, published_is_tidied_away),),
    what_is_not_accepted_stays_in_force: (PROVED_JUST_NOW,),
    nothing_is_proved_beforehand: (PROVED_LONG_AGO,),
    an_emergency_waits_like_everything: (emergency_in_a_fleet,),
    an_end_is_believed_without_a_log_in: (lifecycle_check(IGNORING, "retirement"),),
    a_refusal_is_evidence_by_itself: (locked_out,),
    a_blackout_holds_repairs: (changed_within_a_blackout,),
    a_repair_is_carried_out_whatever_has_happened_since: (mended_within_a_pause,),
    what_is_in_use_is_kept_without_an_end: (nobody_can_say_who_uses_it,),
    ends_are_tried_on_without_a_bound: (every_end_is_ignored,),
    an_orphan_has_no_overlap: (orphans_of_a_restored_vault,),
    a_name_shows_who_made_it: (orphans_of_a_restored_vault,),
    no_check_and_set: (two_process_check(REPLACE),),
    a_conflict_is_overwritten: (two_process_check(REPLACE),),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_protocol_is_caught(mutant, count_run):
    """Whatever breaks a promise has to break a check."""
    for check in MUTANTS[mutant]:
        with pytest.MonkeyPatch.context() as patch:
            mutant(patch)
            caught = broken_promise(check)
        count_run("-", "-", "broken protocols, to be caught")
        if caught:
            print(caught)
            return
    pytest.fail(f"{mutant.__name__.replace('_', ' ')}: nobody noticed")


def broken_promise(check: MutantCheck) -> str | None:
    """What the check says, or None where all of it passes. An error that is no assertion is not a catch."""
    try:
        for _ in check():
            pass
    except AssertionError as caught:
        return str(caught)
    return None


@pytest.mark.parametrize(
    "check", {id(check): check for checks in MUTANTS.values() for check in checks}.values(), ids=lambda _: ""
)
def test_the_same_checks_pass_where_nothing_is_broken(check, count_run):
    """So that none of them catches everything."""
    assert broken_promise(check) is None
