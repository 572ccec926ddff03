"""Decides the next action for a target: a chain of small named checks; the first one that acts wins.

A check that declines returns a `Hold` with the reason, and the chain goes on. If no check acts, the hold with the most
important reason is the answer. Pure: the same facts always give the same action. Nothing here knows how an action is
carried out.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from rotator.core import usage
from rotator.core.action_properties import NEEDS_CLAIM
from rotator.core.actions import Decision, DrawDueTime, TakeClaim
from rotator.core.continuation import continue_attempt
from rotator.core.drift import verify
from rotator.core.ends import due_times, show_ends
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason, weight
from rotator.core.holds import canary_hold, lost_state_hold, renamed_hold
from rotator.core.hooks import run_owed
from rotator.core.moves import leave_paths, move
from rotator.core.retirement import retire
from rotator.core.staging import stage

Check = Callable[[Facts], Decision | None]


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
    weightiest = min(holds, key=weight)
    return Hold(weightiest.reason, weightiest.message, _next_change(facts, holds))


def _next_change(facts: Facts, holds: Iterable[Hold]) -> datetime | None:
    """Returns when, by the local clock, another action may become possible."""
    state, clocks = facts.state, facts.clocks
    waiting = _waiting_accounts(facts)
    own = [hold.until for hold in holds]
    own += [until for shut in (facts.open_circuits, facts.paced) for name, until in shut.items() if name in waiting]
    own += [until for (account, _), until in facts.shut_verbs.items() if account in waiting]
    shared = [state.not_before, state.verify_at, *(entry.not_before for entry in state.ledger)]
    shared += [former.not_before for former in state.former_paths]
    shared += [owed.not_before for owed in state.owed]
    shared += [moment for ended in state.ended for moment in due_times(facts, ended)]
    asked = [usage.moments(facts.target.policy.usage, entry) for entry in state.ledger]
    shared += [again for again, _ in asked]
    by_both: list[datetime | None] = [freeze.until for freeze in facts.freezes.in_force]
    by_both += [state.next_rotation, *(former.until for former in state.former_paths)]
    by_both += [moment for entry in state.ledger for moment in (entry.disable_at, entry.ends_at)]
    by_both += [ends for _, ends in asked]
    later = [
        moment + (facts.now - now)
        for now, moments in ((facts.now, own), (clocks.vault, shared), (clocks.earliest, by_both))
        for moment in moments
        if moment is not None and moment > now
    ]
    return min(later, default=None)


def _waiting_accounts(facts: Facts) -> set[str]:
    """Returns the accounts that have something to do now. Those of a target at rest need no probe."""
    state, now = facts.state, facts.clocks.earliest
    accounts = {entry.credential.account for entry in state.ledger if entry.disable_at <= now}
    if state.attempt is not None:
        accounts.add(state.attempt.staged.account)
    if state.request is not None or (state.next_rotation is not None and state.next_rotation <= now):
        accounts.add(facts.target.account)
    if state.published is not None and state.verify_at is not None and state.verify_at <= facts.clocks.vault:
        accounts.add(state.published.account)
    return accounts


def claimed_elsewhere(facts: Facts) -> Hold | None:
    """Holds while another process works on the target: nothing may be done until its claim ends."""
    claim = facts.state.claim
    if claim is None or facts.other_claim_remaining <= timedelta():
        return None
    return Hold(HoldReason.CLAIMED, f"{claim.holder} is working on it", facts.now + facts.other_claim_remaining)


def draw_due_time(facts: Facts) -> Decision | None:
    """Draws the time of the next rotation once; again only if the schedule changed, or after a freeze."""
    state = facts.state
    changed = state.scheduled_by != facts.target.policy.schedule_key
    if state.next_rotation is not None and not changed and not _came_due_under_a_freeze(facts, state.next_rotation):
        return None
    return canary_hold(facts) or DrawDueTime()


def _came_due_under_a_freeze(facts: Facts, due: datetime) -> bool:
    """True once a pause or a blackout has ended: what came due meanwhile is spread, and not due all at once."""
    frozen = facts.freezes
    waits = facts.state.attempt is None and frozen.of_rotations is None
    return waits and frozen.thawed_at is not None and due < frozen.thawed_at


def end(facts: Facts) -> Hold:
    """Holds a target that is only being wound up: nothing new begins."""
    if facts.state.retired_at is None:
        return Hold(HoldReason.NOT_DUE, "nothing is due")
    message = f"retired on {facts.state.retired_at:%Y-%m-%d}: remove it from the configuration, or begin anew: "
    return Hold(HoldReason.RETIRED, f"{message}rotator rotate {facts.target.name}")


CHECKS: tuple[Check, ...] = (
    move,
    continue_attempt,
    leave_paths,
    draw_due_time,
    retire,
    run_owed,
    stage,
    verify,
    show_ends,
)
ENDING_CHECKS: tuple[Check, ...] = (continue_attempt, leave_paths, retire, run_owed, show_ends, end)
