"""`rotator status` and `rotator plan` against a real OpenBao and the sandbox."""

import re
from datetime import datetime, timedelta

import pytest
from cli_bench import DAY, LOBBY, OFFICE, PAIR, at_terminal, hold

READ_ONLY = """
path "secret/data/*" { capabilities = ["read"] }
path "secret/metadata/rotator/state/*" { capabilities = ["list"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""


@pytest.fixture
def reader(stage, bao, monkeypatch):
    """From its call on, the configuration logs in with a token that can only read."""

    def become() -> None:
        token = bao.token([bao.policy("reader", READ_ONLY)], no_default_policy=True)
        monkeypatch.setenv("READ_TOKEN", token.reveal())
        stage.environ["READ_TOKEN"] = token.reveal()

    return become


AS_READER = {"method": "token", "token": {"env": "READ_TOKEN"}}


def versions(bao) -> dict[str, int]:
    """How often each document was ever written, metadata included."""
    found = {}
    for folder in ("rotator/state", "sip"):
        listed = bao.call("LIST", f"secret/metadata/{folder}", also=404).get("data", {}).get("keys", [])
        for name in listed:
            data = bao.call("GET", f"secret/metadata/{folder}/{name}")["data"]
            found[f"{folder}/{name}"] = (data["current_version"], data["updated_time"])
    return found


def test_status_shows_what_is_there(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE, LOBBY], policies=DAY)
    assert typed("rotate", "office").code == 0
    document = typed("status", "-o", "json").json
    office, lobby = document["targets"]
    assert office["state"] == "idle"
    assert office["published"]["username"] == stage.published("sip/office").username
    assert office["ledger"][0]["username"] == "office"
    assert lobby["state"] == "never rotated"
    table = typed("status").out
    for word in ("office", "replace", office["published"]["username"], "in-place", "never rotated", "nothing yet"):
        assert word in table
    assert re.search(r"office: disabled\s+in (23 h 59 min|1 d)", table)
    assert [row["name"] for row in typed("status", "lobby", "-o", "json").json["targets"]] == ["lobby"]


def test_status_says_until_when_undo_is_possible(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    first = stage.published("sip/office").username
    assert typed("rotate", "office").code == 0
    assert re.search(rf"office: {first}: undo possible until in (1 d 23 h|2 d) \(20", typed("status").out)


def test_status_shows_failures_and_blocked_targets(stage, bao, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    stage.sandbox.faults.plan("unauthorized", times=None)
    assert typed("rotate", "office").code == 1
    printed = typed("status")
    assert printed.code == 0
    assert "failing" in printed.out
    assert "office: rotate requested by cli:" in printed.out
    assert "(once, next try in " in printed.out
    stage.sandbox.faults.clear()
    assert typed("rotate", "office").code == 0
    bao.call("POST", "secret/data/sip/office", {"data": {"username": "mine"}})
    assert "office: blocked: sip/office is not what rotator published" in typed("status").out


def test_status_shows_state_documents_that_nobody_configured(stage, typed):
    hold(stage, "office", "lobby")
    stage.configure([OFFICE, LOBBY])
    assert typed("rotate", "--all").code == 0
    stage.configure([OFFICE])
    printed = typed("status")
    assert "lobby: not in the configuration, left alone; published: lobby" in printed.out
    assert [orphan["name"] for orphan in typed("status", "-o", "json").json["orphans"]] == ["lobby"]
    assert typed("status", "office", "-o", "json").json["orphans"] == []


def test_plan_for_a_new_target_shows_every_step_and_what_follows(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    row = typed("plan", "-o", "json").row("office")
    assert [step["what"] for step in row["now"]] == [
        "open the rotation: stage a new password for a new credential in Vault",
        "create it at vobiz",
        "prove that the provider accepts it",
        "publish it at sip/office",
    ]
    assert row["now"][0]["why"].startswith("first rotation")
    assert [event["what"] for event in row["coming"]] == ["disable office", "delete office", "rotation"]
    assert row["coming"][-1]["until"] is not None


@pytest.mark.parametrize("target", [OFFICE, LOBBY, PAIR], ids=lambda target: target["strategy"])
def test_what_was_planned_is_what_is_done(stage, typed, target):
    """The plan's retirements are those of the state document after the rotation."""
    hold(stage, "office", "lobby", "paira", "pairb")
    stage.configure([target], policies=DAY)
    name = target["name"]
    planned = typed("plan", "-o", "json").row(name)
    assert typed("rotate", name).code == 0
    after = typed("plan", "-o", "json").row(name)
    assert after["now"] == []
    assert after["waits"] == "nothing is due"
    assert [event["what"] for event in after["coming"]] == [event["what"] for event in planned["coming"]]
    for was, now in zip(planned["coming"], after["coming"], strict=True):
        last = was["until"] or was["at"]
        assert was["at"] <= now["at"]
        assert datetime.fromisoformat(now["at"]) - datetime.fromisoformat(last) < timedelta(minutes=1)


def test_plan_shows_the_retirements_to_come_with_their_times(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    row = typed("plan", "-o", "json").row("office")
    entry = typed("status", "-o", "json").row("office")["ledger"][0]
    coming = {event["what"]: event for event in row["coming"]}
    assert coming["disable office"]["at"] == entry["disable_at"]
    assert coming["delete office"]["at"] == entry["ends_at"]
    table = typed("plan").out
    assert "nothing is due" in table
    assert "note: replace: every rotation changes the username" in table


def test_plan_says_that_in_place_has_no_overlap(stage, typed):
    hold(stage, "lobby")
    stage.configure([LOBBY])
    assert "in-place has no overlap" in typed("plan").out


def test_plan_shows_a_compromised_request_with_its_end(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE], policies=DAY)
    assert typed("rotate", "office").code == 0
    old = stage.published("sip/office").username
    assert typed("rotate", "office", "--compromised", "--no-wait", "--reason", "leak").code == 0
    row = typed("plan", "-o", "json").row("office")
    whats = [step["what"] for step in row["now"]]
    assert {f"disable {old}", f"delete {old}", "disable office", "delete office"} <= set(whats)
    assert "leak" in row["now"][0]["why"]
    assert "as compromised" in row["now"][0]["why"]


def test_plan_writes_nothing_and_sends_only_get(stage, bao, typed, reader):
    """Under a token that can only read, in every state that a target can be in."""
    hold(stage, "office", "lobby", "paira", "pairb")
    stage.configure([OFFICE, LOBBY, PAIR])
    reader()
    stage.configure([OFFICE, LOBBY, PAIR], vault={"auth": AS_READER})
    assert typed("plan").code == 0  # never rotated: providers are asked
    stage.configure([OFFICE, LOBBY, PAIR])
    assert typed("rotate", "--all").code == 0
    stage.sandbox.faults.plan("lost-answer", verb="create", times=1)
    assert typed("rotate", "office", "--no-wait").code == 0
    before, sent = versions(bao), len(stage.sandbox.exchanges())
    stage.configure([OFFICE, LOBBY, PAIR], vault={"auth": AS_READER})
    printed = typed("plan", "-o", "json")
    assert printed.code == 0, printed.err
    assert versions(bao) == before
    assert {exchange.method for exchange in stage.sandbox.exchanges()[sent:]} <= {"GET"}
    assert typed("status").code == 0
    assert versions(bao) == before


def test_plan_says_where_a_provider_did_not_answer(stage, typed):
    hold(stage, "office")
    stage.configure([OFFICE])
    stage.sandbox.faults.plan("unauthorized", times=None)
    printed = typed("plan", "-o", "json")
    assert printed.code == 1
    assert "401" in printed.row("office")["unanswered"]
    assert "look up office at vobiz" in typed("plan").out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_every_terminal_and_say_the_same_without_colours(stage, typed, monkeypatch, columns):
    hold(stage, "office")
    stage.configure([OFFICE, LOBBY], policies=DAY)
    assert typed("rotate", "office").code == 0
    environ = {**stage.environ, "ROTATOR_CONFIG": str(stage.config), "NO_COLOR": "1"}
    code, written = at_terminal(["status"], environ, columns)
    assert code == 0, written
    assert "\x1b[3" not in written  # no colour
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written).replace("\r", "")
    table = plain.split("\n\n")[0].splitlines()
    assert max(len(line.rstrip()) for line in table if "undo possible until" not in line) <= columns
