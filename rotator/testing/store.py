"""A store in memory with the check-and-set of KV v2, crash points and planned failures."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.model import ConsumerDocument, Credential, TargetState
from rotator.ports import Clock, Conflict, StoreDenied, StoreError, Versioned
from rotator.testing.crash import CrashPoints


class MemoryStore:
    """A store of both documents of every target. One instance outlives the processes of a test, as Vault does."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self.ahead = timedelta()  # of `clock`
        self.states: dict[str, Versioned] = {}
        self.consumers: dict[str, ConsumerDocument] = {}
        self.points = CrashPoints()
        self.unpublishable: set[str] = set()
        self.failing: list[StoreError] = []  # raised by the next calls, one each, before they do anything
        self.losing: list[StoreError] = []  # raised by the next writes, one each, after they were carried out
        self._lock = Lock()

    def now(self) -> datetime | None:
        """Returns the time of `clock`, off by `ahead`; None without a clock."""
        return self._clock.now() + self.ahead if self._clock is not None else None

    def read_state(self, target: str) -> Versioned:
        """Returns the state document, or a fresh one."""
        self._fail()
        return self.states.get(target, Versioned(TargetState(target), 0))

    def write_state(self, state: TargetState, version: int) -> int:
        """Writes by check-and-set."""
        self._fail()
        with self.points.around("write state"), self._lock:
            current = self.states.get(state.target, Versioned(state, 0)).version
            if current != version:
                raise Conflict(f"{state.target} is at version {current}, not {version}")
            self.states[state.target] = Versioned(state, version + 1)
            self._lose()
        return version + 1

    def list_states(self) -> tuple[str, ...]:
        """Returns every target that was ever written."""
        return tuple(sorted(self.states))

    def read_consumer(self, path: str) -> ConsumerDocument:
        """Returns the consumer document."""
        self._fail()
        return self.consumers.get(path, ConsumerDocument(0, exists=False))

    def check_publishable(self, path: str) -> None:
        """Raises StoreDenied for the paths in `unpublishable`."""
        if path in self.unpublishable:
            raise StoreDenied(f"the token may not write {path}")

    def write_consumer(self, path: str, credential: Credential, at: datetime, over: ConsumerDocument) -> int:  # noqa: ARG002
        """Writes by check-and-set."""
        return self._write(
            path,
            over,
            ConsumerDocument(
                version=over.version + 1,
                exists=True,
                username=credential.username,
                password=credential.password,
                credential_id=credential.id,
                attempt=credential.attempt,
            ),
        )

    def withdraw_consumer(self, path: str, at: datetime, moved_to: str, over: ConsumerDocument) -> int:  # noqa: ARG002
        """Takes the credential out by check-and-set."""
        return self._write(path, over, ConsumerDocument(over.version + 1, exists=True, withdrawn=True))

    def _write(self, path: str, over: ConsumerDocument, document: ConsumerDocument) -> int:
        self._fail()
        if path in self.unpublishable:
            raise StoreDenied(f"the token may not write {path}")
        with self.points.around("write consumer"), self._lock:
            current = self.consumers.get(path, ConsumerDocument(0, exists=False)).version
            if current != over.version:
                raise Conflict(f"{path} is at version {current}, not {over.version}")
            self.consumers[path] = document
            self._lose()
        return document.version

    def tamper(self, path: str, username: str) -> None:
        """Changes the consumer document as somebody else would."""
        current = self.consumers.get(path, ConsumerDocument(0, exists=False))
        self.consumers[path] = replace(current, version=current.version + 1, exists=True, username=username)

    def _fail(self) -> None:
        if self.failing:
            raise self.failing.pop(0)

    def _lose(self) -> None:
        if self.losing:
            raise self.losing.pop(0)
