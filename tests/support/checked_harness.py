"""Checks of simulated accounts, as `rotator check-provider` makes them."""

from dataclasses import replace
from typing import Any

from simulated_accounts import BYSTANDER, ProviderAccount, Setup, SimulatedHarness

from rotator.core.evidence import AssumptionResult, Shown
from rotator.engine.account_check import AccountCheck, CheckReport
from rotator.testing import FakeRandomness

KEY = "the-account"


class CheckedHarness(SimulatedHarness):
    """An account with a target, and a bystander that nobody needs; checks come and go as processes do."""

    def __init__(self, setup: Setup, **readings: Any) -> None:
        super().__init__(replace(setup, readings=(*setup.readings, *readings.items())))
        self.before = self.there
        self.secrets: list[str] = []

    @property
    def account(self) -> ProviderAccount:
        return self.provider

    @property
    def there(self) -> set[str]:
        """The ids of what the account has."""
        return set(self.account.stored_credentials())

    def check(self, **changes: Any) -> AccountCheck:
        """A new process that checks the account."""
        self.processes += 1
        randomness = FakeRandomness(self.processes)
        return AccountCheck(
            "one",
            KEY,
            self.account.adapter(self.clock, randomness),
            [self.target],
            store=self.store,
            clock=self.clock,
            randomness=randomness,
            audit=self.audit,
            holder=f"process-{self.processes}",
            version="1.2.3",
            learn=lambda secret: self.secrets.append(secret.reveal()) if secret is not None else None,
            **changes,
        )

    def write(self, living: tuple[str, ...] = ()) -> CheckReport:
        """A whole check with `--write`; of what cannot be created, on the bystander."""
        return self.check().write("tester", living, None if self.account.capabilities.creates else BYSTANDER)


def findings(report: CheckReport) -> dict[str, Shown]:
    return {one.key: one.shown for one in report.results}


def by_key(report: CheckReport) -> dict[str, AssumptionResult]:
    return {one.key: one for one in report.results}
