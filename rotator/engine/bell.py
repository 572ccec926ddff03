"""The ring that follows a write, so that whoever it concerns looks at once."""

from collections.abc import Collection

from rotator.core.bell import Ringing
from rotator.engine.conflicts import repeat_on_conflict
from rotator.ports import Clock, Store


def ring_bell(store: Store, clock: Clock, by: str, targets: Collection[str], kind: Ringing) -> None:
    """Rings the bell for targets whose documents `by` has written.

    Raises StoreError; then the next sweep finds what was written.
    """

    def ring() -> None:
        bell = store.read_bell()
        # A time that the processes share decides how long a ring is kept.
        store.write_bell(bell.after_ring(kind, by, targets, store.now() or clock.now()))

    repeat_on_conflict(ring, clock)  # another process may ring too: neither ring may be lost
