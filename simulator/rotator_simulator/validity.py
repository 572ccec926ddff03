"""The periods in which each password of a simulated credential is accepted, on the monotonic clock."""

from dataclasses import dataclass
from datetime import datetime

from rotator.core.secret import Secret
from rotator.ports import Clock


@dataclass(slots=True)
class _Period:
    id: str
    password: Secret
    since: float
    until: float | None = None


class PasswordPeriods:
    """The periods of every password of an account. The caller must hold a lock."""

    def __init__(self, clock: Clock) -> None:
        """Starts without any period."""
        self._clock = clock
        self._by_username: dict[str, list[_Period]] = {}

    def open(self, identity: str, username: str, password: Secret, ends: datetime | None) -> None:
        """Accepts this password from now on, until `ends` if that is set."""
        self._by_username.setdefault(username, []).append(_Period(identity, password, self._clock.monotonic()))
        self.limit(identity, username, ends)

    def limit(self, identity: str, username: str, ends: datetime | None) -> None:
        """Ends the current periods at that moment; None leaves them open."""
        left = None if ends is None else (ends - self._clock.now()).total_seconds()
        for period in self._current(identity, username):
            period.until = None if left is None else self._clock.monotonic() + max(left, 0.0)

    def close(self, identity: str, username: str) -> None:
        """Ends the current periods now."""
        for period in self._current(identity, username):
            period.until = self._clock.monotonic()

    def valid(self, username: str, *, old: float, new: float) -> tuple[Secret, ...]:
        """Returns the passwords accepted now: from `new` seconds after a period's start to `old` after its end."""
        now = self._clock.monotonic()
        return tuple(
            period.password
            for period in self._by_username.get(username, ())
            if period.since + new <= now and (period.until is None or now < period.until + old)
        )

    def _current(self, identity: str, username: str) -> list[_Period]:
        now, periods = self._clock.monotonic(), self._by_username.get(username, ())
        return [one for one in periods if one.id == identity and (one.until is None or one.until > now)]
