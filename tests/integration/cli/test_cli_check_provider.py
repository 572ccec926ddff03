"""`rotator check-provider` against a real OpenBao and the sandbox."""

import json
import stat
from dataclasses import replace

import pytest
from command_runner import DAY, OFFICE, create_credentials
from daemon_environment import TOKEN
from polling import eventually
from terminal_talk import TerminalTalk

from rotator.core.evidence import CREATES, AssumptionResult, Shown
from rotator_simulator.faults import fault_named


def usernames(environment) -> set[str]:
    return {each.username for each in environment.account.credentials("credential")}


def finding(printed, key) -> str:
    return next(one["shown"] for one in printed.json["results"] if one["assumption"] == key)


def test_without_write_it_reads_and_says_what_it_found(environment, run_command):
    create_credentials(environment, "Office")
    environment.configure([OFFICE], policies=DAY)
    printed = run_command("check-provider", "vobiz", "-o", "json")
    assert printed.code == 0, printed.err
    assert (finding(printed, "connects"), finding(printed, "key"), finding(printed, "clock")) == ("holds",) * 3
    assert finding(printed, "usernames") == "does not"
    assert "office: it is Office there" in printed.out
    assert usernames(environment) == {"Office"}
    assert environment.vault.store.read_evidence(evidence_key(environment)).checked_at is not None


def evidence_key(environment) -> str:
    (name,) = [
        name
        for name in environment.bao.call("LIST", "secret/metadata/rotator/state")["data"]["keys"]
        if name.startswith("_evidence-")
    ]
    return name.removeprefix("_evidence-")


def test_with_write_it_asks_tries_everything_and_leaves_nothing(environment, run_command, tmp_path):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    unconfirmed = run_command("check-provider", "vobiz", "--write")
    assert unconfirmed.code == 2
    assert "a credential is created, named rotatorcheck" in unconfirmed.err
    assert "add --yes" in unconfirmed.err
    assert usernames(environment) == {"office"}
    shapes = tmp_path / "shapes.json"
    printed = run_command(
        "check-provider", "vobiz", "--write", "--yes", "--by", "me", "--transcript", str(shapes), "-o", "json"
    )
    assert printed.code == 0, printed.err
    assert {finding(printed, key) for key in ("creates", "logs-in", "wrong-refused", "disables", "deletes")} == {
        "holds"
    }
    assert printed.json["strategies"] == [{"strategy": "replace", "standing": "proved", "why": None}]
    assert printed.json["left"] == []
    assert usernames(environment) == {"office"}
    evidence = environment.vault.store.read_evidence(evidence_key(environment))
    assert evidence.scratch == ()
    assert evidence.written_at is not None
    effects = [line["facts"]["effect"] for line in environment.audit() if line["verb"] == "check_provider"]
    assert effects[0] == "create"
    assert effects[-1] == "delete"
    assert stat.S_IMODE(shapes.stat().st_mode) == 0o600
    text = shapes.read_text()
    assert TOKEN not in text
    assert "MA_TEST" not in text
    assert "office" not in text
    requests = {one["request"] for one in json.loads(text)["exchanges"]}
    assert "PUT /api/v1/Account/{}/credentials/{}" in requests


def test_the_table_has_a_line_for_each_assumption_and_strategy(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    printed = run_command("check-provider", "vobiz")
    assert printed.code == 0, printed.err
    assert "the API key is accepted" in printed.out
    assert "replace: unproved, since nothing was tried there yet" in printed.out


def test_a_plan_warns_until_a_check_has_proved_the_strategy(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert "replace is unproved at vobiz: nothing was tried there yet" in run_command("plan", "office").out
    assert run_command("check-provider", "vobiz", "--write", "--yes").code == 0
    printed = run_command("plan", "office")
    assert printed.code == 0
    assert "proved at vobiz" not in printed.out


def test_check_config_reads_what_checks_have_shown_only_if_it_is_asked_to(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("check-config", "-o", "json").json["strategies"] is None
    printed = run_command("check-config", "--with-evidence")
    assert printed.code == 0, printed.err
    assert (
        "replace is unproved at vobiz: nothing was tried there yet; rotator check-provider vobiz --write" in printed.out
    )
    assert run_command("check-provider", "vobiz", "--write", "--yes").code == 0
    assert "  replace is proved at vobiz\n" in run_command("check-config", "--with-evidence").out
    store, key = environment.vault.store, evidence_key(environment)
    evidence = store.read_evidence(key)
    broken = AssumptionResult(CREATES.key, CREATES.text, Shown.DOES_NOT, "POST 403", evidence.checked_at)
    store.write_evidence(key, replace(evidence.with_results([broken], []), version=evidence.version + 1))
    printed = run_command("check-config", "--with-evidence", "-o", "json")
    assert printed.code == 1
    why = "it does not hold that a credential can be created: POST 403"
    row = {"provider": "vobiz", "strategy": "replace", "standing": "disproved", "why": why}
    assert printed.json["strategies"] == [row]


def test_a_rotation_by_a_disproved_strategy_is_held_with_the_command_that_ends_it(environment, run_command):
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("check-provider", "vobiz").code == 0
    store, key = environment.vault.store, evidence_key(environment)
    evidence = store.read_evidence(key)
    broken = AssumptionResult(CREATES.key, CREATES.text, Shown.DOES_NOT, "POST 403", evidence.checked_at)
    store.write_evidence(key, replace(evidence.with_results([broken], []), version=evidence.version + 1))
    held = run_command("rotate", "office", "-o", "json")
    assert held.code == 1
    assert "it does not hold that a credential can be created: POST 403" in held.row("office")["message"]
    assert "rotator check-provider vobiz --write" in held.row("office")["message"]
    assert usernames(environment) == {"office"}


def test_an_unknown_account_and_options_that_do_not_fit_are_refused(environment, run_command):
    environment.configure([OFFICE])
    assert "known accounts: vobiz" in run_command("check-provider", "other").err
    assert run_command("check-provider", "other").code == 2
    assert "leave out --expendable" in run_command("check-provider", "vobiz", "--write", "--expendable", "x").err
    assert run_command("check-provider", "vobiz", "--expendable", "x").code == 2


def test_a_damaged_document_is_an_error_that_says_how_to_restore_it_and_loses_nothing(environment, run_command):
    """It may name a credential that a check has left there: nothing is made, and nothing is written over."""
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    assert run_command("check-provider", "vobiz").code == 0
    path = f"rotator/state/_evidence-{evidence_key(environment)}"
    good = environment.bao.call("GET", f"secret/data/{path}")["data"]["metadata"]["version"]
    damaged = environment.bao.call("POST", f"secret/data/{path}", {"data": {"scratch": 7}})["data"]["version"]

    for options in ((), ("--write",), ("--write", "--yes")):
        printed = run_command("check-provider", "vobiz", *options)
        assert printed.code == 3, printed.out
        assert f"secret/{path}" in printed.err
        assert f"vault kv rollback -mount=secret -version={good} {path}" in printed.err
        assert f"begin anew: vault kv delete -mount=secret {path}" in printed.err
    assert usernames(environment) == {"office"}
    assert environment.bao.call("GET", f"secret/data/{path}")["data"]["metadata"]["version"] == damaged
    assert run_command("rotate", "office").code == 0

    environment.bao.call("DELETE", f"secret/data/{path}", also=204)
    assert run_command("check-provider", "vobiz", "--write", "--yes").code == 0


@pytest.mark.parametrize(("words", "progress"), [(["check-provider", "vobiz"], "looked at"), (["plan"], "planned")])
def test_ctrl_c_is_no_answer_of_the_provider(environment, words, progress):
    """What was not sent any more read "the account's pace left no time to send it", and a check kept it in Vault."""
    create_credentials(environment, "office")
    environment.configure([OFFICE], policies=DAY)
    slow = environment.sandbox.faults.plan(fault_named("latency", seconds=3.0), verb="list", times=1)
    talk = TerminalTalk([*words, "-c", str(environment.config)], environment.variables)
    eventually(lambda: slow.fired, "it is at the provider")
    talk.wait_for(progress)  # it is not silent while it waits
    talk.press_ctrl_c()
    assert talk.end() == 130
    assert talk.said.endswith("rotator: stopped\r\n")
    assert "pace" not in talk.said
    kept = environment.bao.call("LIST", "secret/metadata/rotator/state", also=404).get("data", {}).get("keys", [])
    assert not [name for name in kept if name.startswith("_evidence-")]
