"""Two processes that look after one target at once do its work once, whichever of them stops where."""

from datetime import timedelta

import pytest
from simulated_accounts import SETUPS
from two_processes import APART, SCENARIOS, switches

from rotator.core import decide


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_two_processes_do_the_work_of_one(setup, count_run, long_run):
    """Any two switches between them (in the short run: a part of them), their clocks equal or minutes apart."""
    for number, scenario in enumerate(SCENARIOS):
        skews = (timedelta(), -APART, APART) if long_run else ((timedelta(), -APART, APART)[number % 3],)
        for skew in skews:
            for _ in switches(setup, scenario, skew, stride=2 if long_run else 20):
                count_run(setup.kind, setup.strategy.value, "two processes, switched at any two boundaries")


@pytest.mark.parametrize("setup", SETUPS[:3], ids=str)
def test_check_and_set_alone_decides(setup, count_run, monkeypatch, long_run):
    """The claim saves double work. Whoever does not respect it breaks no promise, and rotates nothing twice."""
    monkeypatch.setattr(decide, "claimed_elsewhere", lambda facts: None)
    for _ in switches(setup, "due", timedelta(), stride=2 if long_run else 9):
        count_run(setup.kind, setup.strategy.value, "two processes that disregard claims")
