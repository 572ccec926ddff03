"""Every run of every strategy at every provider, cut at every boundary and troubled at every request, with the real
engine and the real adapters. What must hold is asserted at every boundary, and again when all has come to rest.
"""

import pytest
from faulted_lifecycles import DEFAULT_FAULTS, FAULTS, SCENARIOS, fault_at_each_boundary
from simulated_accounts import OTHER_READINGS, SETUPS


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_no_cut_loses_a_password_or_cuts_a_device_off(setup, scenario, count_run, long_run):
    """One fault, moved through the whole run; afterwards a new process recovers from what Vault and provider hold."""
    for kind in FAULTS if long_run else DEFAULT_FAULTS:
        runs = 0
        for _ in fault_at_each_boundary(setup, scenario, kind):
            count_run(setup.kind, setup.strategy.value, kind)
            runs += 1
        assert runs >= 1


@pytest.mark.parametrize("setup", OTHER_READINGS, ids=str)
def test_however_the_providers_pages_are_read(setup, count_run, long_run):
    """The same for the other readings of what the pages contradict or leave open."""
    for kind in FAULTS if long_run else ("answer lost, again and again",):
        for scenario in SCENARIOS if long_run else ("rotation", "undo from quarantine"):
            for _ in fault_at_each_boundary(setup, scenario, kind):
                count_run(setup.kind, setup.strategy.value, f"{kind}, other readings")
