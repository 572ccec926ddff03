"""Processes on one harness that differ in their clock, in their configuration, and in when they act."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from engine_harness import EngineHarness
from few_targets import fleet_documents

from rotator.engine import Engine
from rotator.ports import Timer
from rotator.testing import CrashPoints, FakeProvider


class SkewedClock:
    """The harness's clock, read wrongly by a constant. Monotonic time has another origin in each process."""

    def __init__(self, harness: EngineHarness, off: timedelta) -> None:
        self._world, self._off = harness, off

    def now(self) -> datetime:
        return self._world.clock.now() + self._off

    def monotonic(self) -> float:
        return self._world.clock.monotonic() + 77_000.0

    def sleep(self, seconds: float) -> None:
        self._world.clock.sleep(seconds)

    def repeat(self, interval: timedelta, action: Callable[[], bool]) -> AbstractContextManager[None]:
        return self._world.clock.repeat(interval, action)


def start_process(
    harness: EngineHarness,
    *,
    clock: Timer | None = None,
    providers: Mapping[str, FakeProvider] | None = None,
    name: str = "",
) -> Engine:
    """A new process with its own clock or its own provider accounts."""
    harness.processes += 1
    return Engine(
        store=harness.store,
        providers=providers or {"fake": harness.provider},
        clock=clock or harness.clock,
        randomness=harness.randomness,
        audit=harness.audit,
        holder=name or f"process-{harness.processes}",
        limits=harness.limits,
        observe=lambda target, state: None,
        stopping=lambda: harness.stopping,
        documents=fleet_documents(harness.store, clock or harness.clock),
        hooks=harness.hooks,
    )


class ActOnce(CrashPoints):
    """Does something at the first boundary of a name, once: others act in the middle of an effect."""

    def __init__(self, label: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._label, self._act = label, act
        self.done = False

    def reach(self, label: str) -> None:
        """A boundary."""
        if label == self._label and not self.done:
            self.done = True
            self._act()


def act_at_boundary(harness: EngineHarness, label: str, act: Callable[[], object]) -> ActOnce:
    """At the next boundary named `label`, `act` happens first."""
    once = ActOnce(label, act)
    harness.store.points = harness.provider.points = once
    return once
