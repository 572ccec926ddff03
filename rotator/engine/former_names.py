"""The names under which state documents stand that no configured target has: renamed or removed targets."""

from collections.abc import Collection
from threading import Lock

from rotator.core.model import Target, TargetState
from rotator.ports import Store


class FormerNames:
    """Knows which document devices read was written under a name that is not configured any more. Thread-safe."""

    def __init__(self, store: Store, configured: Collection[str]) -> None:
        self._store, self._configured = store, configured
        self._lock = Lock()
        self._by_path: dict[str, str] | None = None

    def at(self, target: Target) -> str:
        """Returns the former name of a target that has no state of its own, or an empty text. Raises StoreError.

        The documents are read once, before any target begins anew; a name that is found is read again.
        """
        with self._lock:
            if self._by_path is None:
                self._by_path = {state.path: state.target for state in self.read() if _publishes(state)}
            name = self._by_path.get(target.path, "")
        if not name or name == target.name:
            return ""
        state = self._store.read_state(name).state
        return name if _publishes(state) and state.path == target.path else ""

    def read(self) -> tuple[TargetState, ...]:
        """Reads every state document whose target is not configured. Raises StoreError."""
        names = [name for name in self._store.list_states() if name not in self._configured]
        return tuple(self._store.read_state(name).state for name in names)


def _publishes(state: TargetState) -> bool:
    return state.published is not None or state.attempt is not None
