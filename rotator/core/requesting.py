"""The state document after somebody asks for a rotation or an undo, and how two requests join. Pure, like `advance`."""

from dataclasses import replace

from rotator.core.attempts import is_published
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.freezes import passes
from rotator.core.left_over import is_empty
from rotator.core.model import Attempt, Phase, Purpose, Request, TargetState


def after_request(state: TargetState, request: Request, consumer: ConsumerDocument | None) -> TargetState:
    """Stores a request to act now. It ends the back-off, and lets a target that was retired begin anew.

    `consumer` is None if no attempt is open: nothing depends on it then.
    """
    if state.retired_at is not None:
        state = replace(state, retired_at=None)
    if is_empty(state):
        state = replace(state, renamed_to="")
    if request.purpose is Purpose.ROTATE:
        state = replace(state, asked_at=request.at)
    if state.attempt is not None and _is_asked_for(state.attempt, request, consumer):
        return replace(state, attempt=_join_attempt(state.attempt, request), not_before=None)
    return replace(state, request=join_requests(state.request, request), not_before=None)


def withdrawal_consequence(request: Request) -> str:
    """Says what it means that a request which has not begun is withdrawn."""
    reason = f" ({request.reason})" if request.reason else ""
    what = f"The {request.purpose.noun} that {request.requested_by} has requested{reason} has not begun"
    leaked = ", and what is compromised stays in force" if request.compromised else ""
    return f"{what}: it is not carried out{leaked}. What is due by schedule still follows."


def after_request_withdrawal(state: TargetState) -> TargetState:
    """Withdraws a request that has not begun, with the failures that it had."""
    return replace(state, request=None, asked_at=None, failures=0, not_before=None, last_error="")


def _is_asked_for(attempt: Attempt, request: Request, consumer: ConsumerDocument | None) -> bool:
    """True if the open attempt already does what the request asks for; then no second one has to follow.

    A proved password may have been handed out long ago, and may be the very one that somebody wants replaced.
    """
    handed_out = attempt.phase is Phase.PROVED or (consumer is not None and is_published(attempt, consumer))
    may_be_out = handed_out and attempt.purpose is Purpose.ROTATE
    only_takes_over = request.take_over and not request.compromised
    return attempt.purpose is request.purpose and (not may_be_out or only_takes_over)


def _join_attempt(attempt: Attempt, request: Request) -> Attempt:
    return replace(
        attempt,
        requested_by=request.requested_by,
        reason=request.reason,
        stated=request.stated,
        compromised=attempt.compromised or request.compromised,
        take_over=attempt.take_over or request.take_over,
        despite_pause=attempt.despite_pause or request.despite_pause,
        repairs=(attempt.repairs or request.repairs) and not passes(request),
    )


def keeps_emergency(waiting: Request | None, request: Request) -> bool:
    """True if an emergency waits that an undo would otherwise replace: what has leaked is ended first."""
    return waiting is not None and waiting.compromised and request.purpose is Purpose.UNDO


def join_requests(waiting: Request | None, request: Request) -> Request:
    """Returns the later request, with anything more that an earlier one of the same purpose asked for.

    Whatever the purpose, it repairs what the earlier one was to repair. An emergency gives way to no undo.
    """
    if waiting is None:
        return request
    if keeps_emergency(waiting, request):
        return waiting
    joined = replace(request, repairs=False)
    if waiting.purpose is request.purpose:
        joined = replace(
            joined,
            compromised=waiting.compromised or request.compromised,
            take_over=waiting.take_over or request.take_over,
            despite_pause=waiting.despite_pause or request.despite_pause,
        )
    # What passes by itself is more than a repair, and is not dropped with the reason of one.
    return replace(joined, repairs=(waiting.repairs or request.repairs) and not passes(joined))
