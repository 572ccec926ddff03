"""The claims of other processes, timed by this process's own clock."""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from rotator.core.model import Claim
from rotator.ports import Clock

_OF_THE_DEAD = 0.45  # of a claim; a third is the time between two renewals


class Claims:
    """Watches the claims of other processes; thread-safe.

    The clocks of two processes may differ by any amount, so the time in a claim means something only to its holder.
    This process respects a claim for its whole length from when it first sees it, and again from each renewal; its
    holder renews it with every write. All processes of an installation configure the same length.

    If the holder is known to be dead, its claim is respected for little longer than a living one takes to renew it. A
    dead one has renewed nothing for longer than a claim lasts, so it begins no effect by it any more.
    """

    def __init__(
        self, clock: Clock, holder: str, length: timedelta, is_dead: Callable[[str], bool] = lambda _: False
    ) -> None:
        """`is_dead` returns True for a holder that is known to be dead."""
        self._clock, self._holder, self._length, self._is_dead = clock, holder, length, is_dead
        self._seen: dict[str, tuple[Claim, float]] = {}
        self._lock = Lock()

    def remaining(self, target: str, claim: Claim | None) -> timedelta:
        """Returns how long this process must still respect the claim on a target."""
        if claim is None and target not in self._seen:  # as nearly always
            return timedelta()
        now = self._clock.monotonic()
        with self._lock:
            if claim is None or claim.holder == self._holder:
                self._seen.pop(target, None)
                return timedelta()
            seen = self._seen.get(target)
            if seen is None or seen[0] != claim:
                seen = self._seen[target] = (claim, now)
            length = self._length * _OF_THE_DEAD if self._is_dead(claim.holder) else self._length
            return max(length - timedelta(seconds=now - seen[1]), timedelta())
