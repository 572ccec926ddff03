"""The state document after an attempt ends: closed, abandoned, outgrown or given up. Pure, like `advance`."""

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.abandonment import ledger_after, unsettled_entry, with_late_call
from rotator.core.advance import after_event, after_failure, open_attempt
from rotator.core.attempts import is_spare, is_unsent, may_cut_off
from rotator.core.hooks import owed_after_rotation
from rotator.core.ledger import (
    LATE_COMMIT,
    end_now,
    replaced_entry,
    strays_entry,
    with_overlap_for_all,
    with_overlap_from,
    without_credential,
)
from rotator.core.left_over import with_rules
from rotator.core.model import Attempt, Counts, Ending, Policy, Purpose, Request, Target, TargetState, Verification
from rotator.core.moves import after_path_change
from rotator.core.origin import SCHEDULED_BY
from rotator.core.requesting import join_requests
from rotator.core.schedule import next_due
from rotator.core.transitions import AttemptEvent
from rotator.core.verification import next_verification


def after_abandon(
    state: TargetState,
    now: datetime,
    not_before: datetime,
    *,
    kept_for: timedelta = LATE_COMMIT,
    strays: bool = False,
    removed: bool = False,
) -> TargetState:
    """Discards the staged password. Whatever a lost call may have left behind goes into the ledger.

    The request for a rotation is renewed, unless the old password was put back: each further try is another outage,
    which somebody has to ask for. For an undo and for `removed` see `_renewed`. For `kept_for` and `strays` see
    `ledger_after`.
    """
    attempt = open_attempt(state)
    # In place, the attempt of a state that is older than the document ends without that: see `_discard`.
    is_put_back = attempt.put_back and (is_spare(attempt) or not attempt.uncertain)
    moved = replace(
        after_event(state, AttemptEvent.ABANDON),
        ledger=ledger_after(state.ledger, attempt, now, kept_for, strays=strays),
        request=state.request if is_put_back else _renewed(state, now, removed=removed),
    )
    message = state.last_error
    if is_put_back:
        what = "the trunks were pointed back" if is_spare(attempt) else "the old password was put back"
        message += f"; {what}, and no other is tried before {not_before:%Y-%m-%dT%H:%M:%SZ} unasked"
    return after_failure(moved, message, not_before)


def after_change(
    state: TargetState, change: str, now: datetime, later: datetime, *, removed: bool = False
) -> TargetState:
    """Discards an attempt that its target has outgrown before anything was carried out: it leaves nothing.

    What failed, failed for that attempt. Its request is renewed, to be carried out at once; but only `later` if the
    attempt before ended likewise. Two processes with different configurations would go on with that for ever. For
    `removed` see `_renewed`.
    """
    ledger = with_late_call(state.ledger, open_attempt(state), now)
    moved = replace(
        after_event(state, AttemptEvent.ABANDON),
        ledger=ledger,
        request=_renewed(state, now, removed=removed),
        failures=state.outgrown,
        outgrown=state.outgrown + 1,
        claim=None,
    )
    if not state.outgrown:
        return replace(moved, not_before=None, last_error="")
    why = f"{change}, as it had before: do all processes have the same configuration?"
    return replace(moved, not_before=later, last_error=why)


def after_giving_up(
    state: TargetState, now: datetime, *, kept_for: timedelta, restored: bool, strays: bool
) -> TargetState:
    """Ends the attempt because somebody asked for that.

    Its request is renewed only if something is still wrong: a password is compromised, or the one that is published
    may not be in force. For `kept_for` and `strays` see `ledger_after`.
    """
    attempt = open_attempt(state)
    moved = after_event(state, AttemptEvent.ABANDON)
    ledger, unsettled = state.ledger, may_cut_off(attempt) and not restored
    if restored:
        ledger = (*ledger, unsettled_entry(attempt, now, LATE_COMMIT))
    elif is_unsent(attempt):
        ledger = with_late_call(ledger, attempt, now)
    else:
        ledger = ledger_after(ledger, attempt, now, kept_for, strays=strays)
    request = _renewed(state, now) if attempt.compromised or unsettled else state.request
    return replace(_without_failures(moved), ledger=ledger, request=request)


def _renewed(state: TargetState, now: datetime, *, removed: bool = False) -> Request | None:
    """Returns the request of the open attempt again, joined with one that waits.

    Nobody has to ask for a rotation that is due; an undo is not tried again, and if it was to repair what is published,
    a rotation follows. A target that is not configured any more keeps only what is wrong until it is configured again.
    """
    attempt = open_attempt(state)
    given_up = attempt.purpose is Purpose.UNDO and not attempt.repairs
    given_up = given_up or (removed and not attempt.compromised and not attempt.repairs)
    if given_up or attempt.requested_by == SCHEDULED_BY:
        return state.request
    by, reason, stated = attempt.requested_by, attempt.reason, attempt.stated
    again = Request(
        Purpose.ROTATE,
        by,
        reason,
        now,
        compromised=attempt.compromised,
        take_over=attempt.take_over,
        despite_pause=attempt.despite_pause,
        repairs=attempt.repairs,
        stated=stated,
    )
    return again if state.request is None else join_requests(again, state.request)


def after_close(
    state: TargetState, target: Target, now: datetime, fraction: float, *, strays: bool = False
) -> TargetState:
    """Closes the attempt after its credential was published; its predecessor goes into the ledger.

    Args:
        strays: a create of this attempt may have been carried out more than once (a provider that generates does not
            refuse the second), and every credential but the published one must be removed.
    """
    attempt, policy = open_attempt(state), target.policy
    moved = with_rules(after_path_change(after_event(state, AttemptEvent.CLOSE), target, now), target)
    moved = _with_proof(_with_replaced(moved, attempt, target, now, strays=strays), attempt, policy, now, fraction)
    rotated = attempt.purpose is Purpose.ROTATE or state.last_rotation is None
    last_rotation = now if rotated else state.last_rotation or now
    moved = owed_after_rotation(moved, attempt, policy, now)
    return replace(
        _without_failures(moved),
        outgrown=0,
        published=attempt.staged,
        published_since=now,
        last_rotation=last_rotation,
        next_rotation=next_due(policy.schedule, policy.window, last_rotation, fraction, attempt.staged.made_at),
        scheduled_by=target.policy.schedule_key,
        counts=_counted(state.counts, attempt, now),
    )


def _with_replaced(state: TargetState, attempt: Attempt, target: Target, now: datetime, *, strays: bool) -> TargetState:
    """Puts what the attempt replaced into the ledger, and gives what was replaced before the end that it has now."""
    ledger, entry = without_credential(state.ledger, attempt.staged), replaced_entry(attempt, target, now)
    if attempt.compromised:
        ledger = end_now(ledger, now, attempt.origin, compromised=True)
    elif attempt.handed_out is not None:
        ledger = with_overlap_from(ledger, attempt.handed_out, now, target.policy)
    elif state.verification is not None and not state.verification.accepted:
        ledger = with_overlap_for_all(ledger, now, target.policy)
    if entry is not None:
        if entry.ending is not Ending.FORGET:  # at a take-over it may be in the ledger already
            ledger = without_credential(ledger, entry.credential, but=Ending.FORGET)
        ledger = (*ledger, entry)
    standby = entry.credential if entry is not None and entry.ending is Ending.STAND_BY else state.standby
    ledger = (*ledger, strays_entry(attempt, now)) if strays else ledger
    return replace(state, ledger=ledger, standby=standby and replace(standby, password=None))


def _with_proof(state: TargetState, attempt: Attempt, policy: Policy, now: datetime, fraction: float) -> TargetState:
    """Keeps the attempt's proof as the first of what is published. Whoever could not be asked again is asked soon."""
    proved, unasked = attempt.proved_at, attempt.unasked_since
    return replace(
        state,
        verification=None if proved is None else Verification(proved, accepted=True, proof=attempt.proof),
        verify_at=unasked or next_verification(state.ledger, policy, proved or now, fraction),
        verify_failures=0 if unasked is None else 1,
    )


def _counted(counts: Counts, attempt: Attempt, now: datetime) -> Counts:
    if attempt.purpose is Purpose.UNDO:
        return replace(counts, undone=counts.undone + 1)
    seconds = max((now - attempt.started_at).total_seconds(), 0.0)
    return replace(counts, succeeded=counts.succeeded + 1, seconds=counts.seconds + seconds)


def _without_failures(state: TargetState) -> TargetState:
    return replace(state, failures=0, not_before=None, last_error="", claim=None)
