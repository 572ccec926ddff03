"""The ring that follows a request, so that a daemon looks at once."""

from collections.abc import Sequence

from rotator.engine.conflicts import repeat_on_conflict
from rotator.ports import Clock, Store


def ring_bell(store: Store, clock: Clock, targets: Sequence[str]) -> None:
    """Rings the bell for targets whose requests are in Vault. Raises StoreError; then the poll finds the requests."""
    # Another command may ring too: neither ring may be lost.
    repeat_on_conflict(lambda: store.write_bell(store.read_bell().after_ring(targets, clock.now())), clock)
