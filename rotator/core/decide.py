"""Decides the next action for a target: a chain of small named checks; the first one that acts wins.

A check that declines returns a `Hold` with the reason, and the chain goes on. If no check acts, the hold with the most
important reason is the answer. Pure: the same facts always give the same action. Nothing here knows how an action is
carried out.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.abandonment import change_since_staging, is_spare, is_unsent
from rotator.core.actions import (
    NEEDS_CLAIM,
    Abandon,
    Action,
    Apply,
    Close,
    Decision,
    Delete,
    Disable,
    DrawDueTime,
    Expire,
    Forget,
    Hold,
    HoldReason,
    LiftEnd,
    LookUp,
    Overwrite,
    Prove,
    Publish,
    Restore,
    Settle,
    TakeClaim,
    Verb,
    verb_of,
)
from rotator.core.backoff import is_waiting
from rotator.core.circuit import ProviderVerb
from rotator.core.drift import verify
from rotator.core.facts import Facts, has_other_identity, lookup_key
from rotator.core.holds import (
    backoff_hold,
    circuit_hold,
    clocks_hold,
    ending_document_hold,
    foreign_document_hold,
    identity_hold,
    lost_state_hold,
    missing_account_hold,
    renamed_hold,
)
from rotator.core.model import (
    Attempt,
    Capabilities,
    Credential,
    Cutoff,
    Ending,
    LedgerEntry,
    Listed,
    Phase,
    Purpose,
    Strategy,
)
from rotator.core.moves import leave_paths, move
from rotator.core.staging import stage
from rotator.core.verification import before_retirement, is_fresh, is_refused

Check = Callable[[Facts], Decision | None]
_WEIGHT = {reason: place for place, reason in enumerate(HoldReason)}


def decide(facts: Facts) -> Decision:
    """Returns the next action for the target of `facts`. An effect needs a claim, renewed while it runs."""
    elsewhere = claimed_elsewhere(facts) or renamed_hold(facts)
    if elsewhere is not None:
        return elsewhere
    lost = lost_state_hold(facts)
    if lost is not None:
        return lost  # no version may be written over the deleted one, which can still be restored
    holds: list[Hold] = []
    for check in ENDING_CHECKS if facts.only_ends else CHECKS:
        answer = check(facts)
        if isinstance(answer, Hold):
            holds.append(answer)
        elif answer is not None:
            return TakeClaim() if isinstance(answer, NEEDS_CLAIM) and not facts.holds_claim else answer
    weightiest = min(holds, key=lambda hold: _WEIGHT[hold.reason])
    return replace(weightiest, until=_next_change(facts, weightiest))


def _next_change(facts: Facts, hold: Hold) -> datetime | None:
    """Returns when, by the local clock, another action may become possible."""
    state, clocks = facts.state, facts.clocks
    own = [hold.until, *facts.open_circuits.values()]
    shared = [state.not_before, state.verify_at, *(entry.not_before for entry in state.ledger)]
    shared += [former.not_before for former in state.former_paths]
    by_both = [state.next_rotation, *(former.until for former in state.former_paths)]
    by_both += [moment for entry in state.ledger for moment in (entry.disable_at, entry.ends_at)]
    later = [
        moment + (facts.now - now)
        for now, moments in ((facts.now, own), (clocks.vault, shared), (clocks.earliest, by_both))
        for moment in moments
        if moment is not None and moment > now
    ]
    return min(later, default=None)


def claimed_elsewhere(facts: Facts) -> Hold | None:
    """Holds while another process works on the target: nothing may be done until its claim ends."""
    claim = facts.state.claim
    if claim is None or facts.other_claim_remaining <= timedelta():
        return None
    return Hold(HoldReason.CLAIMED, f"{claim.holder} is working on it", facts.now + facts.other_claim_remaining)


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
    return shut or backoff_hold(facts) or step


def _next_step(facts: Facts, attempt: Attempt) -> Decision:
    if attempt.phase is Phase.STAGED:
        discards = attempt.refused or (attempt.put_back and not attempt.compromised)
        return _discard(attempt) if discards else _apply(facts, attempt)
    if attempt.phase is Phase.APPLIED:
        return Prove(attempt.staged)
    return _publish(facts, attempt)


def _publish(facts: Facts, attempt: Attempt) -> Decision:
    foreign = foreign_document_hold(facts)
    if foreign is not None and not attempt.take_over:
        return foreign
    return Publish(attempt.staged) if is_fresh(attempt.proved_at, facts) else Prove(attempt.staged)


def _end_without_account(facts: Facts, attempt: Attempt) -> Action | None:
    """Ends an attempt that needs no more calls, whatever has become of its account."""
    change = change_since_staging(facts, attempt) if is_unsent(attempt) else ""
    if change:
        return Abandon(change)
    published = attempt.phase is Phase.PROVED and facts.consumer.names(attempt.staged)
    return Close() if published else None


def _circuit_hold(facts: Facts, account: str, step: Action) -> Hold | None:
    """Holds a call that the account's open circuit lets not through. Trying a password or publishing is none."""
    if isinstance(step, Prove) and not facts.capabilities[account].proof.tries_password:
        return circuit_hold(facts, account, ProviderVerb.FIND)
    verb = verb_of(step)
    return circuit_hold(facts, account, verb) if verb is not None else None


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


def _discard(attempt: Attempt) -> Action:
    """Discards a password that was refused, or not accepted in time.

    If an earlier call may have been carried out, the ledger takes what that call may have left. The one credential of
    `in-place` first gets its old password back, if that is known, to put the published one into force again.
    """
    old = attempt.predecessor
    if is_spare(attempt) or not attempt.uncertain or old is None or old.password is None:
        return Abandon()
    return Restore(old)


def draw_due_time(facts: Facts) -> Action | None:
    """Draws the time of the next rotation once; again only if the schedule changed."""
    state = facts.state
    changed = state.scheduled_by != facts.target.schedule_key
    return DrawDueTime() if state.next_rotation is None or changed else None


def retire(facts: Facts) -> Decision | None:
    """Retires what the ledger names and nothing else; never what is published, staged or in a consumer document."""
    lift, foreign = _lift(facts), foreign_document_hold(facts) or ending_document_hold(facts)
    if lift is not None:
        return lift
    if foreign is not None and not facts.only_ends:  # nobody is going to correct the document of an ended target
        return foreign
    declined: Hold | None = None
    changed: Hold | None = None
    for entry in facts.state.ledger:
        if entry.ending is not Ending.FORGET and has_other_identity(facts, entry.credential):
            changed = changed or identity_hold(facts, entry.credential)
            continue
        action = _retirement(facts, entry) if _can_be_tried(facts, entry) else None
        if action is None:
            declined = declined or clocks_hold(facts, entry.ends_at if entry.disabled else entry.disable_at)
        elif not _is_urgent(action) and _is_shut(facts, entry.credential.account, action):
            continue
        elif not _is_urgent(action) and facts.retirements_left <= 0:
            declined = Hold(HoldReason.RETIREMENTS_CAPPED, "this minute's maximum of retired credentials is reached")
        else:
            unproved = _proof_before(facts, action)
            if not isinstance(unproved, Hold):
                return unproved or action
            declined = unproved
    return changed or declined


def _proof_before(facts: Facts, action: Action) -> Decision | None:
    """Returns what must come before a retirement: a fresh proof of what is published."""
    if isinstance(action, Expire | Disable | Overwrite | Delete):
        return before_retirement(facts, action.entry)
    return None


def _lift(facts: Facts) -> Action | None:
    """Takes back an end that the provider was told.

    That is for a credential that somebody else's document hands out, or while the published one is refused.
    """
    refused = is_refused(facts.state)
    for entry in facts.state.ledger:
        lift, coming = LiftEnd(entry), entry.expires_at is not None and entry.expires_at > facts.now
        needed = facts.hands_out(entry.credential) or (refused and not entry.compromised)
        can_be_tried = _can_be_tried(facts, entry) and not _is_shut(facts, entry.credential.account, lift)
        coming = coming and not has_other_identity(facts, entry.credential)
        if coming and needed and can_be_tried:
            return lift
    return None


def _can_be_tried(facts: Facts, entry: LedgerEntry) -> bool:
    # An old password is forgotten without the provider.
    reachable = entry.credential.account in facts.capabilities or entry.ending is Ending.FORGET
    return reachable and not is_waiting(entry.not_before, facts.clocks.vault)


def _is_urgent(action: Action) -> bool:
    """True for what stops a compromised credential from being accepted: it waits for no cap and no open circuit."""
    if isinstance(action, Delete):
        return action.urgent
    return isinstance(action, Disable | Overwrite) and action.entry.compromised


def _is_shut(facts: Facts, account: str, action: Action) -> bool:
    verb = verb_of(action)
    return verb is not None and circuit_hold(facts, account, verb) is not None


def _retirement(facts: Facts, entry: LedgerEntry) -> Action | None:
    # An emergency is not triggered by time, and waits for no clock.
    replaced = entry.compromised or entry.disable_at <= facts.clocks.earliest
    ended = entry.compromised or entry.ends_at <= facts.clocks.earliest
    if entry.ending is Ending.FORGET:
        return Forget(entry) if ended else None
    can = facts.capabilities[entry.credential.account]
    if facts.is_protected(entry.credential):
        return None
    if not replaced:
        # Told in advance, the provider ends the credential even while rotator is down.
        untold = entry.credential.id is not None and entry.expires_at != entry.disable_at
        return Expire(entry) if untold and can.expires else None
    if entry.credential.id is None:
        return _trace(facts, entry)
    return _cut_off(can, entry) or (_last_step(can, entry) if ended else None)


def _cut_off(can: Capabilities, entry: LedgerEntry) -> Action | None:
    if entry.disabled or entry.cutoff is Cutoff.NONE:
        return None
    if entry.cutoff is Cutoff.OVERWRITE:
        return Overwrite(entry)
    # What can be neither disabled nor deleted ends by a random password; otherwise it would be accepted for ever.
    only_by_password = entry.ending is Ending.DELETE and not can.deletes and can.sets_password
    return Disable(entry) if can.disables or only_by_password else None


def _last_step(can: Capabilities, entry: LedgerEntry) -> Action:
    stays = entry.ending is Ending.STAND_BY or not can.deletes
    return Forget(entry) if stays else Delete(entry, urgent=entry.compromised and not entry.disabled)


def _trace(facts: Facts, entry: LedgerEntry) -> Action:
    """Removes whatever a listing shows for an entry without an id, which comes from a create with a lost answer."""
    matches = facts.lookups.get(lookup_key(entry.credential))
    if matches is None:
        return LookUp(entry.credential, entry)
    named = {other.credential.id for other in facts.state.ledger}
    strays = [stray for stray in matches if stray.id not in named and not facts.is_protected(stray)]
    return Delete(entry, strays[0]) if strays else Forget(entry)


def end(facts: Facts) -> Hold:
    """Holds a target that is only ended: nothing new begins."""
    if facts.state.retired_at is None:
        return Hold(HoldReason.NOT_DUE, "nothing is due")
    message = f"retired on {facts.state.retired_at:%Y-%m-%d}: remove it from the configuration, or begin anew: "
    return Hold(HoldReason.RETIRED, f"{message}rotator rotate {facts.target.name}")


CHECKS: tuple[Check, ...] = (move, continue_attempt, leave_paths, draw_due_time, retire, stage, verify)
ENDING_CHECKS: tuple[Check, ...] = (continue_attempt, leave_paths, retire, end)
