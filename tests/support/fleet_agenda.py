"""What comes next in a simulated fleet: the looks of each process at each target, and what happens by itself."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from engine_harness import DAY

_FRUITLESS = 12  # looks in a row that change nothing, after which the next ones are spaced out
_WIDEST, _WIDEST_AT_LAST = timedelta(hours=6), DAY  # between looks that change nothing, and after twice as many
_AT_ONCE = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing: a look, or an act."""

    at: datetime
    number: int = -1  # of the process
    name: str = ""  # of the target
    from_memory: bool = False
    act: Callable[[], object] | None = None


class Agenda:
    """One queue. Only the last plan for a process and a target holds."""

    def __init__(self) -> None:
        self._order = count()
        self._queue: list[tuple[datetime, int, int, str]] = []
        self._acts: dict[int, Callable[[], object]] = {}
        self._planned: dict[tuple[int, str], tuple[datetime, bool]] = {}  # whether it begins with what is in memory
        self._fruitless: dict[str, Counter[int]] = defaultdict(Counter)  # by target and process

    def plan(
        self, number: int, name: str, at: datetime, *, only_earlier: bool = False, from_memory: bool = False
    ) -> None:
        """Plans the next look of a process at a target, in place of the one that was planned."""
        planned = self._planned.get((number, name))
        if only_earlier and planned is not None and planned[0] <= at:
            self._planned[number, name] = planned[0], planned[1] and from_memory
            return
        self._planned[number, name] = at, from_memory
        heappush(self._queue, (at, next(self._order), number, name))

    def plan_anew(self, number: int, name: str, at: datetime) -> None:
        """Plans a look after something has happened: those that changed nothing before it do not count."""
        self._fruitless[name][number] = 0
        self.plan(number, name, at)

    def act_at(self, at: datetime, act: Callable[[], object]) -> None:
        """Something happens by itself."""
        order = next(self._order)
        self._acts[order] = act
        heappush(self._queue, (at, order, -1, ""))

    def next_before(self, end: datetime) -> Due | None:
        """Takes the next thing that is due before `end`."""
        while self._queue and self._queue[0][0] < end:
            at, order, number, name = heappop(self._queue)
            if (act := self._acts.pop(order, None)) is not None:
                return Due(at, act=act)
            planned = self._planned.get((number, name))
            if planned is not None and planned[0] == at:
                del self._planned[number, name]
                return Due(at, number, name, planned[1])
        return None

    def pause_after(self, number: int, name: str, *, fruitful: bool) -> timedelta:
        """Returns the least time until the next look: those in vain are spaced out.

        What one process did changes what the others find: they do not go on waiting for as long as before.
        """
        fruitless = self._fruitless[name]
        if fruitful:
            fruitless.clear()
            return _AT_ONCE
        fruitless[number] += 1
        spaced = fruitless[number] - _FRUITLESS
        if spaced <= 0:
            return _AT_ONCE
        return min(timedelta(hours=2.0 ** min(spaced, 5)), _WIDEST if spaced <= _FRUITLESS else _WIDEST_AT_LAST)
