"""How long to wait after failures: exponential, capped, jittered. The caller stores the result, so it is drawn once."""

from dataclasses import dataclass
from datetime import timedelta


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
        # 2**40 times any base is beyond every cap: the exponent is bounded so that nothing overflows.
        doubled = self.base * 2 ** min(max(failures - 1, 0), 40) if self.base < self.cap else self.cap
        wait = min(doubled, self.cap) * (0.5 + fraction / 2)
        return max(wait, min(asked, timedelta(days=1))) if asked else wait
