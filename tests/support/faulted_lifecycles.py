"""Lifecycles of a target at a simulated provider, each with one fault: a crash, a lost answer, a refusal.

One harness goes through all the faults of a scenario, one after the other, and is brought to rest in between: so each
fault also meets what the faults before it have left.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import httpx
from engine_harness import DAY
from invariants import InvariantChecker
from simulated_accounts import RequestFault, Setup, SimulatedHarness

from rotator.core.model import Purpose
from rotator.engine import Engine
from rotator.ports import StoreUnavailable
from rotator.testing import Crash, CrashPoints, MemoryStore

SCENARIOS = ("first", "rotation", "undo from overlap", "undo from quarantine", "compromised", "retirement")
REST = 20 * DAY
_TRIES = 4  # of one request by an adapter
_WIDTHS = {"once": 1, "again and again": _TRIES + 1}


class FaultedLifecycle:
    """A harness and the check of its invariants, from rest to rest."""

    def __init__(self, setup: Setup, store: Callable[[], MemoryStore]) -> None:
        self.setup, self._store = setup, store
        self._renew()

    def _renew(self) -> None:
        self.harness = SimulatedHarness(self.setup)
        self.harness.store = self._store()
        self.invariants = InvariantChecker(self.harness)
        self.harness.cut_at(0, self.invariants)

    def prepare(self, scenario: str) -> None:
        """Brings the target to where the scenario begins."""
        if scenario == "first":
            self._renew()
            return
        harness, engine = self.harness, self.harness.engine()
        if not harness.store.consumers:
            harness.until_rotated(engine)
            harness.settle(engine, REST)
        if scenario == "rotation":
            harness.request(engine)
            return
        harness.request(engine)
        harness.until_rotated(engine)
        if scenario == "retirement":
            return
        if scenario == "undo from quarantine":
            harness.settle(engine, DAY + timedelta(minutes=1))
        undo = scenario.startswith("undo")
        harness.request(engine, Purpose.UNDO if undo else Purpose.ROTATE, compromised=not undo)

    def run(self, scenario: str, engine: Engine) -> None:
        """Runs the process that meets the fault: it looks, as the scheduler makes it, until the scenario is over."""
        span = 9 * DAY if scenario == "retirement" else timedelta(seconds=50)
        self.harness.settle(engine, span)

    def recover(self, scenario: str, before: int, where: object) -> None:
        """A new process brings the target to rest; everything is judged then."""
        self.harness.clear_faults()
        self.harness.cut_at(0, self.invariants)
        engine = self.harness.engine()
        self.harness.settle(engine, REST)
        self.harness.settle(engine, REST)
        self.invariants.at_rest(where)
        wanted = 1 if scenario in ("first", "rotation", "compromised") else 0
        done = self.harness.state.counts.succeeded - before
        assert done == wanted, f"{done} rotations in place of {wanted}, {where}"


ArmFault = Callable[[SimulatedHarness, InvariantChecker, int], Callable[[], bool]]
"""Arms the harness to fail at boundary number n; what it returns says afterwards whether that was reached."""


def _kill(harness: SimulatedHarness, invariants: InvariantChecker, number: int) -> Callable[[], bool]:
    points = harness.cut_at(number, invariants)
    return lambda: len(points.passed) >= number


def _request_fault(fault: RequestFault, width: int) -> ArmFault:
    def arm(harness: SimulatedHarness, invariants: InvariantChecker, number: int) -> Callable[[], bool]:
        transport = harness.provider.transport
        first = transport.requests
        transport.faults[:] = [None] * (number - 1) + [fault] * width
        return lambda: transport.requests - first >= number

    return arm


class _LostThenRefused:
    """The answers to one write are lost, however often it is sent; the next writes are refused."""

    def __init__(self, fault: RequestFault, after: int) -> None:
        self._trouble, self._after, self._lost, self._refusals = fault, after, 0, 2
        self._write = ""
        self.reached = False

    def __call__(self, request: httpx.Request) -> RequestFault | None:
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
        return RequestFault.REFUSED if self._refusals >= 0 else None


def _fault_then_refusals(fault: RequestFault) -> ArmFault:
    def arm(harness: SimulatedHarness, invariants: InvariantChecker, number: int) -> Callable[[], bool]:
        plan = harness.provider.transport.plan = _LostThenRefused(fault, number - 1)
        return lambda: plan.reached

    return arm


def _lost_write(harness: SimulatedHarness, invariants: InvariantChecker, number: int) -> Callable[[], bool]:
    """A write to Vault is carried out, and its answer lost."""

    class Losing(CrashPoints):
        def reach(self, label: str) -> None:
            super().reach(label)
            if label.startswith("before write") and sum(one.startswith("before w") for one in self.passed) == number:
                harness.store.losing.append(StoreUnavailable("the answer was lost"))

    points = harness.watch_with(Losing(watch=invariants))
    return lambda: sum(one.startswith("before w") for one in points.passed) >= number


FAULTS: dict[str, ArmFault] = {
    "process killed at a boundary": _kill,
    "answer of Vault lost": _lost_write,
    "answer lost, then refused": _fault_then_refusals(RequestFault.LOST_ANSWER),
    "request lost, then refused": _fault_then_refusals(RequestFault.LOST_REQUEST),
    **{
        f"{fault.value}{'' if width == 1 else ', ' + often}": _request_fault(fault, width)
        for fault in RequestFault
        for often, width in _WIDTHS.items()
        if (fault, often)
        not in (
            (RequestFault.REFUSED, "again and again"),
            (RequestFault.UNAUTHORIZED, "again and again"),
            (RequestFault.FORBIDDEN, "again and again"),
        )
    },
}

DEFAULT_FAULTS = (
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
"""What the default run takes of them: the others differ for the adapters, hardly for the protocol."""


def fault_at_each_boundary(
    setup: Setup, scenario: str, kind: str, most: int = 200, store: Callable[[], MemoryStore] = MemoryStore
) -> Iterator[str]:
    """Runs the scenario again and again, with the fault one boundary further each time; yields before each run.

    Raises AssertionError where a promise is broken.
    """
    lifecycle = FaultedLifecycle(setup, store)
    for number in range(1, most):
        where = f"{setup}, {scenario}, {kind}, {number}"
        yield where
        lifecycle.prepare(scenario)
        state = lifecycle.harness.store.states.get(lifecycle.harness.target.name)
        before = state.state.counts.succeeded if state else 0
        reached = FAULTS[kind](lifecycle.harness, lifecycle.invariants, number)
        with suppress(Crash):
            lifecycle.run(scenario, lifecycle.harness.engine())
        over = not reached()
        lifecycle.recover(scenario, before, where)
        if over:
            return
    raise AssertionError(f"never came to an end: {setup}, {scenario}, {kind}")
