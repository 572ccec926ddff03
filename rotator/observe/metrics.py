"""Metrics for Prometheus; the only import of prometheus_client.

A target's metrics are rendered from its state document, so a restart does not change them. Only the counters of
requests, clock jumps and missed runs start at zero with the process. `rotator.observe.catalogue` lists all metrics.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from threading import Lock

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from rotator.core.clocks import Clocks
from rotator.core.left_over import Orphan, OrphanKind
from rotator.core.model import LedgerEntry, Target, TargetState
from rotator.observe.audit import AuditStatus
from rotator.observe.catalogue import METRICS
from rotator.observe.target_figures import GAUGES, OF_REMOVED, TargetSnapshot, max_age
from rotator.ports import Clock

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
_MOST_SERIES = 500  # of one metric with labels from an adapter
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


_BY_NAME = {described.name: described for described in METRICS}


class Metrics:
    """Implements `ports.Meter` on a private registry. Thread-safe."""

    def __init__(self, clock: Clock, version: str) -> None:
        self._clock = clock
        self._version = version
        self._lock = Lock()
        self._targets: dict[str, TargetSnapshot] = {}
        self._blocked: dict[str, str] = {}
        self._circuits: dict[str, bool] = {}
        self._forbidden: tuple[tuple[str, str], ...] = ()
        self._simple: dict[str, float] = {}  # gauges without a label
        self._audit: Callable[[], AuditStatus] | None = None
        self._orphans: Callable[[], Iterable[Orphan]] = tuple
        self._registry = CollectorRegistry()
        self._provider_requests = _counter(self._registry, "rotator_provider_requests_total")
        self._provider_seconds = _histogram(self._registry, "rotator_provider_request_duration_seconds")
        self._vault_requests = _counter(self._registry, "rotator_vault_requests_total")
        self._vault_seconds = _histogram(self._registry, "rotator_vault_request_duration_seconds")
        self._missed = _counter(self._registry, "rotator_scheduler_missed_runs_total")
        self._jumps = _counter(self._registry, "rotator_clock_jumps_total")
        self._bounds = _Bounds()
        # These exist from the first scrape on: `increase()` misses the event that creates a counter.
        for direction in ("forward", "backward"):
            self._jumps.labels(direction)
        for reason in ("missed", "still_running", "error"):
            self._missed.labels(reason)

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        """Counts one request to a provider."""
        verb, outcome = self._bounds.words("provider", account, verb, outcome)
        self._provider_requests.labels(account, verb, outcome).inc()
        self._provider_seconds.labels(account, verb).observe(seconds)

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Counts one request to Vault."""
        operation, outcome = self._bounds.words("vault", "", operation, outcome)
        self._vault_requests.labels(operation, outcome).inc()
        self._vault_seconds.labels(operation).observe(seconds)

    def update(self, target: Target, state: TargetState) -> None:
        """Keeps the newest state document of a target, after every read and write."""
        with self._lock:
            known = self._targets.get(target.name)
        same = known is not None and known.policy == target.policy
        age = known.max_age if known is not None and same else max_age(target.policy)
        with self._lock:
            now = self._clock.now()
            self._targets[target.name] = TargetSnapshot(state, target.policy, age, now, target.removed)

    def forget(self, target: str) -> None:
        """Drops a target that is no longer configured."""
        with self._lock:
            self._targets.pop(target, None)
            self._blocked.pop(target, None)

    def blocked(self, target: str, reason: str | None) -> None:
        """Sets the word for why a target is blocked; None if it is not."""
        with self._lock:
            if reason is None:
                self._blocked.pop(target, None)
            else:
                self._blocked[target] = reason

    def circuit(self, account: str, *, is_open: bool) -> None:
        """Sets whether the circuit of a provider account is open."""
        with self._lock:
            self._circuits[account] = is_open

    def forbidden_verbs(self, shut: Iterable[tuple[str, str]]) -> None:
        """Sets the accounts and verbs that the accounts' keys have no right to."""
        with self._lock:
            self._forbidden = tuple(shut)

    def missed_run(self, reason: str) -> None:
        """Counts a run that the scheduler skipped."""
        self._missed.labels(*self._bounds.words("missed", "", reason)).inc()

    def clock_jumped(self, *, forward: bool) -> None:
        """Counts a jump of the wall clock."""
        self._jumps.labels("forward" if forward else "backward").inc()

    def clocks(self, clocks: Clocks) -> None:
        """Sets how far this machine's clock is ahead of Vault's."""
        with self._lock:
            self._simple["rotator_clock_offset_seconds"] = clocks.offset.total_seconds()

    def config_loaded(self, *, ok: bool) -> None:
        """Sets whether the last load of the configuration succeeded."""
        with self._lock:
            self._simple["rotator_config_last_reload_successful"] = float(ok)
            if ok:
                now = self._clock.now().timestamp()
                self._simple["rotator_config_last_reload_success_timestamp_seconds"] = now

    def vault_token_expires(self, at: datetime | None) -> None:
        """Sets when the Vault token expires; None if it never does."""
        name = "rotator_vault_token_expiry_timestamp_seconds"
        with self._lock:
            if at is None:
                self._simple.pop(name, None)
            else:
                self._simple[name] = at.timestamp()

    def follow_audit(self, status: Callable[[], AuditStatus]) -> None:
        """Asks for the audit's status at each scrape."""
        self._audit = status

    def follow_orphans(self, orphans: Callable[[], Iterable[Orphan]]) -> None:
        """Asks for what nobody ends at each scrape."""
        self._orphans = orphans

    def render(self) -> bytes:
        """Returns the page that Prometheus scrapes, in the format of `CONTENT_TYPE`."""
        return generate_latest(_ScrapePage(self._families))

    def _families(self) -> Iterator[Metric]:
        yield from self._durable()
        for family in self._registry.collect():
            # Drop the creation time of each counter, which would double the series.
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family

    def _durable(self) -> Iterator[Metric]:
        now = self._clock.now()
        with self._lock:
            targets, blocked = dict(self._targets), dict(self._blocked)
            circuits, simple, forbidden = dict(self._circuits), dict(self._simple), self._forbidden
        if self._audit is not None:
            status = self._audit()
            simple["rotator_audit_last_sequence"] = float(status.position.seq)
            simple["rotator_audit_waiting_records"] = float(status.waiting)
        yield _gauge("rotator_build_info", [((self._version,), 1.0)])
        yield from _of_targets(targets, now)
        yield _gauge("rotator_target_blocked", [((name, why), 1.0) for name, why in blocked.items()])
        yield _gauge("rotator_circuit_open", [((name,), float(is_open)) for name, is_open in circuits.items()])
        yield _gauge("rotator_provider_verb_forbidden", [(pair, 1.0) for pair in forbidden])
        for name, value in simple.items():
            yield _gauge(name, [((), value)])
        left = Counter(orphan.kind for orphan in self._orphans())
        yield _gauge("rotator_orphans", [((kind,), float(left[kind])) for kind in OrphanKind])


class _ScrapePage(Collector):
    """The metrics at the moment of a scrape."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Returns the current families."""
        return self._families()


class _Bounds:
    """A limit on the labels that come from adapters, whatever an adapter sends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, set[tuple[str, ...]]] = {}

    def words(self, metric: str, account: str, *words: str) -> tuple[str, ...]:
        """Returns the words as labels: `other` for anything that is not a word, and beyond `_MOST_SERIES` series."""
        safe = tuple(word if _WORD.fullmatch(word) else "other" for word in words)
        with self._lock:
            known = self._known.setdefault(metric, set())
            if (account, *safe) not in known and len(known) >= _MOST_SERIES:
                return ("other",) * len(safe)
            known.add((account, *safe))
        return safe


_Samples = list[tuple[tuple[str, ...], float]]


def _state_of(entry: LedgerEntry) -> str:
    if entry.disabled:
        return "disabled"
    return "overwritten" if entry.cut_off else "waiting"


def _of_targets(targets: dict[str, TargetSnapshot], now: datetime) -> Iterator[Metric]:
    """Yields the families with the label `target`."""
    yield _counts("rotator_rotations_total", targets, ("succeeded", "failed", "undone"))
    yield _counts("rotator_retirements_total", targets, ("disabled", "overwritten", "deleted"))
    yield _durations(targets)
    for name, value in GAUGES.items():
        shown = ((target, seen) for target, seen in targets.items() if not seen.has_left or name in OF_REMOVED)
        known = [((target,), value(seen, now)) for target, seen in shown]
        yield _gauge(name, [(labels, number) for labels, number in known if number is not None])
    counts: _Samples = []
    for name, seen in targets.items():
        ledger = Counter(_state_of(entry) for entry in seen.state.ledger)
        counts += [((name, state), ledger[state]) for state in ("waiting", "disabled", "overwritten")]
    yield _gauge("rotator_ledger_credentials", counts)


def _counts(name: str, targets: dict[str, TargetSnapshot], outcomes: tuple[str, ...]) -> Metric:
    described = _BY_NAME[name]
    family = CounterMetricFamily(name, described.help, labels=described.labels)
    for target, seen in targets.items():
        for outcome in outcomes:
            family.add_metric((target, outcome), getattr(seen.state.counts, outcome))
    return family


def _durations(targets: dict[str, TargetSnapshot]) -> Metric:
    described = _BY_NAME["rotator_rotation_duration_seconds"]
    family = SummaryMetricFamily(described.name, described.help, labels=described.labels)
    for target, seen in targets.items():
        family.add_metric((target,), seen.state.counts.succeeded, seen.state.counts.seconds)
    return family


def _gauge(name: str, samples: _Samples) -> Metric:
    described = _BY_NAME[name]
    family = GaugeMetricFamily(name, described.help, labels=described.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _counter(registry: CollectorRegistry, name: str) -> CounterMetric:
    described = _BY_NAME[name]
    return CounterMetric(name, described.help, described.labels, registry=registry)


def _histogram(registry: CollectorRegistry, name: str) -> Histogram:
    described = _BY_NAME[name]
    return Histogram(name, described.help, described.labels, registry=registry, buckets=_BUCKETS)
