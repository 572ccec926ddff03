"""Carries requests out in this process, while others (the daemon) may work on the same targets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from rotator.core.actions import Step
from rotator.core.holding import Hold, HoldEnd, HoldReason
from rotator.core.model import Capabilities, Ending, LedgerEntry, Purpose, Strategy, Target, TargetState
from rotator.engine import Engine, Look, Outcome
from rotator.ports import Clock

# Longer than it takes to look into a lost answer (the first back-offs), in addition to claim and propagation.
_PATIENCE = timedelta(minutes=3)
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.2), timedelta(seconds=1)
_OWN_TURN = frozenset({HoldReason.PACED, HoldReason.PROVING})  # nothing is wrong: it takes as long as the fleet does
_AGAIN = "a daemon, or this command again"
_NOTHING_ENDED = (
    "rotated, but no credential was there to be ended: whatever is compromised may still be accepted. "
    "Look for it in the provider's console, and check the configured username"
)


class Result(Enum):
    """The outcome of a request."""

    ROTATED = "rotated"
    UNDONE = "undone"
    REQUESTED = "requested"  # only written: the daemon carries it out
    FAILED = "failed"
    PAUSED = "paused"  # a pause or a blackout holds it: nothing was asked for
    WAITING = "waiting"  # for something that takes longer than a person watches
    INTERRUPTED = "interrupted"  # Ctrl-C
    VAULT = "vault"  # Vault could not be asked


Judgement = tuple[Result, str]
"""How a request ended, and the message about it."""


@dataclass(frozen=True, slots=True)
class RotationReport:
    """The result of the request for one target."""

    target: Target
    result: Result
    message: str = ""
    state: TargetState | None = None
    seconds: float = 0.0
    elsewhere: bool = False  # another process carried it out

    @property
    def good(self) -> bool:
        """True if nothing failed."""
        return self.result in (Result.ROTATED, Result.UNDONE, Result.REQUESTED)


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that was written to Vault."""

    target: Target
    purpose: Purpose
    written: TargetState  # the state document that contains it
    compromised: bool = False

    def is_carried_out(self, state: TargetState) -> bool:
        """True if a rotation or an undo has ended since, in any process: the counts only grow."""
        if self.purpose is Purpose.UNDO:
            return state.counts.undone > self.written.counts.undone
        return state.counts.succeeded > self.written.counts.succeeded

    def ended_something(self, state: TargetState) -> bool:
        """True if a credential was disabled, overwritten or deleted since; in place, the new password ends the old."""
        before, counts = self.written.counts, state.counts
        ended = counts.disabled + counts.overwritten + counts.deleted
        before_that = before.disabled + before.overwritten + before.deleted
        return ended > before_that or self.target.strategy is Strategy.IN_PLACE


class RequestRunner:
    """Looks at targets until their requests are carried out. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        claim: timedelta,
        capabilities: Callable[[str], Capabilities],
        tell: Callable[[Target, str], None],
    ) -> None:
        """Wires the runner.

        Args:
            claim: how long the claim of a dead process may last.
            capabilities: returns those of a provider account.
            tell: receives what a target waits for.
        """
        self._engine, self._clock, self._claim = engine, clock, claim
        self._capabilities, self._tell = capabilities, tell

    def patience(self, target: Target) -> timedelta:
        """Returns how long a person waits for a target while nothing moves."""
        return _PATIENCE + self._claim + self._capabilities(target.account).propagation

    def carry_out(self, request: PendingRequest) -> RotationReport:
        """Returns once the request is carried out, has failed, or must wait longer than a person watches."""
        began = moved = self._clock.monotonic()
        patience = self.patience(request.target)
        fresh = False  # writing the request has left both documents in memory
        while True:
            look = self._engine.look(request.target, fresh=fresh)
            fresh = True
            now, seconds = self._clock.now(), self._clock.monotonic() - began
            judged = judge(request, look)
            if look.hold is not None and look.hold.reason in _OWN_TURN:
                moved = self._clock.monotonic()
            if judged is None and self._clock.monotonic() - moved > patience.total_seconds():
                judged = Result.WAITING, _waits_for(look)
            if judged is not None:
                ended_here = Step.CLOSE in look.steps or Step.UNDO in look.steps
                elsewhere = judged[0] in (Result.ROTATED, Result.UNDONE) and not ended_here
                return RotationReport(request.target, *judged, look.state, seconds, elsewhere)
            self._tell(request.target, _waits_for(look))
            # Never a long pause: another process may be done at any moment.
            pause = look.next_look - now if look.next_look is not None else _LONGEST_PAUSE
            self._clock.sleep(min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE).total_seconds())


def judge(request: PendingRequest, look: Look) -> Judgement | None:
    """Returns what a look means for the request; None if it is still being carried out."""
    if look.outcome is Outcome.VAULT:
        return Result.VAULT, look.message
    if look.state is not None and request.is_carried_out(look.state):
        return judge_end(request, look.state)
    if look.outcome is Outcome.STOPPED:
        return Result.INTERRUPTED, "stopped between two steps; the request stays in Vault, and the daemon continues it"
    if look.hold is None or look.state is None:
        return None
    return judge_hold(request, look.hold, look.state)


def judge_end(request: PendingRequest, state: TargetState) -> Judgement | None:
    """Returns what it means that a rotation or an undo has ended; None while an emergency has not ended the old one."""
    if request.purpose is Purpose.UNDO:
        return Result.UNDONE, ""
    if not request.compromised:
        return Result.ROTATED, ""
    accepted = [entry for entry in state.ledger if entry.compromised and _is_accepted(entry)]
    failed = [entry for entry in accepted if entry.failures]
    if failed:
        names = ", ".join(f"{entry.credential.username} ({entry.note})" for entry in failed)
        return Result.FAILED, f"rotated, but still accepted by the provider: {names}; the daemon tries again"
    if accepted:
        return None
    enabled = [entry.credential.username for entry in state.ledger if entry.stays_enabled]
    if enabled:
        names = ", ".join(enabled)
        return Result.ROTATED, f"{names}: not disabled by the provider, so it has a random password; it is tried daily"
    return (Result.ROTATED, "") if request.ended_something(state) else (Result.FAILED, _NOTHING_ENDED)


def _is_accepted(entry: LedgerEntry) -> bool:
    return entry.ending is not Ending.FORGET and not entry.cut_off


def judge_hold(request: PendingRequest, hold: Hold, state: TargetState) -> Judgement | None:
    """Returns what a hold means for the request; None if it passes within the patience of a person."""
    uncertain = state.attempt is not None and state.attempt.uncertain
    if hold.reason.end is HoldEnd.SOON:
        return None
    if hold.reason is HoldReason.BACKING_OFF:
        # rotator looks into an unknown answer, and a failure before the request says nothing about it.
        if uncertain or state.counts.failed == request.written.counts.failed:
            return None
        return Result.FAILED, f"{hold.message}; {_what_is_next(state)}"
    if hold.reason is HoldReason.NOT_DUE:
        return Result.FAILED, state.last_error or "the request was impossible and was dropped; the audit says why"
    result = Result.FAILED if hold.reason.end is HoldEnd.BY_SOMEBODY else Result.WAITING
    return result, f"{hold.message}; the request stays in Vault: {_AGAIN}, carries it out as soon as it can"


def _what_is_next(state: TargetState) -> str:
    if state.attempt is not None:
        return f"the attempt stays open: {_AGAIN}, retries with the same password"
    if state.request is not None:
        return f"the request stays in Vault: {_AGAIN}, retries it"
    return "the request was dropped"


def _waits_for(look: Look) -> str:
    return "another process writes at the same time" if look.hold is None else told(look.hold)


def told(hold: Hold) -> str:
    """Returns what a person is told while a target waits."""
    if hold.reason is HoldReason.BACKING_OFF:
        return f"retries soon: {hold.message}"
    return hold.message or hold.reason.value
