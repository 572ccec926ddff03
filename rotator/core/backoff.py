"""Back-off after failures: exponential, capped, jittered. The caller stores the result, so the jitter is drawn once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_ASKED = timedelta(days=1)  # the longest Retry-After of a provider that is obeyed


def is_waiting(not_before: datetime | None, now: datetime) -> bool:
    """True while a stored wait lasts. A wait that ends impossibly late was stored by a wrong clock and is ignored."""
    return not_before is not None and now < not_before <= now + 2 * LONGEST_ASKED


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait of `base` after the first failure. It doubles with each further one and never exceeds `cap`."""

    base: timedelta = timedelta(seconds=30)
    cap: timedelta = timedelta(hours=1)

    def delay(self, failures: int, fraction: float, asked: timedelta | None = None) -> timedelta:
        """Returns the wait after so many failures in a row.

        Args:
            fraction: in [0, 1); spreads the wait over its upper half to keep a fleet from returning at the same time.
            asked: the provider's Retry-After; obeyed, up to a day.
        """
        # Doubling stops at the cap, so nothing overflows after many failures.
        most = (self.cap // self.base).bit_length() if self.base else 0
        doublings = min(max(failures - 1, 0), most)
        wait = min(self.base * (1 << doublings), self.cap) * (0.5 + fraction / 2)
        return max(wait, min(asked, LONGEST_ASKED)) if asked else wait
