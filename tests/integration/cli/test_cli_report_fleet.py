"""The auditor's question, asked of a fleet that lived through half a year: the two commands, held against the truth.

`pytest --long` has 5,000 targets.
"""

from datetime import UTC, datetime, timedelta

import pytest
from fleet_report import OUT, ReportedFleet
from long_runs import only_long

BEGIN, END = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=UTC)
QUARTER = ("--from", "2026-07-01", "--to", "2026-09-30")
MARGIN = timedelta(minutes=1)  # from an effect at the provider until its record, and of rounding


def lived(environment, targets: int, seed: int, **more: timedelta) -> ReportedFleet:
    fleet = ReportedFleet(targets, seed, environment.vault.audit)
    fleet.live(seed, **more)
    configuration = fleet.configuration()
    environment.configure(configuration.pop("targets"), **configuration)
    return fleet


@pytest.mark.parametrize("targets", [24, *only_long(5000)])
def test_no_password_was_older_than_90_days_and_who_did_the_emergency_change(environment, run_command, targets):
    fleet = lived(environment, targets, seed=11)
    printed = run_command("report", *QUARTER, "--output", "json", "--standard", "pci")
    rows = {row["target"]: row for row in printed.json["targets"]}
    # An account that lets in only what a trunk names, and shows no trunks, has accepted nothing new.
    handed_out = {target.name for target in fleet.world.targets.values() if target.path in fleet.world.store.consumers}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        name: "within" if name in handed_out else "no record" for name in fleet.world.targets
    }
    assert printed.code == (0 if len(handed_out) == targets else 1), printed.err or printed.json["too_old"]
    assert (len(rows), printed.json["too_old"], printed.json["audit"]["problems"]) == (targets, [], 0)
    ages = {}
    for row in (rows[name] for name in handed_out):
        said = timedelta(seconds=row["greatest_age_seconds"])
        true = fleet.truth.oldest(row["username"], BEGIN, END)
        assert true - MARGIN <= said <= true + timedelta(days=2), row
        ages[row["target"]] = said
    # Nothing that a provider accepted is left out, but for what the report says that it does not know.
    untold = {one for name in fleet.world.targets if name not in handed_out for one in fleet.usernames_of(name)}
    assert fleet.truth.oldest_of_all_but(untold, BEGIN, END) <= max(ages.values()) + MARGIN
    asked = run_command("report", "--from", "2026-08-14", "--to", "2026-08-14", "--events", "emergency", "-o", "json")
    assert asked.code == 0, asked.err
    found = [row for row in asked.json["emergencies"] if row["stated"]]
    (emergency,) = found
    assert (emergency["requested_by"], emergency["stated"]) == (
        "vault:oidc-anna (entity 4f1c)",
        "by anna, ticket CHG-4711",
    )
    assert (emergency["target"], emergency["reason"]) == (next(iter(rows)), "handset stolen")
    assert emergency["asked_at"] == "2026-08-14T16:20:00Z"
    assert emergency["asked_at"] < emergency["published_at"] <= emergency["ended_at"] < "2026-08-14T18:00:00Z"


def test_passwords_that_an_outage_made_too_old_are_found_and_no_others(environment, run_command):
    fleet = lived(environment, 24, seed=12, outage=timedelta(days=40))
    printed = run_command("report", *QUARTER, "--output", "json")
    assert printed.code == 1, printed.err
    too_old = {row["username"] for row in printed.json["too_old"]}
    assert {row["account"] for row in printed.json["too_old"]} == {OUT}
    limit = timedelta(days=90)
    true = {life.username for life in fleet.truth.lives if life.oldest_in(BEGIN, END) > limit}
    assert too_old == true
