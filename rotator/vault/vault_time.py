"""Vault's time, from what its answers say of it: sharper with each answer.

An answer's `Date` has whole seconds, and was written between the request and the answer. So it bounds how far Vault's
clock is ahead of this process's monotonic one: by a second and the answer's way. What many answers say together bounds
it more closely. The time at which Vault stored a document has nanoseconds, and bounds it by the answer's way alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from threading import Lock

from rotator.core.pace import Moment

_DRIFT = 2e-4  # seconds in a second: how fast two clocks may come apart while nobody sets them
_ONE_CLUSTER = 0.2  # seconds: what the clocks of Vault's nodes may differ by
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _ClockBounds:
    """How many seconds Vault's clock is ahead of the monotonic one, at least and at most."""

    least: float
    most: float
    at: float  # when this was known, by the monotonic clock

    def later(self, now: float) -> "_ClockBounds":
        drift = _DRIFT * max(now - self.at, 0.0)
        return _ClockBounds(self.least - drift, self.most + drift, now)

    def joined(self, other: "_ClockBounds") -> "_ClockBounds":
        """Returns what both say. Where they contradict each other, another node answered, or Vault's clock was set."""
        least, most = max(self.least, other.least), min(self.most, other.most)
        if least <= most:
            return _ClockBounds(least, most, other.at)
        if least - most < _ONE_CLUSTER:
            return _ClockBounds(min(self.least, other.least), max(self.most, other.most), other.at)
        return other


class VaultTime:
    """Vault's time in this process. Thread-safe; all its arguments are readings of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._bounds: _ClockBounds | None = None
        self._lock = Lock()

    def learn_date(self, date: str, sent: float, received: float) -> None:
        """Learns from the `Date` of the answer to a request that was sent and answered then; ignores what is none."""
        told = _parsed(date)
        if told is not None:
            self._learn(told, timedelta(seconds=1), sent, received)

    def learn_moment(self, moment: datetime, sent: float, received: float) -> None:
        """Learns that Vault's clock showed `moment` while a request was answered."""
        self._learn(moment, timedelta(), sent, received)

    def _learn(self, told: datetime, length: timedelta, sent: float, received: float) -> None:
        seconds = (told - _EPOCH).total_seconds()
        new = _ClockBounds(seconds - received, seconds + length.total_seconds() - sent, received)
        with self._lock:
            self._bounds = new if self._bounds is None else self._bounds.later(received).joined(new)

    def at(self, now: float) -> Moment | None:
        """Returns Vault's time at `now`, and how wrong that may be; None before the first answer."""
        with self._lock:
            if self._bounds is None:
                return None
            bounds = self._bounds.later(now)
        middle, within = (bounds.least + bounds.most) / 2, (bounds.most - bounds.least) / 2
        return Moment(_EPOCH + timedelta(seconds=now + middle), timedelta(seconds=within))


@lru_cache(maxsize=4)
def _parsed(date: str) -> datetime | None:
    """Parses a `Date`, which stays the same for a second of answers; None if it is not one of Vault's."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
