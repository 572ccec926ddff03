"""Checks of the fake provider's account, as `rotator check-provider` makes them: fast enough for each mutant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from engine_harness import REPLACE

from rotator.core.evidence import AssumptionResult, Shown
from rotator.core.model import Capabilities, Credential, Target
from rotator.engine.account_check import AccountCheck, CheckReport
from rotator.testing import CHOSEN, CrashPoints, FakeClock, FakeProvider, FakeRandomness, MemoryAudit, MemoryStore

KEY = "the-account"
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class CheckedAccount:
    """An account with one target's credential; checks come and go as processes do."""

    def __init__(self, capabilities: Capabilities = CHOSEN, targets: Sequence[Target] = (REPLACE,)) -> None:
        self.clock = FakeClock(NOW)
        self.store, self.audit = MemoryStore(self.clock), MemoryAudit()
        self.provider: Any = FakeProvider(capabilities)
        self.targets = targets
        self.office = self.provider.add("office", "the-password-of-office")
        self.learnt: list[str] = []
        self.names: tuple[str, ...] = ()  # of the account in the configuration, besides `fake`
        self.users: Sequence[Target] | None = None  # None: the targets
        self.processes = 0

    def check(self, **changes: Any) -> AccountCheck:
        """A new process that checks the account."""
        self.processes += 1
        return AccountCheck(
            "fake",
            KEY,
            self.provider,
            self.targets,
            store=self.store,
            clock=self.clock,
            randomness=FakeRandomness(self.processes),
            audit=self.audit,
            holder=f"process-{self.processes}",
            version="1.2.3",
            users=lambda: self.targets if self.users is None else self.users,
            names=self.names,
            learn=lambda secret: self.learnt.append(secret.reveal()) if secret is not None else None,
            **changes,
        )

    def read(self) -> CheckReport:
        return self.check().read("tester")

    def write(self, expendable: str | None = None, living: tuple[str, ...] = ()) -> CheckReport:
        return self.check().write("tester", living, expendable)

    def cut_at(self, number: int) -> CrashPoints:
        """The next process ends at boundary `number`; 0: none."""
        self.store.points = self.provider.points = CrashPoints(number)
        return self.store.points

    @property
    def left(self) -> list[Credential]:
        """What is written down."""
        return [one.credential for one in self.store.evidence[KEY].scratch]

    @property
    def usernames(self) -> list[str]:
        return [one.username for one in self.provider.credentials.values()]


def lines(report: CheckReport) -> list[tuple[str, str, str]]:
    """Each finding in three words: its key, what was shown, and by what."""
    return [(one.key, one.shown.value, one.evidence) for one in report.results]


def found(report: CheckReport) -> dict[str, AssumptionResult]:
    return {one.key: one for one in report.results}


def shown(report: CheckReport) -> dict[str, Shown]:
    return {one.key: one.shown for one in report.results}
