"""The longest life of a password by each policy that has a limit, and what would fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from rotator.core.age_limit import (
    RETIREMENT_TAKES,
    ROTATION_TAKES,
    AgeLimit,
    Stretch,
    fitting_interval,
    longest_life,
    total,
)
from rotator.core.schedule import Cron
from rotator.fields.times import duration_text
from rotator.settings.targets import CheckedSettings, LinkedTarget


@dataclass(frozen=True, slots=True)
class LimitedLife:
    """How long a password of one kind of target may be accepted, and its limit."""

    linked: LinkedTarget
    limit: AgeLimit
    overlap: timedelta | None  # with what makes it longer: no disabling, devices that stay; None: there is none
    until_refused: timedelta

    @property
    def parts(self) -> tuple[Stretch, ...]:
        """What it consists of."""
        policy = self.linked.policy.core("")
        return longest_life(policy.schedule, policy.window, self.overlap, self.until_refused)

    @property
    def arithmetic(self) -> tuple[str, ...]:
        """The sum, line by line."""
        rows = [(duration_text(part.length), part.what) for part in self.parts]
        rows.append((duration_text(total(self.parts)), f"in all; the limit is {duration_text(self.limit.max_age)}"))
        widest = max(len(length) for length, _ in rows)
        return tuple(f"{length:>{widest}}  {what}" for length, what in rows)

    def fitting(self, within: timedelta) -> timedelta | None:
        """Returns the longest interval that keeps `within`; None if there is none."""
        return fitting_interval(self.linked.policy.core("").window, self.overlap, within, self.until_refused)

    @property
    def least(self) -> timedelta:
        """What is needed whatever the interval is."""
        window = self.linked.policy.core("").window
        wait = window.duration + Cron(window.cron, window.timezone).longest if window is not None else timedelta()
        kept = self.overlap + self.until_refused if self.overlap is not None else timedelta()
        return wait + ROTATION_TAKES + kept


def limited_lives(checked: CheckedSettings) -> Iterator[LimitedLife]:
    """Yields the longest life of each kind of target that has a limit."""
    overlapping = sum(linked.overlaps for linked in checked.linked)
    # If all are rotated at once, the retirements wait for one another.
    queue = timedelta(minutes=overlapping / checked.settings.daemon.retirements_per_minute)
    for linked in checked.kinds:
        policy = linked.policy
        if policy.limits is not None:
            overlap = policy.overlap + (timedelta() if linked.capabilities.disables else policy.quarantine)
            usage = policy.core("").usage
            overlap += usage.extend_at_most if usage is not None else timedelta()
            limit, until_refused = policy.limits.core(), max(queue, RETIREMENT_TAKES)
            yield LimitedLife(linked, limit, overlap if linked.overlaps else None, until_refused)
