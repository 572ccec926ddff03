"""Selections in a real daemon: what is picked up, what a rotation creates, and a restart while the provider is down."""

import json
import signal

from polling import eventually

from rotator.core.secret import Secret

PASSWORD = Secret("initial-Passw0rd!")
SELECTION = {
    "provider": "vobiz",
    "username": "agent*",
    "name": "sel-{username}",
    "path": "sip/{name}",
    "strategy": "replace",
    "policy": "fast",
}
SELECTED = 'rotator_selection_credentials{account="vobiz",what="selected"}'
LISTED = 'rotator_selection_listed_timestamp_seconds{account="vobiz"}'


def select(environment) -> None:
    environment.configure([])
    document = json.loads(environment.config.read_text())
    del document["targets"]
    environment.config.write_text(json.dumps(document | {"selections": [SELECTION]}))


def listed_again(daemon) -> None:
    """Reloads the configuration, which has the account listed once more."""
    before = daemon.metric(LISTED) or 0.0
    daemon.send(signal.SIGHUP)
    eventually(lambda: (daemon.metric(LISTED) or 0.0) > before, "listed again")


def test_what_matches_is_rotated_and_what_a_rotation_creates_is_no_target(environment):
    for username in ("agent1", "agent2", "office"):
        environment.account.create("credential", username, PASSWORD)
    select(environment)
    daemon = environment.start()
    eventually(lambda: all(environment.rotations(f"sel-agent{number}") for number in (1, 2)), "both rotated")

    environment.account.create("credential", "agent3", PASSWORD)
    listed_again(daemon)

    eventually(lambda: environment.rotations("sel-agent3"), "the new one rotated")
    listed_again(daemon)
    assert daemon.metric(SELECTED) == 3
    assert sorted(environment.vault.store.list_states()) == ["sel-agent1", "sel-agent2", "sel-agent3"]
    assert environment.published_works("sip/sel-agent3")
    assert json.loads(daemon.get("/status"))["selections"]["vobiz"]["selected"] == 3


def test_a_restart_while_the_provider_is_down_takes_no_target_for_a_removed_one(environment):
    environment.account.create("credential", "agent1", PASSWORD)
    select(environment)
    daemon = environment.start()
    eventually(lambda: environment.rotations("sel-agent1"), "rotated")
    daemon.stop()
    environment.sandbox.faults.plan("error", times=None)

    daemon = environment.start()

    daemon.wait_for("account not listed; its targets stay as they are")
    status = json.loads(daemon.get("/status"))
    assert [target["name"] for target in status["targets"]] == ["sel-agent1"]
    assert (status["orphans"], daemon.metric("rotator_orphans")) == ([], 0)
    assert "sel-agent1" in environment.run_rotator("status", "sel-agent1")
