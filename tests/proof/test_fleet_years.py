"""Years of a fleet, one seed after the other: people, providers, clocks, faults, configuration; nothing is lifted.

    pytest tests/proof/test_fleet_years.py -n 2 --years 50 --seed 1000

simulates 50 years from seed 1000 on (`.ci/run`: 39 years from seed 2 on); `python tests/support/fleet_years.py` does
the same without pytest. A failure prints the seed, the shortest history found, and the command that replays it.
"""

import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from engine_harness import DAY
from fleet_accounts import registrar_in_process
from fleet_events import EVENTS, FleetEvent, draw_events
from fleet_judge import SETTLED, PromiseBroken
from fleet_world import FleetWorld
from fleet_years import run_fleet, shortest
from simulated_accounts import STANDING

from rotator.core.model import Credential
from rotator.testing.clock import START

SEEDS, YEARS = range(1, 2), 1.0
_MODULE = Path(__file__).parents[1] / "support" / "fleet_years.py"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One year, or the years that `--seed` and `--years` ask for."""
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


_VOBIZ_A_IS_LOST = (30, "account_never_comes_back", "4")  # the seed decides which account it is
_LEFT = (_VOBIZ_A_IS_LOST, (31, "operator_attends", "a"))
HISTORIES = {
    # Seeds 44, 65 and 153. What is given up at an account that is lost is not ended: its devices are let in as before.
    "what is given up is handed out": (*_LEFT, (40, "document_rolled_back", "b"), (41, "operator_attends", "c")),
    # Seed 55. The command had given it up, and only its answer was lost.
    "the answer is lost that something is given up": (
        *_LEFT, (39.99, "vault_loses_an_answer", "b"), (40, "operator_attends", "c"), (42, "rotation_asked", "d"),
    ),
    # Seed 127. No process looked at what had been retired: a daemon would have found it within ten minutes.
    "the answer is lost that something is retired": (
        (60, "target_removed", "a"), (87.799, "vault_loses_an_answer", "b"), (87.8, "operator_attends", "c"),
    ),
    # Seed 127 as well: with the state of a removed target, what it has published is given up.
    "what is published is given up": (
        (20, "target_removed", "a"), (21, "configuration_reloaded", "b"), *_LEFT, (33, "operator_attends", "c"),
    ),
}  # fmt: skip
"""By what happens: day, kind and seed of each event."""


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_what_somebody_gives_up_or_retires_is_neither_refused_nor_forgotten(history):
    """The world or its judge had it wrong."""
    about = {"operator_attends": "phone01"}  # the other target is judged only by what a process finds
    events = [FleetEvent(day * DAY, kind, about.get(kind, "phone00"), seed) for day, kind, seed in history]
    assert run_fleet(1, 0.5, 8, events).broken is None


@pytest.mark.parametrize("known", [False, True])
def test_what_people_end_moments_before_it_is_published_could_not_be_known(known):
    """Seed 56: it was deleted 1.4 s before it was proved, and the registrar had not heard of it yet."""
    world = FleetWorld(1, 1)
    target, process, home = world.targets["phone00"], world.processes[0], world.accounts["vobiz-a"]
    with registrar_in_process(world.clock, world.lag):
        world.run_until(START + DAY)
        world.acting = (process, target)
        home.person_creates("staged", STANDING)
        identity = next(reversed(home.stored))
        world.acting = None
        home.person_changes(identity, delete=True)
        world.clock.advance(SETTLED if known else timedelta(seconds=1))
        world.acting = (process, target)
        staged = Credential("vobiz-a", "staged", identity, STANDING)
        world.store.write_consumer(target.path, staged, world.clock.now(), world.store.read_consumer(target.path))
    with pytest.raises(PromiseBroken, match="published: phone00: staged") if known else nullcontext():
        world.judge.after_look(target, None)


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
