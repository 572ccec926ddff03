"""The bell: a small document that tells every process what was asked for, and what another one changed.

A process reads it every few seconds, whatever the number of targets. It holds nothing that matters: whoever has missed
a ring knows that, and looks at everything.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

_KEPT_FOR = timedelta(minutes=1)  # much longer than any process needs to read it
MOST_NAMES = 2000
"""So many targets are in the document at once: some 60 kB."""


class Ringing(Enum):
    """What a ring announces of its targets."""

    EMERGENCY = "emergency"  # a request that was written, and that goes ahead of everything
    ASKED = "asked"  # a request that was written
    CHANGED = "changed"  # whatever else was written


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring, for what one process wrote."""

    number: int
    at: datetime
    kind: Ringing
    by: str  # the process that rang, as it is named in claims
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bell:
    """The latest rings, and how often the bell was ever rung: the version of its document."""

    number: int = 0
    rings: tuple[Ring, ...] = ()
    dropped: int = 0  # the number of the latest ring that is not kept any more

    def after_ring(self, kind: Ringing, by: str, targets: Iterable[str], now: datetime) -> "Bell":
        """Returns the bell, rung once more for `targets`, without the rings that are old or that have no room."""
        number = self.number + 1
        rings = [*self.rings, Ring(number, now, kind, by, tuple(targets))]
        kept = [ring for ring in rings if ring.at > now - _KEPT_FOR]
        while sum(len(ring.targets) for ring in kept) > MOST_NAMES:
            kept.pop(0)
        oldest = min((ring.number for ring in kept), default=number + 1)
        return Bell(number, tuple(kept), oldest - 1)

    def rung_since(self, number: int, kinds: Collection[Ringing] = tuple(Ringing), but_by: str = "") -> frozenset[str]:
        """Returns the targets of the kept rings after that number, of these kinds and not by that process."""
        rings = (ring for ring in self.rings if ring.number > number and ring.kind in kinds and ring.by != but_by)
        return frozenset(name for ring in rings for name in ring.targets)

    def has_lost_since(self, number: int) -> bool:
        """True if a ring after that number is not kept any more: it may have been for any target."""
        return self.dropped > number
