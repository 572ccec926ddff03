"""The daemon as a process, on a real OpenBao and the sandbox: signals, stops, crashes, bad answers, and no leak."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from bao import FaultyProxy, eventually
from examples import only_long
from stage import TOKEN

from rotator.core.model import Claim
from rotator.core.secret import Secret
from rotator_simulator.faults import fault_named


def replacing(name):
    return {
        "name": name,
        "strategy": "replace",
        "credential": {"username": name.replace("-", "")},
        "path": f"sip/{name}",
    }


def rotated(stage, name, times=1):
    def enough():
        last = stage.daemons[-1]
        assert last.process.poll() is None, last.err.read_text()[-2000:]
        return stage.rotations(name) >= times

    eventually(enough, f"{name} rotated {times} times")


def test_rotates_retires_and_stops(stage):
    stage.account.create("credential", "life", Secret("old-password-1!"))
    stage.configure([replacing("life")])
    daemon = stage.start()
    rotated(stage, "life")
    assert stage.works("sip/life")
    eventually(lambda: not stage.state("life").ledger, "the old credential is gone")
    assert [record.username for record in stage.account.credentials()] == [stage.published("sip/life").username]
    assert daemon.stop() == 0
    verbs = [line["verb"] for line in stage.audit() if line["target"] == "life"]
    assert verbs == ["stage", "create", "prove", "publish", "close", "disable", "delete"]


def test_sigterm_in_the_middle_then_a_new_start_carries_the_same_password_to_its_end(stage):
    stage.configure([replacing("middle")])
    stage.sandbox.faults.plan(fault_named("latency", seconds=2.0), verb="create")
    daemon = stage.start()
    eventually(lambda: stage.state("middle").attempt, "an attempt is open")
    assert daemon.stop() == 0
    attempt = stage.state("middle").attempt
    assert attempt is not None
    assert stage.state("middle").claim is None
    assert not stage.published("sip/middle").exists
    stage.start()
    rotated(stage, "middle")
    assert stage.published("sip/middle").password == attempt.staged.password
    assert stage.works("sip/middle")
    assert len(stage.account.credentials()) == 1


def test_kill_in_the_middle_is_carried_on_when_the_claim_ends(stage):
    stage.configure([replacing("killed")])
    stage.sandbox.faults.plan(fault_named("latency", seconds=1.0), verb="create")
    daemon = stage.start()
    eventually(lambda: stage.state("killed").attempt, "an attempt is open")
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    staged = stage.state("killed").attempt.staged
    assert stage.state("killed").claim is not None
    second = stage.start()
    second.wait_for("started")
    # The claim of a dead process ends by itself; the test does not wait for that but takes the claim away.
    state = stage.vault.store.read_state("killed")
    assert isinstance(state.state.claim, Claim)
    attempt = replace(state.state.attempt, uncertain=True)
    stage.vault.store.write_state(replace(state.state, claim=None, attempt=attempt), state.version)
    rotated(stage, "killed")
    assert stage.published("sip/killed").password == staged.password
    assert len(stage.account.credentials()) == 1


def test_a_second_stop_ends_at_once(stage):
    stage.configure([replacing("twice")])
    stage.sandbox.faults.plan("silence", verb="create")
    daemon = stage.start()
    eventually(lambda: stage.state("twice").attempt, "an attempt is open")
    daemon.send(signal.SIGINT)
    daemon.wait_for("stopping")
    assert daemon.stop() == 130


def test_sigusr1_rotates_now_and_the_audit_says_why(stage):
    stage.configure([replacing("now")])
    daemon = stage.start()
    rotated(stage, "now")
    daemon.send(signal.SIGUSR1)
    rotated(stage, "now", 2)
    request = next(line for line in stage.audit() if line["verb"] == "request_rotation")
    assert request["facts"]["requested_by"] == "SIGUSR1"
    staged = [line for line in stage.audit() if line["verb"] == "stage"][-1]
    assert staged["facts"]["reason"] == "signal SIGUSR1"


def test_sighup_with_a_broken_file_keeps_the_old_configuration_and_says_what_is_wrong(stage):
    stage.configure([replacing("hup")])
    daemon = stage.start()
    rotated(stage, "hup")
    assert daemon.metric("rotator_config_last_reload_successful") == 1
    good = stage.config.read_text()
    stage.config.write_text(good.replace('"replace"', '"replaec"'))
    daemon.send(signal.SIGHUP)
    refusal = daemon.wait_for("configuration not reloaded; the old one stays in force")
    assert "did you mean 'replace'" in refusal["error"]
    assert daemon.metric("rotator_config_last_reload_successful") == 0
    daemon.send(signal.SIGUSR1)
    rotated(stage, "hup", 2)
    stage.configure([replacing("hup"), replacing("hup-two")])
    daemon.send(signal.SIGHUP)
    rotated(stage, "hup-two")
    assert daemon.metric("rotator_config_last_reload_successful") == 1
    stage.configure([replacing("hup-two")])
    daemon.send(signal.SIGHUP)
    eventually(lambda: '"hup"' not in daemon.get("/status").split('"orphans"')[0], "the removed target is gone")


def test_sigusr2_logs_the_state_of_each_target(stage):
    stage.configure([replacing("report")])
    daemon = stage.start()
    rotated(stage, "report")
    daemon.send(signal.SIGUSR2)
    line = daemon.wait_for("state")
    assert line["name"] == "report"
    assert line["state"] in ("idle", "rotating")


def test_a_restart_neither_rotates_again_nor_storms(stage):
    stage.configure([replacing("again")])
    first = stage.start()
    rotated(stage, "again")
    eventually(lambda: not stage.state("again").ledger, "nothing is left to do")
    due = stage.state("again").next_rotation
    assert first.stop() == 0
    for _ in range(2):
        daemon = stage.start()
        eventually(lambda d=daemon: '"state":"idle"' in d.get("/status").replace(" ", ""), "it was looked at")
        assert daemon.stop() == 0
    assert stage.rotations("again") == 1
    assert stage.state("again").next_rotation == due


# The conformance suite shows that an adapter answers the last four as it answers an error.
@pytest.mark.parametrize(
    "fault", ["unauthorized", "rate-limited", "error", *only_long("html", "huge", "empty", "redirect")]
)
def test_bad_answers_are_bounded_seen_in_the_metrics_and_lose_nothing(stage, fault):
    name = f"bad-{fault}"
    stage.account.create("credential", name.replace("-", ""), Secret("old-password-1!"))
    stage.configure([replacing(name)], daemon={"circuit": {"failures": 50}})
    plan = stage.sandbox.faults.plan(fault, times=3)
    daemon = stage.start()
    rotated(stage, name)
    assert plan.fired == 3
    assert stage.works(f"sip/{name}")
    assert daemon.metric("rotator_provider_requests_total") is not None
    eventually(lambda: not stage.state(name).ledger, "the old one is retired")
    assert len(stage.account.credentials()) == 1


def test_a_sealed_vault_is_waited_for_and_the_probes_tell_the_truth(stage):
    # OpenBao unseals itself here, sooner than a busy machine starts a daemon: so the proxy goes on saying "sealed".
    with FaultyProxy(stage.bao.address) as proxy:
        proxy.tamper = lambda seen: replace(seen, status=503, body=b'{"errors":["Vault is sealed"]}')
        stage.configure([replacing("sealed")], vault={"address": proxy.address})
        daemon = stage.start()
        assert "sealed" in daemon.wait_for("waiting for Vault")["error"]
        assert daemon.code_of("/healthz") == 200
        assert daemon.code_of("/readyz") == 503
        daemon.send(signal.SIGUSR1)
        proxy.tamper = lambda seen: seen
        rotated(stage, "sealed")
        # The first rotation may be open already when the request comes, and is then what was asked for.
        eventually(lambda: "request_rotation" in [line["verb"] for line in stage.audit()], "the signal was kept")
        assert daemon.code_of("/readyz") == 200
        assert daemon.stop() == 0


def test_a_port_that_is_taken_is_said_in_one_line(stage):
    stage.configure([replacing("port")])
    taken = stage.sandbox.http_url.rsplit(":", 1)[1]
    stage.configure([replacing("port")], daemon={"listen": f"127.0.0.1:{taken}"})
    daemon = stage.start()
    assert daemon.process.wait(20) == 2
    assert "Traceback" not in daemon.err.read_text()


def test_no_password_and_no_token_in_anything_that_a_run_at_debug_shows(stage):
    names = ["leaka", "leakb"]
    stage.account.create("credential", "leaka", Secret("old-password-1!"))
    stage.configure([replacing("leaka"), {**replacing("leakb"), "strategy": "in-place"}])
    stage.account.create("credential", "leakb", Secret("old-password-2!"))
    stage.sandbox.faults.plan("lost-answer", verb="create")
    stage.sandbox.faults.plan("unauthorized", verb="list", times=2)
    secrets = {TOKEN, stage.login.secret_id.reveal(), stage.bao.server.root_token.reveal()}
    shown = []
    daemon = stage.start()
    for round_ in (1, 2, 3):
        for name in names:
            rotated(stage, name, round_)
            secrets.add(stage.published(f"sip/{name}").password.reveal())
        shown += [daemon.get("/metrics"), daemon.get("/status"), daemon.get("/readyz")]
        daemon.send(signal.SIGUSR2)
        daemon.send(signal.SIGUSR1)
    shown += [" ".join(process.cmdline()) for process in psutil.process_iter() if process.is_running()]
    for arguments in (["status"], ["plan", "--output", "json"], ["check-config"]):
        done = subprocess.run(
            [sys.executable, "-m", "rotator", *arguments, "--config", str(stage.config)],
            env=stage.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        shown += [done.stdout, done.stderr]
    assert daemon.stop() == 0
    shown += [daemon.out.read_text(), daemon.err.read_text(), stage.audit_file.read_text()]
    assert len(secrets) >= 8
    text = "\n".join(shown)
    assert '"level": "debug"' in text
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in text
