"""The rate limit of a provider account, and waits that end when the process must stop."""

from datetime import timedelta
from threading import Lock

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from rotator.fields.network import RateLimit
from rotator.ports import Clock


def slept(clock: Clock, seconds: float) -> bool:
    """Waits. Returns False if the wait ended early because the process must stop."""
    started = clock.monotonic()
    clock.sleep(seconds)
    return clock.monotonic() - started >= seconds / 2


class Pacer:
    """Admits requests from all threads at the account's rate.

    Only pyrate-limiter's bucket is used, which counts and takes the time as an argument. Its `Limiter` sleeps and reads
    the clock itself, so it could neither be stopped nor bounded by a call's deadline.
    """

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        interval = max(int(limit.per / timedelta(milliseconds=1)), 1) if limit else 0
        self._bucket = InMemoryBucket([Rate(limit.requests, interval)]) if limit else None

    def admit(self, within: float) -> bool:
        """Waits for a turn, at most `within` seconds. Returns False if none comes in time or the process stops."""
        deadline = self._clock.monotonic() + within
        while (wait := self._turn()) > 0:
            if self._clock.monotonic() + wait > deadline or not slept(self._clock, wait):
                return False
        return True

    def _turn(self) -> float:
        """Takes a turn and returns 0, or returns the seconds until the next one."""
        if self._bucket is None:
            return 0.0
        with self._lock:
            now = int(self._clock.monotonic() * 1000)
            self._bucket.leak(now)
            item = RateItem("request", now)
            if self._bucket.put(item):
                return 0.0
            wait = self._bucket.waiting(item)
            # An InMemoryBucket is synchronous, although its base class may also return an awaitable.
            return max(wait, 1) / 1000 if isinstance(wait, int) else 1.0
