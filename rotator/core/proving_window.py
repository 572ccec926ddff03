"""The window of an in-place account: how many passwords may be set before their proofs come.

A provider that takes passwords and does not accept them must not cut off more than a handful of targets, and one that
does accept them must not be slowed down. So there are two numbers, and both begin small. How many may be in flight
grows with each proof. How many may have been tried in vain grows only with those that were accepted in the end. A
refusal shrinks both to one.
"""

from dataclasses import dataclass, replace

_MOST_IN_FLIGHT, _MOST_IN_DOUBT = 512, 64
_RESTS_AFTER = 600.0  # seconds after the last proof or refusal: what it showed is old


@dataclass(frozen=True, slots=True)
class ProvingWindow:
    """The window of one account. Times are monotonic seconds."""

    beginning: int
    in_flight: int
    in_doubt: int
    last: float

    @classmethod
    def begun(cls, beginning: int, at: float) -> "ProvingWindow":
        """Returns a window that nothing has happened in."""
        return cls(beginning, beginning, beginning, at)

    def has_room(self, in_flight: int, in_doubt: int, at: float) -> bool:
        """True if another password may be set beside so many that are not proved.

        Args:
            in_flight: those that are not proved yet, whether tried or not.
            in_doubt: those of them that were tried and not accepted yet.
        """
        now = self._rested(at)
        return in_flight < now.in_flight and in_doubt < now.in_doubt

    def after_proof(self, at: float, *, late: bool) -> "ProvingWindow":
        """Grows; `late`: it had been tried in vain before."""
        now = self._rested(at)
        return replace(
            now,
            in_flight=min(now.in_flight + 1, _MOST_IN_FLIGHT),
            in_doubt=min(now.in_doubt + late, _MOST_IN_DOUBT),
            last=at,
        )

    def after_refusal(self, at: float) -> "ProvingWindow":
        """Shrinks: a password was not accepted in time."""
        return replace(self, in_flight=1, in_doubt=1, last=at)

    def _rested(self, at: float) -> "ProvingWindow":
        return self if at - self.last < _RESTS_AFTER else ProvingWindow.begun(self.beginning, self.last)
