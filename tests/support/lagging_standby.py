"""A store whose reads may come from a standby that lags: such an answer is the version before the last."""

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import TargetState
from rotator.ports import Clock, Versioned
from rotator.testing import MemoryStore


class StandbyStore(MemoryStore):
    """Writes are judged by the leader. A read may go to any server: `lags` says of the next ones whether it lags."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.lags: list[bool] = []
        self._old_states: dict[str, Versioned] = {}
        self._old_consumers: dict[str, ConsumerDocument] = {}

    def _lags(self) -> bool:
        return bool(self.lags) and self.lags.pop(0)

    def read_state(self, target: str) -> Versioned:
        fresh = super().read_state(target)
        if not self._lags():
            return fresh
        return self._old_states.get(target) or Versioned(TargetState(target), 0)

    def read_consumer(self, path: str) -> ConsumerDocument:
        fresh = super().read_consumer(path)
        return self._old_consumers.get(path, ConsumerDocument(0, exists=False)) if self._lags() else fresh

    def write_state(self, state: TargetState, version: int) -> int:
        before = self.states.get(state.target)
        try:
            return super().write_state(state, version)
        finally:
            if self.states.get(state.target) is not before:
                self._old_states[state.target] = before or Versioned(TargetState(state.target), 0)

    def _write(self, path: str, over: ConsumerDocument, document: ConsumerDocument) -> int:
        before = self.consumers.get(path)
        try:
            return super()._write(path, over, document)
        finally:
            if self.consumers.get(path) is not before:
                self._old_consumers[path] = before or ConsumerDocument(0, exists=False)
