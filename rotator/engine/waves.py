"""The slots and the canaries of each account's fleet."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from threading import Lock

from rotator.core.canaries import CanaryVerdict
from rotator.core.model import FirstRotations, Target, TargetState
from rotator.core.waves import at_once, canaries, verdict
from rotator.engine.conflicts import repeat_on_conflict
from rotator.ports import Clock, Store

_BATCH = 20  # slots that are reserved with one write
_JUDGED_EVERY = 20.0  # seconds between two readings of the canaries' documents

_Group = tuple[str, str]  # account and policy, by their names in the configuration


class Waves:
    """Gives slots, and asks the canaries. Thread-safe."""

    def __init__(self, store: Store, clock: Clock, keys: Mapping[str, str], targets: Iterable[Target] = ()) -> None:
        """Knows the fleet.

        Args:
            keys: the name of each account's document, by the account's name in the configuration.
            targets: all that are configured.
        """
        self._store, self._clock, self._keys = store, clock, keys
        self._lock = Lock()
        self._slots: dict[str, list[datetime]] = {}  # reserved by this process and not given out yet, the last first
        self._verdicts: dict[_Group, tuple[float, CanaryVerdict]] = {}
        self.configure(targets)

    def configure(self, targets: Iterable[Target]) -> None:
        """Takes note of all targets that are configured now."""
        groups: dict[_Group, list[Target]] = {}
        sizes: Counter[str] = Counter()
        for target in targets:
            sizes[self._key(target)] += 1
            if target.policy.first.canary:
                groups.setdefault(_group(target), []).append(target)
        with self._lock:
            self._sizes = sizes
            self._canaries = {group: canaries(some, some[0].policy.first.canary) for group, some in groups.items()}
            self._verdicts.clear()

    def slot(self, target: Target, now: datetime) -> datetime | None:
        """Returns when a rotation that would be due at once is due; None: at once. Raises StoreError."""
        key, first = self._key(target), target.policy.first
        with self._lock:
            if self._sizes[key] <= at_once(first):
                return None
            if not self._slots.get(key):
                self._slots[key] = self._reserved(key, first, now)
            return max(self._slots[key].pop(), now)

    def _reserved(self, key: str, first: FirstRotations, now: datetime) -> list[datetime]:
        def reserve() -> list[datetime]:
            number = min(_BATCH, at_once(first))
            wave, slots = self._store.read_wave(key).reserved(first, now, number)
            self._store.write_wave(key, wave)
            return slots[::-1]

        return repeat_on_conflict(reserve, self._clock)

    def canary(self, target: Target, state: TargetState, now: datetime) -> CanaryVerdict | None:
        """Returns what the canaries say of a target's first rotation; None: it waits for none. Raises StoreError."""
        group = _group(target)
        names = self._canaries.get(group, ())
        if (
            not names
            or target.removed
            or target.name in names
            or state.last_rotation is not None
            or state.next_rotation is not None
        ):
            return None
        with self._lock:
            judged_at, found = self._verdicts.get(group, (None, None))
        if judged_at is None or found is None or self._clock.monotonic() - judged_at >= _JUDGED_EVERY:
            found = verdict([self._store.read_state(name).state for name in names], target.policy, now)
            with self._lock:
                self._verdicts[group] = (self._clock.monotonic(), found)
        return found

    def _key(self, target: Target) -> str:
        return self._keys.get(target.account, target.account)


def _group(target: Target) -> _Group:
    return target.account, target.policy.name
