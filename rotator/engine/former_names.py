"""The names under which state documents stand that no configured target has: renamed or removed targets."""

from collections.abc import Collection
from threading import Lock

from rotator.core.model import Target, TargetState
from rotator.ports import Store, StoreCorrupt


class FormerNames:
    """Knows which document devices read was written under a name that is not configured any more. Thread-safe."""

    def __init__(self, store: Store, configured: Collection[str]) -> None:
        self._store, self._configured = store, configured
        self._lock = Lock()
        self._by_path: dict[str, str] | None = None

    def configure(self, names: Collection[str]) -> None:
        """Takes note of the names that are configured now."""
        self._configured = names

    def at(self, target: Target) -> str:
        """Returns the former name of a target that has no state of its own, or an empty text. Raises StoreError.

        The documents are read once, before any target begins anew; a name that is found is read again.
        """
        with self._lock:
            if self._by_path is None:
                states = (self._publishing(name) for name in self.all() if name != target.name)
                self._by_path = {state.path: state.target for state in states if state is not None}
            name = self._by_path.get(target.path, "")
        still = self._publishing(name) if name and name != target.name else None
        return name if still is not None and still.path == target.path else ""

    def all(self) -> tuple[str, ...]:
        """Returns the names of every state document whose target is not configured. Raises StoreError."""
        return tuple(name for name in self._store.list_states() if name not in self._configured)

    def _publishing(self, name: str) -> TargetState | None:
        """Returns the state under a name if devices may read what it published. A damaged document says nothing."""
        try:
            state = self._store.read_state(name).state
        except StoreCorrupt:
            return None
        return state if state.published is not None or state.attempt is not None else None
