"""The state document after each event. Pure: each function takes a state and returns the next one."""

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.abandonment import is_spare, is_unsent, ledger_after, unsettled_entry, with_late_call
from rotator.core.actions import Stage
from rotator.core.facts import is_same_credential
from rotator.core.ledger import (
    LATE_COMMIT,
    end_now,
    handed_out_entry,
    replaced_entry,
    strays_entry,
    with_overlap_for_all,
    with_overlap_from,
    without_credential,
)
from rotator.core.left_over import is_empty
from rotator.core.model import (
    Attempt,
    Claim,
    ConsumerDocument,
    Credential,
    Ending,
    Phase,
    Policy,
    Purpose,
    Request,
    Strategy,
    Target,
    TargetState,
    Verification,
)
from rotator.core.moves import after_path_change
from rotator.core.schedule import first_due, next_due
from rotator.core.staging import SCHEDULED_BY
from rotator.core.transitions import AttemptEvent, next_phase
from rotator.core.verification import next_verification


def after_draw(state: TargetState, target: Target, now: datetime, fraction: float) -> TargetState:
    """Stores the time of the next rotation, drawn for a new target or after its policy changed."""
    policy, last = target.policy, state.last_rotation
    if last is None:
        due = first_due(policy.window, now, fraction)
    else:
        made = state.published.made_at if state.published else None
        due = next_due(policy.schedule, policy.window, last, fraction, made)
    drawn = replace(state, next_rotation=due, scheduled_by=target.schedule_key, path=state.path or target.path)
    return _with_periods(drawn, policy)


def _with_periods(state: TargetState, policy: Policy) -> TargetState:
    """Keeps what a target that is removed later leaves its credentials."""
    return replace(state, overlap=policy.overlap, quarantine=policy.quarantine)


def after_request(state: TargetState, request: Request) -> TargetState:
    """Stores a request to act now. It ends the back-off, and lets a target that was retired begin anew."""
    if state.retired_at is not None:
        state = replace(state, retired_at=None)
    if is_empty(state):
        state = replace(state, renamed_to="")
    if state.attempt is not None and _is_asked_for(state.attempt, request):
        return replace(state, attempt=_join(state.attempt, request), not_before=None)
    return replace(state, request=_merge(state.request, request), not_before=None)


def _is_asked_for(attempt: Attempt, request: Request) -> bool:
    """True if the open attempt already does what the request asks for; then no second one has to follow.

    A proved password may have been handed out long ago, and may be the very one that somebody wants replaced.
    """
    may_be_out = attempt.phase is Phase.PROVED and attempt.purpose is Purpose.ROTATE
    only_takes_over = request.take_over and not request.compromised
    return attempt.purpose is request.purpose and (not may_be_out or only_takes_over)


def _join(attempt: Attempt, request: Request) -> Attempt:
    return replace(
        attempt,
        requested_by=request.requested_by,
        reason=request.reason,
        compromised=attempt.compromised or request.compromised,
        take_over=attempt.take_over or request.take_over,
    )


def _merge(waiting: Request | None, request: Request) -> Request:
    """Returns the later request, with anything more that an earlier one of the same purpose asked for."""
    if waiting is None or waiting.purpose is not request.purpose:
        return request
    return replace(
        request,
        compromised=waiting.compromised or request.compromised,
        take_over=waiting.take_over or request.take_over,
    )


def after_drop(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Drops a request or a due rotation that cannot be carried out. An impossible undo does not count as a failure."""
    if state.request is not None and state.request.purpose is Purpose.UNDO:
        return replace(state, request=None, last_error=message)
    return _after_failure(replace(state, request=None), message, not_before)


def after_delay(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Notes why a due action could not be looked into or may not start yet; it stays due."""
    return _after_failure(state, message, not_before)


def after_claim(state: TargetState, claim: Claim) -> TargetState:
    """Claims the target for this process.

    A claim that was never released means that a process died, or lost Vault, between a call and its record: whether the
    provider carried that call out is unknown.
    """
    attempt = state.attempt
    if attempt is not None and state.claim is not None:
        attempt = replace(attempt, uncertain=True)
    return replace(state, claim=claim, attempt=attempt)


def after_release(state: TargetState) -> TargetState:
    """Releases the claim: every call to the provider is on record."""
    return replace(state, claim=None)


def after_stage(state: TargetState, plan: Stage, attempt_id: str, credential: Credential, now: datetime) -> TargetState:
    """Opens an attempt. `credential` is the plan's, with the generated password and username."""
    next_phase(state.attempt.phase if state.attempt else None, AttemptEvent.STAGE)
    request = plan.request
    attempt = Attempt(
        id=attempt_id,
        purpose=request.purpose,
        strategy=_strategy_of(plan, credential),
        phase=Phase.STAGED,
        staged=credential,
        predecessor=plan.predecessor,
        started_at=now,
        requested_by=request.requested_by,
        reason=request.reason,
        compromised=request.compromised,
        take_over=request.take_over,
    )
    return replace(state, attempt=attempt, request=None)


def _strategy_of(plan: Stage, credential: Credential) -> Strategy:
    """Returns the attempt's strategy. It is fixed here: a changed configuration must not affect an open attempt."""
    predecessor = plan.predecessor
    if predecessor is not None and is_same_credential(predecessor, credential):
        return Strategy.IN_PLACE
    return Strategy.REPLACE if plan.credential.username == "" else Strategy.ALTERNATING


def _attempt(state: TargetState) -> Attempt:
    if state.attempt is None:
        raise ValueError("no attempt is open")
    return state.attempt


def _after_event(state: TargetState, event: AttemptEvent, **changes: object) -> TargetState:
    attempt = _attempt(state)
    phase = next_phase(attempt.phase, event)
    return replace(state, attempt=phase and replace(attempt, phase=phase, **changes))  # type: ignore[arg-type]


def before_publish(state: TargetState, consumer: ConsumerDocument) -> TargetState:
    """Notes what somebody else's document hands out, before the attempt that takes it over writes over it."""
    attempt, entry = _attempt(state), handed_out_entry(state, consumer)
    if not attempt.take_over or entry is None or attempt.handed_out == entry.credential:
        return state
    return replace(state, attempt=replace(attempt, handed_out=entry.credential))


def after_apply(
    state: TargetState, credential: Credential, now: datetime, made_at: datetime | None = None
) -> TargetState:
    """Records that the provider put `credential` into force at `now`; `made_at` is for a password that it generated."""
    before = _attempt(state).staged
    password = credential.password or before.password
    staged_now = replace(
        before,
        id=credential.id,
        username=credential.username or before.username,
        password=password,
        uri=credential.uri or before.uri,
        enabled=True,
        made_at=before.made_at if password == before.password else made_at or now,
    )
    moved = _after_event(state, AttemptEvent.APPLY, staged=staged_now, applied_at=now, refused=False)
    return replace(moved, not_before=None, last_error="")


def after_proof(state: TargetState, how: str, now: datetime) -> TargetState:
    """Records the proof that the provider accepts the staged credential. `now` is Vault's time, by which it ages."""
    return replace(_after_event(state, AttemptEvent.PROVE, proof=how, proved_at=now), not_before=None, last_error="")


def after_early_proof(state: TargetState, message: str, until: datetime) -> TargetState:
    """Waits: the staged credential is not accepted yet, within the propagation window. That is not a failure."""
    return replace(state, not_before=until, last_error=message, claim=None)


def after_failed_proof(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Goes back to applying the same password: it was not accepted within the propagation window, or not any more."""
    return _after_failure(_after_event(state, AttemptEvent.DOUBT, uncertain=True), message, not_before)


def after_unaccepted(state: TargetState, why: str) -> TargetState:
    """Gives up the staged password of `in-place`, not accepted in time or not publishable: the old one is put back."""
    attempt = _attempt(state)
    if attempt.phase is not Phase.STAGED:
        state = _after_event(state, AttemptEvent.DOUBT)
    given_up = replace(_attempt(state), uncertain=True, put_back=True)
    return replace(state, attempt=given_up, not_before=None, last_error=why)


def after_old_accepted(state: TargetState) -> TargetState:
    """Records that the old password is in force: no call of the attempt was carried out."""
    return replace(state, attempt=replace(_attempt(state), uncertain=False))


def after_setback(
    state: TargetState, message: str, not_before: datetime, *, uncertain: bool, sent_at: datetime | None = None
) -> TargetState:
    """Backs off after a step that failed. It is tried again with the same password.

    Args:
        uncertain: the call may have been carried out.
        sent_at: when a call that may have changed the password in place was sent; None for any other.
    """
    attempt = _attempt(state)
    attempt = replace(attempt, uncertain=attempt.uncertain or uncertain, applied_at=sent_at or attempt.applied_at)
    return _after_failure(replace(state, attempt=attempt), message, not_before)


def _after_failure(state: TargetState, message: str, not_before: datetime) -> TargetState:
    return replace(
        state,
        failures=state.failures + 1,
        counts=replace(state.counts, failed=state.counts.failed + 1),
        not_before=not_before,
        last_error=message,
        claim=None,
    )


def after_refusal(state: TargetState, message: str) -> TargetState:
    """Records that the provider definitely refuses the staged password."""
    return replace(state, attempt=replace(_attempt(state), refused=True), last_error=message)


def after_refused_restore(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Keeps to the staged password: the provider definitely refuses to take the old one back."""
    kept = replace(state, attempt=replace(_attempt(state), put_back=False))
    return _after_failure(kept, message, not_before)


def after_restore(state: TargetState, now: datetime) -> TargetState:
    """Records that the old password of the one credential is certainly in force: the staged one can be discarded.

    An earlier call may still take effect late, so the ledger keeps the staged password for a while.
    """
    attempt = _attempt(state)
    kept = unsettled_entry(attempt, now, LATE_COMMIT)
    return replace(state, attempt=replace(attempt, uncertain=False), ledger=(*state.ledger, kept))


def after_abandon(
    state: TargetState, now: datetime, not_before: datetime, *, kept_for: timedelta = LATE_COMMIT, strays: bool = False
) -> TargetState:
    """Discards the staged password. Whatever a lost call may have left behind goes into the ledger.

    The request for a rotation is renewed; that for an undo is not. For `kept_for` and `strays` see `ledger_after`.
    """
    attempt = _attempt(state)
    moved = replace(
        _after_event(state, AttemptEvent.ABANDON),
        ledger=ledger_after(state.ledger, attempt, now, kept_for, strays=strays),
        request=_renewed(state, now),
    )
    message = state.last_error
    if attempt.put_back:
        message += (
            f"; the old password was put back, and no other is tried before {not_before:%Y-%m-%dT%H:%M:%SZ} unasked"
        )
    return _after_failure(moved, message, not_before)


def after_change(state: TargetState, now: datetime) -> TargetState:
    """Discards an attempt that its target has outgrown before anything was carried out: it leaves nothing.

    What failed, failed for that attempt. Its request is renewed, to be carried out at once.
    """
    ledger = with_late_call(state.ledger, _attempt(state), now)
    moved = replace(_after_event(state, AttemptEvent.ABANDON), ledger=ledger)
    return replace(moved, request=_renewed(state, now), failures=0, not_before=None, last_error="", claim=None)


def after_giving_up(
    state: TargetState, now: datetime, *, kept_for: timedelta, restored: bool, strays: bool
) -> TargetState:
    """Ends the attempt because somebody asked for that.

    Its request is renewed only if something is still wrong: a password is compromised, or the one that is published
    may not be in force. For `kept_for` and `strays` see `ledger_after`.
    """
    attempt = _attempt(state)
    moved = _after_event(state, AttemptEvent.ABANDON)
    ledger, unsettled = state.ledger, not is_unsent(attempt) and not is_spare(attempt) and not restored
    if restored:
        ledger = (*ledger, unsettled_entry(attempt, now, LATE_COMMIT))
    elif is_unsent(attempt):
        ledger = with_late_call(ledger, attempt, now)
    else:
        ledger = ledger_after(ledger, attempt, now, kept_for, strays=strays)
    request = _renewed(state, now) if attempt.compromised or unsettled else state.request
    return replace(moved, ledger=ledger, request=request, failures=0, not_before=None, last_error="", claim=None)


def _renewed(state: TargetState, now: datetime) -> Request | None:
    """Returns the request of the open attempt again, joined with one that waits.

    Nobody has to ask for a rotation that is due; an undo is not tried again.
    """
    attempt = _attempt(state)
    if attempt.purpose is Purpose.UNDO or attempt.requested_by == SCHEDULED_BY:
        return state.request
    again = Request(attempt.purpose, attempt.requested_by, attempt.reason, now, attempt.compromised, attempt.take_over)
    return again if state.request is None else _merge(again, state.request)


def after_close(
    state: TargetState, target: Target, now: datetime, fraction: float, *, strays: bool = False
) -> TargetState:
    """Closes the attempt after its credential was published; its predecessor goes into the ledger.

    Args:
        strays: a create of this attempt may have been carried out more than once (a provider that generates does not
            refuse the second), and every credential but the published one must be removed.
    """
    attempt = _attempt(state)
    moved = _after_event(state, AttemptEvent.CLOSE)
    policy = target.policy
    ledger = without_credential(state.ledger, attempt.staged)
    if attempt.compromised:
        ledger = tuple(end_now(e, now) for e in ledger)
    elif attempt.handed_out is not None:
        ledger = with_overlap_from(ledger, attempt.handed_out, now, policy)
    elif state.verification is not None and not state.verification.accepted:
        ledger = with_overlap_for_all(ledger, now, policy)
    entry = replaced_entry(attempt, target, now)
    if entry is not None and entry.ending is not Ending.FORGET:  # at a take-over it may be in the ledger already
        ledger = tuple(
            e for e in ledger if e.ending is Ending.FORGET or not is_same_credential(e.credential, entry.credential)
        )
    added = (*((entry,) if entry else ()), *((strays_entry(attempt, now),) if strays else ()))
    rotated = attempt.purpose is Purpose.ROTATE
    counts = state.counts
    if rotated:
        seconds = max((now - attempt.started_at).total_seconds(), 0.0)
        counts = replace(counts, succeeded=counts.succeeded + 1, seconds=counts.seconds + seconds)
    else:
        counts = replace(counts, undone=counts.undone + 1)
    last_rotation = now if rotated or state.last_rotation is None else state.last_rotation
    standby = attempt.predecessor if entry is not None and entry.ending is Ending.STAND_BY else state.standby
    moved = _with_periods(after_path_change(moved, target, now), policy)
    return replace(
        moved,
        published=attempt.staged,
        verification=_verified_by(attempt),
        verify_at=next_verification(ledger, policy, now, fraction),
        verify_failures=0,
        standby=standby and replace(standby, password=None),
        ledger=(*ledger, *added),
        published_since=now,
        last_rotation=last_rotation,
        next_rotation=next_due(policy.schedule, policy.window, last_rotation, fraction, attempt.staged.made_at),
        scheduled_by=target.schedule_key,
        failures=0,
        not_before=None,
        last_error="",
        claim=None,
        counts=counts,
    )


def _verified_by(attempt: Attempt) -> Verification | None:
    proved = attempt.proved_at
    return None if proved is None else Verification(proved, accepted=True, proof=attempt.proof)
