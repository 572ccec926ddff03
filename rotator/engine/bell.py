"""The ring that follows a request, so that a daemon looks at once."""

from collections.abc import Sequence

from rotator.ports import Clock, Conflict, Store

_MOST_CONFLICTS = 5
_AFTER_CONFLICT = 0.15  # seconds, as after any conflict


def ring_bell(store: Store, clock: Clock, targets: Sequence[str]) -> None:
    """Rings the bell for targets whose requests are in Vault. Raises StoreError; then the poll finds the requests."""
    for attempt in range(_MOST_CONFLICTS):
        bell = store.read_bell()
        try:
            store.write_bell(bell.after_ring(targets, clock.now()))
        except Conflict:  # another command rings too: neither ring may be lost
            if attempt == _MOST_CONFLICTS - 1:
                raise
            clock.sleep(_AFTER_CONFLICT)
        else:
            return
