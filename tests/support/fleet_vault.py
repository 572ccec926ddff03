"""The Vault of a simulated fleet: it keeps old versions, lags, fails for hours, and people write to it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lagging_standby import StandbyStore

from rotator.core.model import ConsumerDocument, Credential, TargetState
from rotator.core.secret import Secret
from rotator.ports import Clock, StoreUnavailable, Versioned

_KEPT = 4  # versions of each document


class FleetStore(StandbyStore):
    """Both documents of every target, with what stood there before."""

    def __init__(self, clock: Clock, published: Callable[[str], None]) -> None:
        """Begins empty; `published` is called with the path after each write of a consumer document."""
        super().__init__(clock)
        self._published = published
        self.true_time = clock
        self.unavailable_until: datetime | None = None
        self.old_consumers: dict[str, list[ConsumerDocument]] = defaultdict(list)
        self.old_states: dict[str, list[TargetState]] = defaultdict(list)

    def _fail(self) -> None:
        if self.unavailable_until is not None and self.true_time.now() < self.unavailable_until:
            raise StoreUnavailable("sealed")
        super()._fail()

    def write_consumer(self, path: str, credential: Credential, at: datetime | None, over: ConsumerDocument) -> int:
        before = self.consumers.get(path)
        try:
            return super().write_consumer(path, credential, at, over)
        finally:
            if self.consumers.get(path) is not before:
                self._remember(path, before)
                self._published(path)

    def write_state(self, state: TargetState, version: int) -> int:
        before = self.states.get(state.target)
        written = super().write_state(state, version)
        if before is not None and not before.deleted and before.state.published != state.published:
            self.old_states[state.target] = [*self.old_states[state.target], before.state][-_KEPT:]
        return written

    def _remember(self, path: str, document: ConsumerDocument | None) -> None:
        if document is not None and document.exists:
            self.old_consumers[path] = [*self.old_consumers[path], document][-_KEPT:]

    # -- what people do here

    def person_writes(self, path: str, document: ConsumerDocument) -> None:
        """Somebody writes a version of their own."""
        current = self.consumers.get(path, ConsumerDocument(0, exists=False))
        self._remember(path, current)
        self.consumers[path] = replace(document, version=current.version + 1, exists=True, deleted=False)

    def person_edits(self, path: str, password: Secret) -> None:
        """Somebody mistypes a password."""
        if path in self.consumers:
            self.person_writes(path, replace(self.consumers[path], password=password))

    def person_deletes(self, path: str) -> None:
        """Somebody deletes the latest version of the consumer document (`vault kv delete`)."""
        current = self.consumers.get(path)
        if current is not None and current.exists:
            self._remember(path, current)
            self.consumers[path] = ConsumerDocument(current.version, exists=False, deleted=True)

    def person_restores(self, path: str) -> bool:
        """Somebody brings a deleted consumer document back (`vault kv undelete`)."""
        current = self.consumers.get(path)
        if current is None or not current.deleted or not self.old_consumers[path]:
            return False
        self.consumers[path] = replace(self.old_consumers[path].pop(), version=current.version)
        return True

    def person_deletes_state(self, target: str) -> None:
        """Somebody deletes the latest version of the state document."""
        current = self.states.get(target)
        if current is not None and not current.deleted:
            self.old_states[target].append(current.state)
            self.states[target] = Versioned(TargetState(target), current.version, deleted=True)

    def person_restores_state(self, target: str) -> bool:
        """Somebody brings an older or a deleted state document back."""
        current, old = self.states.get(target), self.old_states[target]
        if current is None or not old:
            return False
        version = current.version if current.deleted else current.version + 1
        self.states[target] = Versioned(replace(old.pop(), claim=None), version)
        return True
