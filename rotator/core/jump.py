"""Noticing that the wall clock was set: it is compared with one that never jumps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# More than NTP slews away between two looks, less than what would retire a credential early by any sensible overlap.
NOTICED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment."""

    wall: datetime
    monotonic: float

    def jump_since(self, earlier: "Reading") -> timedelta:
        """By how much the wall clock was set since then, positive for forward; zero below `NOTICED`."""
        drift = (self.wall - earlier.wall) - timedelta(seconds=self.monotonic - earlier.monotonic)
        return drift if abs(drift) >= NOTICED else timedelta()
