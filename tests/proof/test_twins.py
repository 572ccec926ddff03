"""Two processes that look after one target at once do its work once, whichever of them stops where."""

from datetime import timedelta

import pytest
from simulated import SETUPS
from twins import APART, SCENARIOS, switches

from rotator.core import decide


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_two_processes_do_the_work_of_one(setup, tally, long):
    """Any two switches between them (in the short run: a part of them), their clocks equal or minutes apart."""
    for number, scenario in enumerate(SCENARIOS):
        skews = (timedelta(), -APART, APART) if long else ((timedelta(), -APART, APART)[number % 3],)
        for skew in skews:
            for _ in switches(setup, scenario, skew, stride=2 if long else 14):
                tally(setup.kind, setup.strategy.value, "two processes, switched at any two boundaries")


@pytest.mark.parametrize("setup", SETUPS[:3], ids=str)
def test_check_and_set_alone_decides(setup, tally, monkeypatch, long):
    """The claim saves double work. Whoever does not respect it breaks no promise, and rotates nothing twice."""
    monkeypatch.setattr(decide, "claimed_elsewhere", lambda facts: None)
    for _ in switches(setup, "due", timedelta(), stride=2 if long else 9):
        tally(setup.kind, setup.strategy.value, "two processes that disregard claims")
