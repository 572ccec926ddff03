"""What one process has learned from its log-ins at an account, so that few of them are wrong. Pure.

Registrars lock out the addresses from which wrong log-ins come. Right ones cost nothing and hold nobody up: a fleet
makes one for each rotation.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from rotator.core.answers import Answer, Done, Refused, Retry, Wait

BURST = 10
"""So many wrong log-ins may follow each other at once."""
ANOTHER_AFTER = timedelta(minutes=1)
"""After so long, or after a right one, one more wrong log-in is all right."""
_SHORTEST, _FORGETS_HALF_IN = 0.5, 1800.0  # seconds that are worth waiting for; after so many, what was learned halves


def is_wrong(answer: Answer[object]) -> bool:
    """True if the registrar refused a log-in. An answer that says nothing about the password does not count."""
    if isinstance(answer, Refused):
        return not answer.why.concerns_account
    return isinstance(answer, Retry) and answer.why is Wait.NOT_YET


@dataclass(frozen=True, slots=True)
class LogIns:
    """The log-ins at one account. Times are monotonic, in seconds."""

    wrong: float = 0.0  # those that still count
    at: float = 0.0
    settles: float = 0.0  # seconds from a change until it is likely to be accepted
    learned_at: float = 0.0

    def after(self, at: float, answer: Answer[object]) -> "LogIns":
        """Counts a log-in that was made at `at`."""
        if is_wrong(answer):
            return replace(self, wrong=self._still_wrong(at) + 1, at=at)
        repaid = isinstance(answer, Done)
        return replace(self, wrong=max(self._still_wrong(at) - repaid, 0.0), at=at)

    def after_early(self, at: float, seconds: float) -> "LogIns":
        """Learns that a change was not accepted yet, so many seconds after it was made: the next ones are tried later.

        Otherwise each of a fleet would be refused before the first of them shows how long it takes.
        """
        return replace(self, settles=max(1.5 * seconds + 1, self._settles(at)), learned_at=at)

    def after_settling(self, at: float, seconds: float) -> "LogIns":
        """Learns that a change was accepted so many seconds after it was made, and refused before that."""
        return replace(self, settles=seconds, learned_at=at)

    @property
    def says_nothing(self) -> bool:
        """True if nothing waits because of it, now or later."""
        return not self.wrong and not self.settles

    def may_rest(self) -> bool:
        """True if the next log-in may have to wait. With time it only becomes less."""
        return self.wrong > BURST - 1

    def may_settle(self) -> bool:
        """True if a change may not be accepted at once. With time it only becomes less."""
        return self.settles >= _SHORTEST

    def rest(self, at: float) -> timedelta:
        """Returns how long the next log-in should wait: zero unless too many were wrong."""
        too_many = self._still_wrong(at) - (BURST - 1)
        return too_many * ANOTHER_AFTER if too_many > 0 else timedelta()

    def settles_in(self, at: float) -> timedelta:
        """Returns how long after a change the first log-in is likely to be right. That is forgotten in hours."""
        seconds = self._settles(at)
        return timedelta(seconds=seconds) if seconds >= _SHORTEST else timedelta()

    def _settles(self, at: float) -> float:
        return float(self.settles * 0.5 ** ((at - self.learned_at) / _FORGETS_HALF_IN))

    def _still_wrong(self, at: float) -> float:
        return max(self.wrong - (at - self.at) / ANOTHER_AFTER.total_seconds(), 0.0)
