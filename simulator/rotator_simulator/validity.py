"""For how long each password of a simulated credential lets somebody in, on the monotonic clock."""

from dataclasses import dataclass
from datetime import datetime

from rotator.core.secret import Secret
from rotator.ports import Clock


@dataclass(slots=True)
class _Span:
    id: str
    password: Secret
    since: float
    until: float | None = None


class Spans:
    """When which password is in force. Its owner locks."""

    def __init__(self, clock: Clock) -> None:
        """Starts without any."""
        self._clock = clock
        self._by_username: dict[str, list[_Span]] = {}

    def open(self, identity: str, username: str, password: Secret, ends: datetime | None) -> None:
        """From now on this password lets in, until `ends` if that is set."""
        self._by_username.setdefault(username, []).append(_Span(identity, password, self._clock.monotonic()))
        self.limit(identity, username, ends)

    def limit(self, identity: str, username: str, ends: datetime | None) -> None:
        """What is in force ends then; None: not by itself."""
        left = None if ends is None else (ends - self._clock.now()).total_seconds()
        for span in self._running(identity, username):
            span.until = None if left is None else self._clock.monotonic() + max(left, 0.0)

    def close(self, identity: str, username: str) -> None:
        """From now on nothing of it lets anybody in."""
        for span in self._running(identity, username):
            span.until = self._clock.monotonic()

    def valid(self, username: str, *, old: float, new: float) -> tuple[Secret, ...]:
        """The passwords that are accepted now: each for `old` seconds after its end, and `new` after its beginning."""
        now = self._clock.monotonic()
        return tuple(
            span.password
            for span in self._by_username.get(username, ())
            if span.since + new <= now and (span.until is None or now < span.until + old)
        )

    def _running(self, identity: str, username: str) -> list[_Span]:
        now, spans = self._clock.monotonic(), self._by_username.get(username, ())
        return [span for span in spans if span.id == identity and (span.until is None or span.until > now)]
