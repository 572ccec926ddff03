"""`rotator status` and `rotator plan` against a real OpenBao and the sandbox."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from command_runner import DAY, LOBBY, OFFICE, PAIR, create_credentials, run_at_terminal

READ_ONLY = """
path "secret/data/*" { capabilities = ["read"] }
path "secret/metadata/rotator/state/*" { capabilities = ["list"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""


@pytest.fixture
def log_in_as_reader(environment, bao, monkeypatch) -> Callable[[], None]:
    """From its call on, the configuration logs in with a token that can only read."""

    def become() -> None:
        token = bao.token([bao.policy("reader", READ_ONLY)], no_default_policy=True)
        monkeypatch.setenv("READ_TOKEN", token.reveal())
        environment.variables["READ_TOKEN"] = token.reveal()

    return become


AS_READER = {"method": "token", "token": {"env": "READ_TOKEN"}}


def versions(bao) -> dict[str, int]:
    """How often each document was ever written, metadata included."""
    found, folders = {}, ["rotator/state", "sip"]
    for folder in folders:
        listed = bao.call("LIST", f"secret/metadata/{folder}", also=404).get("data", {}).get("keys", [])
        folders += [f"{folder}/{name.rstrip('/')}" for name in listed if name.endswith("/")]
        for name in (each for each in listed if not each.endswith("/")):
            data = bao.call("GET", f"secret/metadata/{folder}/{name}")["data"]
            found[f"{folder}/{name}"] = (data["current_version"], data["updated_time"])
    return found


def test_status_shows_what_is_there(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE, LOBBY], policies=DAY)
    assert run_command("rotate", "office").code == 0
    document = run_command("status", "-o", "json").json
    office, lobby = document["targets"]
    assert office["state"] == "idle"
    assert office["published"]["username"] == environment.consumer_document("sip/office").username
    assert office["ledger"][0]["username"] == "office"
    assert lobby["state"] == "never rotated"
    table = run_command("status").out
    for word in ("office", "replace", office["published"]["username"], "in-place", "never rotated", "nothing yet"):
        assert word in table
    assert re.search(r"office: disabled\s+in (23 h 59 min|1 d)", table)
    assert [row["name"] for row in run_command("status", "lobby", "-o", "json").json["targets"]] == ["lobby"]


@pytest.mark.parametrize("told", ["held_until", "shut_until"])
def test_plan_knows_until_when_other_processes_were_told_to_send_nothing(environment, bao, run_command, told):
    """The provider asked to wait, or somebody's circuit is open."""
    create_credentials(environment, "office", "lobby")
    environment.configure([OFFICE, LOBBY], policies=DAY)
    assert run_command("rotate", "office").code == 0
    (pace,) = [f"secret/data/{each}" for each in versions(bao) if "/_account-" in each]
    now = datetime.now(UTC)
    until = now + timedelta(minutes=15)
    document = bao.call("GET", pace)["data"]["data"]
    bao.call("POST", pace, {"data": {**document, "held_at": now.isoformat(), told: until.isoformat()}})
    planned = run_command("plan", "-o", "json").row("lobby")
    assert planned["now"] == []
    seconds = [until + timedelta(seconds=each) for each in (-1, 0, 1)]  # Vault's time is known to half a second
    assert planned["waits"] in [f"vobiz takes no more requests before {each:%H:%M:%S} UTC" for each in seconds]


def test_status_says_until_when_undo_is_possible(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    first = environment.consumer_document("sip/office").username
    assert run_command("rotate", "office").code == 0
    assert re.search(rf"office: {first}: undo possible until 20.+ \(in (1 d 23 h|2 d)\)", run_command("status").out)


def test_status_shows_failures_and_blocked_targets(environment, bao, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    environment.sandbox.faults.plan("unauthorized", times=None)
    assert run_command("rotate", "office").code == 1
    printed = run_command("status")
    assert printed.code == 0
    assert "failing" in printed.out
    assert "office: rotation requested by vault:approle" in printed.out
    assert re.search(r"\(once, next try (in|now)", printed.out)
    environment.sandbox.faults.clear()
    assert run_command("rotate", "office").code == 0
    bao.call("POST", "secret/data/sip/office", {"data": {"username": "mine"}})
    assert "office: blocked: sip/office is not what rotator published" in run_command("status").out


def test_status_shows_state_documents_that_nobody_configured(environment, run_command):
    create_credentials(environment, "office", "lobby")
    environment.configure([OFFICE, LOBBY])
    assert run_command("rotate", "--all").code == 0
    environment.configure([OFFICE])
    printed = run_command("status")
    assert "lobby: not in the configuration; published, and rotated by nobody: lobby" in printed.out
    assert [orphan["name"] for orphan in run_command("status", "-o", "json").json["orphans"]] == ["lobby"]
    assert run_command("status", "office", "-o", "json").json["orphans"] == []


def test_plan_for_a_new_target_shows_every_step_and_what_follows(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    row = run_command("plan", "-o", "json").row("office")
    assert [step["what"] for step in row["now"]] == [
        "open the rotation: stage a new password for a new credential in Vault",
        "create it at vobiz",
        "prove that the provider accepts it",
        "publish it at sip/office",
    ]
    assert row["now"][0]["why"].startswith("first rotation")
    whats = [event["what"] for event in row["coming"]]
    assert whats == ["prove what is published", "disable office", "delete office", "rotation"]
    assert row["coming"][-1]["until"] is not None


def test_plan_names_the_trunks_that_are_pointed_elsewhere(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    office, api = environment.account.by_username("office"), environment.sandbox.apis["vobiz"]
    trunk = api.trunks.add(environment.account, "main", office.id)
    row = run_command("plan", "-o", "json").row("office")
    assert row["now"][2]["what"] == "point every trunk that names office to it"
    note = f"pointed to the new credential: trunk main ({trunk.id}); a trunk may let in only what it names"
    assert any(one.startswith(note) for one in row["notes"])
    assert api.trunks.of(environment.account) == (trunk,)


@pytest.mark.parametrize("target", [OFFICE, LOBBY, PAIR], ids=lambda target: target["strategy"])
def test_what_was_planned_is_what_is_done(environment, run_command, target):
    """The plan's retirements are those of the state document after the rotation."""
    create_credentials(environment, "office", "lobby", "paira", "pairb")
    environment.configure([target], policies=DAY)
    name = target["name"]
    planned = run_command("plan", "-o", "json").row(name)
    assert run_command("rotate", name).code == 0
    after = run_command("plan", "-o", "json").row(name)
    assert after["now"] == []
    assert after["waits"] == "nothing is due"
    assert [event["what"] for event in after["coming"]] == [event["what"] for event in planned["coming"]]
    for was, now in zip(planned["coming"], after["coming"], strict=True):
        last = was["until"] or was["at"]
        assert was["at"] <= now["at"]
        assert datetime.fromisoformat(now["at"]) - datetime.fromisoformat(last) < timedelta(minutes=1)


def test_plan_shows_the_retirements_to_come_with_their_times(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    row = run_command("plan", "-o", "json").row("office")
    entry = run_command("status", "-o", "json").row("office")["ledger"][0]
    coming = {event["what"]: event for event in row["coming"]}
    assert coming["disable office"]["at"] == entry["disable_at"]
    assert coming["delete office"]["at"] == entry["ends_at"]
    table = run_command("plan").out
    assert "nothing is due" in table
    assert "note: replace: every rotation changes the username" in table


def test_plan_says_that_in_place_has_no_overlap(environment, run_command):
    create_credentials(environment, "lobby")
    environment.configure([LOBBY])
    assert "in-place has no overlap" in run_command("plan").out


def test_plan_shows_a_compromised_request_with_its_end(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("rotate", "office").code == 0
    old = environment.consumer_document("sip/office").username
    assert run_command("rotate", "office", "--compromised", "--no-wait", "--reason", "leak").code == 0
    row = run_command("plan", "-o", "json").row("office")
    whats = [step["what"] for step in row["now"]]
    assert {f"disable {old}", f"delete {old}", "disable office", "delete office"} <= set(whats)
    assert "leak" in row["now"][0]["why"]
    assert "as compromised" in row["now"][0]["why"]


def test_plan_writes_nothing_and_sends_only_get(environment, bao, run_command, log_in_as_reader):
    """Under a token that can only read, in every state that a target can be in."""
    create_credentials(environment, "office", "lobby", "paira", "pairb")
    environment.configure([OFFICE, LOBBY, PAIR])
    log_in_as_reader()
    environment.configure([OFFICE, LOBBY, PAIR], vault={"auth": AS_READER})
    assert run_command("plan").code == 0  # never rotated: providers are asked
    environment.configure([OFFICE, LOBBY, PAIR])
    assert run_command("rotate", "--all").code == 0
    environment.sandbox.faults.plan("lost-answer", verb="create", times=1)
    assert run_command("rotate", "office", "--no-wait").code == 0
    before, sent = versions(bao), len(environment.sandbox.exchanges())
    environment.configure([OFFICE, LOBBY, PAIR], vault={"auth": AS_READER})
    printed = run_command("plan", "-o", "json")
    assert printed.code == 0, printed.err
    assert versions(bao) == before
    assert {exchange.method for exchange in environment.sandbox.exchanges()[sent:]} <= {"GET"}
    assert run_command("status").code == 0
    assert versions(bao) == before


def test_plan_says_where_a_provider_did_not_answer(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    environment.sandbox.faults.plan("unauthorized", times=None)
    printed = run_command("plan", "-o", "json")
    assert printed.code == 1
    assert "401" in printed.row("office")["unanswered"]
    assert "look up office at vobiz" in run_command("plan").out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_tables_fit_every_terminal_and_say_the_same_without_colours(environment, run_command, monkeypatch, columns):
    create_credentials(environment, "office")
    environment.configure([OFFICE, LOBBY], policies=DAY)
    assert run_command("rotate", "office").code == 0
    environ = {**environment.variables, "ROTATOR_CONFIG": str(environment.config), "NO_COLOR": "1"}
    code, written = run_at_terminal(["status"], environ, columns)
    assert code == 0, written
    assert "\x1b[3" not in written  # no colour
    shown = written.rpartition("\x1b[2K")[2]  # a slow machine shows its progress before, and wipes it out
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "")
    table = plain.split("\n\n")[0].splitlines()
    assert max(len(line.rstrip()) for line in table if "undo possible until" not in line) <= columns
