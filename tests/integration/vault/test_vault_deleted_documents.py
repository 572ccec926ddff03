"""Documents that people delete or that Vault ends by itself, in a real OpenBao: nothing begins anew unasked.

The commands that the messages name are run as written, with `bao` for `vault`.
"""

import itertools
import os
import shlex
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engine_harness import IN_PLACE, REPLACE, EngineHarness
from openbao_server import Bao

from rotator.core.adoption import AdoptionImpossible, KnownToOperator
from rotator.core.holding import HoldReason
from rotator.core.model import Target, TargetState
from rotator.engine import Outcome
from rotator.ports import StoreDeleted, StoreError
from rotator.vault.process import find_server

NUMBERS = itertools.count()
RUNBOOK = Path(__file__).parents[3] / "docs" / "operations.md"


class VaultHarness(EngineHarness):
    """The engine on the real store; the provider is in memory."""

    def __init__(self, bao: Bao, policy: str, target: Target = REPLACE) -> None:
        name = f"deleted-{next(NUMBERS)}"  # also the username: the same one at the same account would be a rename
        super().__init__(replace(target, name=name, path=f"sip/{name}", usernames=(name,)))
        self.bao = bao
        self.store = bao.client(bao.app_role(policy)).store  # type: ignore[assignment]
        self.provider.add(name, "known-password")

    @property
    def state_path(self) -> str:
        return f"rotator/state/{self.target.name}"

    def rotated(self) -> None:
        """A published credential and a replaced one in its overlap."""
        engine = self.engine()
        engine.look(self.target)
        assert self.published_works
        self.request(engine)
        engine.look(self.target)
        assert len(self.found.ledger) == 2 - (self.target is IN_PLACE)

    @property
    def found(self) -> TargetState:
        return self.store.read_state(self.target.name).state

    def remove(self, verb: str, *paths: str) -> None:
        for path in paths:
            version = self.bao.call("GET", f"secret/metadata/{path}")["data"]["current_version"]
            self.bao.call("POST", f"secret/{verb}/{path}", {"versions": [version]})

    def run(self, command: str) -> None:
        """Runs a command of Vault as an operator would."""
        words = shlex.split(command)
        assert words.pop(0) == "vault"
        environ = os.environ | {
            "BAO_ADDR": self.bao.address,
            "BAO_TOKEN": self.bao.root_token.reveal(),
        }
        subprocess.run([find_server(), *words], env=environ, check=True, capture_output=True, timeout=60)

    def latest(self, path: str) -> int:
        return int(self.bao.call("GET", f"secret/metadata/{path}")["data"]["current_version"])


@pytest.fixture
def world(bao: Bao, policy: str) -> VaultHarness:
    made = VaultHarness(bao, policy)
    made.rotated()
    return made


def runbook(number: int, world: VaultHarness) -> list[str]:
    """The commands of Vault in one step of the runbook, for this target's state document."""
    section = RUNBOOK.read_text().split("\n### RotatorDocumentDeleted\n")[1].split("\n### ")[0]
    step = section.split(f"\n{number}. ")[1].split(f"\n{number + 1}. ")[0]
    found = [line.strip() for line in step.splitlines() if line.startswith("       vault ")]
    latest, name = world.latest(world.state_path), world.target.name
    written = {"=N ": f"={latest} ", "=M ": f"={latest - 1} ", "office-phone": name}
    for said, meant in written.items():
        found = [line.replace(said, meant) for line in found]
    return found


def commands(message: str) -> list[str]:
    """The commands of Vault in a message, in their order."""
    remedy = message.partition(": ")[2].partition(", or ")[0]
    return remedy.split(", then ")


def test_a_destroyed_state_document_goes_on_from_the_version_before(world: VaultHarness) -> None:
    before = world.found
    world.remove("destroy", world.state_path)
    engine = world.engine()
    with pytest.raises(AdoptionImpossible, match="alone knows the replaced credentials") as refused:
        engine.plan_adoption(world.target, KnownToOperator())
    (command,) = runbook(3, world)
    look = engine.look(world.target)
    assert str(refused.value).endswith(command)
    assert commands(look.message) == [command]
    world.run(command)
    world.settle(engine, timedelta(minutes=1))  # the last claim in it has ended then
    known = world.found
    assert known.published == before.published
    assert [entry.credential for entry in known.ledger] == [entry.credential for entry in before.ledger]
    assert world.published_works
    version = world.latest(world.state_path)
    world.bao.call("POST", f"secret/destroy/{world.state_path}", {"versions": [version - 1, version]})
    assert "rotator adopt" in engine.look(world.target).message
    assert engine.plan_adoption(world.target, KnownToOperator()).credential.username == world.consumer.username


@pytest.mark.parametrize("verb", ["delete", "destroy"])
@pytest.mark.parametrize("both", [False, True])
def test_a_deleted_state_document_is_not_written_over_and_nothing_begins_anew(
    world: VaultHarness, verb: str, both: bool
) -> None:
    before, held = world.found, dict(world.provider.credentials)
    version = world.latest(world.state_path)
    world.remove(verb, world.state_path, *([world.target.path] if both else []))
    engine = world.engine()
    look = engine.look(world.target)
    assert look.hold is not None
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    with pytest.raises(StoreDeleted):
        world.request(engine)
    world.clock.advance(timedelta(days=100))
    engine.look(world.target)
    assert world.latest(world.state_path) == version
    assert world.provider.credentials == held
    world.run(*commands(look.message))
    assert (world.found == before) is (verb == "delete")
    assert world.found.published is not None


@pytest.mark.parametrize("verb", ["delete", "destroy"])
def test_a_deleted_consumer_document_is_told_and_holds_everything(world: VaultHarness, verb: str) -> None:
    world.remove(verb, world.target.path)
    engine, held = world.engine(), dict(world.provider.credentials)
    look = world.settle(engine, timedelta(days=10))
    assert look.hold is not None
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert f"rotator adopt {world.target.name}" in look.message
    assert world.provider.credentials == held
    if verb == "delete":
        world.run(*commands(look.message))
        assert engine.look(world.target).hold.reason is not HoldReason.DOCUMENT_DELETED  # type: ignore[union-attr]
        assert world.published_works


@pytest.mark.parametrize("which", ["state", "consumer"])
def test_a_document_that_ends_by_itself_is_told_while_it_still_lives(world: VaultHarness, which: str) -> None:
    path = world.state_path if which == "state" else world.target.path
    world.bao.call("POST", f"secret/metadata/{path}", {"delete_version_after": "720h"})
    engine = world.engine()
    world.request(engine)
    look = engine.look(world.target)
    if which == "consumer":  # it was rotated into a version that ends
        look = engine.look(world.target)
    assert look.hold is not None
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert "by itself at" in look.message
    for command in commands(look.message):
        world.run(command)
    assert engine.look(world.target).outcome is (Outcome.ROTATED if which == "state" else Outcome.HELD)
    assert world.store.read_state(world.target.name).ends_at is None
    assert world.consumer.ends_at is None
    assert world.published_works


def test_a_mount_that_deletes_what_is_written_is_refused_at_start(world: VaultHarness) -> None:
    world.store.check()  # type: ignore[attr-defined]
    world.bao.call("POST", "secret/config", {"delete_version_after": "720h"})
    try:
        with pytest.raises(StoreError, match="deletes every version of a document after 720h") as error:
            world.store.check()  # type: ignore[attr-defined]
        world.run(str(error.value).rpartition(": ")[2])
        world.store.check()  # type: ignore[attr-defined]
    finally:
        world.bao.call("POST", "secret/config", {"delete_version_after": "0s"})


def test_a_mount_that_begins_to_delete_later_holds_what_is_written_from_then_on(world: VaultHarness) -> None:
    world.bao.call("POST", "secret/config", {"delete_version_after": "720h"})
    try:
        engine = world.engine()
        world.request(engine)
        look = engine.look(world.target)
        assert look.hold is not None
        assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    finally:
        world.bao.call("POST", "secret/config", {"delete_version_after": "0s"})
    for command in commands(look.message):
        world.run(command)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.store.read_state(world.target.name).ends_at is None


def test_the_runbook_restores_what_was_deleted_and_keeps_what_would_end(world: VaultHarness) -> None:
    before = world.found
    world.remove("delete", world.state_path)
    (undelete,) = runbook(1, world)
    world.run(undelete)
    assert world.found == before
    world.bao.call("POST", f"secret/metadata/{world.state_path}", {"delete_version_after": "720h"})
    engine = world.engine()
    world.request(engine)
    look = engine.look(world.target)
    steps = runbook(2, world)
    assert steps == commands(look.message)
    for command in steps:
        world.run(command)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.store.read_state(world.target.name).ends_at is None
