"""The state document after each event except requests and ends of attempts. Pure: takes a state, returns the next."""

from dataclasses import replace
from datetime import datetime

from rotator.core.abandonment import unsettled_entry
from rotator.core.actions import Stage
from rotator.core.attempts import published_by
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import is_same_credential
from rotator.core.ledger import LATE_COMMIT, handed_out_entry
from rotator.core.left_over import with_rules
from rotator.core.model import Attempt, Claim, Credential, Phase, Purpose, Strategy, Target, TargetState
from rotator.core.schedule import first_due, next_due
from rotator.core.transitions import AttemptEvent, next_phase


def after_draw(state: TargetState, target: Target, now: datetime, fraction: float) -> TargetState:
    """Stores the time of the next rotation, drawn for a new target or after its policy changed."""
    policy, last = target.policy, state.last_rotation
    if last is None:
        due = first_due(policy.window, now, fraction)
    else:
        made = state.published.made_at if state.published else None
        due = max(next_due(policy.schedule, policy.window, last, fraction, made), now)
    drawn = replace(state, next_rotation=due, path=state.path or target.path, first_seen=state.first_seen or now)
    drawn = replace(drawn, scheduled_by=target.policy.schedule_key)
    return with_rules(drawn, target)


def after_drop(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Drops a request or a due rotation that cannot be carried out.

    An impossible undo does not count as a failure. If it was to repair what is published, that is not repaired yet.
    An emergency for what is published stays, and is tried again: what leaked may come into force once more, by people
    or by an undo.
    """
    request, last = state.request, state.verification
    if request is not None and request.purpose is Purpose.UNDO:
        again = replace(last, repaired=False) if request.repairs and last is not None else last
        return replace(state, request=None, last_error=message, verification=again)
    leaked = request is not None and request.compromised and state.published is not None
    return after_failure(state if leaked else replace(state, request=None), message, not_before)


def after_delay(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Notes why a due action could not be looked into or may not start yet; it stays due."""
    return after_failure(state, message, not_before)


def after_claim(state: TargetState, claim: Claim) -> TargetState:
    """Claims the target for this process.

    A claim that was never released means that a process died, or lost Vault, between a call and its record: whether the
    provider carried that call out is unknown.
    """
    if state.claim is None:
        return replace(state, claim=claim)
    attempt = state.attempt and replace(state.attempt, uncertain=not state.attempt.before)
    ledger = tuple(entry if entry.disabled else replace(entry, uncertain=True) for entry in state.ledger)
    return replace(state, claim=claim, attempt=attempt, ledger=ledger)


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
        predecessor=plan.predecessor and _seen(state, plan.predecessor, now),
        started_at=now,
        requested_by=request.requested_by,
        reason=request.reason,
        compromised=request.compromised,
        take_over=request.take_over,
        despite_pause=request.despite_pause,
        repairs=request.repairs,
        stated=request.stated,
    )
    return replace(state, attempt=attempt, request=None)


def _seen(state: TargetState, predecessor: Credential, now: datetime) -> Credential:
    """Notes when a credential whose password somebody else made was first seen: its age counts from then."""
    if predecessor.made_at is not None or predecessor.seen_at is not None:
        return predecessor
    known_before = state.first_seen if state.published in (None, predecessor) else None
    return replace(predecessor, seen_at=known_before or now)


def _strategy_of(plan: Stage, credential: Credential) -> Strategy:
    """Returns the attempt's strategy. It is fixed here: a changed configuration must not affect an open attempt."""
    predecessor = plan.predecessor
    if predecessor is not None and is_same_credential(predecessor, credential):
        return Strategy.IN_PLACE
    return Strategy.REPLACE if plan.credential.username == "" else Strategy.ALTERNATING


def open_attempt(state: TargetState) -> Attempt:
    """Returns the open attempt. Raises ValueError if none is open."""
    if state.attempt is None:
        raise ValueError("no attempt is open")
    return state.attempt


def after_event(state: TargetState, event: AttemptEvent, **changes: object) -> TargetState:
    """Moves the open attempt to the phase that follows `event`, with other changes to it."""
    attempt = open_attempt(state)
    phase = next_phase(attempt.phase, event)
    return replace(state, attempt=phase and replace(attempt, phase=phase, **changes))  # type: ignore[arg-type]


def before_publish(state: TargetState, consumer: ConsumerDocument) -> TargetState:
    """Notes what somebody else's document hands out, before the attempt that takes it over overwrites it."""
    attempt, entry = open_attempt(state), handed_out_entry(state, consumer)
    if not attempt.take_over or entry is None or attempt.handed_out == entry.credential:
        return state
    return replace(state, attempt=replace(attempt, handed_out=entry.credential))


def before_close(state: TargetState, consumer: ConsumerDocument) -> TargetState:
    """Recovers from the consumer document what a crash between staging and publishing kept from being recorded.

    The proof itself is lost: what is published has none, and gets one before anything relies on it.
    """
    attempt = open_attempt(state)
    published = published_by(attempt, consumer)
    if attempt.phase is Phase.PROVED or published is None:
        return state
    return after_event(state, AttemptEvent.PROVE, staged=published, proof="published, so it was proved", proved_at=None)


def after_apply(
    state: TargetState, credential: Credential, now: datetime, made_at: datetime | None = None
) -> TargetState:
    """Records that the provider put `credential` into force at `now`; `made_at` is for a password that it generated."""
    before = open_attempt(state).staged
    password = credential.password or before.password
    staged_now = replace(
        before,
        id=credential.id,
        username=credential.username or before.username,
        password=password,
        host=credential.host or before.host,
        realm=credential.realm or before.realm,
        enabled=True,
        made_at=before.made_at if password == before.password else made_at or now,
    )
    moved = after_event(state, AttemptEvent.APPLY, staged=staged_now, applied_at=now, refused=False, attached_at=None)
    return replace(moved, not_before=None, last_error="")


def before_attach(state: TargetState, now: datetime) -> TargetState:
    """Notes that what is published may be refused from now on: trunks are pointed to the staged credential."""
    return replace(state, attempt=replace(open_attempt(state), detaches=True, applied_at=now))


def after_attach(state: TargetState, now: datetime, host: str = "") -> TargetState:
    """Records that nothing at the provider names what the target used before. The provider may follow late.

    Args:
        host: where what now names the staged credential lets it in.
    """
    attempt = open_attempt(state)
    since, staged = now if attempt.detaches else attempt.applied_at, attempt.staged
    staged = replace(staged, host=host or staged.host)
    attached = replace(attempt, staged=staged, attached_at=now, applied_at=since)
    return replace(state, attempt=attached, not_before=None, last_error="")


def after_refused_attach(state: TargetState) -> TargetState:
    """Records that no trunk was pointed to the staged credential: what is published is accepted as before."""
    return replace(state, attempt=replace(open_attempt(state), detaches=False))


def after_reattach(state: TargetState) -> TargetState:
    """Records that the trunks name the predecessor again: the staged credential can be given up."""
    return replace(state, attempt=replace(open_attempt(state), detaches=False, attached_at=None))


def after_proof(state: TargetState, how: str, now: datetime, host: str = "") -> TargetState:
    """Records the proof that the provider accepts the staged credential. `now` is Vault's time, by which it ages."""
    staged = open_attempt(state).staged
    staged = replace(staged, host=staged.host or host)
    proved = after_event(state, AttemptEvent.PROVE, staged=staged, proof=how, proved_at=now, unasked_since=None)
    return replace(proved, not_before=None, last_error="")


def after_unasked(state: TargetState, message: str, not_before: datetime, now: datetime) -> TargetState:
    """Notes that nobody could be asked whether a password of `in-place` that was proved once is still accepted."""
    attempt = open_attempt(state)
    attempt = replace(attempt, unasked_since=attempt.unasked_since or now)
    return after_failure(replace(state, attempt=attempt), message, not_before)


def after_early_proof(state: TargetState, message: str, until: datetime) -> TargetState:
    """Waits: the staged credential is not accepted yet, within the propagation window. That is not a failure."""
    return replace(state, not_before=until, last_error=message, claim=None)


def after_failed_proof(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Goes back to applying the same password: it was not accepted within the propagation window, or not any more."""
    return after_failure(after_event(state, AttemptEvent.DOUBT, uncertain=True), message, not_before)


def after_unaccepted(state: TargetState, why: str) -> TargetState:
    """Gives up what is staged, not accepted in time or not publishable: what was in force before is put back."""
    attempt = open_attempt(state)
    if attempt.phase is not Phase.STAGED:
        state = after_event(state, AttemptEvent.DOUBT)
    given_up = replace(open_attempt(state), uncertain=True, put_back=True)
    return replace(state, attempt=given_up, not_before=None, last_error=why)


def after_old_accepted(state: TargetState) -> TargetState:
    """Records that the old password is in force: no call of the attempt was carried out."""
    return replace(state, attempt=replace(open_attempt(state), uncertain=False))


def after_setback(
    state: TargetState, message: str, not_before: datetime, *, uncertain: bool, sent_at: datetime | None = None
) -> TargetState:
    """Backs off after a step that failed. It is tried again with the same password.

    Args:
        uncertain: the call may have been carried out.
        sent_at: when a call that may have changed the password in place was sent; None for any other.
    """
    attempt = open_attempt(state)
    attempt = replace(attempt, uncertain=attempt.uncertain or uncertain, applied_at=sent_at or attempt.applied_at)
    return after_failure(replace(state, attempt=attempt), message, not_before)


def after_failure(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Counts a failure, and waits until `not_before`."""
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
    return replace(state, attempt=replace(open_attempt(state), refused=True), last_error=message)


def after_refused_restore(state: TargetState, message: str, not_before: datetime) -> TargetState:
    """Keeps to the staged password: the provider definitely refuses to take the old one back."""
    kept = replace(state, attempt=replace(open_attempt(state), put_back=False))
    return after_failure(kept, message, not_before)


def after_restore(state: TargetState, now: datetime) -> TargetState:
    """Records that the old password of the one credential is certainly in force: the staged one can be discarded.

    An earlier call may still take effect late, so the ledger keeps the staged password for a while.
    """
    attempt = open_attempt(state)
    kept = unsettled_entry(attempt, now, LATE_COMMIT)
    return replace(state, attempt=replace(attempt, uncertain=False), ledger=(*state.ledger, kept))
