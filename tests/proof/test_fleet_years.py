"""Years of a fleet, one seed after the other: people, providers, clocks, faults, configuration; nothing is lifted.

    pytest tests/proof/test_fleet_years.py -n 2 --years 50 --seed 1000

simulates 50 years from seed 1000 on (`.ci/run`: 40 years from seed 1 on); `python tests/support/fleet_years.py` does
the same without pytest. A failure prints the seed, the shortest history found, and the command that replays it.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from engine_harness import DAY
from fleet_events import EVENTS, FleetEvent, draw_events
from fleet_years import run_fleet, shortest

SEEDS, YEARS = range(1, 4), 1.0
_MODULE = Path(__file__).parents[1] / "support" / "fleet_years.py"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A year of each of three seeds, or the years that `--seed` and `--years` ask for."""
    if "fleet_seed" in metafunc.fixturenames:
        first, years = metafunc.config.option.seed, metafunc.config.option.years
        seeds = SEEDS if first is None and years is None else range(first or 1, (first or 1) + (years or 1))
        metafunc.parametrize("fleet_seed", seeds)


@pytest.mark.timeout(900)  # most of it for the shortest history of a failure
def test_a_fleet_keeps_every_promise_for_years(fleet_seed, count_run):
    """Every effect is judged at once, and every target at the end of each quarter."""
    run = run_fleet(fleet_seed, YEARS)
    for kind, times in sorted(run.happened.items()):
        count_run("fleet", "years", kind.replace("_", " "), times)
    if run.broken is not None:
        pytest.fail(shortest(run).report(), pytrace=False)
    count_run("fleet", "years", "simulated years of 100 targets", int(YEARS))


def test_what_somebody_restores_of_a_target_that_has_ended_is_his_own():
    """Seed 17: long after a retirement its document was rolled back. No process looks there; `rotate` begins anew."""
    months = [("target_retired", 1), ("document_rolled_back", 5)]
    events = [FleetEvent(30 * month * DAY, kind, "phone03", kind) for kind, month in months]
    assert run_fleet(17, YEARS, 4, events).broken is None


def test_every_kind_of_event_is_drawn():
    """A kind that never comes would be a rule that nobody checks. The rarest one comes every other year."""
    names = [f"phone{number:02d}" for number in range(100)]
    drawn = {event.kind for seed in range(1, 11) for event in draw_events(seed, YEARS, names)}
    assert drawn == EVENTS.keys()


def test_a_seed_makes_the_same_years_in_every_process():
    """Also where hashes differ: no order of a set decides anything."""
    traces = {
        subprocess.run(
            [sys.executable, _MODULE, "--seed", "3", "--years", "0.3", "--targets", "24", "--whole"],
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=False,
        ).stdout.rpartition("; ")[2]
        for salt in ("1", "2")
    }
    assert len(traces) == 1
    assert traces != {""}
