"""A replaced credential that devices still log in with keeps its overlap, and the audit says who was found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_harness import ALTERNATING, DAY, POLICY, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.answers import Answer, Done, Unknown
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.holding import HoldReason
from rotator.core.ledger import end_despite_use
from rotator.core.left_over import left_over
from rotator.core.model import Credential, Target
from rotator.core.origin import Origin
from rotator.core.schedule import Every
from rotator.core.usage_rules import MOST_KEPT, AfterExtension, Usage, UsageRules
from rotator.engine.usage_effects import AcknowledgementSource
from rotator.ports import StoreUnavailable, UsageQuestion
from rotator.testing import CHOSEN, GENERATED, SHOWING, FakeFault, MemoryStore

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES = UsageRules(("provider",), every=15 * MINUTE, extend_at_most=3 * DAY)
SHOWING_ENDS = replace(GENERATED, shows_usage=True)


def asking(target=REPLACE, **changes) -> Target:
    return replace(target, policy=replace(POLICY, usage=replace(RULES, **changes)))


def in_overlap(target=None, capabilities=SHOWING, *, logged_in: bool = True) -> tuple[EngineHarness, object, str]:
    """A target with a replaced credential, and the username of that, which a slow device may still use."""
    world = EngineHarness(target or asking(), capabilities)
    engine = world.engine()
    world.until_rotated(engine)
    old = world.consumer.username
    world.request(engine)
    world.until_rotated(engine)
    if logged_in:
        world.provider.logged_in.add(old)
    return world, engine, old


def accepts_old(world, old) -> bool:
    return any(one.username == old and one.enabled for one in world.provider.credentials.values())


def records(world, verb) -> list[Any]:
    return [record for record in world.audit.records if record.verb is verb]


@pytest.mark.parametrize("target", [asking(), asking(ALTERNATING)], ids=["replace", "alternating"])
def test_a_slow_device_is_seen_and_not_cut_off(target):
    world, engine, old = in_overlap(target)
    look = world.settle(engine, 2 * DAY)
    assert accepts_old(world, old)
    assert look.hold.reason is HoldReason.IN_USE
    world.provider.logged_in.clear()
    look = world.settle(engine, 20 * MINUTE)
    assert not accepts_old(world, old)
    assert world.state.counts.disabled == 1


def test_the_audit_says_what_was_found_when_it_changed_and_at_the_end():
    world, engine, old = in_overlap()
    world.settle(engine, 2 * DAY)
    (found,) = records(world, AuditVerb.CHECK_USAGE)
    assert found.facts["username"] == old
    assert found.facts["detail"].startswith("still in use: asked ")
    assert found.facts["detail"].endswith("provider: registered")
    world.provider.logged_in.clear()
    world.settle(engine, HOUR)
    assert len(records(world, AuditVerb.CHECK_USAGE)) == 2
    (disabled,) = records(world, AuditVerb.DISABLE)
    assert disabled.facts["usage"].startswith("not in use: asked ")
    assert "provider: not registered, last seen " in disabled.facts["usage"]
    world.settle(engine, 10 * DAY)
    (deleted,) = records(world, AuditVerb.DELETE)
    assert "usage" not in deleted.facts, "that is what was found before it was disabled"


def test_the_extension_has_an_end():
    world, engine, old = in_overlap()
    world.settle(engine, 4 * DAY - HOUR)
    assert accepts_old(world, old)
    world.settle(engine, 2 * HOUR)
    assert not accepts_old(world, old)
    (disabled,) = records(world, AuditVerb.DISABLE)
    assert disabled.facts["usage"].startswith("still in use: asked ")


@pytest.mark.unmeasured
def test_or_it_has_none_if_the_policy_holds():
    world, engine, old = in_overlap(asking(then=AfterExtension.HOLD))
    look = world.settle(engine, 30 * DAY, most=4000)
    assert accepts_old(world, old)
    assert look.hold.reason is HoldReason.KEPT_IN_USE
    world.provider.logged_in.clear()
    world.settle(engine, 20 * MINUTE)
    assert not accepts_old(world, old)


def test_what_somebody_has_to_end_is_not_hidden_by_what_was_replaced_after_it():
    world, engine, old = in_overlap(asking(then=AfterExtension.HOLD))
    world.settle(engine, 5 * DAY, most=1000)
    world.provider.logged_in.add(world.consumer.username)
    world.request(engine)
    world.until_rotated(engine)
    look = world.settle(engine, 2 * DAY, most=1000)
    assert len(world.state.ledger) == 2
    assert look.hold.reason is HoldReason.KEPT_IN_USE
    assert old in look.hold.message


def test_an_emergency_waits_for_nobody():
    world, engine, old = in_overlap()
    world.request(engine, compromised=True)
    world.settle(engine, MINUTE)
    assert not accepts_old(world, old)
    assert "usage" not in world.provider.calls


@pytest.mark.parametrize("fault", [FakeFault.LOST_BEFORE, FakeFault.UNREACHABLE, FakeFault.UNAUTHORIZED])
def test_a_provider_that_cannot_say_is_asked_again_and_opens_no_circuit(fault):
    world, engine, old = in_overlap(logged_in=False)
    world.provider.faults["usage"] = [fault] * 20
    look = world.settle(engine, DAY + 4 * HOUR)
    assert accepts_old(world, old)
    assert look.hold.reason is HoldReason.IN_USE
    assert not any(record.verb == "circuit" for record in world.audit.records)
    assert records(world, AuditVerb.CHECK_USAGE)[0].outcome is AuditOutcome.UNKNOWN
    world.settle(engine, 3 * HOUR)
    assert not accepts_old(world, old)


def test_a_provider_without_room_for_the_question_has_not_failed():
    world, engine, old = in_overlap(logged_in=False)
    world.provider.faults["usage"] = [FakeFault.RATE_LIMITED]
    world.settle(engine, DAY + 2 * MINUTE)
    assert not accepts_old(world, old)
    assert [record.outcome for record in records(world, AuditVerb.CHECK_USAGE)] == [AuditOutcome.DONE]


def test_a_provider_that_shows_no_users_is_not_asked_for_them():
    world, engine, old = in_overlap(capabilities=CHOSEN)
    world.settle(engine, DAY + HOUR)
    assert accepts_old(world, old)
    assert "usage" not in world.provider.calls
    assert world.state.ledger[0].sighting.evidence == "provider: fake does not show who is logged in"


def test_an_end_is_not_told_in_advance_since_a_device_may_outlast_it():
    world, engine, old = in_overlap(capabilities=SHOWING_ENDS)
    world.settle(engine, 2 * DAY)
    assert "expire" not in world.provider.calls
    assert accepts_old(world, old)
    world.provider.logged_in.clear()
    world.settle(engine, HOUR)
    assert not accepts_old(world, old)


def test_a_replaced_credential_is_asked_about_once_in_an_interval():
    world, engine, _ = in_overlap()
    world.settle(engine, DAY + 2 * MINUTE)
    asked = world.provider.calls.count("usage")
    world.settle(engine, HOUR)
    assert world.provider.calls.count("usage") == asked + 4


def test_whoever_reads_a_plan_sees_who_is_asked_without_asking():
    world, engine, _ = in_overlap()
    assert "usage" not in world.provider.calls
    look = world.settle(engine, HOUR)
    assert Step.CHECK_USAGE not in look.steps


class Saying:
    """A source that says the same to everybody."""

    def __init__(self, answer: Answer[Usage]) -> None:
        self.answer, self.asked = answer, []

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        self.asked.append(question)
        return self.answer


def with_sources(**sources) -> tuple[EngineHarness, str]:
    target = asking(sources=tuple(sources))
    world = EngineHarness(target)
    world.usage_sources = sources
    engine = world.engine()
    world.until_rotated(engine)
    old = world.consumer.username
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, DAY + 2 * MINUTE)
    return world, old


NO, YES = Done(Usage(in_use=False, evidence="0")), Done(Usage(in_use=True, evidence="2 registrations"))


def test_every_source_has_to_say_no():
    world, old = with_sources(pbx=Saying(NO), agents=Saying(Unknown("no answer")))
    assert accepts_old(world, old)
    world, old = with_sources(pbx=Saying(NO), agents=Saying(NO))
    assert not accepts_old(world, old)


def test_after_a_yes_nobody_else_is_asked():
    pbx, agents = Saying(YES), Saying(NO)
    world, old = with_sources(pbx=pbx, agents=agents)
    assert accepts_old(world, old)
    assert agents.asked == []
    question = pbx.asked[0]
    assert (question.target, question.credential.username) == ("office", old)
    assert question.published.username == world.consumer.username


def test_a_source_that_left_the_configuration_cannot_say():
    world, _ = with_sources(pbx=Saying(NO))
    world.usage_sources = {}
    world.request(world.engine())
    world.until_rotated(world.engine())
    world.settle(world.engine(), DAY + HOUR)
    assert world.state.ledger[-1].sighting.evidence == "pbx: not in the configuration"


OLD = Credential("fake", "Phone1", "id-1", attempt="a-1")
NEW = Credential("fake", "phone2", "id-2", attempt="a-2")


@pytest.mark.parametrize(
    ("said", "at_least", "expected"),
    [
        ({"a": "phone1"}, 1, Usage(in_use=True, evidence="used/office names it once")),
        ({"a": "a-1", "b": "phone2", "c": "id-1"}, 1, Usage(in_use=True, evidence="used/office names it 2 times")),
        ({"a": "a-2", "at": "2026-01-01"}, 1, Usage(in_use=False, evidence="used/office names what is published once")),
        ({"a": "phone2"}, 2, "used/office names what is published once, and not 2 times"),
        ({}, 1, "used/office names what is published 0 times, and not once"),
        ({"a": "somebody"}, 1, "used/office names what is published 0 times, and not once"),
    ],
)  # fmt: skip
def test_devices_say_themselves_what_they_use(said, at_least, expected):
    store = MemoryStore()
    store.acknowledgements["used/office"] = said
    answer = AcknowledgementSource(store, "used/{name}", at_least).ask(UsageQuestion("office", OLD, NEW))
    assert answer == (Done(expected) if isinstance(expected, Usage) else Unknown(expected))


def test_what_cannot_be_read_says_nothing():
    store = MemoryStore()
    store.failing = [StoreUnavailable("Vault is sealed")]
    answer = AcknowledgementSource(store, "used/{name}", 1).ask(UsageQuestion("office", OLD, None))
    assert answer == Unknown("Vault is sealed")


@pytest.mark.unmeasured
def test_a_policy_that_holds_does_not_grow_the_ledger_without_an_end():
    """A source that can never say "no" left one more credential with each rotation, and each look asked about all."""
    weekly = asking(then=AfterExtension.HOLD, every=6 * HOUR)
    weekly = replace(weekly, policy=replace(weekly.policy, schedule=Every(7 * DAY)))
    world, engine, _ = in_overlap(weekly)
    world.provider.faults["usage"] = [FakeFault.UNREACHABLE] * 5000
    look = world.settle(engine, 60 * DAY, most=4000)
    assert len(world.state.ledger) == MOST_KEPT
    assert look.hold.reason is HoldReason.KEPT_IN_USE
    assert world.published_works

    now, origin = world.clock.now(), Origin("vault:alice", "nobody can say")
    ended = replace(world.state, ledger=end_despite_use(world.state.ledger, now, origin))
    world.store.write_state(ended, world.store.states["office"].version)
    world.settle(engine, 2 * DAY, most=4000)
    assert all(entry.disabled for entry in world.state.ledger[:MOST_KEPT]), "they can still be brought back"
    assert world.state.counts.succeeded > MOST_KEPT + 1, "and rotations go on"


@pytest.mark.parametrize("then", AfterExtension)
def test_a_device_of_a_target_that_left_the_configuration_is_not_cut_off_either(then):
    """By mistake, perhaps: the predecessor that it used was disabled at the next look."""
    world, engine, old = in_overlap(asking(then=then))
    world.settle(engine, 2 * DAY)
    world.target = left_over(world.state)
    look = world.settle(world.engine(), DAY)
    assert accepts_old(world, old)
    assert look.hold.reason is HoldReason.IN_USE
    world.settle(world.engine(), 10 * DAY, most=2000)
    assert accepts_old(world, old) is (then is AfterExtension.HOLD)
    world.provider.logged_in.clear()
    world.settle(world.engine(), DAY)
    assert not accepts_old(world, old)
