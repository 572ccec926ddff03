"""`rotator rename` and `rotator retire`, on a real OpenBao and the sandbox."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from daemon_environment import DaemonEnvironment
from polling import eventually
from terminal_talk import TerminalTalk

from rotator.core.evidence import AccountEvidence, Scratch
from rotator.core.model import Credential
from rotator.core.secret import Secret

SLOW = {"fast": {"every": "90d", "overlap": "24h", "quarantine": "7d"}}
OFFICE: dict[str, Any] = {
    "name": "office",
    "strategy": "replace",
    "credential": {"username": "office"},
    "path": "sip/office",
}
RECEPTION = OFFICE | {"name": "reception"}
LOBBY = {"name": "lobby", "strategy": "replace", "credential": {"username": "lobby"}, "path": "sip/lobby"}
KEPT = [LOBBY]


@pytest.fixture
def rotated(environment, run_command) -> DaemonEnvironment:
    """`office` is published, and its predecessor is in the ledger."""
    for name in ("office", "lobby"):
        environment.account.create("credential", name, Secret(f"pw-{name}-12345!"))
    environment.configure([OFFICE], policies=SLOW)
    assert run_command("rotate", "office").code == 0
    return environment


def usernames(environment) -> list[str]:
    return sorted(record.username for record in environment.account.credentials())


def test_a_target_is_renamed_once_the_configuration_says_so(rotated, run_command):
    refused = run_command("rename", "office", "reception")
    assert (refused.code, "the configuration still has office" in refused.err) == (2, True)
    rotated.configure([RECEPTION], policies=SLOW)
    waits = run_command("rotate", "reception", "--take-over")
    assert waits.code == 1
    assert "rotator rename office reception" in waits.err
    assert "the configuration has no target 'recption'" in run_command("rename", "office", "recption").err
    published = rotated.state("office").published
    renamed = run_command("rename", "office", "reception", "-o", "json")
    assert (renamed.code, renamed.json) == (
        0,
        {"renamed_from": "office", "name": "reception", "published": published.username},
    )
    assert rotated.state("reception").published == published
    assert rotated.state("office").published is None
    assert run_command("rename", "office", "reception").code == 0, "once more does no harm"
    assert run_command("status", "-o", "json").json["orphans"] == []
    assert run_command("rotate", "reception").code == 0
    assert rotated.published_works("sip/office")


def test_a_rename_that_was_cut_is_finished_even_if_the_target_is_not_configured_any_more(rotated, run_command):
    published, store = rotated.state("office").published, rotated.vault.store
    read = store.read_state("office")
    store.write_state(replace(read.state, renamed_to="reception"), read.version)  # and there the command was cut
    rotated.configure(KEPT, policies=SLOW)
    status = run_command("status")
    assert "its rename to reception was cut" in status.out
    assert run_command("status", "-o", "json").json["orphans"][0]["renamed_to"] == "reception"
    refused = run_command("retire", "office", "--published", "--yes")
    assert (refused.code, "finish that first: rotator rename office reception" in refused.err) == (1, True)
    plain = run_command("retire", "office")
    assert (plain.code, "rotator rename office reception" in plain.out) == (1, True)
    assert "the configuration has no target 'lounge'" in run_command("rename", "office", "lounge").err
    assert run_command("rename", "office", "reception").code == 0
    assert rotated.state("reception").published == published
    assert run_command("retire", "reception", "--published", "--now", "--yes").code == 0
    assert run_command("status", "-o", "json").json["orphans"] == []


def test_a_target_is_retired_after_its_document(rotated, run_command):
    refused = run_command("retire", "office", "--published")
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert rotated.published_works("sip/office")
    retired = run_command("retire", "office", "--published", "--yes", "-o", "json")
    assert (retired.code, retired.json["ended"], len(retired.json["left"])) == (0, False, 2)
    assert not rotated.consumer_document("sip/office").username
    status = run_command("status", "-o", "json").json
    assert status["targets"][0]["state"] == "retired"
    assert run_command("retire", "office", "--now", "--yes").out == "office: nothing is left\n"
    assert usernames(rotated) == ["lobby"]


def test_that_nothing_is_left_to_retire_is_said(rotated, run_command):
    ended = run_command("retire", "office", "--now", "--yes")
    named = f"{rotated.consumer_document('sip/office').username} at vobiz"
    said = f"office: {named} is published, and nothing else is left (--published ends it)\n"
    assert (ended.code, ended.out) == (0, said)
    assert run_command("retire", "office").out == said


def test_a_removed_target_is_ended_by_name(rotated, run_command):
    rotated.configure(KEPT, policies=SLOW)
    left = run_command("retire", "office")
    assert left.code == 1
    assert "published, and rotated by nobody" in left.out
    assert "office: disabled in " in left.out
    assert run_command("retire", "office", "--published", "--now", "--yes").code == 0
    assert usernames(rotated) == ["lobby"]
    assert run_command("status", "-o", "json").json["orphans"] == []
    assert run_command("retire", "office", "-o", "json").json["ended"]
    unknown = run_command("retire", "ofice")
    assert (unknown.code, "there is no target 'ofice'" in unknown.err) == (2, True)


def test_what_is_in_use_ends_when_a_person_says_so_and_keeps_its_quarantine(environment, run_command):
    environment.account.create("credential", "office", Secret("pw-office-12345!"))
    usage = {"ask": ["agents"], "every": "1m", "extend_at_most": "7d", "then": "hold"}
    policy = {"every": "90d", "overlap": "1s", "quarantine": "7d", "usage": usage}
    agents = {"agents": {"type": "acknowledgement", "path": "sip/used-{name}"}}
    environment.configure([OFFICE], policies={"fast": policy}, usage_sources=agents)
    assert run_command("rotate", "office").code == 0
    first = environment.consumer_document("sip/office").username
    assert run_command("rotate", "office").code == 0
    over = environment.state("office").ledger[-1].disable_at
    eventually(lambda: over < datetime.now(UTC), "the overlap ends")
    kept = run_command("retire", "office", "-o", "json")
    assert (kept.code, [each["disabled_at"] for each in kept.json["left"]]) == (0, [None, None])
    refused = run_command("retire", "office", "--despite-use")
    assert (refused.code, f"office, {first}: disabled now, although devices may still use it" in refused.err) == (
        2,
        True,
    )
    ended = run_command("retire", "office", "--despite-use", "--yes", "-o", "json")
    assert (ended.code, [each["disabled_at"] is None for each in ended.json["left"]]) == (0, [False, False])
    assert not environment.account.by_username(first).enabled
    assert run_command("undo", "office").code == 0
    assert environment.consumer_document("sip/office").username == first
    assert environment.published_works("sip/office")


def test_what_an_account_that_is_gone_for_good_holds_is_given_up_by_name(rotated, run_command):
    document = json.loads(rotated.config.read_text())
    document["providers"]["other"] = document["providers"].pop("vobiz")
    document["targets"] = [LOBBY | {"provider": "other", "policy": "fast"}]
    rotated.config.write_text(json.dumps(document))
    assert "at an account that is not configured: office" in run_command("status").out
    stuck = run_command("retire", "office")
    assert (stuck.code, stuck.out.count("its account is not in the configuration")) == (1, 1)
    published = rotated.state("office").published.username
    given_up = run_command("retire", "office", "--forget", "--yes", "-o", "json")
    assert (given_up.code, given_up.json["ended"]) == (0, True)
    assert sorted(each["username"] for each in given_up.json["given_up"]) == sorted(["office", published])
    assert f"{published} at vobiz is given up: it may stay accepted" in given_up.err
    (recorded,) = [line["facts"] for line in rotated.audit() if line["verb"] == "give_up"]
    assert sorted(recorded["detail"].split(", ")) == sorted(["office at vobiz", f"{published} at vobiz"])
    assert run_command("status", "-o", "json").json["orphans"] == []
    assert usernames(rotated) == sorted(["lobby", "office", published])


def test_a_retirement_that_a_pause_holds_says_so(rotated, run_command):
    """It printed that what is left is due, and ended well, as if it had been carried out."""
    assert run_command("pause", "office", "--reason", "PBX is replaced", "--until", "2d").code == 0
    retired = run_command("retire", "office", "--published", "--now", "--yes")
    assert (retired.code, "PBX is replaced" in retired.out, "rotator resume office" in retired.out) == (1, True, True)
    assert run_command("resume", "office", "--reason", "done").code == 0
    assert run_command("retire", "office").out == "office: nothing is left\n"


def test_what_a_check_left_at_an_account_that_was_removed_is_named(environment, run_command):
    environment.configure([OFFICE])
    store = environment.vault.store
    left = Scratch(Credential("old-office", "rotatorcheck7k2m9x1q", attempt="a1"), datetime.now(UTC))
    store.write_evidence("vobiz-of-before", AccountEvidence(1, scratch=(left,)))
    printed = run_command("status")
    assert printed.code == 0, printed.err
    said = " ".join(printed.out.split())
    assert (
        "old-office: a check may have left rotatorcheck7k2m9x1q, and this account is not configured, or not with"
        in said
    )
    assert "delete the record _evidence-vobiz-of-before in Vault" in said
    assert run_command("status", "-o", "json").json["left_by_checks"] == [
        {"record": "vobiz-of-before", "account": "old-office", "id": None, "username": "rotatorcheck7k2m9x1q"}
    ]
    assert run_command("status", "-o", "json").json["summary"]["orphans"] == 1
    assert run_command("status", "office", "-o", "json").json["left_by_checks"] == []
    store.write_evidence("vobiz-of-before", AccountEvidence(2))
    assert run_command("status", "-o", "json").json["left_by_checks"] == []


def test_ctrl_c_at_the_question_changes_nothing(rotated):
    """It was only noted, and the question went on: a `y` after it retired half of what was announced, with code 0."""
    talk = TerminalTalk(["retire", "office", "--published", "-c", str(rotated.config)], rotated.variables)
    talk.answer("[y/N]", "\x03")
    assert talk.end() == 130
    assert talk.said.endswith("\nrotator: stopped\r\n")  # and not behind the question
    assert rotated.published_works("sip/office")
    assert rotated.state("office").retired_at is None
