"""The check of `decide` that retires replaced credentials, entry by entry of the ledger."""

from datetime import datetime

from rotator.core import hooks
from rotator.core.action_properties import verb_of
from rotator.core.actions import Action, Decision, Delete, Disable, Expire, Forget, LiftEnd, LookUp, Overwrite
from rotator.core.backoff import is_waiting
from rotator.core.ends import is_still_accepted
from rotator.core.facts import Facts, has_other_identity, lookup_key
from rotator.core.holding import Hold, HoldReason, weight
from rotator.core.holds import (
    circuit_hold,
    clocks_hold,
    ending_document_hold,
    foreign_document_hold,
    identity_hold,
    is_taken_over,
    pace_hold,
)
from rotator.core.model import Capabilities, Cutoff, Ending, LedgerEntry
from rotator.core.usage import before_end, rules_for
from rotator.core.verification import before_retirement, is_all_that_works, is_refused


def retire(facts: Facts) -> Decision | None:
    """Retires what the ledger names and nothing else; never what is published, staged or in a consumer document."""
    lift, foreign = _lift(facts), foreign_document_hold(facts) or ending_document_hold(facts)
    if lift is not None:
        return lift
    if foreign is not None and not facts.only_ends:  # nobody is going to correct the document of an ended target
        return None if is_taken_over(facts, foreign) else foreign  # the take-over says itself what it waits for
    declined: list[Hold] = []
    changed: Hold | None = None
    for entry in facts.state.ledger:
        if entry.ending is not Ending.FORGET and has_other_identity(facts, entry.credential):
            changed = changed or identity_hold(facts, entry.credential)
            continue
        harmless = entry.stays_enabled and is_waiting(entry.not_before, facts.clocks.vault)
        action = _retirement(facts, entry) if _is_reachable(facts, entry) and not harmless else None
        if action is None:
            hold = clocks_hold(facts, entry.ends_at if entry.cut_off else entry.disable_at)
        else:
            hold = _obstacle(facts, entry, action)
        if action is not None and hold is None:
            first = _first_of_all(facts, action)
            if not isinstance(first, Hold):
                return first or action
            hold = first
        declined += [hold] if hold is not None else []
    return changed or min(declined, key=weight, default=None)


def _obstacle(facts: Facts, entry: LedgerEntry, action: Action) -> Hold | None:
    """Returns what a retirement that is due waits for. What is urgent waits for a failed try alone."""
    if is_waiting(entry.not_before, facts.clocks.vault):
        delayed = Hold(HoldReason.RETIREMENT_DELAYED, f"{entry.label} is not retired yet: {entry.note}")
        return hooks.failed_before_retirement(facts, entry) or delayed
    if _is_urgent(action):
        return None
    frozen, meanwhile = facts.freezes.of_retirements, f"{entry.label} is not retired meanwhile"
    if frozen is not None and not isinstance(action, Forget):
        return Hold(frozen.reason, f"{frozen.words}; {meanwhile}")
    shut = _shut(facts, entry.credential.account, action)
    if shut is not None:
        return Hold(HoldReason.NOT_RETIRED, f"{shut.message}; {meanwhile}") if shut.reason.end.blocks else shut
    if facts.retirements_left <= 0:
        return Hold(HoldReason.RETIREMENTS_CAPPED, "this minute's maximum of retired credentials is reached")
    return None


def _first_of_all(facts: Facts, action: Action) -> Decision | None:
    """Returns what must come before a retirement: nobody uses it, a fresh proof of what is published, the hooks."""
    if not isinstance(action, Expire | Disable | Overwrite | Delete):
        return None
    proof, entry = before_retirement(facts, action.entry), action.entry
    if isinstance(action, Expire):
        return proof
    used, hook = before_end(facts, entry), hooks.before_retirement(facts, entry)
    # One that has failed is likely to fail again, and what follows it is proved all the same.
    last = facts.state.verification
    again = hook if entry.held_by and last is not None and last.accepted else None
    return used or again or proof or hook


def _lift(facts: Facts) -> Action | None:
    """Takes back an end that the provider was told.

    That is for a credential that somebody else's document hands out, or while the published one is refused or there is
    none yet.
    """
    refused = is_refused(facts.state)
    for entry in facts.state.ledger:
        end = _told_end(facts, entry)
        if end is None or end <= facts.now or has_other_identity(facts, entry.credential):
            continue
        needed = facts.hands_out(entry.credential) or (refused and not entry.compromised)
        needed = needed or is_all_that_works(facts, entry)
        # By a policy that did not wait for anybody: the end that was told may come too early now.
        needed = needed or (entry.expires_at is not None and _waits_for_somebody(facts, entry))
        can_be_tried = _is_reachable(facts, entry) and not is_waiting(entry.not_before, facts.clocks.vault)
        lift = LiftEnd(entry)
        if needed and can_be_tried and _shut(facts, entry.credential.account, lift) is None:
            return lift
    return None


def _told_end(facts: Facts, entry: LedgerEntry) -> datetime | None:
    """Returns when the provider ends a credential by itself, as it was told or, after a lost call, may have been."""
    can = facts.capabilities.get(entry.credential.account)
    lost = entry.uncertain or (facts.state.claim is not None and not facts.holds_claim)
    may_be_told = can is not None and can.expires and lost and not entry.disabled
    return entry.disable_at if entry.expires_at is None and may_be_told else entry.expires_at


def _is_reachable(facts: Facts, entry: LedgerEntry) -> bool:
    # An old password is forgotten without the provider.
    return entry.credential.account in facts.capabilities or entry.ending is Ending.FORGET


def _is_urgent(action: Action) -> bool:
    """True for what stops a compromised credential from being accepted: it waits for no cap and no open circuit."""
    if isinstance(action, Delete):
        return action.urgent
    return isinstance(action, Disable | Overwrite) and action.entry.compromised


def _shut(facts: Facts, account: str, action: Action) -> Hold | None:
    verb = verb_of(action)
    return None if verb is None else circuit_hold(facts, account, verb) or pace_hold(facts, account)


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
        waits = _waits_for_somebody(facts, entry)
        # A document at a former path may hand it out, whatever a lagging standby shows; with its withdrawal the
        # overlap begins anew.
        leaves = bool(facts.state.former_paths)
        untold = entry.credential.id is not None and entry.expires_at != entry.disable_at
        return Expire(entry) if untold and can.expires and not waits and not leaves else None
    if entry.credential.id is None:
        return _trace(facts, entry)
    leaks = entry.compromised and (not entry.cut_off or is_still_accepted(facts.state, entry))
    return _cut_off(can, entry) or (_last_step(can, entry, leaks=leaks) if ended else None)


def _waits_for_somebody(facts: Facts, entry: LedgerEntry) -> bool:
    """True if the end of an overlap waits for what is not known before: who uses it, or what a hook says."""
    policy = facts.target.policy
    return rules_for(policy.usage, entry) is not None or hooks.precede_retirement(policy, entry)


def _cut_off(can: Capabilities, entry: LedgerEntry) -> Action | None:
    if entry.disabled or entry.cutoff is Cutoff.NONE:
        return None
    if entry.cut_off:
        return Disable(entry) if entry.stays_enabled and can.disables else None
    if entry.cutoff is Cutoff.OVERWRITE:
        return Overwrite(entry)
    # What can be neither disabled nor deleted gets a random password; otherwise it would be accepted for ever.
    only_by_password = entry.ending is Ending.DELETE and not can.deletes and can.sets_password
    return Disable(entry) if can.disables or only_by_password else None


def _last_step(can: Capabilities, entry: LedgerEntry, *, leaks: bool) -> Action:
    stays = entry.ending is Ending.STAND_BY or not can.deletes
    return Forget(entry) if stays else Delete(entry, urgent=leaks)


def _trace(facts: Facts, entry: LedgerEntry) -> Action:
    """Removes whatever a listing shows for an entry without an id, which comes from a create with a lost answer."""
    matches = facts.lookups.get(lookup_key(entry.credential))
    if matches is None:
        return LookUp(entry.credential, entry)
    named = {other.credential.id for other in facts.state.ledger}
    strays = [stray for stray in matches if stray.id not in named and not facts.is_protected(stray)]
    return Delete(entry, strays[0]) if strays else Forget(entry)
