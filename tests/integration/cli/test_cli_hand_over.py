"""`rotator rotate` beside real daemons: handed over, watched, interrupted, and taken over when the daemon is killed."""

import json
import re
import signal
import subprocess

import pytest
from command_runner import DAY, create_credentials, run_at_terminal, start_rotator
from polling import eventually

FLEET = [f"t{number:02}" for number in range(12)]


@pytest.fixture
def fleet(environment) -> None:
    create_credentials(environment, *FLEET)
    targets = [
        {"name": name, "strategy": "in-place", "credential": {"username": name}, "path": f"sip/{name}"}
        for name in FLEET
    ]
    environment.configure(targets, policies=DAY, daemon={"poll": "2m"})
    daemon = environment.start()
    daemon.wait_for("started")
    eventually(lambda: all(environment.rotations(name) for name in FLEET), "the first rotations")


def rotated(environment) -> list[int]:
    return [environment.rotations(name) for name in FLEET]


def test_a_living_daemon_does_it_and_the_command_reports_what_it_did(environment, fleet, run_command):
    printed = run_command("rotate", "--all", "--reason", "drill", "-o", "json")
    assert printed.code == 0, printed.err
    assert {(row["result"], row["elsewhere"]) for row in printed.json["targets"]} == {("rotated", True)}
    assert re.search(r"the daemon \S+ carries it out; Ctrl-C leaves the rest to it", printed.err)
    assert rotated(environment) == [2] * len(FLEET)
    assert all(environment.published_works(f"sip/{name}") for name in FLEET)
    assert environment.daemons[0].stop() == 0
    asked = [line for line in environment.audit() if line["facts"].get("reason") == "drill"]
    assert {line["verb"] for line in asked} >= {"request_rotation", "close"}


def test_here_does_it_in_this_process(environment, fleet, run_command):
    printed = run_command("rotate", *FLEET[:3], "--here", "-o", "json")
    assert printed.code == 0, printed.err
    assert {(row["result"], row["elsewhere"]) for row in printed.json["targets"]} == {("rotated", False)}
    said = run_command("rotate", FLEET[0], "--here", "--no-wait")
    assert (said.code, said.out) == (2, "")


def test_ctrl_c_ends_the_command_and_not_the_work(environment, fleet):
    environment.sandbox.faults.plan("latency", verb="update", times=None)
    words = ["rotate", "--all", "-o", "json", "--config", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        line = b""
        while b"carries it out" not in line:
            line = child.stderr.readline()
            assert line, "ended early"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"and the daemon carries them out" in err
    assert "interrupted" in {row["result"] for row in json.loads(out)["targets"]}
    environment.sandbox.faults.clear()
    eventually(lambda: rotated(environment) == [2] * len(FLEET), "the daemon goes on with the rest", 60)


def test_a_daemon_that_is_killed_is_noticed_and_the_command_goes_on(environment, fleet):
    (daemon,) = environment.daemons
    environment.sandbox.faults.plan("latency", verb="update", times=None)
    words = ["rotate", "--all", "-o", "json", "--config", str(environment.config)]
    with start_rotator(words, environment.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        line = b""
        while b"carries it out" not in line:
            line = child.stderr.readline()
            assert line, "ended early"
        daemon.process.kill()
        environment.sandbox.faults.clear()
        out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    assert b"no daemon lives any more: this process goes on with" in err
    assert {row["result"] for row in json.loads(out)["targets"]} == {"rotated"}
    assert rotated(environment) == [2] * len(FLEET)
    assert all(environment.published_works(f"sip/{name}") for name in FLEET)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_how_far_it_is(environment, fleet, columns):
    environ = {**environment.variables, "ROTATOR_CONFIG": str(environment.config), "NO_COLOR": "1"}
    code, written = run_at_terminal(["rotate", "--all"], environ, columns)
    assert code == 0, written
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", written).replace("\r", "\n")
    assert re.search(r"\d+/12 (requests written|ended)", plain)
    assert max(len(line) for line in plain.splitlines()) <= columns
    assert "\x1b[3" not in written
