"""Two processes at once on one target at a simulated provider, each with its own clock: any two switches in between."""

from collections.abc import Iterator
from datetime import timedelta

from interleave import Interleaving, Process
from processes import SkewedClock
from promises import Promises
from simulated import Setup, SimulatedWorld
from world import DAY

from rotator.core.model import Purpose

SCENARIOS = ("first", "due", "undo", "compromised", "retirement")
APART = timedelta(minutes=10)
_ROTATIONS = {"first": 1, "due": 1, "compromised": 1}
REST = 20 * DAY


def prepared(setup: Setup, scenario: str) -> SimulatedWorld:
    """A world in which the scenario's work is to be done next."""
    world = SimulatedWorld(setup)
    if scenario == "first":
        return world
    engine = world.engine()
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    world.request(engine)
    world.until_rotated(engine)
    if scenario == "due":
        world.settle(engine, REST)
        world.clock.advance(90 * DAY)
    elif scenario == "retirement":
        world.clock.advance(9 * DAY)
    else:
        undo = scenario == "undo"
        world.request(engine, Purpose.UNDO if undo else Purpose.ROTATE, compromised=not undo)
    return world


def start(turns: Interleaving, skew: timedelta = timedelta(), looks: int = 3) -> Process:
    """One more process: it looks a few times, as a scheduler makes it."""
    world = turns.world
    engine = world.engine(SkewedClock(world, skew))
    return turns.start(lambda: [engine.look(world.target) for _ in range(looks)])


def steps(process: Process, number: int) -> bool:
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
    world = prepared(setup, scenario)
    before = world.state.counts.succeeded if world.store.states else 0
    promises = Promises(world, apart=APART)
    turns = Interleaving(world, promises)
    one, other = start(turns), start(turns, skew)
    try:
        over = steps(one, at[0]), steps(other, at[1])
        steps(one, 10_000)
        turns.finish()
    finally:
        turns.end()
    world.cut_at(0, promises)
    engine = world.engine()
    world.settle(engine, REST)
    world.settle(engine, REST)
    promises.at_rest(where)
    done = world.state.counts.succeeded - before
    assert done == _ROTATIONS.get(scenario, 0), f"{done} rotations, {where}"
    return over
