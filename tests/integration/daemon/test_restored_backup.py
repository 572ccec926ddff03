"""What docs/operations.md says about a Vault that was restored from an old backup."""

import json
import signal
from dataclasses import replace
from datetime import timedelta
from typing import Any

from polling import eventually

from rotator.core.secret import Secret


def documents(environment, name) -> dict[str, Any]:
    """Both documents as a backup has them: path to data."""
    paths = (f"secret/data/rotator/state/{name}", f"secret/data/sip/{name}")
    return {path: json.loads(json.dumps(environment.bao.call("GET", path)["data"]["data"])) for path in paths}


def restore(environment, backup):
    """Every document is there again as it was; of later ones nothing is known any more."""
    for path, data in backup.items():
        environment.bao.call("DELETE", path.replace("/data/", "/metadata/"), also=204)
        environment.bao.call("POST", path, {"data": data})
    # As every process has to: one that saw newer versions takes the restored Vault for a standby that lags behind.
    environment.vault = environment.bao.client()


def wait_until_settled(environment, name, rotations):
    def done() -> bool:
        state = environment.state(name)
        return state.counts.succeeded >= rotations and not state.ledger and state.attempt is None

    eventually(done, f"{name}: {rotations} rotations, and nothing left to retire")


def age_the_refused_proof(environment, name):
    """The second refused proof comes a minute after the first: the stored times say that the minute is over."""

    def refused() -> bool:
        last = environment.state(name).verification
        return last is not None and last.refusals == 1

    eventually(refused, f"{name}: what the backup hands out is refused")
    read = environment.vault.store.read_state(name)
    earlier = replace(read.state.verification, at=read.state.verification.at - timedelta(minutes=1))
    state = replace(read.state, verification=earlier, verify_at=read.state.verify_at - timedelta(minutes=1))
    environment.vault.store.write_state(state, read.version)


def test_an_old_backup_names_a_deleted_credential_and_a_rotation_makes_a_new_one(environment):
    """The credential that was made since stays at the provider: no ledger names it, so it is removed by hand."""
    environment.account.create("credential", "restored", Secret("old-password-1!"))
    target = {"name": "restored", "strategy": "replace", "credential": {"username": "restored"}, "path": "sip/restored"}
    environment.configure([target])
    daemon = environment.start()
    wait_until_settled(environment, "restored", 1)
    daemon.stop()
    backup = documents(environment, "restored")
    second = environment.start()
    second.wait_for("started")
    second.send(signal.SIGUSR1)
    wait_until_settled(environment, "restored", 2)
    lost = environment.consumer_document("sip/restored").username
    assert second.stop() == 0

    restore(environment, backup)
    assert environment.consumer_document("sip/restored").exists
    assert not environment.published_works("sip/restored")  # it was deleted at the provider, for good

    third = environment.start()
    third.wait_for("started")
    third.send(signal.SIGUSR1)
    wait_until_settled(environment, "restored", 2)
    assert environment.published_works("sip/restored")
    left = {record.username for record in environment.account.credentials()}
    assert left == {environment.consumer_document("sip/restored").username, lost}


def test_in_place_is_made_whole_by_a_rotation(environment):
    environment.account.create("credential", "lobby", Secret("old-password-1!"))
    target = {"name": "lobby", "strategy": "in-place", "credential": {"username": "lobby"}, "path": "sip/lobby"}
    environment.configure([target])
    daemon = environment.start()
    wait_until_settled(environment, "lobby", 1)
    daemon.stop()
    backup = documents(environment, "lobby")
    second = environment.start()
    second.wait_for("started")
    second.send(signal.SIGUSR1)
    wait_until_settled(environment, "lobby", 2)
    assert second.stop() == 0
    restore(environment, backup)
    assert not environment.published_works("sip/lobby")
    third = environment.start()
    third.wait_for("started")
    third.send(signal.SIGUSR1)
    age_the_refused_proof(environment, "lobby")
    wait_until_settled(environment, "lobby", 2)
    assert environment.published_works("sip/lobby")
    assert {record.username for record in environment.account.credentials()} == {"lobby"}
