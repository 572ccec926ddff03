"""`rotator status` of more targets than a screen takes: filters, order, and what it says is left out."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from command_runner import DAY, run_at_terminal

from rotator.core.model import Credential, Ending, LedgerEntry, Purpose, Request, TargetState
from rotator.core.secret import Secret

FLEET = 60


def target(number: int) -> dict[str, object]:
    name = f"t{number:02}"
    return {"name": name, "strategy": "replace", "credential": {"username": f"u{number:02}"}, "path": f"sip/{name}"}


def published(number: int) -> TargetState:
    now = datetime.now(UTC)
    made = Credential("vobiz", f"u{number:02}", f"id{number}", Secret("Vbz!2025$SecureP"), made_at=now)
    made = replace(made, made_at=now - timedelta(days=number))
    due = now + timedelta(days=90 - number)
    return TargetState(f"t{number:02}", published=made, last_rotation=made.made_at, next_rotation=due)


@pytest.fixture
def fleet(environment) -> None:
    environment.configure([target(number) for number in reversed(range(FLEET))], policies=DAY)
    now = datetime.now(UTC)
    for number in range(FLEET):
        state = published(number)
        if number == 7:
            state = replace(state, failures=4, last_error="refused")
        if number == 8:
            state = replace(state, request=Request(Purpose.ROTATE, "anna", "leaver", now))
        if number == 9:
            old = Credential("closed", "old", "id-old", Secret("Vbz!2025$SecureO"))
            state = replace(state, ledger=(LedgerEntry(old, Ending.DELETE, now, now, timedelta(days=1)),))
        environment.vault.store.write_state(state, 0)
        document = environment.vault.store.read_consumer(f"sip/t{number:02}")
        environment.vault.store.write_consumer(f"sip/t{number:02}", state.published, now, document)


def names(printed) -> list[str]:
    return [row["name"] for row in printed.json["targets"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "failing"], ["t07"]),
        (["--state", "keeps-failing", "--state", "requested"], ["t08", "t07"]),
        (["--state", "retiring"], ["t09"]),
        (["--state", "never rotated"], []),
        (["--due-before", "32d12h"], ["t59", "t58"]),
        (["--due-before", "32d12h", "--sort", "name"], ["t58", "t59"]),
        (["--sort", "due", "--limit", "2"], ["t59", "t58"]),
        (["--sort", "age", "--limit", "2"], ["t59", "t58"]),
        (["--sort", "need", "--limit", "1"], ["t07"]),
        (["--account", "vobiz", "t03", "t04"], ["t03", "t04"]),
    ],
)
def test_filters_and_order(fleet, run_command, words, expected):
    printed = run_command("status", *words, "--output", "json")
    assert printed.code == 0, printed.err
    assert names(printed) == expected


def test_json_has_every_target_in_the_order_of_the_configuration_and_the_numbers(fleet, run_command):
    printed = run_command("status", "--output", "json")
    assert names(printed) == [f"t{number:02}" for number in reversed(range(FLEET))]
    summary = printed.json["summary"]
    assert (summary["targets"], summary["matching"], summary["orphans"]) == (FLEET, FLEET, 1)
    assert summary["states"] == {"idle": FLEET - 1, "failing": 1}
    assert summary["needs"]["keeps_failing"] == 1
    assert [orphan["name"] for orphan in printed.json["orphans"]] == ["t09"]


def test_only_what_is_left_of_removed_targets_and_accounts(fleet, environment, run_command):
    environment.configure([target(number) for number in range(1, FLEET)], policies=DAY)
    printed = run_command("status", "--state", "orphan", "--output", "json")
    assert names(printed) == []
    assert [orphan["name"] for orphan in printed.json["orphans"]] == ["t00", "t09"]


def test_a_pipe_gets_every_row_and_the_numbers(fleet, run_command):
    out = run_command("status").out
    assert len(re.findall(r"^t\d\d ", out, re.MULTILINE)) == FLEET
    assert f"{FLEET} targets: 59 idle, 1 failing" in out
    assert "to be looked after: 1 keeps_failing" in out
    assert "shown:" not in out


@pytest.mark.parametrize("columns", [80, 120])
def test_a_screen_gets_what_fits_and_what_needs_somebody_first(fleet, environment, columns):
    environ = {**environment.variables, "ROTATOR_CONFIG": str(environment.config)}
    code, written = run_at_terminal(["status"], environ, columns)
    assert code == 0, written
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written).replace("\r", "")
    rows = re.findall(r"^ *(t\d\d) ", plain, re.MULTILINE)
    assert rows[0] == "t07"
    assert 10 <= len(rows) <= 20
    assert f"shown: {len(rows)} of {FLEET}; more with --all or --limit" in " ".join(plain.split())
    code, written = run_at_terminal(["status", "--all", "--sort", "name"], environ, columns)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written).replace("\r", "")
    assert re.findall(r"^ *(t\d\d) ", plain, re.MULTILINE) == [f"t{number:02}" for number in range(FLEET)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--state", "broken"], "no state broken: use never_rotated, idle"),
        (["--account", "vobizz"], "there is no account 'vobizz': did you mean 'vobiz'?"),
        (["--due-before", "soon"], "'soon' is neither a day"),
        (["--sort", "size"], "cannot sort by 'size': use name, due, age, need"),
        (["--all", "--limit", "3"], "--all and --limit exclude each other"),
    ],
)
def test_what_means_nothing_is_refused(environment, run_command, words, said):
    environment.configure([target(1)])
    printed = run_command("status", *words)
    assert (printed.code, printed.out) == (2, "")
    assert said in printed.err


def planned(words: str) -> list[str]:
    return re.findall(r"^(t\d\d) \(", words, re.MULTILINE)


@pytest.mark.parametrize(("words", "number"), [([], 10), (["--limit", "3"], 3), (["--all"], FLEET)])
def test_a_terminal_shows_as_many_plans_as_it_has_room_for(environment, fleet, words, number):
    """All of thousands scrolled by, and without a word until the last one was made."""
    command = ["plan", *words, "-c", str(environment.config)]
    code, written = run_at_terminal(command, environment.variables, 200)
    assert code == 0, written
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", written).replace("\r", "\n")
    assert re.search(rf"\d+/{FLEET}\s+planned", plain)
    assert len(planned(plain)) == number
    if number < FLEET:
        assert "60 targets: 1 with something to do now" in plain
        shown = f"shown: {number} of 60; more with --all or --limit, fewer with names, --label"
        assert shown in plain
        assert planned(plain)[0] == "t08"
    else:
        assert "shown: " not in plain


def test_a_pipe_gets_every_plan_as_configured_and_a_limit_what_acts_soonest(fleet, run_command):
    every = run_command("plan")
    assert planned(every.out) == [f"t{number:02}" for number in reversed(range(FLEET))]
    assert "shown: " not in every.out
    first, *others = run_command("plan", "--limit", "3", "-o", "json").json["targets"]
    assert (first["name"], bool(first["now"])) == ("t08", True)
    assert [row["name"] for row in others] == ["t59", "t58"]  # all others are proved now


def test_a_plan_that_a_provider_did_not_let_end_comes_first(environment, fleet, run_command):
    environment.configure([target(number) for number in range(FLEET + 1)], policies=DAY)
    environment.sandbox.faults.plan("unauthorized", times=None)
    printed = run_command("plan", "--limit", "2")
    assert printed.code == 1
    assert planned(printed.out) == ["t60", "t08"]
    assert "61 targets: 2 with something to do now, 1 not to the end: a provider did not answer" in printed.out


def test_the_plan_takes_one_way_to_say_how_much(fleet, run_command):
    printed = run_command("plan", "--all", "--limit", "3")
    assert (printed.code, printed.err) == (2, "rotator: --all and --limit exclude each other\n")
