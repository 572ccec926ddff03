"""Reloads that go wrong, come together or meet a stop; a key in Vault that no header can carry; what is not dumped."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from free_ports import free_port
from openbao_server import TamperingProxy
from polling import eventually

KEPT = "configuration not reloaded; the old one stays in force"


def replace_target(name) -> dict[str, Any]:
    credential = {"username": name, "new": True}
    return {"name": name, "strategy": "replace", "credential": credential, "path": f"sip/phones/{name}"}


def faults_of_rotator(daemon) -> list[dict[str, Any]]:
    return [line for line in daemon.events() if line["level"] == "critical"]


def providers_with_key_in_vault(environment, value) -> dict[str, Any]:
    environment.bao.call("POST", "secret/data/sip/keys/vobiz", {"data": {"token": value}})
    account = json.loads(environment.config.read_text())["providers"]["vobiz"]
    return {"vobiz": account | {"auth_token": {"vault": {"path": "sip/keys/vobiz", "key": "token"}}}}


def test_a_key_in_vault_that_ends_with_a_line_break_is_a_mistake_of_the_configuration(environment):
    environment.configure([replace_target("key")])
    environment.configure(
        [replace_target("key")], providers=providers_with_key_in_vault(environment, "sentinel-key-4711\n")
    )
    daemon = environment.start()
    assert daemon.process.wait(30) == 2
    said = daemon.err.read_text()
    assert "providers.vobiz: " in said
    assert "check that the secret has no line break" in said
    assert "Traceback" not in said
    assert "sentinel-key-4711" not in said


def test_such_a_key_at_a_reload_leaves_the_old_configuration_in_force(environment):
    environment.configure([replace_target("keytwo")])
    daemon = environment.start()
    eventually(lambda: environment.rotations("keytwo"), "rotated")
    environment.configure(
        [replace_target("keytwo")], providers=providers_with_key_in_vault(environment, "sentinel-key-4711\n")
    )
    daemon.send(signal.SIGHUP)
    assert "line break" in daemon.wait_for(KEPT)["error"]
    assert daemon.metric("rotator_config_last_reload_successful") == 0
    assert not faults_of_rotator(daemon)


@pytest.mark.parametrize(("status", "said"), [(503, "Vault is sealed"), (403, "Vault refuses login")])
def test_a_reload_that_vault_does_not_allow_is_tried_again_until_it_does(environment, status, said):
    """A standby answers so for a while after an election, to a token that it does not know yet."""
    with TamperingProxy(environment.bao.address) as proxy:
        before, after = f"before{status}", f"after{status}"
        environment.configure([replace_target(before)], vault={"address": proxy.address})
        daemon = environment.start()
        eventually(lambda: environment.rotations(before), "rotated")
        environment.configure([replace_target(before), replace_target(after)], vault={"address": proxy.address})
        proxy.tamper = lambda seen: replace(seen, status=status, body=b'{"errors":["no"]}')
        daemon.send(signal.SIGHUP)
        refusal = daemon.wait_for("configuration not reloaded yet; the old one stays in force")
        assert said in refusal["error"]
        assert refusal["again_in"] == 5
        assert daemon.metric("rotator_config_last_reload_successful") == 0
        proxy.tamper = lambda seen: seen
        eventually(lambda: environment.rotations(after), "the new target is rotated without another signal")
        assert daemon.metric("rotator_config_last_reload_successful") == 1


def test_a_metric_of_the_configuration_is_of_the_one_in_force(environment):
    with TamperingProxy(environment.bao.address) as proxy:
        environment.configure([replace_target("force")], vault={"address": proxy.address})
        daemon = environment.start()
        eventually(lambda: environment.rotations("force"), "rotated")
        document = json.loads(environment.config.read_text())
        document["daemon"]["reconcile"] = "2h"
        environment.config.write_text(json.dumps(document))
        proxy.tamper = lambda seen: (
            replace(seen, status=403, body=b'{"errors":["no"]}') if "internal/ui/mounts" in seen.path else seen
        )
        daemon.send(signal.SIGHUP)
        daemon.wait_for("configuration not reloaded yet; the old one stays in force")
        assert daemon.metric("rotator_reconcile_interval_seconds") == 86_400
        proxy.tamper = lambda seen: seen
        eventually(lambda: daemon.metric("rotator_reconcile_interval_seconds") == 7200, "the new one is in force")


def test_a_reload_that_is_tried_again_leaves_no_token_behind(environment):
    with TamperingProxy(environment.bao.address) as proxy:
        environment.configure([replace_target("tokens")], vault={"address": proxy.address})
        daemon = environment.start()
        eventually(lambda: environment.rotations("tokens"), "rotated")
        logins = proxy.count("POST", "approle/login")
        proxy.tamper = lambda seen: (
            replace(seen, status=403, body=b'{"errors":["no"]}') if "internal/ui/mounts" in seen.path else seen
        )
        daemon.send(signal.SIGHUP)
        daemon.wait_for("configuration not reloaded yet; the old one stays in force")
        eventually(lambda: proxy.count("POST", "revoke-self") > 0, "the token of this try is revoked", 20)
        assert proxy.count("POST", "approle/login") > logins


@pytest.mark.parametrize("other", ["moved", "given up"])
def test_an_embedded_vault_is_not_changed_by_a_reload(environment, tmp_path, other):
    environment.configure([replace_target("embedded")])
    document = json.loads(environment.config.read_text())
    own = {"embedded": {"data_dir": str(tmp_path / "data"), "port": free_port()}}
    environment.config.write_text(json.dumps(document | {"vault": own}))
    daemon = environment.start()
    daemon.wait_for("started")
    changed = own | {"mount": "elsewhere"} if other == "moved" else document["vault"]
    environment.config.write_text(json.dumps(document | {"vault": changed}))
    daemon.send(signal.SIGHUP)
    assert "restart rotator" in daemon.wait_for(KEPT)["error"]
    assert not faults_of_rotator(daemon)
    assert daemon.stop() == 0


def test_a_stop_during_a_reload_ends_both_in_order(environment):
    environment.configure([replace_target("both")])
    environment.sandbox.faults.plan("silence", verb="create")
    daemon = environment.start()
    eventually(lambda: environment.state("both").attempt, "an attempt is open")
    for _ in range(3):
        daemon.send(signal.SIGHUP)
    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    assert daemon.process.wait(40) == 0
    assert not faults_of_rotator(daemon)


def test_a_closed_standard_output_is_no_place_for_the_audit(environment):
    environment.configure([replace_target("closed")])
    document = json.loads(environment.config.read_text())
    del document["audit"]
    environment.config.write_text(json.dumps(document))
    command = f'exec "{sys.executable}" -m rotator run --config "{environment.config}" >&-'
    done = subprocess.run(
        command, shell=True, env=environment.variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "standard output, which is closed: open it, or set audit.file" in done.stderr
