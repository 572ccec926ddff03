"""The living processes: a small document in which each one says every few seconds that it is there.

It decides nothing that must be right: claims and check-and-set keep two processes apart. It tells the daemons who looks
at which target, and the commands whether a daemon lives.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b

RENEWED_EVERY = timedelta(seconds=4)
LIVES_FOR = timedelta(seconds=15)
"""A process that was not renewed for so long is dead: three renewals were lost, and a slow request to Vault."""
_KEPT_FOR = timedelta(minutes=5)  # much longer than a claim: so long it is known whose claims were left behind


class Role(Enum):
    """What a process is there for."""

    DAEMON = "daemon"  # looks at its share of the targets
    COMMAND = "command"  # somebody waits for its end


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process, and when it last said that it lives."""

    holder: str  # its name in claims
    role: Role
    seen_at: datetime  # by Vault's time, which all processes share

    def lives(self, now: datetime) -> bool:
        """True if it was seen lately."""
        return self.is_within(LIVES_FOR, now)

    def is_within(self, length: timedelta, now: datetime) -> bool:
        """True if it was seen so lately. An entry of the future is of a time before Vault's clock was set back."""
        return abs(now - self.seen_at) < length


@dataclass(frozen=True, slots=True)
class Processes:
    """Every process that was seen in the last minutes, and the version of the document that says so."""

    version: int = 0
    entries: tuple[ProcessEntry, ...] = ()

    def living(self, now: datetime, role: Role | None = None) -> tuple[str, ...]:
        """Returns the holders of those that live by Vault's time `now`, in order; `role`: only of these."""
        return tuple(sorted(each.holder for each in self.entries if each.lives(now) and role in (None, each.role)))

    def dead(self, now: datetime) -> frozenset[str]:
        """Returns the holders that died without saying so, and not long ago."""
        return frozenset(each.holder for each in self.entries if not each.lives(now))

    def renewed(self, holder: str, role: Role, now: datetime) -> "Processes":
        """Returns the next version of the document, in which `holder` was seen just now; the long dead are dropped."""
        return Processes(self.version + 1, (*self._others(holder, now), ProcessEntry(holder, role, now)))

    def without(self, holder: str, now: datetime) -> "Processes":
        """Returns the next version of the document, without `holder` and the long dead."""
        return Processes(self.version + 1, self._others(holder, now))

    def _others(self, holder: str, now: datetime) -> tuple[ProcessEntry, ...]:
        return tuple(each for each in self.entries if each.holder != holder and each.is_within(_KEPT_FOR, now))


def owner(target: str, holders: tuple[str, ...]) -> str:
    """Returns which of the holders, at least one, looks at a target.

    Rendezvous hashing: if a holder comes or goes, only the targets that it takes or leaves change hands.
    """
    return max(holders, key=lambda holder: (blake2b(f"{holder}\0{target}".encode(), digest_size=8).digest(), holder))
