"""The wheel: when to look at each target next, and which look comes first. Its owner guards it by a lock."""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from heapq import heapify, heappop, heappush
from itertools import count

_WORTH_TIDYING = 64  # plans in the heap that were replaced meanwhile


class Urgency(IntEnum):
    """Which look comes first if several can take place."""

    EMERGENCY = 0
    DUE = 1  # its moment came, or somebody asked
    SWEEP = 2  # nobody announced anything


@dataclass(frozen=True, slots=True)
class Plan:
    """When to look at a target next."""

    moment: datetime
    urgency: Urgency = Urgency.DUE
    fresh: bool = False  # somebody else may have written: what is known of its documents is not good enough


@dataclass(frozen=True, slots=True)
class Turn:
    """A look that takes place now."""

    name: str
    urgency: Urgency
    fresh: bool


class Wheel:
    """The plans of the targets that this process looks at; never two looks at one of them at a time."""

    def __init__(self, most_sweeping: int) -> None:
        """`most_sweeping`: so many looks of the sweep may run at once, so that something due always finds a worker."""
        self._most_sweeping = most_sweeping
        self._held: set[str] = set()
        self._plans: dict[str, Plan] = {}
        self._numbers = count()  # so that of two equal plans the older one comes first
        self._later: list[tuple[datetime, int, str, Plan]] = []  # a heap; a plan that was replaced stays in it
        self._ready: list[tuple[Urgency, datetime, int, str, Plan]] = []  # a heap likewise
        self._sweep: deque[str] = deque()
        self._running: dict[str, Urgency] = {}

    @property
    def held(self) -> Collection[str]:
        """The targets that this process looks at."""
        return self._held

    @property
    def sweeping(self) -> bool:
        """True while a target waits for its look by the sweep."""
        return bool(self._sweep)

    def hold(self, names: Iterable[str]) -> list[str]:
        """Holds exactly these targets from now on and returns the new ones. A look that is running is finished."""
        wanted = set(names)
        added = [name for name in wanted if name not in self._held]
        for gone in self._held - wanted:
            self._plans.pop(gone, None)
        self._held = wanted
        return added

    def plan(self, name: str, plan: Plan) -> None:
        """Looks at a target at the moment of `plan`, or earlier if that was planned; after a look that is running."""
        if name not in self._held:
            return
        old = self._plans.get(name)
        if old is not None:
            fresh = plan.fresh or old.fresh
            plan = Plan(min(plan.moment, old.moment), min(plan.urgency, old.urgency), fresh)
        if plan != old:
            self._plans[name] = plan
            self._push(name, plan)

    def sweep(self, names: Iterable[str], now: datetime) -> None:
        """Looks at these targets and their documents, in order, as soon as there is nothing else to do."""
        waiting = set(self._sweep)
        for name in names:
            if name in self._running:
                self.plan(name, Plan(now, Urgency.SWEEP, fresh=True))
            elif name not in waiting:
                self._sweep.append(name)

    def advance(self, now: datetime) -> int:
        """Makes ready what is due and returns how many looks wait for a worker, without those of the sweep."""
        while self._later and (self._later[0][0] <= now or not self._is_current(*self._later[0][2:])):
            moment, number, name, plan = heappop(self._later)
            if self._is_current(name, plan):
                heappush(self._ready, (plan.urgency, moment, number, name, plan))
        return len(self._ready)

    def take(self, now: datetime) -> Turn | None:
        """Returns the look that comes first, which then runs until `finish`; None if there is nothing to do now."""
        self.advance(now)
        while self._ready:
            *_, name, plan = heappop(self._ready)
            if self._is_current(name, plan):
                return self._begin(name, plan.urgency, fresh=plan.fresh)
        if sum(urgency is Urgency.SWEEP for urgency in self._running.values()) >= self._most_sweeping:
            return None
        while self._sweep:
            name = self._sweep.popleft()
            if name in self._held and name not in self._running:
                return self._begin(name, Urgency.SWEEP, fresh=True)
        return None

    def finish(self, name: str, following: Plan | None) -> None:
        """Ends a look, which says when the next one is due; None: the sweep comes by."""
        del self._running[name]
        asked = self._plans.pop(name, None)  # during the look
        for plan in (asked, following):
            if plan is not None:
                self.plan(name, plan)

    def earliest(self) -> datetime | None:
        """Returns when the next plan is due that is not ready yet."""
        while self._later and not self._is_current(*self._later[0][2:]):
            heappop(self._later)
        return self._later[0][0] if self._later else None

    def _begin(self, name: str, urgency: Urgency, *, fresh: bool) -> Turn:
        self._plans.pop(name, None)
        self._running[name] = urgency
        return Turn(name, urgency, fresh)

    def _is_current(self, name: str, plan: Plan) -> bool:
        return self._plans.get(name) is plan and name not in self._running

    def _push(self, name: str, plan: Plan) -> None:
        if name in self._running:
            return  # `finish` does
        heappush(self._later, (plan.moment, next(self._numbers), name, plan))
        if len(self._later) > 2 * len(self._plans) + _WORTH_TIDYING:
            self._later = [each for each in self._later if self._is_current(*each[2:])]
            heapify(self._later)
