"""The daemon as a process, on a real OpenBao and the sandbox: signals, stops, crashes, bad answers, and no leak."""

import json
import signal
from dataclasses import replace
from typing import Any

import httpx
import psutil
import pytest
from daemon_environment import TOKEN
from long_runs import only_long
from openbao_server import TamperingProxy
from polling import eventually

from rotator.core.secret import Secret
from rotator_simulator.faults import fault_named


def replace_target(name) -> dict[str, Any]:
    return {
        "name": name,
        "strategy": "replace",
        "credential": {"username": name.replace("-", ""), "new": True},
        "path": f"sip/{name}",
    }


def wait_until_rotated(environment, name, times=1):
    def enough() -> bool:
        last = environment.daemons[-1]
        assert last.process.poll() is None, last.err.read_text()[-2000:]
        return environment.rotations(name) >= times

    eventually(enough, f"{name} rotated {times} times")


def test_rotates_retires_and_stops(environment):
    environment.account.create("credential", "life", Secret("old-password-1!"))
    environment.configure([replace_target("life")])
    daemon = environment.start()
    wait_until_rotated(environment, "life")
    assert environment.published_works("sip/life")
    eventually(lambda: not environment.state("life").ledger, "the old credential is gone")
    assert [record.username for record in environment.account.credentials()] == [
        environment.consumer_document("sip/life").username
    ]
    assert daemon.stop() == 0
    verbs = [line["verb"] for line in environment.audit() if line["target"] == "life"]
    assert verbs == ["stage", "create", "prove", "publish", "close", "disable", "delete"]


def test_sigterm_in_the_middle_then_a_new_start_carries_the_same_password_to_its_end(environment):
    environment.configure([replace_target("middle")])
    environment.sandbox.faults.plan(fault_named("latency", seconds=2.0), verb="create")
    daemon = environment.start()
    eventually(lambda: environment.state("middle").attempt, "an attempt is open")
    assert daemon.stop() == 0
    attempt = environment.state("middle").attempt
    assert attempt is not None
    assert environment.state("middle").claim is None
    assert not environment.consumer_document("sip/middle").exists
    environment.start()
    wait_until_rotated(environment, "middle")
    assert environment.consumer_document("sip/middle").password == attempt.staged.password
    assert environment.published_works("sip/middle")
    assert len(environment.account.credentials()) == 1


def test_kill_in_the_middle_is_carried_on_when_the_claim_ends(environment):
    environment.configure([replace_target("killed")], daemon={"claim": "5s"})
    environment.sandbox.faults.plan(fault_named("latency", seconds=1.0), verb="create")
    daemon = environment.start()
    eventually(lambda: environment.state("killed").attempt, "an attempt is open")
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    staged = environment.state("killed").attempt.staged
    assert environment.state("killed").claim is not None
    environment.start()
    wait_until_rotated(environment, "killed")
    assert environment.consumer_document("sip/killed").password == staged.password
    assert len(environment.account.credentials()) == 1


def test_a_second_stop_ends_at_once(environment):
    environment.configure([replace_target("twice")])
    environment.sandbox.faults.plan("silence", verb="create")
    daemon = environment.start()
    eventually(lambda: environment.state("twice").attempt, "an attempt is open")
    daemon.send(signal.SIGINT)
    daemon.wait_for("stopping")
    assert daemon.stop() == 130


def test_sigusr1_rotates_now_and_the_audit_says_why(environment):
    environment.configure([replace_target("now")])
    daemon = environment.start()
    wait_until_rotated(environment, "now")
    daemon.send(signal.SIGUSR1)
    wait_until_rotated(environment, "now", 2)
    request = next(line for line in environment.audit() if line["verb"] == "request_rotation")
    assert request["facts"]["requested_by"] == "SIGUSR1"
    staged = [line for line in environment.audit() if line["verb"] == "stage"][-1]
    assert staged["facts"]["reason"] == "signal SIGUSR1"


def test_sighup_with_a_broken_file_keeps_the_old_configuration_and_says_what_is_wrong(environment):
    environment.configure([replace_target("hup")])
    daemon = environment.start()
    wait_until_rotated(environment, "hup")
    assert daemon.metric("rotator_config_last_reload_successful") == 1
    good = environment.config.read_text()
    environment.config.write_text(good.replace('"replace"', '"replaec"'))
    daemon.send(signal.SIGHUP)
    refusal = daemon.wait_for("configuration not reloaded; the old one stays in force")
    assert "did you mean 'replace'" in refusal["error"]
    assert daemon.metric("rotator_config_last_reload_successful") == 0
    daemon.send(signal.SIGUSR1)
    wait_until_rotated(environment, "hup", 2)
    environment.configure([replace_target("hup"), replace_target("hup-two")])
    daemon.send(signal.SIGHUP)
    wait_until_rotated(environment, "hup-two")
    assert daemon.metric("rotator_config_last_reload_successful") == 1
    environment.configure([replace_target("hup-two")])
    daemon.send(signal.SIGHUP)
    eventually(lambda: '"hup"' not in daemon.get("/status").split('"orphans"')[0], "the removed target is gone")


def test_sigusr2_logs_a_summary_and_the_targets_that_need_somebody(environment, bao):
    environment.configure([replace_target("report"), replace_target("foreign")])
    bao.call("POST", "secret/data/sip/foreign", {"data": {"username": "mine"}})
    daemon = environment.start()
    wait_until_rotated(environment, "report")
    eventually(lambda: '"blocked"' in daemon.get("/status?name=foreign"), "the other one is held")
    daemon.send(signal.SIGUSR2)
    row = daemon.wait_for("state")
    assert (row["name"], row["state"]) == ("foreign", "blocked")
    assert daemon.wait_for("fleet")["states"]["blocked"] == 1
    assert [line["name"] for line in daemon.events() if line["event"] == "state"] == ["foreign"]


def test_a_restart_neither_rotates_again_nor_storms(environment):
    environment.configure([replace_target("again")])
    first = environment.start()
    wait_until_rotated(environment, "again")
    eventually(lambda: not environment.state("again").ledger, "nothing is left to do")
    due = environment.state("again").next_rotation
    assert first.stop() == 0
    for _ in range(2):
        daemon = environment.start()
        eventually(lambda d=daemon: '"state":"idle"' in d.get("/status").replace(" ", ""), "it was looked at")
        assert daemon.stop() == 0
    assert environment.rotations("again") == 1
    assert environment.state("again").next_rotation == due


# The conformance suite shows that an adapter answers the last four as it answers an error.
@pytest.mark.parametrize(
    "fault", ["unauthorized", "rate-limited", "error", *only_long("html", "huge", "empty", "redirect")]
)
def test_bad_answers_are_bounded_seen_in_the_metrics_and_lose_nothing(environment, fault):
    name = f"bad-{fault}"
    environment.account.create("credential", name.replace("-", ""), Secret("old-password-1!"))
    environment.configure([replace_target(name)], daemon={"circuit": {"failures": 50}})
    plan = environment.sandbox.faults.plan(fault, times=3)
    daemon = environment.start()
    wait_until_rotated(environment, name)
    assert plan.fired == 3
    assert environment.published_works(f"sip/{name}")
    assert daemon.metric("rotator_provider_requests_total") is not None
    eventually(lambda: not environment.state(name).ledger, "the old one is retired")
    assert len(environment.account.credentials()) == 1


def test_a_sealed_vault_is_waited_for_and_the_probes_tell_the_truth(environment):
    # OpenBao unseals itself here, sooner than a busy machine starts a daemon: so the proxy goes on saying "sealed".
    with TamperingProxy(environment.bao.address) as proxy:
        proxy.tamper = lambda seen: replace(seen, status=503, body=b'{"errors":["Vault is sealed"]}')
        environment.configure([replace_target("sealed")], vault={"address": proxy.address})
        daemon = environment.start()
        assert "sealed" in daemon.wait_for("waiting for Vault")["error"]
        assert daemon.probe("/healthz") == 200
        assert daemon.probe("/readyz") == 503
        daemon.send(signal.SIGUSR1)
        proxy.tamper = lambda seen: seen
        wait_until_rotated(environment, "sealed")
        # The first rotation may be open already when the request comes, and is then what was asked for.
        eventually(lambda: "request_rotation" in [line["verb"] for line in environment.audit()], "the signal was kept")
        assert daemon.probe("/readyz") == 200
        assert daemon.stop() == 0


def test_a_port_that_is_taken_is_said_in_one_line(environment):
    taken = environment.sandbox.http_url.rsplit(":", 1)[1]
    http = {"listen": f"127.0.0.1:{taken}", "probes": "127.0.0.1:0"}
    environment.configure([replace_target("port")], daemon={"http": http})
    daemon = environment.start()
    assert daemon.process.wait(20) == 2
    assert "Traceback" not in daemon.err.read_text()


def test_pages_need_the_token_that_a_reload_replaces_and_no_log_has_it(environment, tmp_path):
    file, tokens = tmp_path / "token", ["sentinel-http-token-1-0123456789", "sentinel-http-token-2-0123456789"]

    def configure(token: str) -> None:
        file.write_text(token)
        http = {"listen": "127.0.0.1:0", "probes": "127.0.0.1:0", "token": {"file": str(file)}}
        environment.configure([replace_target("guarded")], daemon={"http": http})

    def answered(token: str) -> int:
        return httpx.get(f"{daemon.url}/status", headers={"Authorization": f"Bearer {token}"}).status_code

    configure(tokens[0])
    daemon = environment.start()
    assert daemon.probe("/healthz") == 200
    assert [answered(token) for token in (*tokens, "wrong")] == [200, 401, 401]
    daemon.wait_for("started")
    configure(tokens[1])
    daemon.send(signal.SIGHUP)
    daemon.wait_for("configuration reloaded")
    assert [answered(token) for token in tokens] == [401, 200]
    assert daemon.stop() == 0
    for token in tokens:
        assert token not in daemon.out.read_text() + daemon.err.read_text() + environment.audit_file.read_text()


def test_no_password_and_no_token_in_anything_that_a_run_at_debug_shows(environment):
    names = ["leaka", "leakb"]
    environment.account.create("credential", "leaka", Secret("old-password-1!"))
    environment.configure(
        [
            replace_target("leaka"),
            {**replace_target("leakb"), "strategy": "in-place", "credential": {"username": "leakb"}},
        ]
    )
    environment.account.create("credential", "leakb", Secret("old-password-2!"))
    environment.sandbox.faults.plan("lost-answer", verb="create")
    environment.sandbox.faults.plan("unauthorized", verb="list", times=2)
    secrets = {TOKEN, environment.login.current_secret_id().reveal(), environment.bao.root_token.reveal()}
    shown = []
    daemon = environment.start()
    for round_ in (1, 2, 3):
        for name in names:
            wait_until_rotated(environment, name, round_)
            secrets.add(environment.consumer_document(f"sip/{name}").password.reveal())
        shown += [daemon.get(path) for path in ("/metrics", "/status", "/", "/targets", "/targets/leaka", "/accounts")]
        daemon.send(signal.SIGUSR2)
        if round_ == 1:
            daemon.send(signal.SIGUSR1)
        if round_ == 2:
            shown.append(environment.run_rotator("rotate", "--all", "--no-wait"))
    everybody = psutil.process_iter(["cmdline"])  # None: it has ended since
    shown += [" ".join(process.info["cmdline"] or ()) for process in everybody]
    for arguments in (["status"], ["plan", "--output", "json"], ["check-config"]):
        shown.append(environment.run_rotator(*arguments))
    assert daemon.stop() == 0
    shown += [daemon.out.read_text(), daemon.err.read_text(), environment.audit_file.read_text()]
    assert len(secrets) >= 8
    text = "\n".join(shown)
    assert '"level": "debug"' in text
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in text
