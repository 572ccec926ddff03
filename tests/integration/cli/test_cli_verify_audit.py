"""The audit as evidence: in Vault whoever acted, with who that was, and verified against those who rewrite it."""

import hashlib
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_runner import DAY, OFFICE, create_credentials
from polling import eventually
from receiver_servers import SyslogReceiver, http_receiver

from rotator.core.audit_check import AuditCheck
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
    """4c and 4d: each line in turn, and each way; the command is run for some, what it calls for all."""
    log = pod_log(environment, run_command, tmp_path)
    printed = run_command("verify-audit", str(log), "--from-log")
    assert printed.code == 0, printed.out
    assert "in 2 chains, 0 problems" in printed.out
    plainly = run_command("verify-audit", str(log))  # the log's lines are no records
    assert (plainly.code, plainly.out.endswith("between other lines: add --from-log\n")) == (1, True)
    lines = log.read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith('{"chain"')]
    assert len(places) > 10
    assert {json.loads(lines[place])["chain"] for place in places} == {
        record["chain"] for record in environment.vault_audit()
    }
    vault = AuditCheck(environment.vault.audit.key())
    vault.stored(environment.vault.audit.read())
    assert is_whole(lines, vault)
    for place in places:
        for how, damaged in damages(lines, places, place):
            assert not is_whole(damaged, vault), f"line {place + 1}: {how}"
    said = {
        "dropped": "is missing",
        "changed": "its key does not fit",
        "forged": "its key does not fit",
        "rechained from here": "its key does not fit",
        "replaced by another": "is missing",
    }
    for how, damaged in damages(lines, places, places[3]):
        log.write_text("\n".join(damaged))
        printed = run_command("verify-audit", str(log), "--from-log", "-o", "json")
        assert printed.code == 1
        assert any(said[how] in problem["what"] for problem in printed.json["problems"]), how


def is_whole(lines: list[str], vault: AuditCheck) -> bool:
    check = AuditCheck(vault.key, vault=vault, mixed=True)
    for number, line in enumerate(lines, 1):
        check.line(f"{number}", line.encode())
    return check.result().ok


def damages(lines: list[str], places: list[int], place: int) -> Iterator[tuple[str, list[str]]]:
    """The log with one record dropped, changed or forged, without the key."""
    before, line, after = lines[:place], lines[place], lines[place + 1 :]
    record = json.loads(line)
    yield "dropped", [*before, *after]
    yield "changed", [*before, line.replace(f'"outcome":"{record["outcome"]}"', '"outcome":"gone"'), *after]
    invented = record | {"seq": record["seq"] + 10_000, "facts": {"reason": "made up"}, "prev": record["mac"]}
    yield "forged", [*lines[: place + 1], hashed(invented), *after]
    yield "rechained from here", rechained(list(lines), [each for each in places if each >= place])
    other = lines[next(each for each in places if each != place)]
    yield "replaced by another", [*before, other, *after]


def rechained(lines: list[str], places: list[int]) -> list[str]:
    """Somebody else asked for everything, and every hash is computed anew, as without a key one can."""
    ends: dict[str, str] = {}
    for place in places:
        record = json.loads(lines[place])
        record["facts"]["requested_by"] = "vault:somebody-else"
        record["prev"] = ends.get(record["chain"], record["prev"])
        lines[place] = hashed(record)
        ends[record["chain"]] = json.loads(lines[place])["mac"]
    return lines


def hashed(record: dict[str, Any]) -> str:
    """A line whose `mac` is a hash without a key."""
    record.pop("mac")
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    record["mac"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


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


def test_a_daemon_and_a_command_send_all_that_they_record_and_a_receiver_that_is_down_holds_nothing_up(
    environment, office, run_command, tmp_path, monkeypatch
):
    receiver = SyslogReceiver()
    with http_receiver() as http:
        environment.configure(
            [OFFICE],
            policies=DAY,
            audit={
                "syslog": {"address": f"127.0.0.1:{receiver.port}", "transport": "tcp"},
                "http": {"url": http.url, "token": {"env": "AUDIT_TOKEN"}},
            },
        )
        token = "Sentinel-Token-4711"
        daemon = environment.start(AUDIT_TOKEN=token)
        daemon.wait_for("started")
        eventually(lambda: environment.rotations("office") == 1, "the first rotation")
        eventually(lambda: any('"verb":"close"' in line for line in http.lines), "the receiver has it")
        eventually(lambda: any('"verb":"close"' in line for line in receiver.texts()), "the receiver has it")
        receiver.stop()
        monkeypatch.setenv("AUDIT_TOKEN", token)
        asked = run_command("rotate", "office", "--reason", "while it is down")
        assert asked.code == 0, asked.err
        assert "the audit was not sent to the end" in asked.err
        metrics = eventually(lambda: waiting_for_syslog(daemon), "the metric")
        assert metrics > 0
        back = SyslogReceiver(receiver.port)
        eventually(lambda: any("while it is down" in line for line in back.texts()), "the rest comes")
        eventually(lambda: waiting_for_syslog(daemon) == 0, "nothing waits")
        assert daemon.stop() == 0
        back.stop()
        assert http.requests[0][1]["Authorization"] == f"Bearer {token}"
        everything = [daemon.out.read_text(), daemon.err.read_text(), asked.err, asked.out, *http.lines]
        assert not any(token in text for text in everything)
    copy = tmp_path / "received.jsonl"
    copy.write_text("\n".join(http.lines) + "\n")
    printed = run_command("verify-audit", str(copy))
    assert (printed.code, "in 2 chains, 0 problems" in printed.out) == (0, True), printed.out
    # What rsyslog writes into its file by default. The command gave up, so this copy lacks what it had recorded.
    lines = [f"Jan  5 12:00:00 pod rotator[7]: {line}" for line in (*receiver.texts(), *back.texts())]
    copy.write_text("\n".join(lines) + "\n")
    printed = run_command("verify-audit", str(copy), "--from-log")
    assert (printed.code, "in 1 chain, 0 problems" in printed.out) == (0, True), printed.out
    copy.write_text("\n".join(line for line in lines if line != lines[3]) + "\n")  # it may be there twice
    assert run_command("verify-audit", str(copy), "--from-log").code == 1


def waiting_for_syslog(daemon) -> float | None:
    found = re.search(
        r'^rotator_audit_waiting_records\{destination="syslog"\} (\S+)', daemon.get("/metrics"), re.MULTILINE
    )
    return float(found[1]) if found else None
