"""Targets that come and go while a daemon runs, on a real OpenBao: what they leave behind is carried out or told."""

import json
import signal
from typing import Any

from daemon_environment import Daemon
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


def reload(environment, daemon, targets, policies) -> None:
    environment.configure(targets, policies=policies)
    daemon.send(signal.SIGHUP)
    daemon.wait_for("configuration reloaded")


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
