"""The circuit breaker of one provider account, or of one verb there that its key has no right to.

An open circuit lets nothing through but one probe at a time. One failing account must not break a fleet, and an account
that refuses everything must not be hammered.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum


class ProviderVerb(Enum):
    """A call to a provider. A key may have the right to some of them only."""

    FIND = "list"
    CREATE = "create"
    COMPLETE = "complete"
    SET_PASSWORD = "set_password"  # noqa: S105
    ENABLE = "enable"
    ATTACH = "attach"  # also the look at what is attached
    EXPIRE = "expire"
    DISABLE = "disable"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Circuit:
    """Open from the failure that reaches `threshold` until a call succeeds, after which there is a new one.

    Times are monotonic seconds: a clock jump changes nothing.
    """

    threshold: int = 5
    open_for: timedelta = timedelta(minutes=5)
    failures: int = 0
    open_until: float = 0.0  # when the next probe may go out, while the circuit is open

    @property
    def is_open(self) -> bool:
        """True from the failure that reached the threshold until a probe succeeds."""
        return self.failures >= self.threshold

    def wait(self, at: float) -> timedelta:
        """Returns how long to wait before the next call; zero if one may go out now."""
        return timedelta(seconds=max(self.open_until - at, 0.0)) if self.is_open else timedelta()

    def after_call(self, at: float) -> "Circuit":
        """Counts a call that goes out. If the circuit is open it is the probe: no other may follow for `open_for`."""
        return replace(self, open_until=at + self.open_for.total_seconds()) if self.is_open else self

    def after_failure(self, at: float) -> "Circuit":
        """Counts a failure: no answer, or a refusal of the account's key or of this verb."""
        return replace(self, failures=self.failures + 1, open_until=at + self.open_for.total_seconds())
