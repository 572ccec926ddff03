"""`adopt` takes up what is in use: after a lost state, somebody else's document, or before the first rotation."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.adoption import AdoptionImpossible, AdoptionRefused, KnownToOperator
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import left_over
from rotator.core.log_ins import ANOTHER_AFTER, BURST
from rotator.core.model import Claim, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.schedule import Every, Window
from rotator.core.secret import Secret
from rotator.engine import Engine
from rotator.testing import GENERATED, FakeFault

HOUR = timedelta(hours=1)
PASSWORD = Secret("known password")
NOBODY_KNOWS = KnownToOperator()


def adopt(world: EngineHarness, engine: Engine, known: KnownToOperator = NOBODY_KNOWS) -> TargetState:
    plan = engine.plan_adoption(world.target, known)
    before = len(world.audit.records)
    state = engine.adopt(world.target, known, plan, Origin("tester", "because"))
    records = [record.facts for record in world.audit.records[before:]]
    assert {(facts.get("requested_by"), facts.get("reason")) for facts in records} == {("tester", "because")}
    assert isinstance(state, TargetState)
    return state


def rotated(target: Target = REPLACE, times: int = 1, **more: object) -> tuple[EngineHarness, Engine]:
    world = EngineHarness(target, **more)  # type: ignore[arg-type]
    engine = world.engine()
    if target.strategy is IN_PLACE.strategy:
        world.provider.add("office")
    engine.look(world.target)
    for _ in range(times):
        world.clock.advance(HOUR)
        world.request(engine)
        engine.look(world.target)
    return world, engine


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
@pytest.mark.parametrize("lost", ["destroyed", "removed"])
def test_after_a_lost_state_what_the_document_names_is_published_and_its_schedule_goes_on(target, lost):
    world, engine = rotated(target)
    before, document = world.state, world.consumer
    if lost == "destroyed":
        world.store.destroy("office", earlier=True)
    else:
        world.store.remove("office")
    world.clock.advance(10 * DAY)
    calls = len(world.provider.calls)
    state = adopt(world, engine)
    assert world.provider.calls[calls:] == ["find", "find", "prove"]
    assert (state.published.id, state.published.password) == (before.published.id, before.published.password)
    assert state.published.attempt == before.published.attempt
    assert state.published.identity == world.provider.identity
    assert state.last_rotation == before.last_rotation
    assert abs(state.next_rotation - before.next_rotation) < 20 * DAY
    assert world.consumer == document
    adopted = world.audit.records[-1]
    assert (adopted.verb, adopted.outcome) == (AuditVerb.ADOPT, AuditOutcome.DONE)
    assert adopted.facts["credential"] == state.published.id
    assert engine.look(world.target).hold.reason is HoldReason.NOT_DUE
    world.request(engine)
    assert Step.CLOSE in engine.look(world.target).steps
    world.settle(engine, 9 * DAY)
    assert world.provider.accepts(document.username, document.password) is False
    assert world.published_works


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
@pytest.mark.parametrize("lost", ["deleted", "destroyed"])
def test_a_state_that_can_be_restored_is_not_written_over_since_it_alone_knows_what_waits_to_be_retired(target, lost):
    world, engine = rotated(target)
    before, held = world.state, dict(world.provider.credentials)
    assert before.ledger
    (world.store.delete if lost == "deleted" else world.store.destroy)("office")
    look = engine.look(world.target)
    with pytest.raises(AdoptionImpossible, match=f"vault kv {'undelete' if lost == 'deleted' else 'rollback'} -mount"):
        adopt(world, engine)
    assert look.hold.reason is HoldReason.DOCUMENT_DELETED
    assert "adopt" not in look.message
    (world.store.undelete if lost == "deleted" else world.store.roll_back)("office")
    world.settle(engine, 9 * DAY)
    assert world.provider.credentials.keys() <= held.keys()
    assert world.published_works
    assert sum(stored.enabled for stored in world.provider.credentials.values()) == 1
    assert world.state.ledger == ()


def test_a_rolled_back_document_is_taken_at_its_word_and_the_other_one_is_retired():
    world, engine = rotated()
    replaced = world.consumer
    world.store.roll_back("sip/office")
    engine.look(world.target)
    made_at = world.state.ledger[-1].credential.made_at
    adopt(world, engine)
    assert world.published_works
    assert world.state.published.made_at == made_at is not None
    assert world.state.ledger[-1].credential.id == replaced.credential_id
    world.settle(engine, DAY - HOUR)
    assert world.provider.accepts(replaced.username, replaced.password)
    world.settle(engine, 2 * HOUR)
    assert not world.provider.accepts(replaced.username, replaced.password)
    world.settle(engine, 20 * DAY)
    assert world.published_works
    assert world.state.ledger == ()


def test_the_one_of_two_that_is_taken_up_is_not_the_idle_one_any_more():
    world, engine = rotated(ALTERNATING)
    replaced = world.state.published
    world.store.roll_back("sip/office")
    state = adopt(world, engine)
    assert state.standby == replace(replaced, password=None)
    world.request(engine, compromised=True)
    engine.look(world.target)
    assert world.state.published.username == replaced.username


def test_an_end_that_was_told_is_taken_back_first():
    world, engine = rotated(REPLACE, capabilities=GENERATED)
    world.store.roll_back("sip/office")
    world.provider.faults["enable"] = [FakeFault.UNREACHABLE]
    with pytest.raises(AdoptionImpossible, match="its end could not be taken back at fake: no connection"):
        adopt(world, engine)
    adopt(world, engine)
    world.settle(engine, 3 * DAY)
    world.provider.pass_time(world.clock.now())
    assert world.published_works


def test_a_deleted_consumer_document_is_written_again_as_it_was_published():
    world, engine = rotated()
    before = world.state
    world.store.delete("sip/office")
    assert engine.plan_adoption(world.target, KnownToOperator()).known
    state = adopt(world, engine)
    assert state == before
    assert world.published_works
    assert engine.look(world.target).hold.reason is HoldReason.NOT_DUE


@pytest.mark.parametrize("target", [REPLACE, IN_PLACE])
def test_a_credential_that_is_older_than_rotator_is_taken_up_with_its_password(target):
    world = EngineHarness(target)
    world.provider.add("office", PASSWORD.reveal())
    engine, known = world.engine(), KnownToOperator(password=PASSWORD)
    state = adopt(world, engine, known)
    assert (state.last_rotation, state.published.made_at) == (None, None)
    assert world.clock.now() + DAY <= state.next_rotation
    assert world.published_works
    assert world.consumer.rotated_at is None
    assert engine.look(world.target).hold.reason is HoldReason.NOT_DUE
    look = world.settle(engine, DAY + HOUR)
    assert look.state.counts.succeeded == 1
    assert world.published_works


def test_what_somebody_wrote_by_hand_gets_its_id_and_keeps_its_password():
    world = EngineHarness()
    stored = world.provider.add("office", PASSWORD.reveal())
    world.store.consumers["sip/office"] = ConsumerDocument(1, exists=True, username="office", password=PASSWORD)
    engine = world.engine()
    assert engine.look(world.target).hold.reason is HoldReason.FOREIGN_DOCUMENT
    adopt(world, engine)
    assert (world.consumer.credential_id, world.consumer.password) == (stored.id, PASSWORD)
    assert engine.look(world.target).hold.reason is HoldReason.NOT_DUE


def test_without_a_password_it_is_taken_up_only_to_be_rotated_at_once():
    world = EngineHarness(replace(REPLACE, usernames=("other",)))
    world.provider.add("office")
    engine = world.engine()
    with pytest.raises(AdoptionImpossible, match="its password is unknown"):
        adopt(world, engine, KnownToOperator("office"))
    adopt(world, engine, KnownToOperator("office", rotates=True))
    world.request(engine, take_over=True)
    engine.look(world.target)
    assert world.published_works
    assert [entry.credential.username for entry in world.state.ledger] == ["office"]


@pytest.mark.parametrize(
    ("document", "known", "why"),
    [
        ({}, KnownToOperator("nobody"), "sip/office names 'office': correct the document, or --username"),
        ({}, KnownToOperator(password=Secret("x")), "sip/office has another password"),
        ({"username": None}, NOBODY_KNOWS, "names no username"),
        ({"username": "gone"}, NOBODY_KNOWS, "fake has no credential 'gone'"),
        ({"credential_id": "id-9"}, NOBODY_KNOWS, "fake has no credential 'office' with the id 'id-9'"),
        ({"credential_id": "id-2"}, NOBODY_KNOWS, "fake has stranger .id-2. where 'office' was looked for"),
        ({"password": Secret("x")}, NOBODY_KNOWS, "fake does not accept office, so it was not taken up"),
        ({"password": None}, NOBODY_KNOWS, "its password is unknown"),
    ],
)
def test_what_cannot_be_taken_up_is_refused_and_nothing_is_written(document, known, why):
    world = EngineHarness()
    world.provider.add("office", PASSWORD.reveal())
    world.provider.add("stranger")
    fields = {"username": "office", "password": PASSWORD} | document
    world.store.consumers["sip/office"] = ConsumerDocument(1, exists=True, **fields)
    with pytest.raises(AdoptionImpossible, match=why):
        adopt(world, world.engine(), known)
    assert world.store.states == {}
    assert world.consumer.version == 1


def test_nothing_is_taken_up_that_needs_no_taking_up():
    world, engine = rotated()
    with pytest.raises(AdoptionImpossible, match="is what rotator published"):
        adopt(world, engine)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    world.request(engine)
    engine.look(world.target)
    with pytest.raises(AdoptionImpossible, match="an attempt has been open since"):
        adopt(world, engine)


def test_what_leaked_and_what_the_configuration_does_not_name_is_not_taken_up():
    world, engine = rotated()
    known = world.store.states["office"]
    entries = tuple(replace(entry, compromised=True) for entry in known.state.ledger)
    world.store.states["office"] = replace(known, state=replace(known.state, ledger=entries))
    world.store.roll_back("sip/office")
    with pytest.raises(AdoptionImpossible, match="it leaked: rotate instead, with --take-over"):
        adopt(world, engine)
    other = EngineHarness(IN_PLACE)
    other.provider.add("elsewhere", PASSWORD.reveal())
    with pytest.raises(AdoptionImpossible, match="the configuration does not name 'elsewhere'"):
        adopt(other, other.engine(), KnownToOperator("elsewhere", PASSWORD))
    pair = EngineHarness(ALTERNATING)
    with pytest.raises(AdoptionImpossible, match="name the credential that is in use with --username"):
        adopt(pair, pair.engine())
    pair.target = replace(pair.target, account="gone")
    with pytest.raises(AdoptionImpossible, match="its account gone is not in the configuration"):
        adopt(pair, pair.engine(), KnownToOperator("officea", PASSWORD))


def test_nothing_is_taken_up_while_another_process_works_or_after_something_changed():
    world, engine = rotated()
    world.store.roll_back("sip/office")
    plan = engine.plan_adoption(world.target, NOBODY_KNOWS)
    known = world.store.states["office"]
    claim = Claim("another", world.clock.now() + HOUR)
    world.store.states["office"] = replace(known, state=replace(known.state, claim=claim))
    held = world.engine().adopt(world.target, NOBODY_KNOWS, plan, Origin("tester", "because"))
    assert isinstance(held, Hold)
    world.store.states["office"] = known
    world.store.consumers["sip/office"] = replace(world.consumer, rotated_at=world.clock.now() - 9 * HOUR)
    with pytest.raises(AdoptionImpossible, match="something changed in the meantime"):
        engine.adopt(world.target, NOBODY_KNOWS, plan, Origin("tester", "because"))
    assert world.store.states["office"] == known
    adopt(world, engine)


def test_the_provider_has_to_answer():
    world, engine = rotated()
    world.store.remove("office")
    world.provider.faults["find"] = [FakeFault.UNREACHABLE]
    with pytest.raises(AdoptionImpossible, match=r"fake could not be asked for .+: no connection"):
        adopt(world, engine)


@pytest.mark.parametrize("window", [None, Window("0 2 * * *", 4 * HOUR)])
@pytest.mark.parametrize("every", [HOUR, 90 * DAY])
@pytest.mark.parametrize("age", [None, HOUR, 400 * DAY])
def test_nothing_is_rotated_by_schedule_at_once(window, every, age):
    policy = replace(POLICY, window=window, schedule=Every(every))
    world = EngineHarness(replace(REPLACE, policy=policy))
    stored = world.provider.add("office", PASSWORD.reveal())
    now = world.clock.now()
    world.store.consumers["sip/office"] = ConsumerDocument(
        1, True, "office", PASSWORD, stored.id, None, age and now - age
    )
    engine = world.engine()
    state = adopt(world, engine)
    assert state.last_rotation == (age and now - age)
    assert state.next_rotation >= now + min(DAY, every)
    assert window is None or window.contains(state.next_rotation)
    assert Step.STAGE not in engine.look(world.target).steps


@pytest.mark.parametrize("case", ["state destroyed", "document deleted", "rolled back", "older"])
def test_an_adoption_that_is_cut_anywhere_is_finished_by_the_next_one(case):
    for number in range(1, 100):
        known = NOBODY_KNOWS
        if case == "older":
            world = EngineHarness()
            world.provider.add("office", PASSWORD.reveal())
            engine, known = world.engine(), KnownToOperator(password=PASSWORD)
        else:
            world, engine = rotated(REPLACE, capabilities=GENERATED)
            match case:
                case "state destroyed":
                    world.store.destroy("office", earlier=True)
                case "document deleted":
                    world.store.delete("sip/office")
                case _:
                    world.store.roll_back("sip/office")
        world.cut_at(number)
        if world.crash(lambda: adopt(world, engine, known)) is None:  # noqa: B023 - called at once
            return
        world.cut_at(0)
        engine = world.engine()
        with suppress(AdoptionImpossible):  # it was cut after everything was written
            adopt(world, engine, known)
        assert world.published_works
        assert engine.look(world.target).hold.reason is HoldReason.NOT_DUE
    raise AssertionError("it never ended uncut")


def at(world: EngineHarness, path: str) -> Target:
    return replace(world.target, path=path)


def test_what_is_written_at_another_path_is_withdrawn_if_the_path_is_changed_back():
    world, engine = rotated(REPLACE)
    old = world.target
    world.target = at(world, "sip/elsewhere")  # no daemon has looked at it since
    adopt(world, engine)
    assert world.store.consumers["sip/elsewhere"].username == world.store.consumers[old.path].username
    world.target = old
    world.settle(engine, 20 * DAY, most=2000)
    assert world.store.consumers["sip/elsewhere"].withdrawn
    assert world.published_works


def test_another_credential_at_another_path_leaves_nothing_at_the_old_one():
    world, engine = rotated(REPLACE)
    old = world.target.path
    world.target = at(world, "sip/elsewhere")
    world.provider.add("office", PASSWORD.reveal())
    adopt(world, engine, KnownToOperator("office", PASSWORD))
    world.settle(engine, HOUR, most=2000)
    assert world.store.consumers[old].username == "office"  # who reads it still is told the truth
    world.settle(engine, 20 * DAY, most=2000)
    assert world.store.consumers[old].withdrawn
    assert world.published_works


def test_wrong_passwords_make_the_next_one_wait():
    """Registrars lock out addresses from which wrong log-ins come, whoever types them."""
    world = EngineHarness(IN_PLACE)
    engine = world.engine()
    world.provider.add("office")
    for _ in range(BURST):
        with pytest.raises(AdoptionRefused, match="does not accept office"):
            adopt(world, engine, KnownToOperator("office", Secret("wrong")))
    known, tried = KnownToOperator("office", Secret("wrong")), world.provider.calls.count("prove")
    hold = engine.adopt(world.target, known, engine.plan_adoption(world.target, known), Origin("tester", "because"))
    assert isinstance(hold, Hold)
    assert hold.reason is HoldReason.LOG_INS_REST
    assert world.provider.calls.count("prove") == tried
    world.clock.advance(ANOTHER_AFTER)
    with pytest.raises(AdoptionRefused):
        adopt(world, engine, known)


def test_what_was_adopted_and_then_removed_ends_by_the_rules_of_its_target():
    """Its overlap was that of no policy at all: a day, whatever its own was."""
    policy = replace(REPLACE.policy, name="slow", overlap=3 * DAY, quarantine=20 * DAY)
    world, engine = rotated(replace(REPLACE, policy=policy, labels=(("site", "berlin"),)))
    world.store.remove("office")
    state = adopt(world, engine)
    left = left_over(state)
    assert (left.policy.overlap, left.policy.quarantine, left.labels) == (3 * DAY, 20 * DAY, (("site", "berlin"),))
    assert state.policy == "slow"
