"""The check of `decide` that carries an open attempt to its end, step by step."""

from dataclasses import replace
from datetime import timedelta

from rotator.core.abandonment import change_since_staging
from rotator.core.action_properties import verb_of
from rotator.core.actions import (
    Abandon,
    Action,
    Apply,
    Attach,
    Close,
    Decision,
    LookUp,
    Prove,
    Publish,
    Restore,
    Settle,
    Verb,
)
from rotator.core.attempts import attached_before, can_put_back, is_published, is_spare, is_unsent, may_cut_off
from rotator.core.circuit import ProviderVerb
from rotator.core.facts import Facts, lookup_key
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import (
    backoff_hold,
    circuit_hold,
    foreign_document_hold,
    identity_hold,
    log_in_hold,
    missing_account_hold,
    pace_hold,
)
from rotator.core.hooks import before_rotation
from rotator.core.model import Attempt, Credential, Ending, Listed, Phase, Purpose, Strategy
from rotator.core.verification import is_fresh


def continue_attempt(facts: Facts) -> Decision | None:
    """Carries an open attempt to its end with the staged password, which is never replaced."""
    attempt = facts.state.attempt
    if attempt is None:
        return None
    ended = _end_without_account(facts, attempt) or missing_account_hold(facts, attempt.staged.account)
    ended = ended or identity_hold(facts, attempt.staged)
    if ended is not None:
        return ended
    step = _next_step(facts, attempt)
    shut = None if isinstance(step, Hold) else _circuit_hold(facts, attempt.staged.account, step)
    held = shut or backoff_hold(facts)
    return held or (step if isinstance(step, Hold) else before_rotation(facts) or step)


def _next_step(facts: Facts, attempt: Attempt) -> Decision:
    if attempt.phase is Phase.STAGED:
        discards = attempt.refused or (attempt.put_back and not attempt.compromised)
        return _discard(facts, attempt) if discards else _apply(facts, attempt)
    attach = _attach(facts, attempt)
    if attach is not None:
        return attach
    step = _prove(facts, attempt) if attempt.phase is Phase.APPLIED else _publish(facts, attempt)
    # While devices are out, no log-in waits because others were wrong; the number of such log-ins has its own limit.
    waits = isinstance(step, Prove) and not may_cut_off(attempt)
    return (log_in_hold(facts, attempt.staged.account) if waits else None) or step


def _prove(facts: Facts, attempt: Attempt) -> Decision:
    """Proves what was applied: first when a log-in is likely to be right, as others at the account have shown."""
    account, now = attempt.staged.account, facts.clocks.vault
    can, lag = facts.capabilities[account], facts.log_ins_settle_in.get(account)
    if lag is not None and can.proof.tries_password and attempt.applied_at is not None:
        wait = attempt.applied_at + min(lag, can.propagation / 2) - now
        if timedelta() < wait <= can.propagation:
            return Hold(HoldReason.PROPAGATING, "it is not likely to be accepted yet", facts.now + wait)
    return Prove(attempt.staged)


def _attach(facts: Facts, attempt: Attempt) -> Decision | None:
    """Points trunks from what the target used until now to the staged credential, as late as possible.

    From then on the published one may be refused. A log-in can only work after it; a read-back comes before it, and so
    does whatever else would keep the staged one from being published.
    """
    can = facts.capabilities[attempt.staged.account]
    if not can.attaches or not is_spare(attempt) or attempt.attached_at is not None:
        return None
    before = _used_before(facts, attempt)
    proved = attempt.phase is Phase.PROVED and is_fresh(attempt.proved_at, facts)
    if not before or (not can.proof.tries_password and not proved):
        return None
    foreign = foreign_document_hold(facts)
    return foreign if foreign is not None and not attempt.take_over else Attach(attempt.staged, before)


def _used_before(facts: Facts, attempt: Attempt) -> tuple[Credential, ...]:
    """Returns every other credential of the target at the account: a trunk that names one of them is the target's."""
    state, staged = facts.state, attempt.staged
    replaced = (entry.credential for entry in state.ledger)
    every = (attempt.predecessor, state.published, state.standby, *replaced)
    here = {one.id: one for one in every if one is not None and one.id is not None and one.account == staged.account}
    return tuple(one for identity, one in here.items() if identity != staged.id)


def _publish(facts: Facts, attempt: Attempt) -> Decision:
    foreign = foreign_document_hold(facts)
    if foreign is not None and not attempt.take_over:
        old = attempt.predecessor
        puts_back = can_put_back(attempt, facts.capabilities[attempt.staged.account])
        if old is None or not puts_back or _is_of_later_rotation(facts, attempt):
            return foreign
        return Restore(old)  # devices are out meanwhile
    counts = is_fresh(attempt.proved_at, facts) or _is_asked_in_vain(facts, attempt)
    return Publish(attempt.staged) if counts else Prove(attempt.staged)


def _is_asked_in_vain(facts: Facts, attempt: Attempt) -> bool:
    """True if devices have been out for long enough because nobody can be asked to prove `in-place` again.

    What was proved once is likelier to be in force than what Vault hands out, which the proof showed to be replaced.
    """
    since, can = attempt.unasked_since, facts.capabilities[attempt.staged.account]
    return since is not None and abs(facts.clocks.vault - since) >= can.propagation


def _end_without_account(facts: Facts, attempt: Attempt) -> Abandon | Close | None:
    """Ends an attempt that needs no more calls, whatever has become of its account."""
    if is_published(attempt, facts.consumer):
        return Close()
    change = change_since_staging(facts, attempt) if is_unsent(attempt) else ""
    return Abandon(change) if change else None


def _circuit_hold(facts: Facts, account: str, step: Action) -> Hold | None:
    """Holds a call that the account's open circuit does not let through. Log-ins and publishing are not such calls."""
    if isinstance(step, Prove):
        attempt = facts.state.attempt
        proved_in_place = attempt is not None and attempt.phase is Phase.PROVED and may_cut_off(attempt)
        if proved_in_place or facts.capabilities[account].proof.tries_password:
            return None  # it is asked in vain: devices do not wait for the circuit
        return circuit_hold(facts, account, ProviderVerb.FIND) or _pace_hold(facts, account)
    verb = verb_of(step)
    return circuit_hold(facts, account, verb) or _pace_hold(facts, account) if verb is not None else None


def _pace_hold(facts: Facts, account: str) -> Hold | None:
    """Holds a call that the account's pace does not allow for long; one that devices wait for goes ahead of others."""
    attempt = facts.state.attempt
    urgent = attempt is not None and (attempt.compromised or may_cut_off(attempt))
    return None if urgent else pace_hold(facts, account)


def _apply(facts: Facts, attempt: Attempt) -> Decision:
    foreign = foreign_document_hold(facts)
    if foreign is not None and not attempt.take_over:
        return foreign  # before the provider gets the password, which could not be published afterwards
    if attempt.strategy is Strategy.IN_PLACE:
        return _settle(facts, attempt) or Apply(Verb.SET_PASSWORD, attempt.staged)
    if attempt.purpose is Purpose.UNDO:
        return Apply(Verb.ENABLE, attempt.staged)
    if attempt.staged.id is None:
        return _create(facts, attempt)
    if attempt.strategy is Strategy.REPLACE:
        return Apply(Verb.COMPLETE, attempt.staged, _inherits_from(facts, attempt))
    return Apply(Verb.SET_PASSWORD, attempt.staged)


def _settle(facts: Facts, attempt: Attempt) -> Action | None:
    """After an answer that left open which password is in force, a log-in shows it before anything is sent again."""
    tries = facts.capabilities[attempt.staged.account].proof.tries_password
    if not attempt.uncertain or facts.unsettled or not tries:
        return None
    old = attempt.predecessor
    return Settle(attempt.staged, old if old is not None and old.password is not None else None)


def _create(facts: Facts, attempt: Attempt) -> Action:
    """Looks before creating again after a lost answer: a create is not idempotent."""
    like = _inherits_from(facts, attempt)
    create = Apply(Verb.CREATE, attempt.staged, like)
    if not attempt.uncertain:
        return create
    matches = facts.lookups.get(lookup_key(attempt.staged))
    if matches is None:
        return LookUp(attempt.staged)
    if not matches:
        return create
    created = replace(attempt.staged, id=matches[0].id, username=matches[0].username)
    return Apply(Verb.COMPLETE, created, like)


def _inherits_from(facts: Facts, attempt: Attempt) -> Credential | None:
    """Returns the credential whose grants a new one inherits: if the published one is gone, what it replaced itself."""
    last = facts.state.verification
    if last is None or last.listed is not Listed.GONE:
        return attempt.predecessor
    replaced = [entry.credential for entry in facts.state.ledger if entry.ending is Ending.DELETE]
    here = [one for one in replaced if one.account == attempt.staged.account and one.id is not None]
    return here[-1] if here else attempt.predecessor


def _discard(facts: Facts, attempt: Attempt) -> Decision:
    """Discards a password that was refused, or not accepted in time.

    If an earlier call may have been carried out, the ledger takes what that call may have left. The one credential of
    `in-place` first gets its old password back, if that is known, to put the published one into force again; trunks are
    first pointed back to it.
    """
    old = attempt.predecessor
    named = attached_before(attempt) if attempt.detaches else None
    if named is not None:
        return Attach(named, (attempt.staged,))
    if is_spare(attempt) or not attempt.uncertain or old is None or old.password is None:
        return Abandon()
    if _is_of_later_rotation(facts, attempt):
        return Abandon() if attempt.take_over else foreign_document_hold(facts) or Restore(old)
    return Restore(old)


def _is_of_later_rotation(facts: Facts, attempt: Attempt) -> bool:
    """True if the document hands out what a rotation after the attempt has made: somebody restored an older state.

    No password that this state knows is in force any more, so putting one back would cut off what reads the document.
    What the state knows is of no later rotation, whatever the clocks of those who began the two have said.
    """
    state, consumer = facts.state, facts.consumer
    replaced = (entry.credential for entry in state.ledger)
    known = (attempt.predecessor, state.published, state.standby, *replaced)
    if consumer.attempt in {None, attempt.id, *(one.attempt for one in known if one is not None)}:
        return False
    return consumer.rotated_at is not None and consumer.rotated_at > attempt.started_at
