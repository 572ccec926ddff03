"""`rotator report`: how old passwords are, now and in a period, and that a file is what was reported."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command_runner import DAY, OFFICE, create_credentials, start_rotator

LIMITS = {"max_age": "100d"}


@pytest.fixture
def office(environment) -> None:
    create_credentials(environment, "office")
    environment.configure([OFFICE], limits=LIMITS, policies=DAY)


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_every_accepted_password_is_shown_also_the_replaced_one(environment, office, run_command):
    assert run_command("rotate", "office").code == 0
    printed = run_command("report", "--output", "json", "--standard", "pci")
    assert printed.code == 0, printed.err
    published, replaced = printed.json["passwords"]
    assert (published["target"], published["use"], published["verdict"]) == ("office", "published", "within")
    assert published["age_seconds"] < 600
    assert published["limit_seconds"] == 100 * 86_400
    assert published["made_at"].startswith(today())
    assert (replaced["username"], replaced["made_at"], replaced["verdict"]) == ("office", None, "age unknown")
    assert replaced["use"].startswith("replaced, refused from ")
    assert printed.json["summary"] == {
        "targets": 1, "within": 1, "over": 0, "age unknown": 1,
        "retirements_overdue": 0, "exceptions": 0, "keys_over": 0,
    }  # fmt: skip
    assert [answer["requirement"].split(":")[0] for answer in printed.json["answers"]] == [
        "PCI DSS v4.0.1, 8.6.3, first point",
        "PCI DSS v4.0.1, 8.6.3, second point",
        "PCI DSS v4.0.1, 8.3.9, where a password is the only factor of a user's access",
    ]
    (key,) = printed.json["keys"]
    assert (key["account"], key["made_at"], key["verdict"]) == ("vobiz", None, "no limit")
    table = run_command("report")
    assert table.code == 0
    assert "within: 1, over: 0, age unknown: 1" in table.out


def test_a_target_that_no_daemon_has_looked_at_is_not_said_to_have_no_password(environment, office, run_command):
    (row,) = run_command("report", "--output", "json").json["passwords"]
    assert (row["verdict"], row["use"]) == ("age unknown", "never rotated, not looked at yet")
    environment.configure([OFFICE | {"credential": {"username": "office", "new": True}}], limits=LIMITS, policies=DAY)
    (row,) = run_command("report", "--output", "json").json["passwords"]
    assert (row["verdict"], row["use"]) == ("nothing accepted", None)


def test_a_terminal_gets_the_columns_that_fit(environment, office, run_command):
    assert run_command("rotate", "office").code == 0
    printed = run_command("report").out
    assert "SIP REGISTER" not in printed
    assert "--output json, csv or html also has: account, kind, proof, last verified, retirements overdue" in printed


def test_who_holds_a_target_until_when_and_why_is_said_at_a_terminal_and_in_files(environment, office, run_command):
    until = (datetime.now(UTC) + timedelta(days=2)).date()
    asked = ("--reason", "PBX is replaced", "--until", str(until), "--by", "alice")
    assert run_command("pause", "office", *asked).code == 0
    (row,) = run_command("report", "--output", "json").json["passwords"]
    assert (row["exception"], row["exception_until"]) == ("paused", f"{until}T00:00:00Z")
    assert re.fullmatch(
        r"paused by vault:approle\S* \(.*by alice\) until .* UTC: PBX is replaced", row["exception_reason"]
    )
    (listed,) = csv.DictReader(io.StringIO(run_command("report", "--output", "csv").out))
    assert listed["exception_reason"] == row["exception_reason"]
    assert "PBX is replaced" in run_command("report", "--output", "html").out
    at_a_terminal = run_command("report").out
    assert "PBX is replaced" in " ".join(at_a_terminal.split())
    assert "exceptions: 1" in at_a_terminal

    freeze = {"start": today(), "end": str(until), "timezone": "UTC", "reason": "end of year"}
    environment.configure([OFFICE], policies={"fast": DAY["fast"] | {"blackouts": [freeze]}})
    assert run_command("resume", "office").code == 0
    (row,) = run_command("report", "--output", "json").json["passwords"]
    assert (row["exception"], row["exception_until"]) == ("blackout", f"{until + timedelta(days=1)}T00:00:00Z")


def test_a_report_of_a_period_has_what_was_held_in_it(environment, office, run_command):
    until = (datetime.now(UTC) + timedelta(days=2)).date()
    asked = ("--reason", "PBX is replaced", "--until", str(until), "--by", "alice")
    assert run_command("pause", "office", *asked).code == 0
    assert run_command("resume", "office").code == 0
    freeze = {"start": today(), "end": str(until), "timezone": "UTC", "reason": "end of year"}
    environment.configure([OFFICE], policies={"fast": DAY["fast"] | {"blackouts": [freeze]}})
    printed = run_command("report", "--from", today(), "--output", "json").json
    paused, blackout = printed["exceptions"]
    assert (paused["exception"], paused["concerned"], paused["reason"]) == ("paused", "office", "PBX is replaced")
    assert paused["until"].startswith(today())  # somebody ended it
    assert paused["asked_until"] == f"{until}T00:00:00Z"
    assert paused["requested_by"].startswith("vault:approle")
    assert "by alice" in paused["stated"]
    assert (blackout["exception"], blackout["concerned"]) == ("blackout", "policy fast")
    assert (blackout["until"], blackout["reason"]) == (f"{until + timedelta(days=1)}T00:00:00Z", "end of year")
    assert printed["summary"]["exceptions"] == 2
    assert "the blackouts are those that the configuration has now" in printed["notes"]
    others = run_command("report", "office", "--from", "2020-01-01", "--to", "2020-01-02", "--output", "json").json
    assert others["exceptions"] == []
    page = run_command("report", "--from", today(), "--output", "html").out
    assert "What held changes in the period" in page
    at_a_terminal = run_command("report", "--from", today()).out
    assert "--output json or html also has: asked until, who asked, said of themselves, holds" in at_a_terminal
    assert "PBX is replaced" in at_a_terminal


def test_a_password_over_its_limit_ends_the_command_with_1(environment, office, run_command):
    assert run_command("rotate", "office").code == 0
    store = environment.vault.store
    stored = store.read_state("office")
    old = replace(stored.state.published, made_at=datetime.now(UTC) - timedelta(days=101))
    store.write_state(replace(stored.state, published=old), stored.version)
    printed = run_command("report", "--output", "json")
    assert printed.code == 1, printed.err
    assert [row["verdict"] for row in printed.json["passwords"]] == ["over", "age unknown"]
    assert printed.json["summary"]["over"] == 1
    shown = run_command("status", "--state", "over_age_limit", "--output", "json")
    assert [row["name"] for row in shown.json["targets"]] == ["office"]


def test_a_period_is_told_by_the_audit_and_what_it_lacks_is_said(environment, office, run_command):
    for reason in ("first", "stolen"):
        flags = ["--compromised"] if reason == "stolen" else []
        assert run_command("rotate", "office", "--reason", reason, "--by", "anna", *flags).code == 0
    printed = run_command("report", "--from", "2026-01-01", "--to", today(), "--output", "json")
    assert printed.code == 0, printed.err
    (row,) = printed.json["targets"]
    assert (row["target"], row["rotations"]) == ("office", 2)
    assert printed.json["too_old"] == []
    (emergency,) = printed.json["emergencies"]
    assert (emergency["target"], emergency["reason"], emergency["stated"]) == ("office", "stolen", "by anna")
    assert emergency["requested_by"].startswith("vault:")
    assert emergency["asked_at"] <= emergency["published_at"] <= emergency["ended_at"]
    assert any(note.startswith("there are no records before ") for note in printed.json["notes"])
    assert (printed.json["audit"]["problems"], printed.json["audit"]["chains"]) == (0, 2)
    only = run_command("report", "--from", today(), "--events", "emergency", "--output", "csv")
    (listed,) = csv.DictReader(io.StringIO(only.out))
    assert (listed["target"], listed["reason"]) == ("office", "stolen")
    past = run_command("report", "--as-of", "2026-01-01", "--output", "json")
    assert [row["verdict"] for row in past.json["targets"]] == ["no record"]
    assert past.code == 1, "nothing shows that its password was within the limit"
    assert "the audit has no record of 1 target: nothing shows the age of what was accepted" in past.json["notes"]
    asked = run_command("report", "--as-of", "2026-01-01", "--events", "emergency", "--output", "json")
    assert asked.code == 0, "who asked for emergency changes is no question of ages"


def test_a_pause_is_reported_under_the_new_name_of_a_target(environment, office, run_command):
    assert run_command("rotate", "office").code == 0
    assert run_command("pause", "office", "--reason", "PBX is replaced", "--until", "2d").code == 0
    environment.configure([OFFICE | {"name": "reception"}], limits=LIMITS, policies=DAY)
    renamed = run_command("rename", "office", "reception")
    assert renamed.code == 0, renamed.err
    words = ("report", "reception", "--from", today(), "--output", "json")
    (paused,) = run_command(*words).json["exceptions"]
    assert (paused["concerned"], paused["until"]) == ("reception", paused["asked_until"])
    passwords = run_command("report", "--output", "json").json["passwords"]
    emptied, store = environment.state("office"), environment.vault.store
    cut = replace(environment.state("reception"), target="office", renamed_from="", renamed_to="reception")
    store.write_state(cut, store.read_state("office").version)
    again = run_command("report", "--output", "json").json["passwords"]
    assert [row["target"] for row in again] == [row["target"] for row in passwords], "nothing is reported twice"
    store.write_state(emptied, store.read_state("office").version)
    assert run_command("resume", "reception").code == 0
    (ended,) = run_command(*words).json["exceptions"]
    assert (ended["since"], ended["until"] < ended["asked_until"]) == (paused["since"], True)


def test_the_log_of_a_job_is_the_report(environment, run_command, tmp_path):
    """Both outputs of a pod are one log, and its audit has no file."""
    create_credentials(environment, "office")
    environment.configure([OFFICE], limits=LIMITS, policies=DAY, audit={"file": None})
    log = tmp_path / "log.csv"
    words = ["report", "-c", str(environment.config), "--output", "csv"]
    with log.open("wb") as both, start_rotator(words, environment.variables, stdout=both, stderr=both) as job:
        assert job.wait(60) == 0
    assert log.read_text().startswith("target,")
    shown = run_command("verify-report", str(log))
    assert shown.code == 0, log.read_text()


def test_a_file_is_shown_to_be_the_one_that_was_reported(environment, office, run_command, tmp_path):
    assert run_command("rotate", "office").code == 0
    for output in ("html", "csv", "json"):
        file = tmp_path / f"report.{output}"
        file.write_text(run_command("report", "--output", output).out)
        shown = run_command("verify-report", str(file))
        assert shown.code == 0, shown.out
        assert re.search(r"was reported on \S+, by vault:approle", shown.out)
        file.write_text(file.read_text() + " ")
        changed = run_command("verify-report", str(file))
        assert changed.code == 1
        assert "the audit does not have" in changed.out
    unrecorded = tmp_path / "unrecorded.csv"
    unrecorded.write_text(run_command("report", "--output", "csv", "--no-record").out)
    assert run_command("verify-report", str(unrecorded)).code == 1
    assert run_command("verify-audit").code == 0


def test_the_page_loads_nothing_and_runs_nothing(environment, office, run_command):
    assert run_command("rotate", "office").code == 0
    page = run_command("report", "--output", "html", "--standard", "iso27001").out
    assert "<script" not in page
    assert not re.search(r'(src|href)="', page)
    assert "default-src 'none'" in page
    assert "No password is known to be over a limit; not all can be judged." in page  # nobody knows the first one's age


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as-of", "2026-01-01", "--from", "2026-01-01"), "--as-of and --from exclude each other"),
        (("--to", "2026-01-01"), "--to needs --from"),
        (("--events", "emergency"), "--events and --audit need a period"),
        (("--from", "tomorrow"), "is not a day: write it as 2026-01-31"),
        (("--as-of", "2999-01-01"), "still to come"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "the period ends before it begins"),
    ],
)
def test_what_cannot_be_asked_is_said(environment, office, run_command, words, said):
    printed = run_command("report", *words)
    assert (printed.code, said in printed.err) == (2, True), printed.err
