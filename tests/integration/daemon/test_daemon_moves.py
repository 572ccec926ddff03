"""Targets that come and go while a daemon runs, on a real OpenBao: what they leave behind is carried out or told."""

import json
import signal
import subprocess
from dataclasses import replace
from typing import Any

from command_runner import start_rotator
from daemon_environment import OTHER_ACCOUNT, Daemon
from polling import eventually

from rotator.core.secret import Secret

OLD_PASSWORD = Secret("old-password-1!")


def phone(name, **changes: Any) -> dict[str, Any]:
    target = {"name": name, "strategy": "replace", "credential": {"username": name}, "path": f"sip/{name}"}
    return target | changes


def begin(environment, name="leaver", **policy: str) -> tuple[Daemon, dict[str, Any]]:
    """A daemon that has published a credential of one target and has its predecessor in the ledger."""
    environment.account.create("credential", name, OLD_PASSWORD)
    fast = {"every": "1h", "overlap": "4s", "quarantine": "2s"} | policy
    environment.configure([phone(name)], policies={"fast": fast})
    daemon = environment.start()
    eventually(lambda: environment.rotations(name), "rotated")
    return daemon, {"fast": fast}


def reload(environment, daemon, targets, policies, **changes: Any) -> None:
    before = loaded(daemon)
    environment.configure(targets, policies=policies, **changes)
    daemon.send(signal.SIGHUP)
    eventually(lambda: loaded(daemon) > before, "the configuration is reloaded")


def loaded(daemon) -> int:
    return sum(line["event"] == "configuration reloaded" for line in daemon.events())


def run(environment, *words: str) -> str:
    """A command beside the daemon; its output."""
    process = start_rotator(
        [*words, "--config", str(environment.config)],
        environment.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return str(out)


def credentials(account) -> list[str]:
    return sorted(record.username for record in account.credentials())


def test_what_a_removed_target_replaced_is_disabled_and_deleted_and_what_it_published_is_told(environment):
    daemon, policies = begin(environment)
    assert environment.state("leaver").ledger
    reload(environment, daemon, [phone("stays")], policies)
    assert environment.account.accepts("leaver", OLD_PASSWORD), "still in its overlap"
    eventually(lambda: not environment.state("leaver").ledger, "the ledger of the removed target is carried out")
    assert not environment.account.accepts("leaver", OLD_PASSWORD)
    assert environment.published_works("sip/leaver")
    (orphan,) = json.loads(daemon.get("/status"))["orphans"]
    assert (orphan["name"], orphan["configured"]) == ("leaver", False)
    assert daemon.metric('rotator_orphans{kind="published"}') == 1
    assert daemon.metric('rotator_target_last_rotation_timestamp_seconds{target="leaver"}') is None
    assert daemon.stop() == 0


def test_what_was_removed_while_no_daemon_ran_is_found_at_the_start(environment):
    daemon, policies = begin(environment)
    assert daemon.stop() == 0
    environment.configure([phone("stays")], policies=policies)
    environment.start()
    eventually(lambda: not environment.state("leaver").ledger, "the ledger of the removed target is carried out")


def test_a_removed_target_whose_rename_was_cut_is_told_until_the_command_finishes_it(environment):
    daemon, policies = begin(environment)
    assert daemon.stop() == 0
    store = environment.vault.store
    read = store.read_state("leaver")
    store.write_state(replace(read.state, renamed_to="mover"), read.version)  # and there the command was cut
    environment.configure([phone("stays")], policies=policies)
    daemon = environment.start()
    eventually(lambda: daemon.metric('rotator_orphans{kind="renamed"}'), "nobody works on what it has")
    (orphan,) = json.loads(daemon.get("/status"))["orphans"]
    assert (orphan["name"], orphan["renamed_to"]) == ("leaver", "mover")
    assert environment.account.accepts("leaver", OLD_PASSWORD), "nothing is done on either name"
    run(environment, "rename", "leaver", "mover")
    daemon.send(signal.SIGHUP)
    eventually(lambda: not environment.state("mover").ledger, "the ledger of the removed target is carried out")
    assert not environment.account.accepts("leaver", OLD_PASSWORD)
    eventually(lambda: daemon.metric('rotator_orphans{kind="renamed"}') == 0, "it is finished")
    assert daemon.metric('rotator_orphans{kind="published"}') == 1
    assert daemon.stop() == 0


def test_another_path_in_the_configuration_cuts_nobody_off(environment):
    daemon, policies = begin(environment)
    reload(environment, daemon, [phone("leaver", path="sip/leaver-moved")], policies)
    eventually(lambda: environment.consumer_document("sip/leaver-moved").exists, "published at the new path")
    assert environment.published_works("sip/leaver")
    assert environment.published_works("sip/leaver-moved")
    eventually(lambda: environment.consumer_document("sip/leaver").withdrawn, "the old document is withdrawn")
    document = environment.bao.call("GET", "secret/data/sip/leaver")["data"]["data"]
    assert document.keys() == {"withdrawn_at", "moved_to"}
    assert document["moved_to"] == "sip/leaver-moved"
    assert environment.published_works("sip/leaver-moved")
    assert environment.rotations("leaver") == 1


def test_another_name_in_the_configuration_is_a_hold_that_names_the_command(environment):
    daemon, policies = begin(environment)
    reload(environment, daemon, [phone("arrives", path="sip/leaver")], policies)
    eventually(lambda: daemon.metric('rotator_target_blocked{reason="renamed",target="arrives"}'), "it is blocked")
    (row,) = json.loads(daemon.get("/status"))["targets"]
    assert "rotator rename leaver arrives" in row["waiting"]["message"]
    assert environment.rotations("arrives") == 0


# The procedures of docs/operations.md, as they are written.


def test_rename_a_target(environment):
    daemon, policies = begin(environment)
    published = environment.state("leaver").published
    reload(environment, daemon, [phone("arrives", path="sip/leaver")], policies)
    eventually(lambda: daemon.metric('rotator_target_blocked{reason="renamed",target="arrives"}'), "it is blocked")
    assert "leaver is arrives now" in run(environment, "rename", "leaver", "arrives")
    assert environment.state("arrives").published == published
    eventually(lambda: not environment.state("arrives").ledger, "its ledger is carried out under the new name")
    eventually(lambda: json.loads(daemon.get("/status"))["targets"][0]["state"] == "idle", "it is not blocked any more")
    run(environment, "rotate", "arrives")
    assert environment.published_works("sip/leaver")


def test_move_a_target_to_another_account_and_strategy(environment):
    daemon, policies = begin(environment)
    old = environment.consumer_document("sip/leaver")
    other = environment.sandbox.accounts[OTHER_ACCOUNT]
    for name in ("leaver", "leaverb"):
        other.create("credential", name, OLD_PASSWORD)
    accounts = json.loads(environment.config.read_text())["providers"]
    both = {**accounts, "other": accounts["vobiz"] | {"auth_id": OTHER_ACCOUNT}}
    pair = {"strategy": "alternating", "credential": {"usernames": ["leaver", "leaverb"]}}
    reload(environment, daemon, [phone("leaver", provider="other", **pair)], policies, providers=both)
    assert "at other" in run(environment, "plan", "leaver")
    run(environment, "rotate", "leaver", "--reason", "moved")
    document = environment.consumer_document("sip/leaver")
    assert other.accepts(document.username, document.password)
    eventually(lambda: not environment.state("leaver").ledger, "the old account has retired what it had")
    assert not environment.account.accepts(old.username, old.password)
    assert credentials(environment.account) == []


def test_change_a_targets_strategy(environment):
    daemon, policies = begin(environment)
    eventually(lambda: not environment.state("leaver").ledger, "the one of before is gone")
    path, first = "sip/leaver", environment.consumer_document("sip/leaver")
    pair = {"strategy": "alternating", "credential": {"usernames": ["leaver1", "leaver2"]}}
    reload(environment, daemon, [phone("leaver", **pair)], policies)
    assert environment.consumer_document(path) == first, "what is published stays as it is"
    assert "alternating at vobiz" in run(environment, "plan", "leaver")
    run(environment, "rotate", "leaver", "--reason", "strategy")
    eventually(lambda: not environment.state("leaver").ledger, "it is deleted")
    assert first.username not in credentials(environment.account)
    one = environment.consumer_document(path).username
    run(environment, "rotate", "leaver")
    other = environment.consumer_document(path).username
    assert {one, other} == {"leaver1", "leaver2"} == set(credentials(environment.account))

    in_place = {"strategy": "in-place", "credential": {"username": other}}
    reload(environment, daemon, [phone("leaver", **in_place)], policies)
    run(environment, "rotate", "leaver", "--reason", "strategy")
    document = environment.consumer_document(path)
    assert (document.username, environment.published_works(path)) == (other, True)
    eventually(lambda: not environment.account.by_username(one).enabled, "the idle one is disabled, and stays")

    reload(environment, daemon, [phone("leaver", credential={"username": other})], policies)
    run(environment, "rotate", "leaver", "--reason", "strategy")
    assert environment.published_works(path)
    eventually(lambda: other not in credentials(environment.account), "what is not configured as standing is deleted")
    assert environment.published_works(path)


def test_remove_a_target(environment):
    daemon, policies = begin(environment)
    said = run(environment, "retire", "leaver", "--published", "--yes")
    assert "sip/leaver is withdrawn now" in said
    assert environment.consumer_document("sip/leaver").withdrawn
    reload(environment, daemon, [phone("stays")], policies)
    eventually(lambda: not environment.state("leaver").ledger, "the rest is done")
    assert not any(name.startswith("leaver") for name in credentials(environment.account))
    eventually(lambda: json.loads(daemon.get("/status"))["orphans"] == [], "nothing is left to tell")
    assert daemon.metric('rotator_orphans{kind="published"}') == 0


def test_an_account_that_never_comes_back(environment):
    daemon, policies = begin(environment, every="90d", overlap="1h")
    accounts = json.loads(environment.config.read_text())["providers"]
    other = {"other": accounts["vobiz"] | {"auth_id": OTHER_ACCOUNT}}
    environment.configure([phone("stays", provider="other")], policies=policies)
    document = json.loads(environment.config.read_text())
    environment.config.write_text(json.dumps(document | {"providers": other}))
    before = loaded(daemon)
    daemon.send(signal.SIGHUP)
    eventually(lambda: loaded(daemon) > before, "the configuration is reloaded")
    eventually(lambda: daemon.metric('rotator_orphans{kind="ledger"}') == 1, "what cannot be reached is counted")
    assert daemon.metric('rotator_orphans{kind="published"}') == 1
    assert "at an account that is not configured: leaver" in run(environment, "status")
    said = run(environment, "retire", "leaver", "--forget", "--yes")
    assert said.count("is given up: it may stay accepted") == 2
    assert json.loads(run(environment, "status", "-o", "json"))["orphans"] == []
    assert credentials(environment.account) != [], "nobody touched them"
