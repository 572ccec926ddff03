"""Two processes that look after one target at once do its work once, whichever of them stops where."""

from datetime import timedelta

import pytest
from simulated import SETUPS
from twins import APART, SCENARIOS, switches


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_two_processes_do_the_work_of_one(setup, tally, long):
    """Any two switches between them (in the short run: a part of them), their clocks equal or minutes apart."""
    for number, scenario in enumerate(SCENARIOS):
        skews = (timedelta(), -APART, APART) if long else ((timedelta(), -APART, APART)[number % 3],)
        for skew in skews:
            for _ in switches(setup, scenario, skew, stride=2 if long else 14):
                tally(setup.kind, setup.strategy.value, "two processes, switched at any two boundaries")
