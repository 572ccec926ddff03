"""Decides the one next thing to do for a target: a chain of small named checks; the first that answers wins.

Pure: the same facts always give the same action. Nothing here knows how an action is carried out.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core import ledger
from rotator.core.actions import (
    CLAIMED,
    Abandon,
    Action,
    Apply,
    Close,
    Delete,
    Disable,
    Expire,
    Forget,
    Hold,
    LookUp,
    Prove,
    Publish,
    Reason,
    Restore,
    Schedule,
    TakeClaim,
    Verb,
)
from rotator.core.backoff import waits
from rotator.core.facts import Facts, key, open_attempt
from rotator.core.model import Attempt, Ending, LedgerEntry, Phase, Purpose, Strategy
from rotator.core.staging import idle_in_overlap, stage

_SOON = timedelta(seconds=10)

Check = Callable[[Facts], Action | None]


def decide(facts: Facts) -> Action:
    """The next action for the target of `facts`. An effect is preceded by a claim that outlasts it."""
    for check in CHECKS:
        action = check(facts)
        if action is not None:
            return TakeClaim() if isinstance(action, CLAIMED) and not facts.claimed else action
    return hold(facts)


def claimed_elsewhere(facts: Facts) -> Action | None:
    """Another process works on the target: leave it alone until its claim ends."""
    claim = facts.state.claim
    if claim is None or facts.taken <= timedelta():
        return None
    return Hold(Reason.CLAIMED, f"{claim.holder} works on it", facts.now + facts.taken)


def continue_attempt(facts: Facts) -> Action | None:
    """An open attempt is carried to its end, with the password that was staged; it is never replaced."""
    attempt = open_attempt(facts)
    if attempt is None:
        return None
    if attempt.phase is Phase.STAGED:
        return _discard(attempt) if attempt.refused else _apply(facts, attempt)
    if attempt.phase is Phase.APPLIED:
        return Prove(attempt.staged)
    return _publish(facts, attempt)


def _apply(facts: Facts, attempt: Attempt) -> Action | None:
    if not (facts.undisturbed or attempt.take_over or facts.consumer.names(attempt.staged)):
        return None  # what was published elsewhere could not be replaced afterwards: `hold` says so
    if attempt.strategy is Strategy.IN_PLACE:
        return Apply(Verb.SET_PASSWORD, attempt.staged)
    if attempt.purpose is Purpose.UNDO:
        return Apply(Verb.ENABLE, attempt.staged)
    if attempt.staged.id is None:
        return _create(facts, attempt)
    if attempt.strategy is Strategy.REPLACE:
        return Apply(Verb.COMPLETE, attempt.staged, attempt.predecessor)
    return Apply(Verb.SET_PASSWORD, attempt.staged)


def _create(facts: Facts, attempt: Attempt) -> Action:
    """A create is not idempotent: after an answer that nobody saw, look before creating again."""
    create = Apply(Verb.CREATE, attempt.staged, attempt.predecessor)
    if not attempt.uncertain:
        return create
    found = facts.found.get(key(attempt.staged))
    if found is None:
        return LookUp(attempt.staged)
    if not found:
        return create
    made = replace(attempt.staged, id=found[0].id, username=found[0].username)
    return Apply(Verb.COMPLETE, made, attempt.predecessor)


def _discard(attempt: Attempt) -> Action | None:
    """The provider refuses the staged password. With nothing unknown behind it, it can simply go.

    An earlier call of the same attempt may have been carried out, though. A spare credential is then left to the
    ledger; the one credential of `in-place` gets its old password back first, so that what is published is in force.
    """
    if attempt.strategy is not Strategy.IN_PLACE or not attempt.uncertain:
        return Abandon()
    if attempt.predecessor is not None and attempt.predecessor.password is not None:
        return Restore(attempt.predecessor)
    return Apply(Verb.SET_PASSWORD, attempt.staged)


def _publish(facts: Facts, attempt: Attempt) -> Action | None:
    if facts.consumer.names(attempt.staged):
        return Close()
    return Publish(attempt.staged) if facts.undisturbed or attempt.take_over else None


def draw_due_time(facts: Facts) -> Action | None:
    """The next rotation's time is drawn once and stored; again only after a change of the schedule, or of the clock."""
    state = facts.state
    changed = state.scheduled_by != facts.target.schedule_key or ledger.ahead(state, facts.now)
    return Schedule() if state.next_rotation is None or changed else None


def retire(facts: Facts) -> Action | None:
    """The ledger, and nothing else, is disabled and deleted; never what is published, staged or handed out."""
    if not _handed_out_is_ours(facts):
        return None
    for entry in facts.state.ledger:
        if _can_be_retired(facts, entry):
            action = _retirement(facts, entry)
            if action is not None:
                return action
    return None


def _handed_out_is_ours(facts: Facts) -> bool:
    attempt = facts.state.attempt
    return facts.undisturbed or (attempt is not None and facts.consumer.names(attempt.staged))


def _can_be_retired(facts: Facts, entry: LedgerEntry) -> bool:
    known = entry.credential.account in facts.capabilities
    return (
        known
        and not waits(entry.not_before, facts.now)
        and entry.credential.account not in facts.closed
        and facts.retirements_left > 0
    )


def _retirement(facts: Facts, entry: LedgerEntry) -> Action | None:
    ended = entry.ends_at <= facts.now
    if entry.ending is Ending.FORGET:
        return Forget(entry) if ended else None
    if facts.protected(entry.credential):
        return None
    if entry.disable_at > facts.now:
        return _expiry(facts, entry)
    if entry.credential.id is None:
        return _trace(facts, entry)
    if facts.capabilities[entry.credential.account].disables and not entry.disabled:
        return Disable(entry)
    return _end(facts, entry) if ended else None


def _end(facts: Facts, entry: LedgerEntry) -> Action:
    stays = entry.ending is Ending.STAND_BY or not facts.capabilities[entry.credential.account].deletes
    return Forget(entry) if stays else Delete(entry)


def _expiry(facts: Facts, entry: LedgerEntry) -> Action | None:
    """A provider that can end a credential by itself is told at once when: it then does so even without us."""
    unknown = entry.credential.id is None or entry.expires_at is not None
    return None if unknown or not facts.capabilities[entry.credential.account].expires else Expire(entry)


def _trace(facts: Facts, entry: LedgerEntry) -> Action:
    """An entry without an id stems from a create whose answer was lost: whatever a listing shows for it is removed."""
    found = facts.found.get(key(entry.credential))
    if found is None:
        return LookUp(entry.credential, entry)
    named = {other.credential.id for other in facts.state.ledger}
    strays = [stray for stray in found if stray.id not in named and not facts.protected(stray)]
    return Delete(entry, strays[0]) if strays else Forget(entry)


CHECKS: tuple[Check, ...] = (claimed_elsewhere, continue_attempt, draw_due_time, retire, stage)


def hold(facts: Facts) -> Hold:
    """Why nothing is done now, and when to look again."""
    reason, message, until = _why(facts)
    later = [moment for moment in (until, *_moments(facts)) if moment is not None and moment > facts.now]
    return Hold(reason, message, min(later, default=None))


def _why(facts: Facts) -> tuple[Reason, str, datetime | None]:
    for explain in (_why_account, _why_doubted, _why_backing_off, _why_foreign, _why_capped, _why_idle, _why_window):
        found = explain(facts)
        if found is not None:
            return found
    return Reason.NOT_DUE, "nothing is due", facts.state.next_rotation


_Why = tuple[Reason, str, datetime | None] | None


def _why_account(facts: Facts) -> _Why:
    attempt = facts.state.attempt
    account = attempt.staged.account if attempt else facts.target.account
    if account not in facts.capabilities:
        return Reason.ACCOUNT_MISSING, f"an attempt is open at {account}: put it back into the configuration", None
    until = facts.closed.get(account)
    return (Reason.CIRCUIT_OPEN, f"{account} failed too often in a row", until) if until else None


def _why_doubted(facts: Facts) -> _Why:
    account = facts.target.account
    stands_in_the_way = facts.target.strategy is Strategy.IN_PLACE and facts.state.attempt is None
    if account not in facts.doubted or not stands_in_the_way or not _wants_rotation(facts):
        return None
    return Reason.UNPROVED, f"passwords set at {account} are not accepted yet: look there first", facts.now + _SOON


def _why_backing_off(facts: Facts) -> _Why:
    if not facts.backing_off():
        return None
    if facts.state.attempt is not None and facts.state.attempt.phase is Phase.APPLIED and not facts.state.failures:
        return Reason.PROPAGATING, facts.state.last_error, facts.state.not_before
    return Reason.BACKING_OFF, facts.state.last_error, facts.state.not_before


def _why_foreign(facts: Facts) -> _Why:
    if _handed_out_is_ours(facts):
        return None
    what = "is not what rotator published" if facts.consumer.exists else "is gone"
    remedy = f"put it right, or take it over: rotator rotate {facts.target.name} --take-over"
    return Reason.FOREIGN_DOCUMENT, f"{facts.target.path} {what}; {remedy}", None


def _why_capped(facts: Facts) -> _Why:
    if facts.retirements_left > 0 or not any(entry.disable_at <= facts.now for entry in facts.state.ledger):
        return None
    return Reason.RETIREMENTS_CAPPED, "as many credentials as one minute may see were retired", None


def _wants_rotation(facts: Facts) -> bool:
    due = facts.state.next_rotation
    return facts.state.request is not None or (due is not None and due <= facts.now)


def _why_idle(facts: Facts) -> _Why:
    until = idle_in_overlap(facts) if _wants_rotation(facts) else None
    return (Reason.IDLE_IN_OVERLAP, "devices may still use the idle credential", until) if until else None


def _why_window(facts: Facts) -> _Why:
    window = facts.target.policy.window
    if window is None or not _wants_rotation(facts) or window.contains(facts.now):
        return None
    return Reason.OUTSIDE_WINDOW, "due, and waits for the window to open", window.next_opening(facts.now)


def _moments(facts: Facts) -> list[datetime | None]:
    """Every moment at which something else may become possible."""
    moments: list[datetime | None] = [facts.state.next_rotation, facts.state.not_before, *facts.closed.values()]
    for entry in facts.state.ledger:
        moments += [entry.not_before, entry.disable_at, entry.ends_at]
    return moments
