"""The check of `decide` that retires replaced credentials, entry by entry of the ledger."""

from datetime import datetime

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
from rotator.core.verification import before_retirement, is_refused


def retire(facts: Facts) -> Decision | None:
    """Retires what the ledger names and nothing else; never what is published, staged or in a consumer document."""
    lift, foreign = _lift(facts), foreign_document_hold(facts) or ending_document_hold(facts)
    if lift is not None:
        return lift
    if foreign is not None and not facts.only_ends:  # nobody is going to correct the document of an ended target
        return None if is_taken_over(facts, foreign) else foreign  # the take-over says itself what it waits for
    declined: list[Hold] = []
    changed: Hold | None = None
    frozen = facts.freezes.of_retirements
    for entry in facts.state.ledger:
        if entry.ending is not Ending.FORGET and has_other_identity(facts, entry.credential):
            changed = changed or identity_hold(facts, entry.credential)
            continue
        action = _retirement(facts, entry) if _can_be_tried(facts, entry) else None
        if action is None:
            apart = clocks_hold(facts, entry.ends_at if entry.cut_off else entry.disable_at)
            declined += [apart] if apart is not None else []
        elif not _is_urgent(action) and _is_shut(facts, entry.credential.account, action):
            continue
        elif not _is_urgent(action) and frozen is not None and not isinstance(action, Forget):
            declined.append(Hold(frozen.reason, f"{frozen.words}; {entry.label} is not retired meanwhile"))
        elif not _is_urgent(action) and facts.retirements_left <= 0:
            capped = "this minute's maximum of retired credentials is reached"
            declined.append(Hold(HoldReason.RETIREMENTS_CAPPED, capped))
        else:
            first = _first_of_all(facts, action)
            if not isinstance(first, Hold):
                return first or action
            declined.append(first)
    return changed or min(declined, key=weight, default=None)


def _first_of_all(facts: Facts, action: Action) -> Decision | None:
    """Returns what must come before a retirement: that nobody uses it, and a fresh proof of what is published."""
    users = before_end(facts, action.entry) if isinstance(action, Disable | Overwrite | Delete) else None
    if users is None and isinstance(action, Expire | Disable | Overwrite | Delete):
        return before_retirement(facts, action.entry)
    return users


def _lift(facts: Facts) -> Action | None:
    """Takes back an end that the provider was told.

    That is for a credential that somebody else's document hands out, or while the published one is refused.
    """
    refused = is_refused(facts.state)
    for entry in facts.state.ledger:
        lift, end = LiftEnd(entry), _told_end(facts, entry)
        coming = end is not None and end > facts.now
        needed = facts.hands_out(entry.credential) or (refused and not entry.compromised)
        # By a policy that did not ask for its users: they may outlast the end that was told.
        needed = needed or (entry.expires_at is not None and rules_for(facts.target.policy.usage, entry) is not None)
        can_be_tried = _can_be_tried(facts, entry) and not _is_shut(facts, entry.credential.account, lift)
        coming = coming and not has_other_identity(facts, entry.credential)
        if coming and needed and can_be_tried:
            return lift
    return None


def _told_end(facts: Facts, entry: LedgerEntry) -> datetime | None:
    """Returns when the provider ends a credential by itself, as it was told or, after a lost call, may have been."""
    can = facts.capabilities.get(entry.credential.account)
    lost = entry.uncertain or (facts.state.claim is not None and not facts.holds_claim)
    may_be_told = can is not None and can.expires and lost and not entry.disabled
    return entry.disable_at if entry.expires_at is None and may_be_told else entry.expires_at


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
    return verb is not None and (circuit_hold(facts, account, verb) or pace_hold(facts, account)) is not None


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
        # Told in advance, the provider ends the credential even while rotator is down. Who uses it is not known yet.
        # With the withdrawal of a document its overlap begins anew.
        withdraws = any(former.until <= facts.clocks.latest for former in facts.state.former_paths)
        if withdraws or rules_for(facts.target.policy.usage, entry) is not None:
            return None
        untold = entry.credential.id is not None and entry.expires_at != entry.disable_at
        return Expire(entry) if untold and can.expires else None
    if entry.credential.id is None:
        return _trace(facts, entry)
    leaks = entry.compromised and (not entry.cut_off or is_still_accepted(facts.state, entry))
    return _cut_off(can, entry) or (_last_step(can, entry, leaks=leaks) if ended else None)


def _cut_off(can: Capabilities, entry: LedgerEntry) -> Action | None:
    if entry.disabled or entry.cutoff is Cutoff.NONE:
        return None
    if entry.cut_off:
        return Disable(entry) if entry.stays_enabled and can.disables else None
    if entry.cutoff is Cutoff.OVERWRITE:
        return Overwrite(entry)
    # What can be neither disabled nor deleted ends by a random password; otherwise it would be accepted for ever.
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
