"""Waves: a fleet that begins, or whose policy is changed to a shorter period, does not fall due all at once.

What would be due at once takes a slot. The slots of an account are spaced so that no day has more than its budget; a
small document for the account says which moment is the next free one, so they hold over processes and restarts. The due
time of a target is stored as ever. A fleet that begins may try a few canaries first.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from rotator.core.canaries import CanaryResult, CanaryVerdict
from rotator.core.model import FirstRotations, Policy, Target, TargetState
from rotator.core.verification import is_refused

_DAY = timedelta(days=1)
_AT_ONCE = 10  # a tenth of a day's budget may be due at once
_FURTHEST = timedelta(days=3650)  # what is reserved further ahead was written before a clock was set
_MOST_FAILURES = 3  # of a canary, in a row
_EARLIEST = 0.8  # of the wait: a verification may be up to a tenth early, and clocks differ


@dataclass(frozen=True, slots=True)
class Wave:
    """What all processes know of an account's slots: a document in Vault."""

    version: int = 0
    free_at: datetime | None = None  # the first moment that nobody has reserved

    def reserved(self, first: FirstRotations, now: datetime, number: int) -> tuple["Wave", list[datetime]]:
        """Returns the document with so many slots reserved, and the slots, none of them before `now`.

        Together with what may be due at once, no day has more than the budget.
        """
        early = at_once(first) - 1
        gap = _DAY / max(first.per_day - early - 1, 1)
        free = self.free_at if self.free_at is not None and self.free_at - now < _FURTHEST else now
        slots = []
        for _ in range(number):
            free = max(free, now)
            slots.append(max(free - gap * early, now))
            free += gap
        return Wave(self.version + 1, free), slots


def at_once(first: FirstRotations) -> int:
    """Returns how many targets of an account need no slots: so many may be due at once in any case."""
    return max(first.per_day // _AT_ONCE, 1)


def after_slot(state: TargetState, policy: Policy, slot: datetime, fraction: float) -> TargetState:
    """Moves a due time to a slot, and into the window after it."""
    window = policy.window
    if window is not None and not window.contains(slot):
        slot = window.next_opening(slot) + window.duration * fraction
    return replace(state, next_rotation=slot)


def canaries(targets: Iterable[Target], number: int) -> tuple[str, ...]:
    """Returns the names of the canaries among the targets of one account and policy: the same for every process."""
    return tuple(sorted((target.name for target in targets), key=lambda name: sha256(name.encode()).digest())[:number])


def with_canaries(targets: Collection[Target]) -> tuple[Target, ...]:
    """Returns the targets, of which the canaries are verified as soon as the wait has passed."""
    groups: dict[tuple[str, str], list[Target]] = {}
    for target in targets:
        if target.policy.first.canary:
            groups.setdefault((target.account, target.policy.name), []).append(target)
    if not groups:
        return tuple(targets)
    first = {name for some in groups.values() for name in canaries(some, some[0].policy.first.canary)}
    return tuple(_verified_early(target) if target.name in first else target for target in targets)


def _verified_early(target: Target) -> Target:
    policy = target.policy
    verify = min(policy.verify, policy.first.wait) if policy.verify is not None else None
    return replace(target, policy=replace(policy, verify=verify))


def verdict(states: Collection[TargetState], policy: Policy, now: datetime) -> CanaryVerdict:
    """Judges the canaries: each was rotated, `wait` has passed, and what it published is accepted since.

    A canary that was retired or renamed no longer counts. Nothing is remembered: once what failed is repaired and
    verified, the others go on.
    """
    waiting = CanaryVerdict(CanaryResult.PASSED)
    for state in states:
        if state.retired_at is not None or state.renamed_to:
            continue
        if is_refused(state):
            return CanaryVerdict(CanaryResult.FAILED, state.target, "what it published is not accepted")
        if state.failures >= _MOST_FAILURES:
            return CanaryVerdict(CanaryResult.FAILED, state.target, state.last_error)
        why = _not_yet(state, policy, now)
        if why and waiting.result is CanaryResult.PASSED:
            waiting = CanaryVerdict(CanaryResult.WAITING, state.target, why)
    return waiting


def _not_yet(state: TargetState, policy: Policy, now: datetime) -> str:
    rotated, wait = state.last_rotation, policy.first.wait
    if rotated is None or state.attempt is not None:
        return "it was not rotated yet"
    if now < rotated + wait:
        return "the wait after its rotation has not passed"
    verified = state.verification
    late_enough = rotated + wait * _EARLIEST
    if policy.verify is not None and (verified is None or not verified.accepted or verified.at < late_enough):
        return "what it published was not verified since"
    return ""
