"""What is paused, as this process knows it, and the change of it by a person."""

from collections.abc import Callable
from threading import Lock

from rotator.core.pauses import Pauses
from rotator.engine.conflicts import repeat_on_conflict
from rotator.ports import Clock, Store

_FRESH_FOR = 5.0  # seconds: longer than from one reading of the bell to the next, so that a daemon reads only what rang
_READ_EVERY = 60.0  # seconds, even if nobody rings


class PauseBook:
    """Reads and writes the one document with every pause. Thread-safe."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._lock = Lock()
        self._known = Pauses()
        self._read_at: float | None = None  # monotonic
        self._true_at: float | None = None  # the last reading, or the last time that nobody had rung since

    @property
    def known(self) -> Pauses:
        """What was read last; nothing before the first reading."""
        return self._known

    def fresh(self) -> Pauses:
        """Returns what is paused, as of five seconds ago at most. Raises StoreError."""
        with self._lock:  # the others wait for one reading, rather than each reading the same
            return self._known if self._is_within(_FRESH_FOR, self._true_at) else self._read()

    def follow(self, *, rung: bool) -> None:
        """Reads again if somebody rang, or after a minute. Raises StoreError."""
        with self._lock:
            if rung or not self._is_within(_READ_EVERY, self._read_at):
                self._read()
            else:
                self._true_at = self._clock.monotonic()

    def change(self, change: Callable[[Pauses], Pauses]) -> Pauses:
        """Writes what `change` makes of the pauses, and returns that. Raises StoreError, and what `change` raises."""

        def write() -> Pauses:
            with self._lock:
                changed = change(self._read())
                self._store.write_pauses(changed)
                self._known = changed
            return changed

        return repeat_on_conflict(write, self._clock)

    def _is_within(self, seconds: float, since: float | None) -> bool:
        return since is not None and self._clock.monotonic() - since < seconds

    def _read(self) -> Pauses:
        began = self._clock.monotonic()
        self._known, self._read_at, self._true_at = self._store.read_pauses(), began, began
        return self._known
