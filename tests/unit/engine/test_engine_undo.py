"""What an undo would publish again: the engine, `rotator undo` and the status give one answer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, EngineHarness

from rotator.cli.exits import CommandError
from rotator.cli.rotate import undo_plan
from rotator.core.audit_words import AuditVerb
from rotator.core.model import Proof, Purpose
from rotator.observe.status import status_document
from rotator.observe.surroundings import Surroundings
from rotator.testing import CHOSEN, GENERATED, FakeFault

MINUTE = timedelta(minutes=1)
READ_BACK = replace(CHOSEN, proof=Proof("the listing", tries_password=False))


def ledger_in_status(world: EngineHarness) -> list[dict]:
    surroundings = Surroundings("me", "1", {"fake": "fake"}, {"fake": world.provider.capabilities})
    document = status_document([world.target], {"office": world.state}, world.clock.now(), surroundings)
    return document["targets"][0]["ledger"]


def announced(world: EngineHarness) -> str:
    return undo_plan(world.engine().facts(world.target))


def refused_after_a_lost_answer() -> EngineHarness:
    """`in-place`: the provider refuses a password that it may have taken before; the ledger keeps it for a while."""
    world = EngineHarness(IN_PLACE, READ_BACK)  # no log-in can settle which password is in force
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, 8 * DAY)
    world.provider.faults["set_password"] = [FakeFault.LOST_AFTER, FakeFault.REFUSED]
    world.request(engine)
    for _ in range(10):
        engine.look(world.target)
        if world.state.ledger:
            return world
        world.clock.advance(timedelta(seconds=20))
    raise AssertionError("the refused password never came into the ledger")


def test_what_is_compromised_is_not_published_again_whatever_the_clocks_say():
    """Its quarantine was over by Vault's clock, and an undo counts by the earlier one: the leaked one came back."""
    world = EngineHarness()
    engine = world.engine()
    world.until_rotated(engine)
    world.store.ahead = 3 * DAY
    world.provider.faults["disable"] = [FakeFault.LOST_BEFORE] * 100
    world.request(engine, compromised=True)
    world.until_rotated(engine)
    published = world.state.published
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert "it is compromised" in world.state.last_error
    assert world.state.published == published


def test_a_password_that_the_provider_refused_is_promised_by_nobody_and_all_say_why():
    world = refused_after_a_lost_answer()
    reason = "office: it was never published"
    with pytest.raises(CommandError, match=reason):
        announced(world)
    (entry,) = ledger_in_status(world)
    assert (entry["undo_until"], f"office: {entry['undo_refused']}") == (None, reason)
    engine = world.engine()
    world.request(engine, Purpose.UNDO)
    for _ in range(5):
        engine.look(world.target)
        if "nothing can be undone" in world.state.last_error:
            break
        world.clock.advance(MINUTE)
    assert world.state.last_error == f"nothing can be undone: {reason}"
    assert world.state.counts.undone == 0


def test_of_two_replaced_credentials_only_the_one_that_an_undo_publishes_is_promised():
    world = EngineHarness()
    engine = world.engine()
    engine.look(world.target)
    names = []
    for _ in range(2):
        names.append(world.consumer.username)
        world.request(engine)
        engine.look(world.target)
    older, newer = ledger_in_status(world)
    assert newer["undo_until"] is not None
    assert (older["undo_until"], older["undo_refused"]) == (None, f"an undo publishes {names[1]}, which is newer")
    assert f"publishing {names[1]} again" in announced(world)
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert world.consumer.username == names[1]


@pytest.mark.parametrize(("capabilities", "until"), [(CHOSEN, 8 * DAY), (GENERATED, DAY)])
def test_the_announcement_and_the_status_name_the_same_end(capabilities, until):
    world = EngineHarness(capabilities=capabilities)
    engine = world.engine()
    for _ in range(2):
        world.request(engine)
        engine.look(world.target)
    (entry,) = ledger_in_status(world)
    assert entry["undo_until"] == (world.clock.now() + until).isoformat()
    assert f"in {until.days} d)" in announced(world)


def test_what_an_abandoned_create_may_have_left_is_named_and_was_never_published():
    world = EngineHarness(capabilities=GENERATED)
    world.engine().look(world.target)
    world.request(world.engine())
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE, FakeFault.REFUSED]
    engine = world.engine()
    for _ in range(10):
        engine.look(world.target)
        if any(entry.credential.id is None for entry in world.state.ledger):
            break
        world.clock.advance(timedelta(seconds=20))
    world.store.states["office"] = replace(
        world.store.states["office"],
        state=replace(world.state, ledger=tuple(e for e in world.state.ledger if e.credential.id is None)),
    )
    with pytest.raises(CommandError, match="what a lost call may have created: it was never published"):
        announced(world)


def test_the_announcement_waits_for_an_open_attempt_and_for_a_document_of_ours():
    world = EngineHarness(ALTERNATING)
    engine = world.engine()
    engine.look(world.target)
    world.store.tamper("sip/office", "byhand")
    with pytest.raises(CommandError, match=r"sip/office is not what rotator published: .*--take-over"):
        announced(world)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    world.request(engine, take_over=True)
    engine.look(world.target)
    with pytest.raises(CommandError, match="a rotation has been open since"):
        announced(world)


def test_an_emergency_that_waits_for_its_account_is_carried_out_and_not_replaced_by_an_undo():
    """An undo took its place, was impossible when its turn came, and nothing ended what had leaked."""
    world = EngineHarness()
    engine = world.engine()
    world.until_rotated(engine)
    leaked = world.state.published
    world.request(engine)
    world.until_rotated(engine)
    world.request(engine, compromised=True)
    emergency = world.state.request
    with pytest.raises(CommandError, match=r"nothing can be undone: the emergency .*\(rotator abandon office "):
        announced(world)
    world.request(engine, Purpose.UNDO)
    assert world.state.request == emergency
    assert AuditVerb.REQUEST_UNDO not in [record.verb for record in world.audit.records]
    world.until_rotated(engine)
    assert world.state.counts.undone == 0
    assert not world.provider.accepts(leaked.username, leaked.password)
