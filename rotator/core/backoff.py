"""How long to wait after failures: exponential, capped, jittered. The caller stores the result, so it is drawn once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_ASKED = timedelta(days=1)  # the most that a provider's Retry-After is obeyed


def is_waiting(not_before: datetime | None, now: datetime) -> bool:
    """True while a stored wait lasts. One that ends later than any wait can was stored by a clock that was wrong."""
    return not_before is not None and now < not_before <= now + 2 * LONGEST_ASKED


@dataclass(frozen=True, slots=True)
class Backoff:
    """`base` after the first failure, doubled after each further one, never more than `cap`."""

    base: timedelta = timedelta(seconds=30)
    cap: timedelta = timedelta(hours=1)

    def delay(self, failures: int, fraction: float, asked: timedelta | None = None) -> timedelta:
        """The wait after `failures` failures in a row.

        Args:
            fraction: in [0, 1); spreads the wait over its upper half, so that a fleet does not return together.
            asked: what the provider asked for (Retry-After); never undercut, but capped at a day.
        """
        wait = self._doubled(max(failures - 1, 0)) * (0.5 + fraction / 2)
        return max(wait, min(asked, LONGEST_ASKED)) if asked else wait

    def _doubled(self, times: int) -> timedelta:
        # As many doublings as the cap has room for, so that nothing overflows however long it goes on failing.
        room = (self.cap // self.base).bit_length() if self.base else 0
        return min(self.base * (1 << min(times, room)), self.cap)
