"""Detects that the wall clock was set, by comparing it with a clock that never jumps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# More than NTP slews between two looks, and too little to cut any sensible overlap noticeably short.
SMALLEST_JUMP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Both clocks at one moment."""

    wall: datetime
    monotonic: float

    def jump_since(self, earlier: "ClockReading") -> timedelta:
        """Returns how far the wall clock was set since then, positive for forward; zero below `SMALLEST_JUMP`."""
        drift = (self.wall - earlier.wall) - timedelta(seconds=self.monotonic - earlier.monotonic)
        return drift if abs(drift) >= SMALLEST_JUMP else timedelta()
