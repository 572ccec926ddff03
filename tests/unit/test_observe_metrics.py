"""Metrics: scraped and parsed as Prometheus does, from durable state, and documented."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rotator.core.age_limit import longest_until_due
from rotator.core.audit_chain import Position
from rotator.core.blackouts import Extent
from rotator.core.clocks import Clocks
from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence, AssumptionResult, FoundCredentials, Scratch, Shown
from rotator.core.freezes import Freeze, Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import OrphanKind
from rotator.core.model import (
    Attempt,
    Counts,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Policy,
    Purpose,
    Strategy,
    Target,
    TargetState,
    Verification,
)
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Cron, Every, Schedule, Window, next_due
from rotator.core.secret import Secret
from rotator.observe.audit import AuditStatus
from rotator.observe.audit_outlet import OutletStatus
from rotator.observe.catalogue import METRICS, documentation
from rotator.observe.fleet import KnownFleet
from rotator.observe.metrics import Metrics
from rotator.ports import Meter
from rotator.testing import FakeClock

SENTINEL = "Sentinel-Value-77"
DAY = timedelta(days=1)
OUTLETS = (OutletStatus("vault", "vault", 0, 0, ""), OutletStatus("file", "/log", 3, 2, "full"))


# What is there from the first scrape on.
ZEROS = {
    **{("rotator_orphans", (kind,)): 0 for kind in OrphanKind},
    **{("rotator_clock_jumps_total", (direction,)): 0 for direction in ("backward", "forward")},
    **{("rotator_scheduler_missed_runs_total", (why,)): 0 for why in ("error", "missed", "still_running")},
    ("rotator_series_for_each_target", ()): 1,
}


def policy(schedule: Schedule | None = None, window: Window | None = None) -> Policy:
    return Policy("quarterly", schedule or Every(90 * DAY), window, DAY, 7 * DAY, PasswordRules())


def target(name: str = "phone") -> Target:
    return Target(name, "acc", Strategy.REPLACE, ("user1",), f"sip/{name}", policy())


def credential(name: str) -> Credential:
    return Credential("acc", name, f"id-{name}", Secret(SENTINEL))


def entry(now: datetime, *, disable_in: timedelta, disabled: timedelta | None = None) -> LedgerEntry:
    at = None if disabled is None else now + disabled
    return LedgerEntry(credential("old"), Ending.DELETE, now - 30 * DAY, now + disable_in, 7 * DAY, at)


class Seen(Metrics):
    """The metrics, with what they are told of."""

    def __init__(self, clock: FakeClock, target_series: int = 10) -> None:
        self.fleet = KnownFleet(clock)
        super().__init__(clock, "1.2.3", self.fleet, target_series=target_series)


def metrics(clock: FakeClock | None = None) -> Seen:
    return Seen(clock or FakeClock())


def scrape(source: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and its label values, in the order in which the labels are declared."""
    found = {}
    for family in text_string_to_metric_families(source.render().decode()):
        (known,) = (each for each in METRICS if each.name in (family.name, f"{family.name}_total"))
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in (*known.labels, "le") if name in sample.labels)
            assert len(labels) == len(sample.labels), sample
            found[sample.name, labels] = sample.value
    return found


def busy_state(now: datetime) -> TargetState:
    """In an attempt, with four replaced credentials."""
    attempt = Attempt("a1", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, credential("new"), None, now, "me", "why")
    return TargetState(
        "phone",
        attempt=attempt,
        ledger=(
            entry(now, disable_in=DAY),
            entry(now, disable_in=DAY),
            entry(now, disable_in=-DAY, disabled=-DAY),
            replace(entry(now, disable_in=-DAY), ending=Ending.STAND_BY, overwritten_at=now - DAY),
        ),
        published=replace(credential("pub"), made_at=now - 5 * DAY),
        last_rotation=now - 3 * DAY,
        next_rotation=now + 80 * DAY,
        failures=2,
        counts=Counts(
            succeeded=7,
            failed=3,
            undone=1,
            disabled=5,
            overwritten=6,
            deleted=4,
            ends_shown=8,
            ends_not_shown=9,
            seconds=12.5,
        ),
    )


STAMP = FakeClock().now().timestamp()
SAID_OF_BUSY = {
    ("rotator_build_info", ("1.2.3",)): 1,
    ("rotator_rotations_total", ("phone", "succeeded")): 7,
    ("rotator_rotations_total", ("phone", "failed")): 3,
    ("rotator_rotations_total", ("phone", "undone")): 1,
    ("rotator_retirements_total", ("phone", "disabled")): 5,
    ("rotator_retirements_total", ("phone", "overwritten")): 6,
    ("rotator_retirements_total", ("phone", "deleted")): 4,
    ("rotator_rotation_duration_seconds_count", ("phone",)): 7,
    ("rotator_rotation_duration_seconds_sum", ("phone",)): 12.5,
    ("rotator_target_last_rotation_timestamp_seconds", ("phone",)): STAMP - 3 * 86_400,
    ("rotator_target_latest_event_timestamp_seconds", ("phone",)): STAMP - 86_400,
    ("rotator_target_password_made_timestamp_seconds", ("phone",)): STAMP - 5 * 86_400,
    ("rotator_target_next_rotation_timestamp_seconds", ("phone",)): STAMP + 80 * 86_400,
    ("rotator_target_max_age_seconds", ("phone",)): 90 * 86_400,
    ("rotator_target_paused", ("phone",)): 0,
    ("rotator_target_consecutive_failures", ("phone",)): 2,
    ("rotator_attempt_open_timestamp_seconds", ("phone",)): STAMP,
    ("rotator_last_look_timestamp_seconds", ("phone",)): STAMP,
    ("rotator_ledger_credentials", ("phone", "waiting")): 2,
    ("rotator_ledger_credentials", ("phone", "in_use")): 0,
    ("rotator_ledger_credentials", ("phone", "disabled")): 1,
    ("rotator_ledger_credentials", ("phone", "overwritten")): 1,
    ("rotator_retirement_overdue", ("phone",)): 0,
    ("rotator_ended_still_accepted", ("phone",)): 0,
    ("rotator_hooks_failing", ("phone",)): 0,
    ("rotator_ends_total", ("phone", "shown")): 8,
    ("rotator_ends_total", ("phone", "not_shown")): 9,
    ("rotator_target_devices_out", ("phone",)): 0,
    ("rotator_target_verification_overdue", ("phone",)): 0,
}


def test_what_is_said_of_a_target_comes_from_its_state() -> None:
    clock = FakeClock()
    source = metrics(clock)
    source.fleet.update(target(), busy_state(clock.now()))
    seen = scrape(source)
    assert {
        key: value for key, value in seen.items() if not key[0].startswith("rotator_fleet_")
    } == ZEROS | SAID_OF_BUSY


@pytest.mark.parametrize(
    ("verification", "age", "accepted", "overdue"),
    [
        (Verification(FakeClock().now(), accepted=True), DAY, 1, 0),
        (Verification(FakeClock().now(), accepted=True), 2 * DAY + timedelta(seconds=1), 1, 1),
        (Verification(FakeClock().now(), accepted=False, refusals=1), DAY, 1, 0),
        (Verification(FakeClock().now(), accepted=False, refusals=2), DAY, 0, 0),
    ],
)
def test_what_a_proof_has_shown_is_told_until_the_next_one(verification, age, accepted, overdue) -> None:
    clock = FakeClock()
    source, phone = metrics(clock), target()
    phone = replace(phone, policy=replace(phone.policy, verify=DAY))
    source.fleet.update(phone, TargetState("phone", published=credential("pub"), verification=verification))
    clock.advance(age)
    seen = scrape(source)
    assert seen["rotator_target_verified_timestamp_seconds", ("phone",)] == verification.at.timestamp()
    assert seen["rotator_target_accepted", ("phone",)] == accepted
    assert seen["rotator_target_verification_overdue", ("phone",)] == overdue


def test_a_restart_says_the_same_and_nothing_is_counted_twice() -> None:
    state = TargetState("phone", counts=Counts(succeeded=7, seconds=12.5))
    before, after = metrics(), metrics()
    before.fleet.update(target(), state)
    for _ in range(3):
        after.fleet.update(target(), state)
    assert scrape(before) == scrape(after)
    assert scrape(after)["rotator_fleet_rotations_total", ("acc", "quarterly", "succeeded")] == 0, "since start"


def test_what_is_not_known_is_absent_and_a_forgotten_target_too() -> None:
    source = metrics()
    source.fleet.update(target(), TargetState("phone"))
    source.fleet.update(target("other"), TargetState("other"))
    source.fleet.held("other", Hold(HoldReason.FOREIGN_DOCUMENT, "x"))
    source.fleet.forget({"other"})
    names = {name for name, labels in scrape(source)}
    assert "rotator_target_last_rotation_timestamp_seconds" not in names
    assert "rotator_target_password_made_timestamp_seconds" not in names
    assert "rotator_attempt_open_timestamp_seconds" not in names
    assert "rotator_vault_token_expiry_timestamp_seconds" not in names
    assert not any("other" in labels for _, labels in scrape(source))


def test_what_holds_a_target_up_is_told_in_a_word() -> None:
    source = metrics()
    for name, reason in (("phone", HoldReason.FOREIGN_DOCUMENT), ("fax", HoldReason.NOT_DUE), ("pager", None)):
        source.fleet.update(target(name), TargetState(name))
        source.fleet.held(name, Hold(HoldReason.RENAMED, "before"))
        source.fleet.held(name, Hold(reason, "x") if reason else None)
    blocked = {labels: value for (name, labels), value in scrape(source).items() if name == "rotator_target_blocked"}
    assert blocked == {("phone", "foreign_document"): 1}


def _names_with_targets(source: Metrics) -> set[str]:
    """The metrics with a label `target`."""
    found = text_string_to_metric_families(source.render().decode())
    return {sample.name for family in found for sample in family.samples if "target" in sample.labels}


@pytest.mark.parametrize(("expected", "seen"), [(11, 1), (0, 11)])
def test_above_the_bound_no_target_has_series_of_its_own(expected: int, seen: int) -> None:
    """Configured targets count before they were seen: series that came and went again would confuse every alert."""
    source = metrics()
    source.expect(expected)
    for number in range(seen):
        source.fleet.update(target(f"phone{number}"), TargetState(f"phone{number}", published=credential("pub")))
    assert _names_with_targets(source) == set()
    scraped = scrape(source)
    assert scraped["rotator_series_for_each_target", ()] == 0
    assert scraped["rotator_fleet_targets", ("acc", "quarterly", "idle")] == seen


def test_up_to_the_bound_each_target_has_series_and_the_sums_are_there_too() -> None:
    source = metrics()
    source.expect(10)
    source.fleet.update(target(), TargetState("phone"))
    assert "rotator_target_max_age_seconds" in _names_with_targets(source)
    scraped = scrape(source)
    assert scraped["rotator_series_for_each_target", ()] == 1
    assert scraped["rotator_fleet_targets", ("acc", "quarterly", "never rotated")] == 1


def test_the_sums_of_a_fleet() -> None:
    clock = FakeClock()
    now, source = clock.now(), Seen(clock, target_series=0)
    for name, age in (("young", 1), ("old", 100), ("older", 400)):
        made = replace(credential("pub"), made_at=now - age * DAY + timedelta(seconds=1))
        held = (entry(now, disable_in=DAY), entry(now, disable_in=-DAY, disabled=-DAY))
        source.fleet.update(target(name), TargetState(name, published=made, ledger=held))
    ended = TargetState("young", counts=Counts(succeeded=2, failed=1, disabled=3, deleted=1, seconds=7.0))
    source.fleet.update(target("young"), replace(ended, published=replace(credential("pub"), made_at=now - DAY)))
    seen, group = scrape(source), ("acc", "quarterly")
    assert seen["rotator_fleet_targets_in_need", (*group, "overdue")] == 2
    assert seen["rotator_fleet_password_age_seconds_bucket", (*group, str(90 * 86_400.0))] == 1
    assert seen["rotator_fleet_password_age_seconds_bucket", (*group, str(120 * 86_400.0))] == 2
    assert seen["rotator_fleet_password_age_seconds_bucket", (*group, "+Inf")] == 3
    assert seen["rotator_fleet_password_age_seconds_count", group] == 3
    assert seen["rotator_fleet_password_age_seconds_sum", group] == pytest.approx(501 * 86_400 - 2)
    oldest = (now - 400 * DAY).timestamp() + 1
    assert seen["rotator_fleet_oldest_password_timestamp_seconds", group] == oldest
    assert seen["rotator_fleet_max_age_seconds", group] == 90 * 86_400
    assert seen["rotator_fleet_ledger_credentials", (*group, "waiting")] == 2
    assert seen["rotator_fleet_ledger_credentials", (*group, "disabled")] == 2
    assert seen["rotator_fleet_rotations_total", (*group, "succeeded")] == 2
    assert seen["rotator_fleet_retirements_total", (*group, "disabled")] == 3
    assert seen["rotator_fleet_rotation_duration_seconds_count", group] == 2
    assert seen["rotator_fleet_rotation_duration_seconds_sum", group] == 7.0


def test_a_retirement_is_overdue_after_a_grace_and_the_clock_alone_makes_it_so() -> None:
    clock = FakeClock()
    source, now = metrics(clock), clock.now()
    to_disable = entry(now, disable_in=timedelta(hours=1))
    to_delete = entry(now, disable_in=-9 * DAY, disabled=timedelta(hours=1) - 7 * DAY)
    source.fleet.update(target(), TargetState("phone", ledger=(to_disable, to_delete)))
    key = ("rotator_retirement_overdue", ("phone",))
    clock.advance(timedelta(hours=1, minutes=9))
    assert scrape(source)[key] == 0
    clock.advance(timedelta(minutes=2))
    assert scrape(source)[key] == 2


def test_requests_are_counted_and_timed() -> None:
    source = metrics()
    meter: Meter = source
    meter.provider_request("vobiz-prod", "create", "201", 0.2)
    meter.provider_request("vobiz-prod", "create", "timeout", 40.0)
    meter.vault_request("read_state", "ok", 0.01)
    seen = scrape(source)
    assert seen["rotator_provider_requests_total", ("vobiz-prod", "create", "201")] == 1
    assert seen["rotator_provider_requests_total", ("vobiz-prod", "create", "timeout")] == 1
    assert seen["rotator_provider_request_duration_seconds_count", ("vobiz-prod", "create")] == 2
    assert seen["rotator_provider_request_duration_seconds_bucket", ("vobiz-prod", "create", "0.25")] == 1
    assert seen["rotator_vault_requests_total", ("read_state", "ok")] == 1
    assert seen["rotator_vault_request_duration_seconds_sum", ("read_state",)] == 0.01
    assert not any(name.endswith("_created") for name, _ in seen)


def test_labels_stay_bounded_and_hold_no_text_whatever_an_adapter_says() -> None:
    source = metrics()
    for number in range(2_000):
        source.provider_request("acc", "create", f"status-{number}", 0.1)
    source.vault_request("read", f"failed: {SENTINEL} in a text", 0.1)
    seen = scrape(source)
    outcomes = [labels for name, labels in seen if name == "rotator_provider_requests_total"]
    assert len(outcomes) <= 502
    assert seen["rotator_provider_requests_total", ("acc", "other", "other")] == 1_500
    assert seen["rotator_vault_requests_total", ("read", "other")] == 1
    assert SENTINEL.encode() not in source.render()


def test_the_process_says_how_it_does_itself() -> None:
    clock = FakeClock()
    source, stamp = metrics(clock), clock.now().timestamp()
    source.config_loaded(ok=True)
    clock.advance(DAY)
    source.config_loaded(ok=False)
    source.circuit("acc", is_open=True)
    source.circuit("acc2", is_open=False)
    source.follow_paces(lambda: {"acc": (12.5, 0.7)})
    source.missed_run("max_instances")
    source.sweep_takes(timedelta(minutes=2))
    source.clock_jumped(forward=True)
    source.clock_jumped(forward=False)
    source.clocks(Clocks(clock.now(), clock.now() + 2 * DAY))
    source.vault_token_expires(clock.now())
    source.follow_audit(lambda: AuditStatus(Position("c", 41, "h"), OUTLETS))
    source.follow_connections(lambda: {("pages", "slow"): 5})
    seen = scrape(source)
    expected = {
        ("rotator_build_info", ("1.2.3",)): 1,
        ("rotator_config_last_reload_successful", ()): 0,
        ("rotator_config_last_reload_success_timestamp_seconds", ()): stamp,
        ("rotator_sweep_round_seconds", ()): 120,
        ("rotator_circuit_open", ("acc",)): 1,
        ("rotator_circuit_open", ("acc2",)): 0,
        ("rotator_account_held_seconds", ("acc",)): 12.5,
        ("rotator_account_rate_share", ("acc",)): 0.7,
        ("rotator_scheduler_missed_runs_total", ("max_instances",)): 1,
        ("rotator_clock_jumps_total", ("forward",)): 1,
        ("rotator_clock_jumps_total", ("backward",)): 1,
        ("rotator_clock_offset_seconds", ()): -2 * 86_400,
        ("rotator_vault_token_expiry_timestamp_seconds", ()): stamp + 86_400,
        ("rotator_audit_last_sequence", ()): 41,
        ("rotator_audit_waiting_records", ("vault",)): 0,
        ("rotator_audit_waiting_records", ("file",)): 3,
        ("rotator_audit_lost_records_total", ("vault",)): 0,
        ("rotator_audit_lost_records_total", ("file",)): 2,
        ("rotator_http_connections_ended_total", ("pages", "slow")): 5,
    }
    assert seen == ZEROS | expected
    source.vault_token_expires(None)
    assert ("rotator_vault_token_expiry_timestamp_seconds", ()) not in scrape(source)


def test_what_checks_have_shown_is_counted_by_account_whatever_it_was() -> None:
    clock = FakeClock()
    source, now = metrics(clock), clock.now()
    shown = (Shown.HOLDS, Shown.HOLDS, Shown.DOES_NOT)
    results = tuple(AssumptionResult(f"key-{number}", SENTINEL, one, SENTINEL, now) for number, one in enumerate(shown))
    scratch = (Scratch(credential("rotatorcheck1"), now),)
    checked = AccountEvidence(1, results, scratch, checked_at=now + DAY, written_at=now)
    source.follow_checks(lambda: {"acc": checked, "never": AccountEvidence()})
    assert scrape(source) == ZEROS | {
        ("rotator_account_checked_timestamp_seconds", ("acc", "read")): now.timestamp() + 86_400,
        ("rotator_account_checked_timestamp_seconds", ("acc", "write")): now.timestamp(),
        ("rotator_account_assumptions", ("acc", "holds")): 2,
        ("rotator_account_assumptions", ("acc", "does_not")): 1,
        ("rotator_account_assumptions", ("acc", "not_shown")): 0,
        ("rotator_account_scratch_credentials", ("acc",)): 1,
        ("rotator_account_scratch_credentials", ("never",)): 0,
        ("rotator_build_info", ("1.2.3",)): 1,
    }
    assert SENTINEL.encode() not in source.render()


def test_what_a_reconciliation_found_is_counted_by_account() -> None:
    clock = FakeClock()
    source, now = metrics(clock), clock.now()
    found = (FoundCredentials(DiscrepancyKind.ORPHANED, 2), FoundCredentials(DiscrepancyKind.FOREIGN, 0))
    known = AccountEvidence(1, reconciled_at=now, reconciled=found)
    source.follow_checks(lambda: {"acc": known})
    seen = scrape(source)
    assert seen["rotator_account_credentials", ("acc", "orphaned")] == 2
    assert seen["rotator_account_credentials", ("acc", "foreign")] == 0
    assert seen["rotator_account_reconciled_timestamp_seconds", ("acc",)] == now.timestamp()


def test_no_password_of_any_state_is_in_a_scrape() -> None:
    clock = FakeClock()
    source, now = metrics(clock), clock.now()
    attempt = Attempt(
        "a1", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, credential("n"), credential("p"), now, "me", SENTINEL
    )
    state = TargetState(
        "phone", credential("pub"), credential("by"), attempt, (entry(now, disable_in=DAY),), last_error=SENTINEL
    )
    source.fleet.update(target(), state)
    assert SENTINEL.encode() not in source.render()


@pytest.mark.parametrize(
    ("schedule", "window", "expected"),
    [
        (Every(90 * DAY), None, 90 * DAY),
        (Every(90 * DAY), Window("0 2 * * *", timedelta(hours=4)), 90 * DAY + timedelta(hours=4)),
        (Every(DAY), Window("0 2 * * 0", timedelta(hours=4)), 7.5 * DAY + timedelta(hours=4)),
        (Cron("0 3 1 * *"), None, 31 * DAY),
        (Cron("0 12 1 * *"), Window("0 2 * * 0", timedelta(hours=4)), 38 * DAY + timedelta(hours=4)),
    ],
)
def test_the_greatest_age_of_a_policy(schedule: Schedule, window: Window | None, expected: timedelta) -> None:
    assert longest_until_due(schedule, window) == expected


@pytest.mark.parametrize("days", [1, 3, 20, 90])
@pytest.mark.parametrize("cron", ["0 2 * * *", "30 1 * * 2,6", "0 2 1 * *"])
def test_no_rotation_by_the_schedule_comes_later_than_the_greatest_age(days: int, cron: str) -> None:
    rules = policy(Every(days * DAY), Window(cron, timedelta(hours=4)))
    moment, bound = datetime(2026, 1, 5, 12, 7, tzinfo=UTC), longest_until_due(rules.schedule, rules.window)
    for step in range(60):
        due = next_due(rules.schedule, rules.window, moment, fraction=(step % 7) / 7)
        assert moment < due <= moment + bound
        moment = due


def test_a_changed_policy_changes_the_greatest_age() -> None:
    source = metrics()
    source.fleet.update(target(), TargetState("phone"))
    source.fleet.update(replace(target(), policy=policy(Every(DAY))), TargetState("phone"))
    assert scrape(source)["rotator_target_max_age_seconds", ("phone",)] == 86_400


def _exposed(source: Metrics) -> Iterable[tuple[str, str, str]]:
    for family in text_string_to_metric_families(source.render().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, family.documentation


def test_every_metric_that_is_exposed_is_in_the_list_and_the_other_way_round() -> None:
    source = metrics()
    source.fleet.update(target(), TargetState("phone"))
    source.config_loaded(ok=True)
    source.sweep_takes(timedelta(seconds=30))
    source.reconciles_every(timedelta(days=1))
    source.clocks(Clocks(FakeClock().now(), FakeClock().now()))
    source.vault_token_expires(FakeClock().now())
    source.follow_audit(lambda: AuditStatus(Position("c", 0, "h"), OUTLETS))
    assert set(_exposed(source)) == {(each.name, each.kind, each.help) for each in METRICS}


def test_the_page_of_metrics_is_what_the_code_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert page.read_text() == documentation()


@pytest.mark.parametrize(
    ("changes", "out"),
    [
        ({}, 0),
        ({"uncertain": True}, 1),
        ({"phase": Phase.APPLIED}, 1),
        ({"phase": Phase.PROVED}, 1),
        ({"phase": Phase.APPLIED, "strategy": Strategy.REPLACE}, 0),
    ],
)
def test_devices_may_be_out_while_a_password_in_place_is_not_published(changes, out) -> None:
    source = metrics()
    staged = Attempt(
        "a1", Purpose.ROTATE, Strategy.IN_PLACE, Phase.STAGED, credential("new"), None, FakeClock().now(), "me", "why"
    )
    source.fleet.update(target(), TargetState("phone", attempt=replace(staged, **changes)))
    assert scrape(source)["rotator_target_devices_out", ("phone",)] == out


def test_a_verb_is_forbidden_until_a_call_of_it_succeeds() -> None:
    source = metrics()
    source.forbidden_verbs([("acc", "delete")])
    assert scrape(source)["rotator_provider_verb_forbidden", ("acc", "delete")] == 1
    source.forbidden_verbs([])
    assert not any(name == "rotator_provider_verb_forbidden" for name, _ in scrape(source))


def test_a_retired_target_raises_no_alarm_for_its_age_or_its_proof() -> None:
    source, now = metrics(), FakeClock().now()
    refused = Verification(now, accepted=False, proof="403 Forbidden", refusals=2)
    known = TargetState("phone", last_rotation=now, next_rotation=now + DAY, verification=refused, retired_at=now)
    source.fleet.update(target(), replace(known, ledger=(entry(now, disable_in=-DAY),)))
    gauges = {
        name
        for name, _ in scrape(source)
        if name.startswith(("rotator_target_", "rotator_retirement_overdue", "rotator_ended_", "rotator_hooks_"))
    }
    still = ("rotator_target_consecutive_failures", "rotator_target_devices_out", "rotator_retirement_overdue")
    left = ("rotator_target_latest_event_timestamp_seconds", "rotator_ended_still_accepted", "rotator_hooks_failing")
    assert gauges == {*still, *left}


def test_a_retirement_that_a_freeze_holds_has_the_time_from_which_it_is_held() -> None:
    clock = FakeClock()
    source, now = metrics(clock), clock.now()
    left = replace(target(), removed=True)
    waiting = entry(now, disable_in=timedelta(hours=1))
    frozen = Freezes((Freeze(HoldReason.BLACKOUT, now, now + 300 * DAY, "merger", Extent.CHANGES),))
    key = ("rotator_held_timestamp_seconds", ("phone",))
    for seen, freezes, expected in (
        (left, frozen, (now + timedelta(hours=1)).timestamp()),
        (left, Freezes(), None),
        (target(), frozen, (now + timedelta(hours=1)).timestamp()),
    ):
        source.fleet.update(seen, TargetState("phone", ledger=(waiting,)))
        source.fleet.held("phone", None, freezes)
        assert scrape(source).get(key) == expected
