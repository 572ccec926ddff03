"""The Vault of a simulated fleet: it keeps older versions, lags, is sealed for hours, and people write to it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lagging_standby import StandbyStore

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import TargetState
from rotator.core.secret import Secret
from rotator.ports import Clock, StoreUnavailable, Versioned

_KEPT = 4  # versions of each document


class FleetStore(StandbyStore):
    """Both documents of every target, with what stood there before."""

    def __init__(self, clock: Clock, published: Callable[[str], None]) -> None:
        """Begins empty; `published` is called with the path after each write of a consumer document by rotator."""
        super().__init__(clock)
        self._published = published
        self.true_time = clock
        self.unavailable_until: datetime | None = None
        self._backups: dict[str, list[TargetState]] = defaultdict(list)  # one for each published credential

    def _fail(self) -> None:
        if self.unavailable_until is not None and self.true_time.now() < self.unavailable_until:
            raise StoreUnavailable("sealed")
        super()._fail()

    def _keep(self, key: str) -> None:
        super()._keep(key)
        if key in self._earlier:
            del self._earlier[key][:-_KEPT]

    def _write(self, path: str, over: ConsumerDocument, document: ConsumerDocument) -> int:
        before = self.consumers.get(path)
        try:
            return super()._write(path, over, document)
        finally:
            if self.consumers.get(path) is not before:
                self._published(path)

    def write_state(self, state: TargetState, version: int) -> int:
        before = self.states.get(state.target)
        written = super().write_state(state, version)
        if before is not None and not before.deleted and before.state.published != state.published:
            self._backups[state.target] = [*self._backups[state.target], before.state][-_KEPT:]
        return written

    # -- what people do here; each returns whether there was something to do it to

    def person_rolls_back(self, path: str) -> bool:
        """Somebody rolls the consumer document back (`vault kv rollback`)."""
        current = self.consumers.get(path)
        if current is None or not current.exists or not self._earlier.get(path):
            return False
        if not isinstance(before := self._earlier[path][-1], ConsumerDocument) or not before.exists:
            return False
        self.roll_back(path)
        return True

    def person_edits(self, path: str, password: Secret) -> bool:
        """Somebody mistypes a password."""
        current = self.consumers.get(path)
        if current is None or not current.exists:
            return False
        self._keep(path)
        self.consumers[path] = replace(current, version=current.version + 1, password=password)
        return True

    def person_respells(self, path: str) -> bool:
        """Somebody writes the username in capitals."""
        current = self.consumers.get(path)
        if current is None or not current.exists or current.username is None:
            return False
        self._keep(path)
        self.consumers[path] = replace(current, version=current.version + 1, username=current.username.upper())
        return True

    def person_deletes(self, key: str) -> bool:
        """Somebody deletes the latest version of a document (`vault kv delete`)."""
        if key not in self.states and key not in self.consumers:
            return False
        self.delete(key)
        return True

    def person_restores(self, key: str) -> bool:
        """Somebody brings a deleted document back (`vault kv undelete`)."""
        if key not in self._restorable:
            return False
        self.undelete(key)
        return True

    def person_restores_backup(self, target: str) -> bool:
        """Somebody writes an older state document over the present one."""
        current, backups = self.states.get(target), self._backups[target]
        if current is None or not backups:
            return False
        self.states[target] = Versioned(replace(backups.pop(), claim=None), current.version + 1)
        return True
