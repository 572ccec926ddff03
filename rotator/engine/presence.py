"""The entry of this process among the living ones."""

from rotator.core.processes import RENEWED_EVERY, Processes, Role
from rotator.engine.conflicts import repeat_on_conflict
from rotator.ports import Clock, Store


class Presence:
    """Says that this process lives, and knows who else does. Call `renew` every `RENEWED_EVERY`. Thread-safe."""

    def __init__(self, store: Store, clock: Clock, holder: str, role: Role) -> None:
        self._store, self._clock, self._holder, self._role = store, clock, holder, role
        self._known = Processes()
        self._known_at = float("-inf")  # monotonic

    def renew(self) -> None:
        """Renews the entry of this process. Raises StoreError; the others then soon take it for dead."""
        self._learn(self._write(leaving=False))

    def leave(self) -> None:
        """Removes the entry of this process, so that the others need not wait until it counts as dead.

        Raises StoreError.
        """
        self._learn(self._write(leaving=True))

    def look(self) -> None:
        """Reads who lives without an entry of this process. Raises StoreError."""
        self._learn(self._store.read_processes())

    def living(self, role: Role | None = None) -> tuple[str, ...]:
        """Returns the holders that live, as of the last `renew` or `look` and by Vault's time; `role`: only these."""
        now = self._store.now()
        return self._known.living(now, role) if now is not None else ()

    def others(self) -> tuple[str, ...]:
        """Returns the holders of the other living processes, of any role."""
        return tuple(holder for holder in self.living() if holder != self._holder)

    def is_dead(self, holder: str) -> bool:
        """True if a process died without saying so: it renews its claims as little as its entry."""
        now = self._store.now()
        known = self._clock.monotonic() - self._known_at < 2 * RENEWED_EVERY.total_seconds()
        return now is not None and known and holder in self._known.dead(now)

    def _learn(self, known: Processes) -> None:
        self._known, self._known_at = known, self._clock.monotonic()

    def _write(self, *, leaving: bool) -> Processes:
        def write() -> Processes:
            read = self._store.read_processes()
            now = self._store.now() or self._clock.now()  # the store's time is known once it has answered
            known = read.without(self._holder, now) if leaving else read.renewed(self._holder, self._role, now)
            self._store.write_processes(known)
            return known

        return repeat_on_conflict(write, self._clock)
