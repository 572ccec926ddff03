"""Whole lives of a target at a simulated provider, each cut or troubled once: by a crash, a lost answer, a refusal.

One world lives through all the cuts of a scenario, one after the other, and is brought to rest in between: so each cut
also meets what the cuts before it have left.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import httpx
from promises import Promises
from simulated import Setup, SimulatedWorld, Trouble
from world import DAY

from rotator.core.model import Purpose
from rotator.engine import Engine
from rotator.ports import StoreUnavailable
from rotator.testing import Crash, CrashPoints, MemoryStore

SCENARIOS = ("first", "rotation", "undo from overlap", "undo from quarantine", "compromised", "retirement")
REST = 20 * DAY
_TRIES = 4  # of one request by an adapter
_WIDTHS = {"once": 1, "again and again": _TRIES + 1}


class Life:
    """A world and what watches it, from rest to rest."""

    def __init__(self, setup: Setup, store: Callable[[], MemoryStore]) -> None:
        self.setup, self._store = setup, store
        self._renew()

    def _renew(self) -> None:
        self.world = SimulatedWorld(self.setup)
        self.world.store = self._store()
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


class _LostThenRefused:
    """The answers to one write are lost, however often it is sent; the next writes are refused."""

    def __init__(self, trouble: Trouble, after: int) -> None:
        self._trouble, self._after, self._lost, self._refusals = trouble, after, 0, 2
        self._write = ""
        self.reached = False

    def __call__(self, request: httpx.Request) -> Trouble | None:
        if request.method == "GET":
            return None
        write = f"{request.method} {request.url}"
        self._after -= not self.reached
        if self._after >= 0 and not self.reached:
            return None
        self.reached = True
        self._write = self._write or write
        if self._lost < _TRIES and write == self._write:
            self._lost += 1
            return self._trouble
        self._lost, self._refusals = _TRIES, self._refusals - 1
        return Trouble.REFUSED if self._refusals >= 0 else None


def _then_refused(trouble: Trouble) -> Arm:
    def arm(world: SimulatedWorld, promises: Promises, number: int) -> Callable[[], bool]:
        plan = world.provider.wire.plan = _LostThenRefused(trouble, number - 1)
        return lambda: plan.reached

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
    "answer lost, then refused": _then_refused(Trouble.LOST_ANSWER),
    "request lost, then refused": _then_refused(Trouble.LOST_REQUEST),
    **{
        f"{trouble.value}{'' if width == 1 else ', ' + often}": _trouble(trouble, width)
        for trouble in Trouble
        for often, width in _WIDTHS.items()
        if (trouble, often) not in ((Trouble.REFUSED, "again and again"), (Trouble.UNAUTHORIZED, "again and again"))
    },
}

SHORT = (
    "process killed at a boundary",
    "answer of Vault lost",
    "answer lost, then refused",
    "answer lost, again and again",
    "request lost",
    "timeout after, again and again",
    "half an answer, again and again",
    "5xx after",
    "no connection, again and again",
    "429",
    "401",
    "422",
)
"""What the short run takes of them: the others differ for the adapters, hardly for the protocol."""


def cuts(
    setup: Setup, scenario: str, kind: str, most: int = 200, store: Callable[[], MemoryStore] = MemoryStore
) -> Iterator[str]:
    """Runs the scenario again and again, with the fault one boundary further each time; yields before each run.

    Raises AssertionError where a promise is broken.
    """
    life = Life(setup, store)
    for number in range(1, most):
        where = f"{setup}, {scenario}, {kind}, {number}"
        yield where
        life.prepare(scenario)
        state = life.world.store.states.get(life.world.target.name)
        before = state.state.counts.succeeded if state else 0
        reached = KINDS[kind](life.world, life.promises, number)
        with suppress(Crash):
            life.run(scenario, life.world.engine())
        over = not reached()
        life.recover(scenario, before, where)
        if over:
            return
    raise AssertionError(f"never came to an end: {where}")
