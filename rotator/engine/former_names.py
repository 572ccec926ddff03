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
        self._by_mark: dict[str, str] | None = None  # by path, and by account and username

    def configure(self, names: Collection[str]) -> None:
        """Takes note of the names that are configured now."""
        self._configured = names

    def at(self, target: Target) -> str:
        """Returns the former name of a target that has no state of its own, or an empty text. Raises StoreError.

        It has the target's path, or a credential with one of the target's usernames at its account. The documents are
        read once, before any target begins anew; a name that is found is read again.
        """
        own = {target.path, *(_mark(target.account, username) for username in target.usernames)}
        with self._lock:
            if self._by_mark is None:
                states = [self._publishing(name) for name in self.all() if name != target.name]
                self._by_mark = {mark: state.target for state in states if state for mark in _marks(state)}
            name = next((self._by_mark[mark] for mark in sorted(own) if mark in self._by_mark), "")
        still = self._publishing(name) if name and name != target.name else None
        return name if still is not None and own & _marks(still) else ""

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


def _marks(state: TargetState) -> set[str]:
    known = [state.published, state.standby, *(entry.credential for entry in state.ledger)]
    known += [state.attempt.staged] if state.attempt is not None else []
    return {state.path, *(_mark(one.account, one.username) for one in known if one is not None and one.username)} - {""}


def _mark(account: str, username: str) -> str:
    return f"{account}\0{username.casefold()}"  # the names are compared as `core.model.is_same_name` does
