"""The targets whose rotation was asked for a moment ago, so that a signal does not ask for the same again."""

from threading import Lock

from rotator.core.model import Purpose, TargetState
from rotator.core.staging import SCHEDULED_BY
from rotator.ports import Clock


class RecentRequests:
    """Remembers when a rotation of each target was last asked for, and whether that was carried out. Thread-safe.

    This process learns of a request when it first sees it: the clock of a command may differ.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: dict[str, float] = {}  # by target, on the monotonic clock
        self._last: dict[str, tuple[object, str]] = {}  # by target: the request that was seen last, or its attempt
        self._carried_out: set[str] = set()
        self._lock = Lock()

    def note(self, target: str, at: float) -> None:
        """Remembers that a rotation of a target was asked for at `at`, on the monotonic clock."""
        with self._lock:
            self._asked[target] = at

    def see(self, state: TargetState) -> None:
        """Takes note of a state that was read or written."""
        asked = _asked_in(state)
        with self._lock:
            if asked is not None and self._last.get(state.target) != asked:
                self._last[state.target], self._asked[state.target] = asked, self._clock.monotonic()
            if state.request is None and state.attempt is None and not state.failures:
                self._carried_out.add(state.target)
            else:
                self._carried_out.discard(state.target)

    def were_carried_out(self, target: str, since: float) -> bool:
        """True if a rotation was asked for since then, and was carried out."""
        with self._lock:
            return target in self._carried_out and self._asked.get(target, since - 1) >= since

    def forget_all_but(self, names: set[str]) -> None:
        """Forgets the targets that are no longer configured."""
        with self._lock:
            for gone in (set(self._asked) | set(self._last) | self._carried_out) - names:
                self._asked.pop(gone, None)
                self._last.pop(gone, None)
                self._carried_out.discard(gone)


def _asked_in(state: TargetState) -> tuple[object, str] | None:
    """Returns what tells one request for a rotation from another, before and after it became an attempt."""
    request, attempt = state.request, state.attempt
    if request is not None and request.purpose is Purpose.ROTATE:
        return request.at, request.requested_by
    if attempt is not None and attempt.purpose is Purpose.ROTATE and attempt.requested_by != SCHEDULED_BY:
        return attempt.id, attempt.requested_by
    return None
