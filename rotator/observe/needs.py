"""What somebody has to look after at a target, and from when on. Pure.

Each word belongs to one alert, and has the same limit. Alerts with series for each target have the same
limits in their expressions; the alerts of a large fleet count the targets that have a word.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from rotator.core.attempts import may_cut_off
from rotator.core.password_age import deadline
from rotator.core.verification import is_refused, overdue_from
from rotator.observe.target_figures import TargetSnapshot, held_since, late_from, seems_in_use


class Need(StrEnum):
    """Why somebody has to look after a target. Several can hold at a time."""

    OVERDUE = "overdue"  # the password is older than its policy allows
    AGE_LIMIT_NEAR = "age_limit_near"  # an accepted password reaches its limit soon
    OVER_AGE_LIMIT = "over_age_limit"
    FIRST_LATE = "first_rotation_late"
    PAUSED_LONG = "paused_long"  # a pause or a blackout holds what is due: a rotation, or a retirement
    DEVICES_OUT = "devices_out"
    REFUSED = "refused"  # the provider refuses what is published
    KEEPS_FAILING = "keeps_failing"
    STAYS_OPEN = "attempt_stays_open"
    RETIREMENT_OVERDUE = "retirement_overdue"
    IN_USE = "replaced_in_use"  # past its overlap, or nobody can say
    HOOK_FAILS = "hook_fails"  # one that follows something that was done; one that precedes blocks the target
    STILL_ACCEPTED = "ended_still_accepted"  # what was ended
    UNVERIFIED = "unverified"
    NOT_LOOKED_AT = "not_looked_at"
    IN_THE_FUTURE = "in_the_future"  # a rotation or retirement, as its time was stored


ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""The moment of what holds now, whenever it began."""
PAUSED_LONG = timedelta(days=7)
"""So long somebody may hold what is due before anybody is told."""
_FAILURES = 3
_FIRST_LATE = timedelta(days=1)
_DEVICES_OUT = timedelta(minutes=3)
_STAYS_OPEN = timedelta(hours=1)
_IN_USE = timedelta(hours=1)
_HOOK_FAILS = timedelta(minutes=15)
FUTURE = timedelta(hours=1)
_OF_ATTEMPTS = frozenset({Need.STAYS_OPEN, Need.DEVICES_OUT})
_AHEAD = _STAYS_OPEN + FUTURE  # no start of a rotation is as far from now, unless a clock was ahead
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def spans(need: Need, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yields the spans in which the moment of a need lies if a target has it now; their ends do not belong to them.

    What has happened lies in the past, unless a clock was ahead. A rotation whose start lies in the future was begun by
    such a clock: nobody knows for how long it has been open, and its devices do not wait until that moment comes.
    """
    if need is Need.IN_THE_FUTURE:
        yield now + FUTURE, _END
        return
    yield _BEGINNING, now
    if need in _OF_ATTEMPTS:
        yield now + _AHEAD, _END


def present_needs(seen: TargetSnapshot, now: datetime) -> Iterator[Need]:
    """Yields the needs of `needs` that a target has now."""
    for need, since in needs(seen):
        if any(after < since < before for after, before in spans(need, now)):
            yield need


def needs(seen: TargetSnapshot) -> Iterator[tuple[Need, datetime]]:
    """Yields each need that a target has or will have if nothing is done, and the moment that `spans` judges it by.

    That is the moment from which it holds; for `IN_THE_FUTURE`, until shortly before which. A removed or retired target
    has no schedule: only what is open or left of it concerns anybody. `NOT_LOOKED_AT` is left out: it goes by the last
    look, and its limit moves with the clock.
    """
    state = seen.state
    if state.failures >= _FAILURES:
        yield Need.KEEPS_FAILING, ALWAYS
    if state.attempt is not None and not state.attempt.before:  # before its hooks it waits, and has not begun
        yield Need.STAYS_OPEN, state.attempt.started_at + _STAYS_OPEN
        if may_cut_off(state.attempt):
            # In a fleet some password is always being set, and published a moment later.
            yield Need.DEVICES_OUT, state.attempt.started_at + _DEVICES_OUT
    yield from _of_what_is_late(seen)
    in_use = [entry.disable_at for entry in state.ledger if seems_in_use(entry)]
    if in_use:
        yield Need.IN_USE, min(in_use) + _IN_USE
    failing = [owed.since for owed in state.owed if owed.failures]
    if failing:
        yield Need.HOOK_FAILS, min(failing) + _HOOK_FAILS
    if any(ended.accepted for ended in state.ended):
        yield Need.STILL_ACCEPTED, ALWAYS
    if seen.latest_event is not None:
        yield Need.IN_THE_FUTURE, seen.latest_event
    due = deadline(seen.target, state)
    if due is not None:
        yield Need.AGE_LIMIT_NEAR, due.warns_at
        yield Need.OVER_AGE_LIMIT, due.at
    if not seen.has_left:
        yield from _of_the_schedule(seen)


def _of_what_is_late(seen: TargetSnapshot) -> Iterator[tuple[Need, datetime]]:
    """Yields that retirements are late, or that a pause or a blackout holds what is due."""
    late, held = min(late_from(seen), default=None), held_since(seen)
    if late is not None:
        yield Need.RETIREMENT_OVERDUE, late
    if held is not None:
        yield Need.PAUSED_LONG, held + PAUSED_LONG


def _of_the_schedule(seen: TargetSnapshot) -> Iterator[tuple[Need, datetime]]:
    state = seen.state
    if seen.made_at is not None:
        yield Need.OVERDUE, seen.made_at + seen.max_age
    if state.last_rotation is None and state.next_rotation is not None:
        yield Need.FIRST_LATE, state.next_rotation + _FIRST_LATE
    if is_refused(state):
        yield Need.REFUSED, ALWAYS
    unverified = overdue_from(state, seen.target.policy)
    if unverified is not None:
        yield Need.UNVERIFIED, unverified
