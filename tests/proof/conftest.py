"""`python -m pytest tests/proof` prints at its end what was explored: provider, strategy, kind of fault, violations.

A test says what it explores with the fixture `count_run`; the counts travel in its report, so that they survive xdist.
"""

from collections import Counter
from collections.abc import Generator

import pytest

_KEY = "proof"
_counters: pytest.StashKey["RunCounter"] = pytest.StashKey()


class RunCounter:
    """Counts runs. Called before each: where the test fails, the last one that was counted is the violation."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, str, str]] = Counter()
        self._last: tuple[str, str, str] | None = None

    def __call__(self, provider: str, strategy: str, kind: str, runs: int = 1) -> None:
        self._last = (provider, strategy, kind)
        self.runs[self._last] += runs

    def rows(self, *, failed: bool) -> list[list[str | int]]:
        """Rows of plain values: provider, strategy, kind, runs, violations."""
        return [[*key, runs, int(failed and key == self._last)] for key, runs in self.runs.items()]


@pytest.fixture
def count_run(request: pytest.FixtureRequest) -> RunCounter:
    """Counts one more run: called with provider, strategy and kind of fault."""
    return request.node.stash.setdefault(_counters, RunCounter())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    count_run = item.stash.get(_counters, None)
    if call.when == "call" and count_run is not None:
        item.user_properties.append((_KEY, count_run.rows(failed=call.excinfo is not None)))
    return (yield)


def pytest_terminal_summary(terminalreporter) -> None:
    runs: Counter[tuple[str, str, str]] = Counter()
    violations: Counter[tuple[str, str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, rows in report.user_properties:
                for provider, strategy, kind, count, failed in rows if name == _KEY else ():
                    runs[provider, strategy, kind] += count
                    violations[provider, strategy, kind] += failed
    if not runs:
        return
    terminalreporter.section("proof")
    line = "{:<16} {:<12} {:<44} {:>9} {:>11}"
    terminalreporter.line(line.format("provider", "strategy", "kind of fault", "runs", "violations"))
    for key in sorted(runs):
        terminalreporter.line(line.format(*key, runs[key], violations[key]))
    terminalreporter.line(line.format("all", "", "", sum(runs.values()), sum(violations.values())))
