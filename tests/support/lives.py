"""Whole lives of a target at a simulated provider, each cut or troubled once: by a crash, a lost answer, a refusal.

One world lives through all the cuts of a scenario, one after the other, and is brought to rest in between: so each cut
also meets what the cuts before it have left.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from promises import Promises
from simulated import Setup, SimulatedWorld, Trouble
from world import DAY

from rotator.core.model import Purpose
from rotator.engine import Engine
from rotator.ports import StoreUnavailable
from rotator.testing import Crash, CrashPoints

SCENARIOS = ("first", "rotation", "undo from overlap", "undo from quarantine", "compromised", "retirement")
REST = 20 * DAY
_WIDTHS = {"once": 1, "again and again": 5}  # the adapters try a request up to four times


class Life:
    """A world and what watches it, from rest to rest."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._renew()

    def _renew(self) -> None:
        self.world = SimulatedWorld(self.setup)
        self.promises = Promises(self.world)
        self.world.cut_at(0, self.promises)

    def prepare(self, scenario: str) -> None:
        """Brings the world to where the scenario begins."""
        if scenario == "first":
            self._renew()
            return
        world, engine = self.world, self.world.engine()
        if not world.store.consumers:
            world.until_rotated(engine)
            world.settle(engine, REST)
        if scenario == "rotation":
            world.request(engine)
            return
        world.request(engine)
        world.until_rotated(engine)
        if scenario == "retirement":
            return
        if scenario == "undo from quarantine":
            world.settle(engine, DAY + timedelta(minutes=1))
        undo = scenario.startswith("undo")
        world.request(engine, Purpose.UNDO if undo else Purpose.ROTATE, compromised=not undo)

    def run(self, scenario: str, engine: Engine) -> None:
        """What the process does that is cut: it looks, as the scheduler makes it, until the scenario is over."""
        span = 9 * DAY if scenario == "retirement" else timedelta(seconds=50)
        self.world.settle(engine, span)

    def recover(self, scenario: str, before: int, where: object) -> None:
        """A new process brings the world to rest; everything is judged then."""
        self.world.quiet()
        self.world.cut_at(0, self.promises)
        engine = self.world.engine()
        self.world.settle(engine, REST)
        self.world.settle(engine, REST)
        self.promises.at_rest(where)
        wanted = 1 if scenario in ("first", "rotation", "compromised") else 0
        done = self.world.state.counts.succeeded - before
        assert done == wanted, f"{done} rotations in place of {wanted}, {where}"


Arm = Callable[[SimulatedWorld, Promises, int], Callable[[], bool]]
"""Arms the world to fail at boundary number n; what it returns says afterwards whether that was reached."""


def _crash(world: SimulatedWorld, promises: Promises, number: int) -> Callable[[], bool]:
    points = world.cut_at(number, promises)
    return lambda: len(points.passed) >= number


def _trouble(trouble: Trouble, width: int) -> Arm:
    def arm(world: SimulatedWorld, promises: Promises, number: int) -> Callable[[], bool]:
        wire = world.provider.wire
        first = wire.requests
        wire.troubles[:] = [None] * (number - 1) + [trouble] * width
        return lambda: wire.requests - first >= number

    return arm


def _lost_write(world: SimulatedWorld, promises: Promises, number: int) -> Callable[[], bool]:
    """A write to Vault is carried out, and its answer lost."""

    class Losing(CrashPoints):
        def reach(self, label: str) -> None:
            super().reach(label)
            if label.startswith("before write") and sum(one.startswith("before w") for one in self.passed) == number:
                world.store.losing.append(StoreUnavailable("the answer was lost"))

    points = world.watch_with(Losing(watch=promises))
    return lambda: sum(one.startswith("before w") for one in points.passed) >= number


KINDS: dict[str, Arm] = {
    "process killed at a boundary": _crash,
    "answer of Vault lost": _lost_write,
    **{
        f"{trouble.value}{'' if width == 1 else ', ' + often}": _trouble(trouble, width)
        for trouble in Trouble
        for often, width in _WIDTHS.items()
        if (trouble, often) not in ((Trouble.REFUSED, "again and again"), (Trouble.UNAUTHORIZED, "again and again"))
    },
}


def cuts(setup: Setup, scenario: str, kind: str, most: int = 200) -> Iterator[str]:
    """Runs the scenario again and again, with the fault one boundary further each time; yields before each run.

    Raises AssertionError where a promise is broken.
    """
    life = Life(setup)
    for number in range(1, most):
        where = f"{setup}, {scenario}, {kind}, {number}"
        yield where
        life.prepare(scenario)
        state = life.world.store.states.get(life.world.target.name)
        before = state.state.counts.succeeded if state else 0
        reached = KINDS[kind](life.world, life.promises, number)
        try:
            life.run(scenario, life.world.engine())
        except Crash:
            pass
        over = not reached()
        life.recover(scenario, before, where)
        if over:
            return
    raise AssertionError(f"never came to an end: {where}")
