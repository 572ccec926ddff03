"""Metrics for Prometheus.

What they say of targets is rendered from their state documents, so a restart does not change it; the counters of
requests, clock jumps and missed runs start at zero with the process. `rotator.observe.catalogue` lists all metrics.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from threading import Lock

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rotator.core.account_key import AccountKey
from rotator.core.clocks import Clocks
from rotator.core.evidence import AccountEvidence
from rotator.core.left_over import Orphan, OrphanKind
from rotator.observe.audit import AuditStatus
from rotator.observe.families import (
    DESCRIBED,
    counter,
    gauge,
    of_checks,
    of_fleet,
    of_keys,
    of_reconciliations,
    of_selections,
    of_targets,
)
from rotator.observe.fleet import KnownFleet
from rotator.observe.selections import SelectionFigures
from rotator.ports import Clock

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
_MOST_SERIES = 500  # of one metric with labels from an adapter
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Metrics:
    """Implements `ports.Meter` on a private registry. Thread-safe."""

    def __init__(self, clock: Clock, version: str, fleet: KnownFleet, *, target_series: int) -> None:
        """Wires the metrics.

        Args:
            fleet: every target that was seen.
            target_series: with more targets than that, none has series of its own.
        """
        self._clock, self._version, self._fleet, self._target_series = clock, version, fleet, target_series
        self._lock = Lock()
        self._expected = 0
        self._circuits: dict[str, bool] = {}
        self._forbidden: tuple[tuple[str, str], ...] = ()
        self._simple: dict[str, float] = {}  # gauges without a label
        self._audit: Callable[[], AuditStatus] | None = None
        self._ended_connections: Callable[[], Mapping[tuple[str, str], int]] = dict
        self._orphans: Callable[[], Iterable[Orphan]] = tuple
        self._keys: Callable[[], Mapping[str, AccountKey]] = dict
        self._paces: Callable[[], Mapping[str, tuple[float, float]]] = dict
        self._selections: Callable[[], Mapping[str, SelectionFigures]] = dict
        self._checks: Callable[[], Mapping[str, AccountEvidence]] = dict
        self._registry = CollectorRegistry()
        self._provider_requests = _counter(self._registry, "rotator_provider_requests_total")
        self._provider_seconds = _histogram(self._registry, "rotator_provider_request_duration_seconds")
        self._vault_requests = _counter(self._registry, "rotator_vault_requests_total")
        self._vault_seconds = _histogram(self._registry, "rotator_vault_request_duration_seconds")
        self._missed = _counter(self._registry, "rotator_scheduler_missed_runs_total")
        self._jumps = _counter(self._registry, "rotator_clock_jumps_total")
        self._notifications = _counter(self._registry, "rotator_notifications_total")
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

    def expect(self, targets: int) -> None:
        """Sets how many targets are configured, which decides whether each has series of its own."""
        self._expected = targets

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

    def notification(self, route: str, *, taken: bool) -> None:
        """Counts a message to people that a service took, or did not take."""
        self._notifications.labels(route, "taken" if taken else "not_taken").inc()

    def expect_notifications(self, routes: Iterable[str]) -> None:
        """Begins to count the messages of each route."""
        for route in routes:
            for outcome in ("taken", "not_taken"):
                self._notifications.labels(route, outcome)

    def sweep_takes(self, round_: timedelta) -> None:
        """Sets how long the sweep takes for all targets of this process."""
        self._set("rotator_sweep_round_seconds", round_.total_seconds())

    def reconciles_every(self, interval: timedelta | None) -> None:
        """Sets how often the listings of the accounts are compared with the documents; None: never by itself."""
        seconds = interval.total_seconds() if interval is not None else None
        self._set("rotator_reconcile_interval_seconds", seconds)

    def clock_jumped(self, *, forward: bool) -> None:
        """Counts a jump of the wall clock."""
        self._jumps.labels("forward" if forward else "backward").inc()

    def clocks(self, clocks: Clocks) -> None:
        """Sets how far this machine's clock is ahead of Vault's."""
        self._set("rotator_clock_offset_seconds", clocks.offset.total_seconds())

    def config_loaded(self, *, ok: bool) -> None:
        """Sets whether the last load of the configuration succeeded."""
        self._set("rotator_config_last_reload_successful", float(ok))
        if ok:
            self._set("rotator_config_last_reload_success_timestamp_seconds", self._clock.now().timestamp())

    def vault_token_expires(self, at: datetime | None) -> None:
        """Sets when the Vault token expires; None if it never does."""
        self._set("rotator_vault_token_expiry_timestamp_seconds", at.timestamp() if at is not None else None)

    def _set(self, name: str, value: float | None) -> None:
        """Sets a gauge without labels; None takes it away."""
        with self._lock:
            if value is None:
                self._simple.pop(name, None)
            else:
                self._simple[name] = value

    def follow_audit(self, status: Callable[[], AuditStatus]) -> None:
        """Asks for the audit's status at each scrape."""
        self._audit = status

    def follow_connections(self, ended: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Asks at each scrape how many connections the endpoint has ended, by server and reason."""
        self._ended_connections = ended

    def follow_paces(self, paces: Callable[[], Mapping[str, tuple[float, float]]]) -> None:
        """Asks at each scrape, by account, for how many seconds it is held and what share of its limit is used."""
        self._paces = paces

    def follow_keys(self, keys: Callable[[], Mapping[str, AccountKey]]) -> None:
        """Asks at each scrape for the life of each account's own key."""
        self._keys = keys

    def follow_orphans(self, orphans: Callable[[], Iterable[Orphan]]) -> None:
        """Asks for what nobody ends at each scrape."""
        self._orphans = orphans

    def follow_selections(self, figures: Callable[[], Mapping[str, SelectionFigures]]) -> None:
        """Asks for what the listings for selections showed at each scrape."""
        self._selections = figures

    def follow_checks(self, known: Callable[[], Mapping[str, AccountEvidence]]) -> None:
        """Asks for what checks and reconciliations have shown of each account at each scrape."""
        self._checks = known

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
            circuits, simple, forbidden = dict(self._circuits), dict(self._simple), self._forbidden
        if self._audit is not None:
            status = self._audit()
            simple["rotator_audit_last_sequence"] = float(status.position.seq)
            outlets = status.outlets
            yield gauge("rotator_audit_waiting_records", [((each.kind,), float(each.waiting)) for each in outlets])
            yield counter("rotator_audit_lost_records_total", [((each.kind,), float(each.lost)) for each in outlets])
        yield counter(
            "rotator_http_connections_ended_total",
            [(labels, float(count)) for labels, count in self._ended_connections().items()],
        )
        yield gauge("rotator_build_info", [((self._version,), 1.0)])
        each = max(self._expected, len(self._fleet)) <= self._target_series
        yield gauge("rotator_series_for_each_target", [((), float(each))])
        if each:
            yield from of_targets(self._fleet.all(), now)
        yield from of_fleet(self._fleet, now)
        yield gauge("rotator_circuit_open", [((name,), float(is_open)) for name, is_open in circuits.items()])
        yield gauge("rotator_provider_verb_forbidden", [(pair, 1.0) for pair in forbidden])
        for name, value in simple.items():
            yield gauge(name, [((), value)])
        yield from of_selections(self._selections())
        checks = self._checks()
        yield from of_checks(checks)
        yield from of_reconciliations(checks)
        yield from of_keys(self._keys())
        paces = self._paces()
        yield gauge("rotator_account_held_seconds", [((name,), held) for name, (held, _) in paces.items()])
        yield gauge("rotator_account_rate_share", [((name,), share) for name, (_, share) in paces.items()])
        left = Counter(orphan.kind for orphan in self._orphans())
        yield gauge("rotator_orphans", [((kind,), float(left[kind])) for kind in OrphanKind])


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


def _counter(registry: CollectorRegistry, name: str) -> CounterMetric:
    described = DESCRIBED[name]
    return CounterMetric(name, described.help, described.labels, registry=registry)


def _histogram(registry: CollectorRegistry, name: str) -> Histogram:
    described = DESCRIBED[name]
    return Histogram(name, described.help, described.labels, registry=registry, buckets=_BUCKETS)
