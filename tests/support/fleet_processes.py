"""The processes of a simulated fleet: their clocks, their policies and limits, and where they die."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from engine_harness import DAY

from rotator.core.backoff import Backoff
from rotator.core.model import Policy, Target
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Cron, Every, Window
from rotator.engine import Engine, Limits
from rotator.ports import Provider
from rotator.testing import Crash, CrashPoints, FakeClock

LIMITS = Limits(
    backoff=Backoff(timedelta(seconds=30), timedelta(hours=6)),
    circuit_open_for=timedelta(hours=6),  # each probe of a dead account costs a look at every target
    retirements_per_minute=30,
)
_NIGHT = Window("0 2 * * *", timedelta(hours=4), "Europe/Berlin")
_PLAIN = (
    Policy("quarterly", Every(90 * DAY), None, DAY, 7 * DAY, PasswordRules()),
    Policy("at night", Every(90 * DAY), _NIGHT, 2 * DAY, 7 * DAY, PasswordRules()),
    Policy("monthly", Every(30 * DAY), None, DAY, 14 * DAY, PasswordRules()),
    Policy("by date", Cron("0 3 1 */3 *", "Europe/Berlin"), None, DAY, 7 * DAY, PasswordRules()),
    Policy("half-yearly", Every(180 * DAY), _NIGHT, 7 * DAY, 30 * DAY, PasswordRules()),
    Policy("yearly", Every(365 * DAY), None, DAY, 7 * DAY, PasswordRules()),
)
# Rarer than by default: each verification costs a proof, and a year of them would cost more than all rotations.
VERIFIED_EVERY = 45 * DAY
POLICIES = tuple(replace(policy, verify=VERIFIED_EVERY) for policy in _PLAIN)


class OffsetClock:
    """The clock of one process: the true time, read wrongly by `offset`."""

    def __init__(self, true: FakeClock) -> None:
        self._true = true
        self.offset = timedelta()

    def now(self) -> datetime:
        return self._true.now() + self.offset

    def monotonic(self) -> float:
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)

    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> AbstractContextManager[None]:
        return self._true.repeat(interval, action)


class Countdown(CrashPoints):
    """Boundaries without a record of them: a process dies at the one that a countdown reaches."""

    left = 0
    _NOWHERE = nullcontext()

    def around(self, label: str) -> AbstractContextManager[None]:  # type: ignore[override]  # no more of it is used
        return super().around(label) if self.left else self._NOWHERE

    def reach(self, label: str) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise Crash(label)


class LateAdapter:
    """An adapter that is made when it is asked to do something: most commands need one account of eight."""

    def __init__(self, made: Provider, make: Callable[[], Provider]) -> None:
        """Knows what `made`, another one for the same account, says of it."""
        self.capabilities, self.identity = made.capabilities, made.identity
        self._make = make

    @cached_property
    def _adapter(self) -> Provider:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


@dataclass
class FleetProcess:
    """One process: its own clock, its own copy of the configuration, its engine until it dies."""

    name: str
    clock: OffsetClock
    engine: Engine
    targets: dict[str, Target]
    keys: dict[str, str] = field(default_factory=dict)  # by account, the one whose key and id it has by mistake
    down_until: datetime | None = None
    crash_after: int = 0  # boundaries of its next look
