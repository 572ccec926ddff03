"""What docs/operations.md says about a Vault that was restored from an old backup."""

import json
import signal

from bao import eventually

from rotator.core.secret import Secret


def documents(stage, name):
    """Both documents as a backup has them: path to data."""
    paths = (f"secret/data/rotator/state/{name}", f"secret/data/sip/{name}")
    return {path: json.loads(json.dumps(stage.bao.call("GET", path)["data"]["data"])) for path in paths}


def restore(stage, backup):
    """Every document is there again as it was; of later ones nothing is known any more."""
    for path, data in backup.items():
        stage.bao.call("DELETE", path.replace("/data/", "/metadata/"), also=204)
        stage.bao.call("POST", path, {"data": data})
    # As every process has to: one that saw newer versions takes the restored Vault for a standby that lags behind.
    stage.vault = stage.bao.client()


def settled(stage, name, rotations):
    def done():
        state = stage.state(name)
        return state.counts.succeeded >= rotations and not state.ledger and state.attempt is None

    eventually(done, f"{name}: {rotations} rotations, and nothing left to retire")


def test_an_old_backup_names_a_deleted_credential_and_a_rotation_makes_a_new_one(stage):
    """The credential that was made since stays at the provider: no ledger names it, so it is removed by hand."""
    stage.account.create("credential", "restored", Secret("old-password-1!"))
    target = {"name": "restored", "strategy": "replace", "credential": {"username": "restored"}, "path": "sip/restored"}
    stage.configure([target])
    daemon = stage.start()
    settled(stage, "restored", 1)
    daemon.stop()
    backup = documents(stage, "restored")
    second = stage.start()
    second.wait_for("started")
    second.send(signal.SIGUSR1)
    settled(stage, "restored", 2)
    lost = stage.published("sip/restored").username
    assert second.stop() == 0

    restore(stage, backup)
    assert stage.published("sip/restored").exists
    assert not stage.works("sip/restored")  # it was deleted at the provider, for good

    third = stage.start()
    third.wait_for("started")
    third.send(signal.SIGUSR1)
    settled(stage, "restored", 2)
    assert stage.works("sip/restored")
    left = {record.username for record in stage.account.credentials()}
    assert left == {stage.published("sip/restored").username, lost}


def test_in_place_is_made_whole_by_a_rotation(stage):
    stage.account.create("credential", "lobby", Secret("old-password-1!"))
    target = {"name": "lobby", "strategy": "in-place", "credential": {"username": "lobby"}, "path": "sip/lobby"}
    stage.configure([target])
    daemon = stage.start()
    settled(stage, "lobby", 1)
    daemon.stop()
    backup = documents(stage, "lobby")
    second = stage.start()
    second.wait_for("started")
    second.send(signal.SIGUSR1)
    settled(stage, "lobby", 2)
    assert second.stop() == 0
    restore(stage, backup)
    assert not stage.works("sip/lobby")
    third = stage.start()
    third.wait_for("started")
    third.send(signal.SIGUSR1)
    settled(stage, "lobby", 2)
    assert stage.works("sip/lobby")
    assert {record.username for record in stage.account.credentials()} == {"lobby"}
