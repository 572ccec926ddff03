"""Reloads that go wrong, come together or meet a stop; a key in Vault that no header can carry; what is not dumped."""

import json
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bao import FaultyProxy, eventually
from ports import free_port

KEPT = "configuration not reloaded; the old one stays in force"


def replacing(name):
    return {"name": name, "strategy": "replace", "credential": {"username": name}, "path": f"sip/{name}"}


def faults_of_rotator(daemon):
    return [line for line in daemon.events() if line["level"] == "critical"]


def key_in_vault(stage, value):
    stage.bao.call("POST", "secret/data/sip/key", {"data": {"token": value}})
    account = json.loads(stage.config.read_text())["providers"]["vobiz"]
    return {"vobiz": account | {"auth_token": {"vault": {"path": "sip/key", "key": "token"}}}}


def test_a_key_in_vault_that_ends_with_a_line_break_is_a_mistake_of_the_configuration(stage):
    stage.configure([replacing("key")])
    stage.configure([replacing("key")], providers=key_in_vault(stage, "sentinel-key-4711\n"))
    daemon = stage.start()
    assert daemon.process.wait(30) == 2
    said = daemon.err.read_text()
    assert "providers.vobiz: " in said
    assert "check that the secret has no line break" in said
    assert "Traceback" not in said
    assert "sentinel-key-4711" not in said


def test_such_a_key_at_a_reload_leaves_the_old_configuration_in_force(stage):
    stage.configure([replacing("keytwo")])
    daemon = stage.start()
    eventually(lambda: stage.rotations("keytwo"), "rotated")
    stage.configure([replacing("keytwo")], providers=key_in_vault(stage, "sentinel-key-4711\n"))
    daemon.send(signal.SIGHUP)
    assert "line break" in daemon.wait_for(KEPT)["error"]
    assert daemon.metric("rotator_config_last_reload_successful") == 0
    assert not faults_of_rotator(daemon)


@pytest.mark.parametrize("other", ["moved", "given up"])
def test_an_embedded_vault_is_not_changed_by_a_reload(stage, tmp_path, other):
    stage.configure([replacing("embedded")])
    document = json.loads(stage.config.read_text())
    own = {"embedded": {"data_dir": str(tmp_path / "data"), "port": free_port()}}
    stage.config.write_text(json.dumps(document | {"vault": own}))
    daemon = stage.start()
    daemon.wait_for("started")
    changed = own | {"mount": "elsewhere"} if other == "moved" else document["vault"]
    stage.config.write_text(json.dumps(document | {"vault": changed}))
    daemon.send(signal.SIGHUP)
    assert "restart rotator" in daemon.wait_for(KEPT)["error"]
    assert not faults_of_rotator(daemon)
    assert daemon.stop() == 0


def test_a_stop_during_a_reload_ends_both_in_order(stage):
    stage.configure([replacing("both")])
    stage.sandbox.faults.plan("silence", verb="create")
    daemon = stage.start()
    eventually(lambda: stage.state("both").attempt, "an attempt is open")
    for _ in range(3):
        daemon.send(signal.SIGHUP)
    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    assert daemon.process.wait(40) == 0
    assert not faults_of_rotator(daemon)


def test_sigusr1_rotates_nothing_where_vault_does_not_say_what_was_asked_for(stage):
    with FaultyProxy(stage.bao.address) as proxy:
        stage.configure([replacing("asked"), replacing("other")], vault={"address": proxy.address})
        daemon = stage.start()
        eventually(lambda: stage.rotations("asked") and stage.rotations("other"), "both rotated")
        eventually(lambda: not stage.state("other").ledger, "nothing is left to do")
        proxy.tamper = lambda seen: (
            replace(seen, status=400, body=b'{"errors":["no"]}') if "state/asked" in seen.path else seen
        )
        daemon.send(signal.SIGUSR1)
        daemon.wait_for("request not read")
        daemon.wait_for("nothing is rotated: some requests could not be read from Vault; send the signal again")
    assert stage.rotations("other") == 1
    assert not [line for line in stage.audit() if line["verb"] == "request_rotation"]


def test_a_closed_standard_output_is_no_place_for_the_audit(stage):
    stage.configure([replacing("closed")])
    document = json.loads(stage.config.read_text())
    del document["audit"]
    stage.config.write_text(json.dumps(document))
    command = f'exec "{sys.executable}" -m rotator run --config "{stage.config}" >&-'
    done = subprocess.run(
        command, shell=True, env=stage.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "standard output, which is closed: open it, or set audit.file" in done.stderr


def test_a_crash_dumps_no_memory(stage):
    soft, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    stage.configure([replacing("core")])
    daemon = stage.start()
    resource.setrlimit(resource.RLIMIT_CORE, (soft, most))
    daemon.wait_for("started")
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    soft = next(line.split()[4] for line in limits.splitlines() if line.startswith("Max core file size"))
    assert soft == "0"
