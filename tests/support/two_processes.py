"""Two processes at once on one target at a simulated provider, each with its own clock: any two switches in between."""

from collections.abc import Iterator
from datetime import timedelta

from engine_harness import DAY
from interleaving import Interleaving, Process
from invariants import InvariantChecker
from process_variants import SkewedClock
from simulated_accounts import Setup, SimulatedHarness

from rotator.core.model import Purpose

SCENARIOS = ("first", "due", "undo", "compromised", "retirement")
APART = timedelta(minutes=10)
_ROTATIONS = {"first": 1, "due": 1, "compromised": 1}
REST = 20 * DAY


def prepared_harness(setup: Setup, scenario: str) -> SimulatedHarness:
    """Returns a harness in which the scenario's work comes next."""
    harness = SimulatedHarness(setup)
    if scenario == "first":
        return harness
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 2 * DAY)
    harness.request(engine)
    harness.until_rotated(engine)
    if scenario == "due":
        harness.settle(engine, REST)
        harness.clock.advance(90 * DAY)
    elif scenario == "retirement":
        harness.clock.advance(9 * DAY)
    else:
        undo = scenario == "undo"
        harness.request(engine, Purpose.UNDO if undo else Purpose.ROTATE, compromised=not undo)
    return harness


def start(harness: SimulatedHarness, turns: Interleaving, skew: timedelta = timedelta(), looks: int = 3) -> Process:
    """One more process: it looks a few times, as a scheduler makes it."""
    engine = harness.engine(SkewedClock(harness, skew))
    return turns.start(lambda: [engine.look(harness.target) for _ in range(looks)])


def step_times(process: Process, number: int) -> bool:
    """Steps so often, or to the end; True where the end was reached."""
    for _ in range(number):
        if process.ended:
            return True
        process.step()
    return process.ended


def switches(setup: Setup, scenario: str, skew: timedelta, stride: int) -> Iterator[str]:
    """One process up to boundary i, the other up to boundary j, the first to its end, then the other.

    Yields before each run. Raises AssertionError where a promise is broken or the work is done twice.
    """
    first, over = 0, False
    while not over:
        second, second_over = first % stride, False
        while not second_over:
            where = f"{setup}, {scenario}, {skew} apart, switched at {first} and {second}"
            yield where
            over, second_over = _run(setup, scenario, skew, (first, second), where)
            second += stride
        first += 1


def _run(setup: Setup, scenario: str, skew: timedelta, at: tuple[int, int], where: str) -> tuple[bool, bool]:
    harness = prepared_harness(setup, scenario)
    before = harness.state.counts.succeeded if harness.store.states else 0
    invariants = InvariantChecker(harness, apart=APART)
    turns = Interleaving(harness, invariants)
    one, other = start(harness, turns), start(harness, turns, skew)
    try:
        over = step_times(one, at[0]), step_times(other, at[1])
        step_times(one, 10_000)
        turns.finish()
    finally:
        turns.end()
    harness.cut_at(0, invariants)
    engine = harness.engine()
    harness.settle(engine, REST)
    harness.settle(engine, REST)
    invariants.at_rest(where)
    done = harness.state.counts.succeeded - before
    assert done == _ROTATIONS.get(scenario, 0), f"{done} rotations, {where}"
    return over
