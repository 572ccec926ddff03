"""The bell: a small document that tells every daemon which targets somebody has just asked for.

A daemon reads it every few seconds, whatever the number of targets. It holds nothing that matters: a request whose bell
was lost is found by the poll.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

_KEPT_FOR = timedelta(minutes=1)  # much longer than any daemon needs to read it
_MOST_NAMES = 500  # the poll finds the rest


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring, for the requests that one command wrote."""

    number: int
    at: datetime
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bell:
    """The latest rings, and how often the bell was ever rung: the version of its document."""

    number: int = 0
    rings: tuple[Ring, ...] = ()

    def after_ring(self, targets: Iterable[str], now: datetime) -> "Bell":
        """Returns the bell, rung once more for `targets`, without the rings that everybody has heard."""
        number = self.number + 1
        kept = [ring for ring in self.rings if ring.at > now - _KEPT_FOR]
        kept.append(Ring(number, now, tuple(targets)[:_MOST_NAMES]))
        while sum(len(ring.targets) for ring in kept) > _MOST_NAMES:
            kept.pop(0)
        return Bell(number, tuple(kept))

    def rung_since(self, number: int) -> frozenset[str]:
        """Returns the targets of the rings after that number."""
        return frozenset(name for ring in self.rings if ring.number > number for name in ring.targets)
