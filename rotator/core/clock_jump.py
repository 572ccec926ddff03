"""Noticing that the wall clock was set, by comparing it with a clock that never jumps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# More than NTP slews away between two looks, less than what would retire a credential early by any sensible overlap.
SMALLEST_JUMP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment."""

    wall: datetime
    monotonic: float

    def jump_since(self, earlier: "ClockReading") -> timedelta:
        """Returns by how much the wall clock was set since then, positive for forward; zero below `SMALLEST_JUMP`."""
        drift = (self.wall - earlier.wall) - timedelta(seconds=self.monotonic - earlier.monotonic)
        return drift if abs(drift) >= SMALLEST_JUMP else timedelta()
