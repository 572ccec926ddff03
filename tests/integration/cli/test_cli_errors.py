"""Each thing that can be wrong with the surroundings of a command: its exit code, and one clear message."""

import json
import subprocess
import sys
from typing import Any

import pytest
from command_runner import OFFICE, CommandResult, command_runner, create_credentials, run_at_terminal, start_rotator
from daemon_environment import daemon_environment
from openbao_server import running_bao
from polling import eventually
from silent_port import silent_port

from rotator.cli.exits import MEANING, Exit

COMMANDS = [["status"], ["rotate", "--all"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_unreachable_vault_is_said(environment, run_command, words):
    environment.configure([OFFICE], vault={"address": "http://127.0.0.1:9", "connect_timeout": "1s"})
    printed = run_command(*words)
    assert printed.code == 3
    assert printed.out == ""
    *waiting, said = printed.err.splitlines()
    assert said.startswith("rotator: Vault is unusable: http://127.0.0.1:9: nothing listens at 127.0.0.1:9: ")
    # It is tried more than once: on a loaded machine for longer than a person waits in silence.
    assert waiting in ([], ["rotator: waiting for http://127.0.0.1:9 to answer; Ctrl-C stops"])


def test_a_vault_that_swallows_everything_is_waited_for_in_so_many_words(environment, run_command):
    """It was silent for ten seconds, and then named the wrong number of them and nothing to check."""
    with silent_port() as port:
        environment.configure([OFFICE], vault={"address": f"http://127.0.0.1:{port}", "connect_timeout": "8s"})
        printed = run_command("status")
    waiting, said = printed.err.splitlines()
    assert waiting == f"rotator: waiting for http://127.0.0.1:{port} to answer; Ctrl-C stops"
    assert said.endswith(
        f"127.0.0.1:{port} does not answer: check vault.address, and what on the way may drop it (a firewall)"
    )
    assert printed.code == 3


def test_a_sealed_vault_is_named(tmp_path, monkeypatch, capfd):
    with running_bao() as bao, daemon_environment(bao, tmp_path) as environment:
        environment.configure([OFFICE])
        for name, value in environment.variables.items():
            monkeypatch.setenv(name, value)
        run = command_runner(monkeypatch, capfd)

        def failed() -> CommandResult | None:
            bao.seal()  # it unseals itself after two seconds, which a slow machine may need to start the command
            printed = run("status", "--config", str(environment.config))
            return printed if printed.code else None

        printed = eventually(failed, "status meets a sealed Vault")
    assert printed.code == 3
    assert "sealed" in printed.err


def test_a_mount_of_version_1_is_refused(environment, bao, run_command, monkeypatch):
    bao.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}}, also=400)
    monkeypatch.setenv("ROOT", bao.root_token.reveal())
    environment.configure([OFFICE], vault={"mount": "old", "auth": {"method": "token", "token": {"env": "ROOT"}}})
    printed = run_command("rotate", "office")
    assert printed.code == 3
    assert "the mount old/ is KV version 1, but rotator needs the check-and-set of KV version 2" in printed.err


def test_a_token_without_rights_is_told_which_one_it_lacks(environment, bao, run_command, monkeypatch):
    token = bao.token([bao.policy("nothing", 'path "secret/data/sip/*" { capabilities = ["read"] }')])
    monkeypatch.setenv("POOR", token.reveal())
    environment.configure([OFFICE], vault={"auth": {"method": "token", "token": {"env": "POOR"}}})
    printed = run_command("status")
    assert printed.code == 3
    assert 'path "secret/data/rotator/state/office"' in printed.err
    assert token.reveal() not in printed.err


def test_a_wrong_configuration_names_file_line_and_key(environment, run_command):
    environment.configure([{**OFFICE, "stratgy": "replace"}])
    printed = run_command("rotate", "office")
    assert printed.code == 2
    assert "the configuration is invalid" in printed.err
    assert f"{environment.config}:" in printed.err
    assert "did you mean 'strategy'" in printed.err


def test_a_missing_configuration_is_said(environment, run_command):
    printed = run_command("status", "--config", str(environment.folder / "nowhere.yaml"))
    assert printed.code == 2
    assert "nowhere.yaml: cannot be read" in printed.err


def test_an_audit_file_that_cannot_be_opened_is_a_matter_of_configuration(environment, run_command):
    environment.configure([OFFICE], audit={"file": str(environment.folder / "no" / "audit.jsonl")})
    printed = run_command("rotate", "office")
    assert printed.code == 2
    assert "the audit file" in printed.err


def test_run_says_what_is_wrong_in_one_message(environment):
    environment.configure([{**OFFICE, "strategy": "alternate"}])
    words = ["run", "-c", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        out, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert out == b""
    assert err.startswith(b"rotator: the configuration is invalid:\n")


def test_a_reader_that_goes_away_is_no_error(environment):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    words = ["status", "-o", "json", "-c", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        err = child.stderr.read()
    assert child.returncode == 1
    assert err == b""


BROKEN = """
import sys
import rotator.cli.show_status as status
def explode(*_):
    raise ZeroDivisionError("hunter2-secret")
status.show_status = explode
from rotator.cli import main
sys.argv = ["rotator", "status"]
main()
"""


def test_a_fault_of_ours_is_one_line_and_its_traceback_is_in_the_log():
    child = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=30, check=False)
    assert child.returncode == 5
    log, line = child.stderr.splitlines()
    assert '"event": "BUG"' in log
    assert "ZeroDivisionError in rotator/cli/report_commands.py:" in line
    assert "hunter2" not in line


def test_at_a_terminal_no_traceback_is_seen(environment):
    create_credentials(environment, "office")
    environment.configure([OFFICE])
    code, written = run_at_terminal(["rotate", "office", "-c", str(environment.config)], environment.variables, 80)
    assert code == 0, written
    assert "rotated" in written
    assert "Traceback" not in written


def test_at_a_terminal_the_audit_is_in_vault_and_buries_nothing(environment):
    create_credentials(environment, "office")
    environment.configure([OFFICE], audit={"file": None})
    code, written = run_at_terminal(["rotate", "office", "-c", str(environment.config)], environment.variables, 400)
    assert code == 0, written
    assert "rotated" in written
    assert '"chain"' not in written
    assert environment.vault_audit()[-1]["verb"] == "close"


# -- what a program is told


def error_in(printed: CommandResult) -> dict[str, Any]:
    """The error document: all that is on standard output, with the same exit code as for a person."""
    assert set(printed.json) == {"error"}
    error = printed.json["error"]
    assert set(error) == {"code", "meaning", "message", "problems"}
    assert (error["code"], error["meaning"]) == (printed.code, MEANING[Exit(printed.code)])
    assert error["message"] in printed.err  # for whoever reads along
    return error


@pytest.mark.parametrize("asking", [["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]], ids=" ".join)
def test_an_unreachable_vault_is_told_to_programs_as_well(environment, run_command, asking):
    environment.configure([OFFICE], vault={"address": "http://127.0.0.1:9", "connect_timeout": "1s"})
    error = error_in(run_command("status", *asking))
    assert error["code"] == 3
    assert error["message"].startswith("Vault is unusable: ")
    assert error["problems"] == []


@pytest.mark.parametrize("words", [["rotate", "ofice"], ["verify", "ofice"], ["plan", "ofice"], ["status", "ofice"]])
def test_a_wrong_name_is_told_to_programs_as_well(environment, run_command, words):
    environment.configure([OFFICE])
    error = error_in(run_command(*words, "-o", "json"))
    assert error["code"] == 2
    assert "did you mean 'office'?" in error["message"]


def test_each_mistake_of_a_configuration_is_told_to_programs_with_its_place(environment, run_command):
    environment.configure([{**OFFICE, "stratgy": "replace"}])
    printed = run_command("rotate", "office", "--output", "json")
    error = error_in(printed)
    assert error["code"] == 2
    (problem,) = error["problems"]
    assert problem == run_command("check-config", "--output", "json").json["problems"][0]
    assert (problem["key"], problem["remedy"]) == ("targets[0].stratgy", "did you mean 'strategy'?")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rotate", "--al", "-o", "json"], "No such option: --al"),
        (["abandon", "-yo", "json"], "Missing argument 'TARGET'"),
        (["rotat", "--output=json"], "No such command 'rotat'"),
        (["status", "-o", "json", "--output", "jsn"], None),
        (["rotate", "--al", "--", "-o", "json"], None),
        (["rotate", "--al"], None),
    ],
)
def test_a_wrong_command_line_is_told_to_programs_that_asked_for_json(run_command, words, said):
    printed = run_command(*words)
    assert printed.code == 2
    assert "Error: " in printed.err
    if said is None:
        assert printed.out == ""
    else:
        assert said in error_in(printed)["message"]


def test_a_fault_of_ours_is_told_to_programs_without_its_values():
    broken = BROKEN.replace('"status"]', '"status", "-o", "json"]')
    child = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, timeout=30, check=False)
    error = json.loads(child.stdout)["error"]
    assert (error["code"], child.returncode) == (5, 5)
    assert "ZeroDivisionError in rotator/cli/report_commands.py:" in error["message"]
    assert "hunter2" not in child.stdout


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_an_error_that_cannot_be_written_keeps_its_exit_code(environment, stdout):
    environment.configure([OFFICE])
    command = f"{sys.executable} -m rotator status ofice -o json -c {environment.config} {stdout}"
    shell = ["bash", "-c", command]
    child = subprocess.run(shell, env=environment.variables, capture_output=True, text=True, timeout=30, check=False)
    assert child.returncode == 2
    assert "did you mean 'office'?" in child.stderr
    assert "Traceback" not in child.stderr


def test_a_reader_that_goes_away_from_an_error_is_no_error(environment):
    environment.configure([OFFICE], vault={"address": "http://127.0.0.1:9", "connect_timeout": "1s"})
    words = ["status", "-o", "json", "-c", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.close()
        err = child.stderr.read()
    assert child.returncode == 3
    assert err.startswith(b"rotator: Vault is unusable: ")
    assert err.count(b"\n") == 1
