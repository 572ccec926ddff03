"""Processes of one world that differ: in their clock, in their configuration, and in the moments at which they act."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from world import World

from rotator.engine import Engine
from rotator.ports import Clock
from rotator.testing import CrashPoints, FakeProvider


class SkewedClock:
    """The world's clock, read wrongly by a constant. Monotonic time has another origin in each process."""

    def __init__(self, world: World, off: timedelta) -> None:
        self._world, self._off = world, off

    def now(self) -> datetime:
        return self._world.clock.now() + self._off

    def monotonic(self) -> float:
        return self._world.clock.monotonic() + 77_000.0

    def sleep(self, seconds: float) -> None:
        self._world.clock.sleep(seconds)


def process(
    world: World, *, clock: Clock | None = None, providers: Mapping[str, FakeProvider] | None = None, name: str = ""
) -> Engine:
    """A new process with its own clock or its own provider accounts."""
    world.processes += 1
    return Engine(
        store=world.store,
        providers=providers or {"fake": world.provider},
        clock=clock or world.clock,
        randomness=world.randomness,
        audit=world.audit,
        holder=name or f"process-{world.processes}",
        limits=world.limits,
        observe=lambda target, state: None,
        stopping=lambda: world.stopping,
    )


class Once(CrashPoints):
    """Does something at the first boundary of a name, once: the rest of the world acts in the middle of an effect."""

    def __init__(self, label: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._label, self._act = label, act
        self.done = False

    def reach(self, label: str) -> None:
        """A boundary."""
        if label == self._label and not self.done:
            self.done = True
            self._act()


def at(world: World, label: str, act: Callable[[], object]) -> Once:
    """At the next boundary named `label`, `act` happens first."""
    once = Once(label, act)
    world.store.points = world.provider.points = once
    return once
