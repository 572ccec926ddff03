"""What checks have shown of each account, as rotations ask for it."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from threading import Lock

from rotator.core.evidence import AccountEvidence
from rotator.core.model import Capabilities, Credential, Target
from rotator.core.strategy_evidence import Standing, StrategyEvidence, judge
from rotator.ports import Clock, Store, StoreCorrupt, StoreError

_READ_EVERY = 60.0  # seconds: so soon does a daemon know of a check
_LIST_EVERY = 600.0  # seconds: it lists the names of all documents


class KnownEvidence:
    """Reads the evidence documents, each once a minute. Thread-safe."""

    def __init__(
        self, store: Store, clock: Clock, keys: Mapping[str, str], required: Collection[str] = frozenset()
    ) -> None:
        """Prepares without a request.

        Args:
            keys: the name of each account's document, by the account's name in the configuration.
            required: the accounts at which nothing begins that is not proved.
        """
        self._store, self._clock, self._keys, self._required = store, clock, keys, frozenset(required)
        self._lock = Lock()
        self._listed_at: float | None = None
        self.elsewhere: Mapping[str, tuple[Credential, ...]] = {}
        """What `read_elsewhere` found last, within `refresh`."""
        self._known: dict[str, tuple[float, AccountEvidence, str]] = {}  # read when, what, and why it was never read

    def of(self, target: Target, capabilities: Mapping[str, Capabilities]) -> StrategyEvidence | None:
        """Returns what is known of a target's strategy at its account; None: the account is not configured.

        What cannot be read is not proved: that holds what begins by schedule, and no emergency or open attempt.
        """
        key, can = self._keys.get(target.account), capabilities.get(target.account)
        if key is None or can is None:
            return None
        required = target.account in self._required
        known, problem = self._evidence(key)
        if problem and required:
            return StrategyEvidence(Standing.UNPROVED, f"what checks have shown cannot be read: {problem}", required)
        return judge(target.strategy, can, known, required=required)

    def refresh(self) -> None:
        """Reads what nobody has asked for in the last minute, also of accounts that no target uses. Never raises."""
        for key in dict.fromkeys(self._keys.values()):
            self._evidence(key)
        now = self._clock.monotonic()
        if self._listed_at is None or now - self._listed_at >= _LIST_EVERY:
            self._listed_at = now
            with suppress(StoreError):  # what was known stays
                self.elsewhere = self.read_elsewhere()

    def read_elsewhere(self) -> Mapping[str, tuple[Credential, ...]]:
        """Reads what checks have left at accounts that are not configured, by the name of its document.

        Raises StoreError.
        """
        others = [key for key in self._store.list_evidence() if key not in self._keys.values()]
        found = {key: tuple(one.credential for one in self._read(key).scratch) for key in others}
        return {key: left for key, left in found.items() if left}

    def _read(self, key: str) -> AccountEvidence:
        try:
            return self._store.read_evidence(key)
        except StoreCorrupt:  # it says nothing, and nobody is kept from his work by it
            return AccountEvidence()

    @property
    def all(self) -> dict[str, AccountEvidence]:
        """What was last read, by the account's name in the configuration, of those that were read."""
        with self._lock:
            known = {name: self._known.get(key) for name, key in self._keys.items()}
        return {name: found[1] for name, found in known.items() if found is not None}

    def _evidence(self, key: str) -> tuple[AccountEvidence, str]:
        with self._lock:
            read_at, known, problem = self._known.get(key, (None, AccountEvidence(), ""))
        if read_at is not None and self._clock.monotonic() - read_at < _READ_EVERY:
            return known, problem
        try:
            known, problem = self._store.read_evidence(key), ""
        except StoreError as error:  # what was known stays
            problem = str(error) if read_at is None else problem
        with self._lock:
            self._known[key] = (self._clock.monotonic(), known, problem)
        return known, problem
