"""What Prometheus scrapes of targets: series for each of them, or the sums over each account and policy."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from rotator.core.account_key import AccountKey
from rotator.core.evidence import AccountEvidence, Shown
from rotator.observe.catalogue import METRICS
from rotator.observe.fleet import GroupKey, GroupSums, KnownFleet
from rotator.observe.needs import Need
from rotator.observe.selections import SelectionFigures
from rotator.observe.target_figures import GAUGES, LEDGER_STATES, OF_REMOVED, TargetSnapshot, ledger_state
from rotator.observe.target_words import BLOCKED, STATES

DESCRIBED = {described.name: described for described in METRICS}
"""Every metric by its name."""
Samples = list[tuple[tuple[str, ...], float]]
"""The values of each label, and the value."""
_ROTATIONS, _RETIREMENTS = ("succeeded", "failed", "undone"), ("disabled", "overwritten", "deleted")
_ENDS = ("shown", "not_shown")
_AGES = tuple(timedelta(days=days) for days in (1, 7, 14, 30, 60, 90, 120, 180, 270, 365, 730))


def of_targets(targets: Mapping[str, TargetSnapshot], now: datetime) -> Iterator[Metric]:
    """Yields the families with the label `target`."""
    yield _counts("rotator_rotations_total", targets, _ROTATIONS)
    yield _counts("rotator_retirements_total", targets, _RETIREMENTS)
    yield counter(
        "rotator_ends_total",
        [
            ((name, word), float(getattr(seen.state.counts, f"ends_{word}")))
            for name, seen in targets.items()
            for word in _ENDS
        ],
    )
    yield _durations(targets)
    for name, value in GAUGES.items():
        shown = ((target, seen) for target, seen in targets.items() if not seen.has_left or name in OF_REMOVED)
        known = [((target,), value(seen, now)) for target, seen in shown]
        yield gauge(name, [(labels, number) for labels, number in known if number is not None])
    holds = [(name, seen.hold.reason) for name, seen in targets.items() if seen.hold is not None]
    yield gauge("rotator_target_blocked", [((name, BLOCKED[why]), 1.0) for name, why in holds if why in BLOCKED])
    counts: Samples = []
    for name, seen in targets.items():
        ledger = Counter(map(ledger_state, seen.state.ledger))
        counts += [((name, word), ledger[word]) for word in LEDGER_STATES]
    yield gauge("rotator_ledger_credentials", counts)


def of_fleet(fleet: KnownFleet, now: datetime) -> Iterator[Metric]:
    """Returns the families with the labels `account` and `policy`."""
    with fleet.groups() as groups:
        return iter(list(_of_groups(groups, now, fleet.looked_at_within)))


def of_selections(listed: Mapping[str, SelectionFigures]) -> Iterator[Metric]:
    """Yields what the listings for selections showed."""
    counts: Samples = []
    moments: Samples = []
    for account, figures in listed.items():
        counts += [((account, word), float(number)) for word, number in figures.counts.items()]
        moments.append(((account,), figures.listed_at.timestamp()))
    yield gauge("rotator_selection_credentials", counts)
    yield gauge("rotator_selection_listed_timestamp_seconds", moments)


def of_checks(checks: Mapping[str, AccountEvidence]) -> Iterator[Metric]:
    """Yields what checks have shown, by the account's name in the configuration."""
    moments: Samples = [
        ((account, how), at.timestamp())
        for account, known in checks.items()
        for how, at in (("read", known.checked_at), ("write", known.written_at))
        if at is not None
    ]
    yield gauge("rotator_account_checked_timestamp_seconds", moments)
    counts: Samples = []
    for account, known in checks.items():
        found = Counter(one.shown for one in known.results)
        counts += [((account, _word(shown)), float(found[shown])) for shown in Shown if known.results]
    yield gauge("rotator_account_assumptions", counts)
    left: Samples = [((account,), float(len(known.scratch))) for account, known in checks.items()]
    yield gauge("rotator_account_scratch_credentials", left)


def of_reconciliations(known: Mapping[str, AccountEvidence]) -> Iterator[Metric]:
    """Yields what the last reconciliation found, by the account's name in the configuration."""
    of_account = ((account, found) for account, evidence in known.items() for found in evidence.reconciled)
    counts: Samples = [((account, found.kind.value), float(found.number)) for account, found in of_account]
    yield gauge("rotator_account_credentials", counts)
    moments: Samples = [
        ((account,), evidence.reconciled_at.timestamp())
        for account, evidence in known.items()
        if evidence.reconciled_at is not None
    ]
    yield gauge("rotator_account_reconciled_timestamp_seconds", moments)


def _word(shown: Shown) -> str:
    return shown.value.replace(" ", "_")


def of_keys(keys: Mapping[str, AccountKey]) -> Iterator[Metric]:
    """Yields what is known of the life of each account's own key."""
    made: Samples = [((name,), key.made_at.timestamp()) for name, key in keys.items() if key.made_at is not None]
    expires: Samples = [
        ((name,), key.expires_at.timestamp()) for name, key in keys.items() if key.expires_at is not None
    ]
    limits: Samples = [((name,), key.max_age.total_seconds()) for name, key in keys.items() if key.max_age is not None]
    yield gauge("rotator_account_key_made_timestamp_seconds", made)
    yield gauge("rotator_account_key_expiry_timestamp_seconds", expires)
    yield gauge("rotator_account_key_max_age_seconds", limits)


def _of_groups(groups: Mapping[GroupKey, GroupSums], now: datetime, looked_at_within: timedelta) -> Iterator[Metric]:
    of_groups: list[tuple[tuple[str, ...], GroupSums]] = list(groups.items())
    found = [(key, sums.needs(now, looked_at_within)) for key, sums in of_groups]
    yield gauge("rotator_fleet_targets", _split(of_groups, STATES, lambda sums: sums.states))
    needs = [((*key, need), float(numbers[need])) for key, numbers in found for need in Need]
    yield gauge("rotator_fleet_targets_in_need", needs)
    yield gauge("rotator_fleet_targets_blocked", _split(of_groups, BLOCKED.values(), lambda sums: sums.blocked))
    ledger = _split(of_groups, LEDGER_STATES, lambda sums: sums.ledger)
    yield gauge("rotator_fleet_ledger_credentials", ledger)
    yield gauge("rotator_fleet_attempts_open", [(key, float(sums.attempts)) for key, sums in of_groups])
    yield gauge("rotator_fleet_max_age_seconds", [(key, sums.max_age) for key, sums in of_groups])
    oldest = [(key, sums.made[0][0]) for key, sums in of_groups if sums.made]
    yield gauge("rotator_fleet_oldest_password_timestamp_seconds", oldest)
    yield _ages(groups, now)
    yield from _counted(groups)


def _split(
    groups: Iterable[tuple[tuple[str, ...], GroupSums]],
    words: Iterable[str],
    counted: Callable[[GroupSums], Mapping[str, int]],
) -> Samples:
    return [((*key, word), float(counted(sums)[word])) for key, sums in groups for word in words]


def _ages(groups: Mapping[GroupKey, GroupSums], now: datetime) -> Metric:
    described = DESCRIBED["rotator_fleet_password_age_seconds"]
    family = HistogramMetricFamily(described.name, described.help, labels=described.labels)
    for key, sums in groups.items():
        known = len(sums.made)
        younger = [(str(age.total_seconds()), float(known - sums.made_before(now - age))) for age in _AGES]
        family.add_metric(key, [*younger, ("+Inf", float(known))], known * now.timestamp() - sums.made_sum)
    return family


def _counted(groups: Mapping[GroupKey, GroupSums]) -> Iterator[Metric]:
    for name, outcomes, prefix in (
        ("rotator_fleet_rotations_total", _ROTATIONS, ""),
        ("rotator_fleet_retirements_total", _RETIREMENTS, ""),
        ("rotator_fleet_ends_total", _ENDS, "ends_"),
    ):
        described = DESCRIBED[name]
        family = CounterMetricFamily(name, described.help, labels=described.labels)
        for key, sums in groups.items():
            counted = sums.counted()
            for outcome in outcomes:
                family.add_metric((*key, outcome), counted[prefix + outcome])
        yield family
    described = DESCRIBED["rotator_fleet_rotation_duration_seconds"]
    durations = SummaryMetricFamily(described.name, described.help, labels=described.labels)
    for key, sums in groups.items():
        counted = sums.counted()
        durations.add_metric(key, counted["succeeded"], counted["seconds"])  # type: ignore[arg-type]
    yield durations


def _counts(name: str, targets: Mapping[str, TargetSnapshot], outcomes: tuple[str, ...]) -> Metric:
    return counter(
        name,
        [
            ((target, outcome), float(getattr(seen.state.counts, outcome)))
            for target, seen in targets.items()
            for outcome in outcomes
        ],
    )


def _durations(targets: Mapping[str, TargetSnapshot]) -> Metric:
    described = DESCRIBED["rotator_rotation_duration_seconds"]
    family = SummaryMetricFamily(described.name, described.help, labels=described.labels)
    for target, seen in targets.items():
        family.add_metric((target,), seen.state.counts.succeeded, seen.state.counts.seconds)
    return family


def counter(name: str, samples: Samples) -> Metric:
    """Returns the family of a counter."""
    described = DESCRIBED[name]
    family = CounterMetricFamily(name, described.help, labels=described.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def gauge(name: str, samples: Samples) -> Metric:
    """Returns the family of a gauge."""
    described = DESCRIBED[name]
    family = GaugeMetricFamily(name, described.help, labels=described.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
