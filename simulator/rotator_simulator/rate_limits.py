"""The rate limit of a simulated account, as providers have it: a bucket that fills again, 429 and Retry-After."""

import math
import threading
from dataclasses import dataclass, field

from rotator.ports import Clock


@dataclass
class SimulatedRateLimit:
    """Admits `rate` requests a second and `burst` at once, and counts. Thread-safe.

    A request that is refused asks the client to wait `retry_after` seconds.
    """

    clock: Clock
    rate: float
    burst: float
    retry_after: int = 1
    admitted: list[float] = field(default_factory=list)  # when, by the monotonic clock
    refused: int = 0
    too_early: int = 0  # of all requests, those that came before the wait was over
    _level: float = 0.0
    _at: float = -math.inf
    _until: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self) -> bool:
        """Counts a request, and returns whether it is admitted."""
        with self._lock:
            now = self.clock.monotonic()
            self._level = max(self._level - (now - self._at) * self.rate, 0.0)
            self._at = now
            self.too_early += now < self._until
            if self._level + 1 > self.burst:
                self.refused += 1
                self._until = now + self.retry_after
                return False
            self._level += 1
            self.admitted.append(now)
            return True


class RateLimits:
    """The rate limits of the accounts of one simulator; none at first."""

    def __init__(self) -> None:
        self._of: dict[str, SimulatedRateLimit] = {}

    def set(self, account: str, limit: SimulatedRateLimit) -> SimulatedRateLimit:
        """Limits an account from now on; returns the limit, which counts."""
        self._of[account] = limit
        return limit

    def refusal(self, account: str) -> int | None:
        """Counts a request; returns the seconds to wait if it is refused."""
        limit = self._of.get(account)
        return None if limit is None or limit.admit() else limit.retry_after
