"""How often a provider account is asked, and waiting that ends when the process is asked to stop."""

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from rotator.ports import Clock


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in any stretch of time as long as `per`."""

    requests: int
    per: timedelta

    def __post_init__(self) -> None:
        """Refuses what would never let a request through."""
        if self.requests < 1 or self.per < timedelta(milliseconds=1):
            raise ValueError("a rate limit lets at least one request through, in a millisecond or more")


def slept(clock: Clock, seconds: float) -> bool:
    """Waits; False where the wait ended early because the process is asked to stop."""
    started = clock.monotonic()
    clock.sleep(seconds)
    return clock.monotonic() - started >= seconds / 2


class Pacer:
    """Lets requests through at the account's rate, whichever threads they come from.

    pyrate-limiter's `Limiter` sleeps and reads time by itself, so that it could neither be stopped nor bounded by a
    call's deadline: only its bucket is used, which does the counting and is told the time.
    """

    def __init__(self, limit: RateLimit | None, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        interval = max(int(limit.per / timedelta(milliseconds=1)), 1) if limit else 0
        self._bucket = InMemoryBucket([Rate(limit.requests, interval)]) if limit else None

    def admit(self, within: float) -> bool:
        """Waits for a turn, `within` seconds at most. False: there is none in time, or the process is to stop."""
        deadline = self._clock.monotonic() + within
        while (wait := self._turn()) > 0:
            if self._clock.monotonic() + wait > deadline or not slept(self._clock, wait):
                return False
        return True

    def _turn(self) -> float:
        """Takes a turn and returns 0, or returns the seconds until there may be one."""
        if self._bucket is None:
            return 0.0
        with self._lock:
            now = int(self._clock.monotonic() * 1000)
            self._bucket.leak(now)
            item = RateItem("request", now)
            if self._bucket.put(item):
                return 0.0
            wait = self._bucket.waiting(item)
            # An InMemoryBucket is synchronous, though its base class may also answer with an awaitable.
            return max(wait, 1) / 1000 if isinstance(wait, int) else 1.0
