"""The circuit of one provider account: after too many failures in a row, only a single probe goes through at a time.

One bad response must not break a fleet, and an account that refuses everything must not be hammered.
"""

from dataclasses import dataclass, replace
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Circuit:
    """Closed while `failures` is below `threshold`. Times are monotonic seconds: a clock jump changes nothing."""

    threshold: int = 5
    open_for: timedelta = timedelta(minutes=5)
    failures: int = 0
    closed_until: float = 0.0  # nothing goes through before this moment, once open

    @property
    def is_open(self) -> bool:
        """True from the failure that reached the threshold until a probe succeeds."""
        return self.failures >= self.threshold

    def remaining(self, at: float) -> timedelta:
        """How long nothing goes through; zero where a call may be made."""
        return timedelta(seconds=max(self.closed_until - at, 0.0)) if self.is_open else timedelta()

    def probing(self, at: float) -> "Circuit":
        """A call goes out. While open, the door is shut again behind it, so that it is the only one."""
        return replace(self, closed_until=at + self.open_for.total_seconds()) if self.is_open else self

    def failed(self, at: float) -> "Circuit":
        """The account did not answer, or refused the account's key."""
        return replace(self, failures=self.failures + 1, closed_until=at + self.open_for.total_seconds())

    def succeeded(self) -> "Circuit":
        """The account answered as it should."""
        return replace(self, failures=0, closed_until=0.0)
