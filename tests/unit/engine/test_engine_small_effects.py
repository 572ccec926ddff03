"""Effects that only write: the bell, the first verification, and what a deleted document refuses."""

from dataclasses import replace

import pytest
from engine_harness import DAY, POLICY, REPLACE, EngineHarness

from rotator.core.audit_words import AuditVerb
from rotator.core.bell import Ringing
from rotator.core.model import Request
from rotator.core.origin import Origin
from rotator.core.removal import RemovalImpossible
from rotator.engine.bell import ring_bell

DAILY = replace(REPLACE, policy=replace(POLICY, verify=DAY))


def test_a_bell_rings_for_everybody_who_was_named():
    world = EngineHarness()
    world.store.ahead = DAY
    ring_bell(world.store, world.clock, "command", ["office"], Ringing.ASKED)
    ring_bell(world.store, world.clock, "daemon", ["lobby", "office"], Ringing.CHANGED)
    first, second = world.store.read_bell().rings
    assert (first.by, first.kind, first.targets) == ("command", Ringing.ASKED, ("office",))
    assert (second.by, second.kind, second.targets) == ("daemon", Ringing.CHANGED, ("lobby", "office"))
    assert first.at == world.store.now()


def test_the_first_verification_is_drawn_where_a_policy_asks_for_one_later():
    world = EngineHarness()
    world.until_rotated(world.engine())
    assert world.state.verify_at is None
    world.target = DAILY
    world.engine().look(DAILY)
    assert world.clock.now() <= world.state.verify_at < world.clock.now() + DAY


def test_a_target_whose_state_was_deleted_is_not_renamed():
    world = EngineHarness()
    engine = world.engine()
    world.until_rotated(engine)
    world.store.delete("office")
    with pytest.raises(RemovalImpossible, match="the state document of office was deleted in Vault: vault kv undelete"):
        engine.removal.rename("office", "reception", origin=Origin("tester", "because"))


def test_a_rename_tells_who_asked_and_why():
    world = EngineHarness()
    engine = world.engine()
    world.until_rotated(engine)
    engine.removal.rename("office", "reception", origin=Origin("tester", "because"))
    told = [record for record in world.audit.records if record.verb is AuditVerb.RENAME]
    assert told
    assert all((one.facts["requested_by"], one.facts["reason"]) == ("tester", "because") for one in told)


def test_a_ring_that_meets_another_one_is_rung_again(monkeypatch):
    world = EngineHarness()
    written, first = world.store.write_bell, ["lobby"]

    def meets_another(bell):
        if first:
            ring_bell(world.store, world.clock, "daemon", [first.pop()], Ringing.CHANGED)
        written(bell)

    monkeypatch.setattr(world.store, "write_bell", meets_another)
    ring_bell(world.store, world.clock, "command", ["office"], Ringing.ASKED)
    assert [ring.targets for ring in world.store.read_bell().rings] == [("lobby",), ("office",)]


def asked_for(world, engine) -> Request:
    world.until_rotated(engine)
    world.request(engine)
    return world.state.request


def test_a_request_that_somebody_takes_back_is_not_carried_out_and_on_record():
    world = EngineHarness()
    engine = world.engine()
    request, rotated = asked_for(world, engine), world.state.counts
    assert engine.withdraw_request(world.target, request, Origin("tester", "a mistake"))
    assert (world.state.request, world.state.counts) == (None, rotated)
    told = world.audit.records[-1]
    assert (told.verb, told.facts["requested_by"]) == (AuditVerb.WITHDRAW_REQUEST, "tester")
    assert not engine.withdraw_request(world.target, request, Origin("tester", "again"))
    assert world.audit.records[-1] is told


def test_a_request_that_changes_meanwhile_is_not_taken_back(monkeypatch):
    world = EngineHarness()
    engine = world.engine()
    request, write = asked_for(world, engine), world.store.write_state

    def meets_another(state, version) -> int:
        monkeypatch.setattr(world.store, "write_state", write)
        world.request(engine, compromised=True)
        return write(state, version)

    monkeypatch.setattr(world.store, "write_state", meets_another)
    assert not engine.withdraw_request(world.target, request, Origin("tester", "a mistake"))
    assert world.state.request.compromised
