"""The audit as evidence: in Vault whoever acted, with who that was, and verified against those who rewrite it."""

import hashlib
import json
import re
import signal
from pathlib import Path

import pytest
from command_runner import DAY, OFFICE, create_credentials
from polling import eventually

from rotator.vault.policy import rotator_policy


@pytest.fixture
def office(environment) -> None:
    create_credentials(environment, "office")
    environment.configure([OFFICE], audit={"file": None}, policies=DAY)


def in_vault(environment, **facts: str) -> list[str]:
    """The verbs of the records in Vault that have these facts."""
    records = environment.vault_audit()
    return [record["verb"] for record in records if facts.items() <= record["facts"].items()]


def test_what_a_command_asks_of_a_daemon_and_what_it_does_itself_outlive_both(environment, office, run_command):
    """4a: `undo`, `rotate --compromised` and `rotate --here` beside a daemon leave their trace in one place."""
    daemon = environment.start()
    daemon.wait_for("started")
    eventually(lambda: environment.rotations("office") == 1, "the first rotation")
    for words in (["rotate"], ["undo"], ["rotate", "--compromised"], ["rotate", "--here"]):
        printed = run_command(words[0], "office", *words[1:], "--reason", " ".join(words))
        assert printed.code == 0, printed.err
    assert daemon.stop() == 0
    # A daemon may begin before the command has recorded that it asked.
    assert set(in_vault(environment, reason="undo")) >= {"request_undo", "stage", "enable", "prove", "publish", "close"}
    retired = in_vault(environment, reason="rotate --compromised")
    assert set(retired) >= {"request_rotation", "close", "disable", "delete"}  # retirements name the request
    here = [record for record in environment.vault_audit() if record["facts"].get("reason") == "rotate --here"]
    assert len({record["chain"] for record in here}) == 1
    starts = {
        record["chain"]: record["facts"]["role"] for record in environment.vault_audit() if record["verb"] == "start"
    }
    assert sorted(starts.values()) == ["command"] * 4 + ["daemon"]
    assert starts[here[0]["chain"]] == "command"
    printed = run_command("verify-audit")
    assert printed.code == 0, printed.out
    assert re.search(r"\d+ authentic records in 5 chains, 0 problems\nproved: .*\nnot proved: ", printed.out)


def test_who_asked_is_whom_vault_knows_and_what_the_caller_says_is_shown_as_such(
    environment, office, run_command, monkeypatch
):
    """4b: an environment variable is nobody's name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody.else")
    printed = run_command("rotate", "office", "--by", "anna", "--ticket", "CHG-4711", "--reason", "drill")
    assert printed.code == 0, printed.err
    records = environment.vault_audit()
    assert "somebody.else" not in json.dumps(records)
    (request,) = (record for record in records if record["verb"] == "request_rotation")
    assert re.fullmatch(r"vault:approle \(entity [0-9a-f-]{36}\)", request["facts"]["requested_by"])
    assert request["facts"]["stated"] == "by anna, ticket CHG-4711"
    start = records[0]["facts"]
    assert (start["vault_name"], start["role"]) == ("approle", "command")
    assert start["user"].startswith("uid:")
    assert start["vault_entity"] in request["facts"]["requested_by"]
    assert start["vault_accessor"]
    (closed,) = (record for record in records if record["verb"] == "close")
    assert closed["facts"]["stated"] == "by anna, ticket CHG-4711"


def pod_log(environment, run_command, tmp_path: Path) -> Path:
    """Everything that a pod and a command in it printed, in one stream, as `kubectl logs` shows it."""
    daemon = environment.start()
    daemon.wait_for("started")
    eventually(lambda: environment.rotations("office") == 1, "the first rotation")
    asked = run_command("rotate", "office", "--here", "--reason", "kubectl exec")
    assert asked.code == 0, asked.err
    daemon.send(signal.SIGUSR2)
    daemon.wait_for("fleet")
    assert daemon.stop() == 0
    streams = [daemon.out.read_text().splitlines(), daemon.err.read_text().splitlines(), asked.err.splitlines()]
    longest = max(len(stream) for stream in streams)
    mixed = [stream[number] for number in range(longest) for stream in streams if number < len(stream)]
    log = tmp_path / "pod.log"
    log.write_text("\n".join(mixed) + "\n")
    return log


def test_a_merged_log_verifies_and_with_any_record_dropped_changed_or_forged_it_does_not(
    environment, office, run_command, tmp_path
):
    """4c and 4d."""
    log = pod_log(environment, run_command, tmp_path)
    printed = run_command("verify-audit", str(log), "--from-log")
    assert printed.code == 0, printed.out
    assert "in 2 chains, 0 problems" in printed.out
    assert run_command("verify-audit", str(log)).code == 1  # the log's lines are no records
    lines = log.read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith('{"chain"')]
    assert len(places) > 10
    first, last = places[0], places[-1]
    for place in (first, places[3], last):
        log.write_text("\n".join(lines[:place] + lines[place + 1 :]))
        assert run_command("verify-audit", str(log), "--from-log").code == 1
    changed = list(lines)
    changed[places[3]] = lines[places[3]].replace('"outcome":"done"', '"outcome":"refused"')
    log.write_text("\n".join(changed))
    printed = run_command("verify-audit", str(log), "--from-log", "-o", "json")
    assert (printed.code, printed.json["problems"][0]["place"]) == (1, f"{log}:{places[3] + 1}")
    log.write_text("\n".join(rechained(lines, places)))
    printed = run_command("verify-audit", str(log), "--from-log")
    assert printed.code == 1
    assert "changed or forged" in printed.out


def rechained(lines: list[str], places: list[int]) -> list[str]:
    """Somebody else asked for everything, and every hash is computed anew, as without a key one can."""
    ends: dict[str, str] = {}
    for place in places:
        record = json.loads(lines[place])
        if "requested_by" in record["facts"]:
            record["facts"]["requested_by"] = "vault:somebody-else"
        record["prev"] = ends.get(record["chain"], record["prev"])
        record.pop("mac")
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        ends[record["chain"]] = record["mac"] = hashlib.sha256(text.encode()).hexdigest()
        lines[place] = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return lines


def test_a_part_of_a_log_is_judged_as_one(environment, office, run_command, tmp_path):
    log = pod_log(environment, run_command, tmp_path)
    lines = log.read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith('{"chain"')]
    log.write_text("\n".join(lines[places[2] : places[-2]]))
    assert run_command("verify-audit", str(log), "--from-log").code == 1
    printed = run_command("verify-audit", str(log), "--from-log", "--part")
    assert (printed.code, "--part" in printed.out) == (0, True)


def test_where_vault_has_no_key_yet_there_is_nothing_to_verify(office, run_command):
    printed = run_command("verify-audit")
    assert printed.code == 1
    assert "no process of rotator has recorded anything in this Vault yet" in printed.err


@pytest.mark.parametrize("required", [True, False])
def test_nothing_is_sent_while_vault_refuses_the_audit_if_it_is_required(environment, run_command, required):
    create_credentials(environment, "office")
    environment.configure([OFFICE], audit={"required": required}, policies=DAY)
    assert run_command("rotate", "office").code == 0
    name = "stage" + environment.prefix.replace("/", "-")
    text = rotator_policy("secret", environment.prefix, ["sip/*"])
    closed = f'path "secret/data/{environment.prefix}/_audit/2*" {{\n  capabilities = ["deny"]\n}}\n'
    environment.bao.policy(name, text + closed)
    try:
        before, known = environment.account.credentials(), environment.state("office")
        printed = run_command("rotate", "office")
        if required:
            assert printed.code == 3
            assert "audit.required holds this up" in printed.out + printed.err
            assert environment.account.credentials() == before
            assert environment.state("office") == known
        else:
            assert printed.code == 0
            assert "the audit cannot be written: records are kept in memory" in printed.err
    finally:
        environment.bao.policy(name, text)
    assert run_command("rotate", "office").code == 0
    assert run_command("verify-audit").code == 0
