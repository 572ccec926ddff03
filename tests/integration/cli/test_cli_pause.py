"""`rotator pause` and `rotator resume` against a real OpenBao and the sandbox."""

from datetime import UTC, datetime, timedelta

import pytest
from command_runner import DAY, LOBBY, OFFICE, create_credentials
from daemon_environment import DaemonEnvironment

from rotator.core.pauses import Pauses
from rotator.vault.store import VaultStore

LABELLED = OFFICE | {"labels": {"site": "berlin"}}


@pytest.fixture
def fleet(environment: DaemonEnvironment) -> DaemonEnvironment:
    create_credentials(environment, "office", "lobby")
    environment.configure([LABELLED, LOBBY], policies=DAY)
    return environment


def test_a_paused_target_is_not_rotated_until_it_is_resumed(fleet, run_command):
    """The refusal says who, why, until when, and what passes; nothing is asked for."""
    assert run_command("rotate", "office").code == 0
    paused = run_command(
        "pause", "office", "--reason", "PBX is replaced", "--until", "2d", "--by", "alice", "-o", "json"
    )
    assert paused.code == 0, paused.err
    row = paused.json["paused"]
    assert (row["targets"], row["concerns"], row["holds"]) == (["office"], 1, "changes")

    refused = run_command("rotate", "--all", "-o", "json")
    assert refused.code == 1
    assert refused.row("office")["result"] == "paused"
    assert refused.row("lobby")["result"] == "rotated"
    for words in ("vault:approle", "by alice", "PBX is replaced", "--despite-pause"):
        assert words in refused.row("office")["message"]
    assert fleet.rotations("office") == 1

    assert run_command("rotate", "office", "--despite-pause").code == 0
    assert run_command("rotate", "office", "--compromised").code == 0
    assert run_command("resume", "office", "--reason", "it is done").code == 0
    assert run_command("rotate", "office").code == 0
    assert fleet.rotations("office") == 4

    records = [line for line in fleet.audit() if line["verb"] in ("pause", "resume")]
    assert [(line["verb"], line["target"]) for line in records] == [("pause", "office"), ("resume", "office")]
    facts = records[0]["facts"]
    assert (facts["reason"], facts["stated"], facts["holds"]) == ("PBX is replaced", "by alice", "changes")
    assert facts["requested_by"].startswith("vault:approle")


def test_an_undo_passes(fleet, run_command):
    """It ends what went wrong."""
    assert run_command("rotate", "office").code == 0
    before = fleet.consumer_document("sip/office").username
    assert run_command("rotate", "office").code == 0
    assert run_command("pause", "--all", "--reason", "freeze", "--until", "1d").code == 0

    assert run_command("undo", "office").code == 0

    assert fleet.consumer_document("sip/office").username == before


def test_a_target_is_held_by_each_pause_that_concerns_it(fleet, run_command):
    """`resume` ends what was paused with the same arguments, and says what still holds."""
    assert run_command("pause", "--label", "site=berlin", "--reason", "office moves", "--until", "1d").code == 0
    assert run_command("pause", "--account", "vobiz", "--reason", "incident", "--until", "2d").code == 0

    left = run_command("resume", "office", "lobby", "-o", "json")
    assert left.code == 1
    assert not left.json["resumed"]
    assert [pause["reason"] for pause in left.json["still_paused"]] == ["office moves", "incident"]
    first = run_command("resume", "--account", "vobiz")
    assert first.code == 1
    assert "rotator resume --label site=berlin" in first.err
    assert run_command("resume", "--label", "site=berlin").code == 0
    assert run_command("rotate", "--all").code == 0


def test_the_plan_and_the_status_say_who_holds_what_and_why(fleet, run_command):
    """Also where nothing is due."""
    assert run_command("rotate", "--all").code == 0
    assert run_command("pause", "office", "--reason", "PBX is replaced", "--until", "2d").code == 0

    plan = run_command("plan", "office", "-o", "json")
    assert "PBX is replaced" in plan.row("office")["waits"]
    status = run_command("status", "-o", "json")
    assert status.row("office")["pauses"][0]["why"].endswith("PBX is replaced")
    assert status.row("lobby")["pauses"] == []
    assert [row["name"] for row in run_command("status", "--state", "paused", "-o", "json").json["targets"]] == [
        "office"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pause", "--reason", "x", "--until", "1d"), "nothing is named"),
        (("pause", "office", "--all", "--reason", "x", "--until", "1d"), "use either"),
        (("pause", "--all", "--reason", "x", "--until", "2020-01-01"), "in the past"),
        (("pause", "--all", "--reason", "x", "--until", "500d"), "at most 400d"),
        (("pause", "--all", "--reason", "x", "--until", "soon"), "neither a day"),
        (("pause", "--all", "--reason", " ", "--until", "1d"), "say why"),
        (("pause", "--all", "--reason", "x", "--until", "1d", "--hold", "all"), "changes or rotations"),
        (("pause", "--account", "vobz", "--reason", "x", "--until", "1d"), "'vobiz'"),
        (("pause", "offic", "--reason", "x", "--until", "1d"), "office"),
        (("pause", "--label", "site=bern", "--reason", "x", "--until", "1d"), "site=berlin"),
        (("pause", "--all", "--until", "1d"), "--reason"),
        (("resume",), "nothing is named"),
    ],
)
def test_wrong_usage_says_what_would_be_right(fleet, run_command, words, message):
    wrong = run_command(*words)
    assert wrong.code == 2
    assert message in wrong.err


def test_what_is_paused_is_never_taken_for_lifted_because_it_was_deleted(fleet, run_command):
    """The command of the message, as written, or a new beginning."""
    assert run_command("rotate", "office").code == 0
    assert run_command("pause", "office", "--reason", "freeze", "--until", "2d").code == 0
    fleet.bao.call("DELETE", f"secret/data/{fleet.prefix}/_pauses", also=204)

    refused = run_command("rotate", "lobby")
    assert refused.code == 1
    assert "was deleted in Vault: vault kv undelete" in refused.err
    assert run_command("resume", "--all").code == 0
    (told,) = run_command("report", "--from", f"{datetime.now(UTC):%Y-%m-%d}", "-o", "json").json["exceptions"]
    assert told["concerned"] == "office"
    assert datetime.fromisoformat(told["until"]) < datetime.fromisoformat(told["asked_until"]) - timedelta(days=1)
    assert run_command("rotate", "--all").code == 0


def test_who_resumes_second_has_it_on_record_that_nothing_was_left(fleet, run_command, monkeypatch):
    """With `audit.required` the announcement stood there alone, as if the process had died."""
    fleet.configure([LABELLED], audit={"required": True})
    assert run_command("pause", "office", "--reason", "freeze", "--until", "2d").code == 0
    write = VaultStore.write_pauses

    def write_second(store: VaultStore, pauses: Pauses) -> None:
        monkeypatch.setattr(VaultStore, "write_pauses", write)
        write(store, pauses)
        write(store, pauses)

    monkeypatch.setattr(VaultStore, "write_pauses", write_second)
    assert run_command("resume", "office").code == 1
    outcomes = [record["outcome"] for record in fleet.vault_audit() if record["verb"] == "resume"]
    assert outcomes == ["intended", "refused"]


def test_what_comes_back_while_it_is_resumed_has_ended_as_the_report_says(fleet, run_command, monkeypatch):
    """It was read twice, and restored in between: the report said that it had ended, and the target stayed paused."""
    assert run_command("pause", "office", "--reason", "freeze", "--until", "2d").code == 0
    fleet.bao.call("DELETE", f"secret/data/{fleet.prefix}/_pauses", also=204)
    read = VaultStore.read_pauses

    def read_once(store: VaultStore) -> Pauses:
        monkeypatch.setattr(VaultStore, "read_pauses", read)
        pauses = read(store)
        fleet.bao.call("POST", f"secret/undelete/{fleet.prefix}/_pauses", {"versions": [pauses.version]}, also=204)
        return pauses

    monkeypatch.setattr(VaultStore, "read_pauses", read_once)
    assert run_command("resume", "--all").code == 0
    (told,) = run_command("report", "--from", f"{datetime.now(UTC):%Y-%m-%d}", "-o", "json").json["exceptions"]
    assert datetime.fromisoformat(told["until"]) < datetime.fromisoformat(told["asked_until"]) - timedelta(days=1)
    assert run_command("rotate", "office").code == 0
