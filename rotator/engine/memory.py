"""The documents as this process last read or wrote them: good enough to try with, since check-and-set decides."""

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Policy, Target
from rotator.ports import Versioned

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_Rules = tuple[Policy, tuple[tuple[str, str], ...]]

_MOST = 20_000  # documents of each kind; a state document takes two to four kilobytes


class Memory:
    """Bounded and thread-safe. What was not used for the longest time is forgotten first."""

    def __init__(self, most: int = _MOST) -> None:
        self._states: _Recent[str, Versioned] = _Recent(most)
        self._consumers: _Recent[str, ConsumerDocument] = _Recent(most)
        self._settled: _Recent[str, _Rules] = _Recent(most)

    def state(self, target: str) -> Versioned | None:
        """Returns the state document of a target; None if it has to be read.

        That is so if somebody was working on the target: what was seen in the middle of it is certainly stale.
        """
        known = self._states.get(target)
        usable = known is not None and not known.deleted and known.state.claim is None
        return known if usable else None

    def keep_state(self, document: Versioned) -> None:
        """Keeps a state document that was read or written."""
        self._states.put(document.state.target, document)

    def consumer(self, path: str) -> ConsumerDocument | None:
        """Returns the consumer document at a path; None if it has to be read."""
        return self._consumers.get(path)

    def keep_consumer(self, path: str, document: ConsumerDocument) -> None:
        """Keeps a consumer document that was read or written."""
        self._consumers.put(path, document)

    def has_settled(self, target: Target) -> bool:
        """True if this process has seen or written the present rules of a target in its state document."""
        return self._settled.get(target.name) == (target.policy, target.labels)

    def settle(self, target: Target) -> None:
        """Keeps that the state document of a target has, or had, its present rules."""
        self._settled.put(target.name, (target.policy, target.labels))


class _Recent(Generic[K, V]):
    """The values that were used last."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, dict[K, V](), Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._values.pop(key, None)
            if value is not None:
                self._values[key] = value  # last: it was used just now
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = value
            if len(self._values) > self._most:
                del self._values[next(iter(self._values))]
