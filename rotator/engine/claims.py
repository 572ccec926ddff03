"""The claims of other processes, timed by this process's own clock."""

from datetime import timedelta
from threading import Lock

from rotator.core.model import Claim
from rotator.ports import Clock


class Claims:
    """Watches the claims of other processes; thread-safe.

    The clocks of two processes may differ by any amount, so the time in a claim means something only to its holder.
    This process respects a claim for its whole length from when it first sees it, and again from each renewal; its
    holder renews it with every write. All processes of an installation configure the same length.
    """

    def __init__(self, clock: Clock, holder: str, length: timedelta) -> None:
        self._clock, self._holder, self._length = clock, holder, length
        self._seen: dict[str, tuple[Claim, float]] = {}
        self._lock = Lock()

    def remaining(self, target: str, claim: Claim | None) -> timedelta:
        """Returns how long this process must still respect the claim on a target."""
        now = self._clock.monotonic()
        with self._lock:
            if claim is None or claim.holder == self._holder:
                self._seen.pop(target, None)
                return timedelta()
            seen = self._seen.get(target)
            if seen is None or seen[0] != claim:
                seen = self._seen[target] = (claim, now)
            return max(self._length - timedelta(seconds=now - seen[1]), timedelta())
