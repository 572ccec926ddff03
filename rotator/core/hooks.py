"""The rules of hooks: what is run before and after a rotation and a retirement, and what a failure of it means.

A hook that precedes something is on record before that begins; one that follows something is on record by the same
write as what was done. So neither is left out, wherever a process dies, and a run whose answer was lost is repeated
with the same key.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.actions import Abandon, Decision, RunHook
from rotator.core.advance import after_failure
from rotator.core.backoff import is_waiting
from rotator.core.facts import Facts
from rotator.core.freezes import frozen_hold
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import unproved_hold, window_hold
from rotator.core.hook_rules import HookCall, HookMoment, OwedHook
from rotator.core.ledger import swap
from rotator.core.model import Attempt, Ending, LedgerEntry, Policy, Purpose, TargetState
from rotator.core.origin import SCHEDULED_BY, Origin
from rotator.core.usage_rules import MOST_KEPT
from rotator.core.verification import is_refused

GIVEN_UP_AFTER = timedelta(days=7)


def due_before_rotation(state: TargetState, policy: Policy) -> TargetState:
    """Notes beside the opening of an attempt what has to run before anything is sent."""
    attempt = state.attempt and replace(state.attempt, before=policy.hooks.before_rotation)
    return replace(state, attempt=attempt)


def before_rotation(facts: Facts) -> Decision | None:
    """Returns what precedes the first call of an attempt; None if nothing is left.

    Until then the rotation has not begun, so a window, a pause, a blackout and passwords that are not proved yet hold
    it as before, and an undo does not wait behind it. An emergency, an undo, and a rotation while devices are out do
    not wait for a hook that fails.
    """
    attempt, policy = facts.state.attempt, facts.target.policy
    if attempt is None or not attempt.before:
        return None
    if facts.only_ends:
        return Abandon(f"{facts.target.name} was removed or retired before anything was sent")
    rotates, waiting = attempt.purpose is Purpose.ROTATE, facts.state.request
    if waiting is not None and waiting.purpose is Purpose.UNDO and rotates and not attempt.compromised:
        return Abandon("an undo was requested before anything was sent")
    freeze = facts.freezes.holding(attempt)
    if freeze is not None:
        return frozen_hold(facts.target.name, freeze)
    hold = window_hold(facts) if attempt.requested_by == SCHEDULED_BY else None
    hold = hold or (unproved_hold(facts, attempt) if rotates else None)
    if hold is not None:
        return hold
    name = attempt.before[0]
    passing = attempt.compromised or not rotates or is_refused(facts.state)
    dropped = "" if name in policy.hooks.before_rotation else f"the policy {policy.name} does not name it any more"
    call = _of_rotation(name, HookMoment.BEFORE_ROTATION, attempt)
    return RunHook(call, passes=passing, why_not=dropped)


def before_retirement(facts: Facts, entry: LedgerEntry) -> RunHook | None:
    """Returns what precedes the end of a replaced credential; None if nothing is left. An emergency does not wait."""
    left = _left_of_retirement(facts.target.policy, entry)
    if not left:
        return None
    return RunHook(_of_retirement(left[0], HookMoment.BEFORE_RETIREMENT, entry), entry=entry, passes=entry.compromised)


def precede_retirement(policy: Policy, entry: LedgerEntry) -> bool:
    """True if hooks have to run before a replaced credential ends: a provider is not told its end in advance."""
    return bool(_left_of_retirement(policy, entry)) and not entry.compromised


def failed_before_retirement(facts: Facts, entry: LedgerEntry) -> Hold | None:
    """Holds the end of a replaced credential while a hook that precedes it fails."""
    if not entry.held_by:
        return None
    remedy = f"fix it, or take it out of the policy {facts.target.policy.name}"
    message = f"{entry.note}: {entry.label} stays until it succeeds; {remedy}"
    return kept_hold(facts) or Hold(HoldReason.HOOK_FAILED, message)


def kept_hold(facts: Facts) -> Hold | None:
    """Holds a rotation that comes by schedule while hooks keep as many replaced credentials as may be kept."""
    policy = facts.target.policy
    kept = [entry for entry in facts.state.ledger if entry.held_by in _left_of_retirement(policy, entry)]
    if len(kept) < MOST_KEPT:
        return None
    names, failing = ", ".join(entry.label for entry in kept), ", ".join(sorted({entry.held_by for entry in kept}))
    message = f"no rotation begins by schedule while {len(kept)} replaced credentials stay ({names})"
    remedy = f"fix them, or take them out of the policy {policy.name}"
    return Hold(HoldReason.HOOK_FAILED, f"{message}, since hooks fail ({failing}): {remedy}")


def run_owed(facts: Facts) -> Decision | None:
    """Runs a hook that follows something. While it fails, nothing else waits for it; an emergency never does."""
    emergency = facts.state.request is not None and facts.state.request.compromised and not facts.only_ends
    if emergency and not is_waiting(facts.state.not_before, facts.clocks.vault):
        return None  # each may take half a minute
    for owed in facts.state.owed:
        if not is_waiting(owed.not_before, facts.clocks.vault):
            return RunHook(owed.call, owed=owed)
    return None


def owed_after_rotation(state: TargetState, attempt: Attempt, policy: Policy, now: datetime) -> TargetState:
    """Notes what has to run after a rotation, beside the end of its attempt."""
    calls = [_of_rotation(name, HookMoment.AFTER_ROTATION, attempt) for name in policy.hooks.after_rotation]
    return replace(state, owed=(*state.owed, *(OwedHook(call, now) for call in calls)))


def owed_after_retirement(state: TargetState, entry: LedgerEntry, policy: Policy, now: datetime) -> TargetState:
    """Notes what has to run after a retirement, beside its record. The deletion that follows later is not one."""
    if not _is_retired_by_end(entry):
        return state
    calls = [_of_retirement(name, HookMoment.AFTER_RETIREMENT, entry) for name in policy.hooks.after_retirement]
    return replace(state, owed=(*state.owed, *(OwedHook(call, now) for call in calls)))


def after_run(state: TargetState, action: RunHook, now: datetime) -> TargetState:
    """Records that a hook has run, or that nothing waits for it any more.

    With the last one before it the attempt begins: it may have waited for days, for a window or until a pause ended.
    """
    if action.owed is not None:
        return replace(state, owed=_without(state, action.owed), claim=None)
    if action.entry is not None:
        hooked = (*action.entry.hooked, action.call.hook)
        passed = replace(action.entry, hooked=hooked, held_by="", failures=0, not_before=None, note="")
        return replace(state, ledger=swap(state.ledger, action.entry, passed))
    attempt = state.attempt and replace(state.attempt, before=state.attempt.before[1:], started_at=now)
    return replace(state, attempt=attempt, not_before=None, last_error="")


def after_failed_run(
    state: TargetState, action: RunHook, why: str, now: datetime, next_try: Callable[[int], datetime]
) -> TargetState:
    """Notes that a hook failed, and when to run it again: what it precedes waits, what was done stays done.

    Args:
        next_try: returns that moment for a number of failures in a row.
    """
    if action.owed is not None:
        failures = action.owed.failures + 1
        again = replace(action.owed, failures=failures, not_before=next_try(failures), note=why)
        owed = tuple(again if each == action.owed else each for each in state.owed)
        return replace(state, owed=_without(state, action.owed) if is_given_up(action, now) else owed, claim=None)
    if action.entry is not None:
        failures = action.entry.failures + 1
        later = {"failures": failures, "not_before": next_try(failures), "note": why, "held_by": action.call.hook}
        held = replace(action.entry, **later)  # type: ignore[arg-type]
        return replace(state, ledger=swap(state.ledger, action.entry, held), claim=None)
    return after_failure(state, why, next_try(state.failures + 1))


def is_given_up(action: RunHook, now: datetime) -> bool:
    """True if a hook that follows something has failed for so long that it is not run again."""
    return action.owed is not None and now - action.owed.since >= GIVEN_UP_AFTER


def _left_of_retirement(policy: Policy, entry: LedgerEntry) -> tuple[str, ...]:
    if not _is_retired_by_end(entry):
        return ()
    return tuple(name for name in policy.hooks.before_retirement if name not in entry.hooked)


def _is_retired_by_end(entry: LedgerEntry) -> bool:
    """True if it ends what devices may use: no old password, no trace of a lost call, nothing that had ended before."""
    is_known = entry.ending is not Ending.FORGET and entry.credential.id is not None
    return is_known and not entry.cut_off and not entry.ended_before


def _of_rotation(hook: str, moment: HookMoment, attempt: Attempt) -> HookCall:
    key, staged = f"{attempt.id}.{moment.value}", attempt.staged
    purpose, leaked = attempt.purpose.value, attempt.compromised
    return HookCall(hook, moment, key, staged.account, staged.username, staged.id, purpose, leaked, attempt.origin)


def _of_retirement(hook: str, moment: HookMoment, entry: LedgerEntry) -> HookCall:
    one, origin = entry.credential, entry.origin or Origin(SCHEDULED_BY, "")
    # An id is the provider's, of any form, and a standing credential is replaced again and again.
    named = hashlib.sha256(f"{one.account}/{one.id}/{entry.replaced_at.isoformat()}".encode()).hexdigest()[:16]
    key = f"{named}.{moment.value}"
    return HookCall(hook, moment, key, one.account, one.username, one.id, "retire", entry.compromised, origin)


def _without(state: TargetState, done: OwedHook) -> tuple[OwedHook, ...]:
    return tuple(each for each in state.owed if each != done)
