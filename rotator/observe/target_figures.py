"""The figures of one target, from its state document, as the metrics and the status show them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.core.age_limit import longest_until_due
from rotator.core.attempts import may_cut_off
from rotator.core.freezes import Freezes
from rotator.core.holding import Hold
from rotator.core.model import LedgerEntry, Target, TargetState
from rotator.core.password_age import deadline
from rotator.core.usage import extended_until
from rotator.core.usage_rules import UsageRules
from rotator.core.verification import is_overdue, is_refused
from rotator.observe.described import GRACE


@dataclass(frozen=True, slots=True)
class TargetSnapshot:
    """The latest knowledge of a target."""

    target: Target
    state: TargetState
    at: datetime  # of the last look
    hold: Hold | None = None  # the result of the last look, if it held
    freezes: Freezes = field(default_factory=Freezes)  # at its end

    @property
    def has_left(self) -> bool:
        """True if the target was removed or retired: nobody rotates it any more."""
        return self.target.removed or self.state.retired_at is not None

    @property
    def is_paused(self) -> bool:
        """True if a pause or a blackout holds scheduled rotations."""
        return self.freezes.of_rotations is not None

    @property
    def max_age(self) -> timedelta:
        """The greatest age that a password reaches under the policy while everything works."""
        return longest_until_due(self.target.policy.schedule, self.target.policy.window)

    @property
    def made_at(self) -> datetime | None:
        """When the published password was made; if that is unknown, when the target was last rotated."""
        published = self.state.published
        made = published.made_at if published is not None else None
        return made or self.state.last_rotation

    @property
    def latest_event(self) -> datetime | None:
        """The last rotation or, if later, when a credential in the ledger was replaced, disabled or overwritten.

        It lies in the future if a clock was ahead.
        """
        ledger = self.state.ledger
        moments = [
            moment for entry in ledger for moment in (entry.replaced_at, entry.disabled_at, entry.overwritten_at)
        ]
        return max((moment for moment in (self.state.last_rotation, *moments) if moment is not None), default=None)


def overdue_from_entry(entry: LedgerEntry, wanted: UsageRules | None) -> datetime:
    """Returns when the disabling or deletion of a replaced credential is so late that somebody must be told."""
    return _due(entry, wanted) + GRACE


def _due(entry: LedgerEntry, wanted: UsageRules | None) -> datetime:
    """Returns when a replaced credential should be disabled or deleted, given what is known of its users."""
    return entry.ends_at if entry.cut_off else extended_until(wanted, entry)


def rotation_held_since(seen: TargetSnapshot) -> datetime | None:
    """Returns from when on a freeze holds a rotation that is due; None if none is held."""
    since, due = seen.freezes.rotations_since, seen.state.next_rotation
    return None if since is None or due is None or seen.has_left else max(since, due)


def held_since(seen: TargetSnapshot) -> datetime | None:
    """Returns from when on a freeze holds something that is due, a rotation or a retirement; None if it holds none.

    What was overdue before the freeze began is held by something else.
    """
    rotation, since, wanted = rotation_held_since(seen), seen.freezes.retirements_since, seen.target.policy.usage
    held = [rotation] if rotation is not None else []
    if since is not None:
        waiting = [entry for entry in seen.state.ledger if not entry.stays_enabled]
        held += [max(since, _due(entry, wanted)) for entry in waiting if overdue_from_entry(entry, wanted) >= since]
    return min(held, default=None)


def late_from(seen: TargetSnapshot) -> Iterator[datetime]:
    """Yields when each retirement that no freeze holds becomes, or became, overdue."""
    since = seen.freezes.retirements_since
    for entry in seen.state.ledger:
        late = overdue_from_entry(entry, seen.target.policy.usage)
        if not entry.stays_enabled and (since is None or late < since):
            yield late


def overdue(entry: LedgerEntry, wanted: UsageRules | None, now: datetime) -> bool:
    """Returns True if a replaced credential should have been disabled, or deleted, more than `GRACE` ago.

    One that stays enabled with a random password never counts.
    """
    return not entry.stays_enabled and now > overdue_from_entry(entry, wanted)


LEDGER_STATES = ("waiting", "in_use", "disabled", "overwritten")
"""Exactly one of these is the state of a replaced credential."""


def ledger_state(entry: LedgerEntry) -> str:
    """Returns the one of `LEDGER_STATES` that says how far a replaced credential is."""
    if entry.disabled:
        return "disabled"
    if entry.cut_off:
        return "overwritten"
    return "in_use" if seems_in_use(entry) else "waiting"


def seems_in_use(entry: LedgerEntry) -> bool:
    """Returns True if devices use a replaced credential past its overlap, or if nobody could say."""
    return not entry.cut_off and entry.sighting is not None and entry.sighting.in_use is not False


GAUGES: dict[str, Callable[[TargetSnapshot, datetime], float | None]] = {
    "rotator_target_last_rotation_timestamp_seconds": lambda seen, _: _stamp(seen.state.last_rotation),
    "rotator_target_latest_event_timestamp_seconds": lambda seen, _: _stamp(seen.latest_event),
    "rotator_target_password_made_timestamp_seconds": lambda seen, _: (
        _stamp(seen.state.published.made_at) if seen.state.published is not None else None
    ),
    "rotator_target_next_rotation_timestamp_seconds": lambda seen, _: _stamp(seen.state.next_rotation),
    "rotator_target_paused": lambda seen, _: float(seen.is_paused),
    "rotator_target_max_age_seconds": lambda seen, _: seen.max_age.total_seconds(),
    "rotator_target_password_age_limit_timestamp_seconds": lambda seen, _: (
        _stamp(due.at) if (due := deadline(seen.target, seen.state)) is not None else None
    ),
    "rotator_target_password_age_limit_warning_timestamp_seconds": lambda seen, _: (
        _stamp(due.warns_at) if (due := deadline(seen.target, seen.state)) is not None else None
    ),
    "rotator_target_consecutive_failures": lambda seen, _: float(seen.state.failures),
    "rotator_last_look_timestamp_seconds": lambda seen, _: _stamp(seen.at),
    "rotator_attempt_open_timestamp_seconds": lambda seen, _: (
        _stamp(attempt.started_at) if (attempt := seen.state.attempt) is not None and not attempt.before else None
    ),
    "rotator_target_devices_out": lambda seen, _: float(
        seen.state.attempt is not None and may_cut_off(seen.state.attempt)
    ),
    "rotator_target_verified_timestamp_seconds": lambda seen, _: (
        _stamp(seen.state.verification.at) if seen.state.verification is not None else None
    ),
    "rotator_target_accepted": lambda seen, _: (
        float(not is_refused(seen.state)) if seen.state.verification is not None else None
    ),
    "rotator_target_verification_overdue": lambda seen, now: float(is_overdue(seen.state, seen.target.policy, now)),
    "rotator_retirement_overdue": lambda seen, now: float(sum(now > late for late in late_from(seen))),
    "rotator_held_timestamp_seconds": lambda seen, _: _stamp(held_since(seen)),
    "rotator_hooks_failing": lambda seen, _: float(sum(owed.failures > 0 for owed in seen.state.owed)),
    "rotator_ended_still_accepted": lambda seen, _: float(sum(ended.accepted > 0 for ended in seen.state.ended)),
}


# A removed or retired target has no schedule; only what is open or left of it concerns anybody.
OF_REMOVED = (
    "rotator_target_latest_event_timestamp_seconds",
    "rotator_target_password_age_limit_timestamp_seconds",
    "rotator_target_password_age_limit_warning_timestamp_seconds",
    "rotator_target_consecutive_failures",
    "rotator_attempt_open_timestamp_seconds",
    "rotator_target_devices_out",
    "rotator_retirement_overdue",
    "rotator_held_timestamp_seconds",
    "rotator_hooks_failing",
    "rotator_ended_still_accepted",
)


def _stamp(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
