"""The forecast: the engine then does the same, what is looked up is asked for, and what comes later has its time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.facts import lookup_key
from rotator.core.forecast import Forecast, forecast
from rotator.core.model import Purpose
from rotator.core.schedule import SPREAD, Window
from rotator.testing import ATTACHING, CHOSEN, GENERATED

HOUR = timedelta(hours=1)
WORDS = {
    "open": "stage", "create": "create", "set": "set_password", "enable": "enable", "prove": "prove", "point": "attach",
    "publish": "publish", "tell": "expire", "disable": "disable", "delete": "delete", "forget": "forget",
    "give": "overwrite",
}  # fmt: skip


def forecast_of(world: EngineHarness) -> Forecast:
    """The forecast, with every look-up that it needs answered by the provider."""
    facts = world.engine().facts(world.target)
    while (plan := forecast(facts)).needs is not None:
        answer = world.provider.find(plan.needs)
        facts = replace(facts, lookups={**facts.lookups, lookup_key(plan.needs): answer.value})
    return plan


@pytest.mark.parametrize("purpose", [None, *Purpose])
@pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED, ATTACHING])
@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
def test_the_engine_does_what_was_forecast(target, capabilities, purpose):
    if capabilities is GENERATED and target is not REPLACE:
        return
    world = EngineHarness(target, capabilities)
    if capabilities is not GENERATED:
        for username in target.usernames:
            world.provider.add(username)
        world.provider.trunks = {"t": "id-1"}
    if purpose is not None:
        world.engine().look(target)
        world.settle(world.engine(), 2 * DAY)
        world.request(world.engine())
        world.engine().look(target)
        world.request(world.engine(), purpose, compromised=purpose is Purpose.ROTATE)
    before = len(world.audit.records)
    plan = forecast_of(world)
    world.engine().look(target)
    done = [record.verb for record in world.audit.records[before:] if record.verb != "close"]
    assert [WORDS[step.what.split()[0]] for step in plan.steps] == done
    assert done
    assert ("compromised" in plan.steps[0].why) is (purpose is Purpose.ROTATE)
    assert forecast_of(world).steps == ()


def test_a_look_up_ends_the_forecast_until_the_facts_hold_it():
    plan = forecast(EngineHarness(IN_PLACE).engine().facts(IN_PLACE))
    assert plan.needs.username == "office"
    assert plan.steps[-1].what == "look up office at fake"
    assert forecast_of(EngineHarness(IN_PLACE)).waits_for.startswith(
        "it is impossible: fake has no credential 'office'"
    )


def test_what_comes_later_is_in_the_order_of_time():
    world = EngineHarness()
    world.provider.add("office")
    plan = forecast_of(world)
    now = world.clock.now()
    assert [(timedelta(hours=round((event.at - now) / HOUR)), event.what) for event in plan.events] == [
        (DAY, "disable office"),
        (8 * DAY, "delete office"),
        (90 * DAY * (1 - SPREAD), "rotation"),
    ]
    assert abs(plan.events[-1].until - now - 90 * DAY) < timedelta(seconds=1)
    world.engine().look(world.target)
    assert forecast_of(world).events[-1].until is None
    assert forecast_of(world).waits_for == "nothing is due"


def test_a_due_rotation_comes_when_the_window_opens():
    window = Window("0 2 * * *", timedelta(hours=1))
    world = EngineHarness(replace(REPLACE, policy=replace(POLICY, window=window)))
    world.engine().look(world.target)
    plan = forecast_of(world)
    assert window.contains(plan.events[0].at)
    assert plan.events[0].why == "policy quarterly; window 0 2 * * *, UTC"


def test_the_notes_say_what_cannot_be_helped():
    assert forecast_of(EngineHarness(REPLACE, GENERATED)).notes == (
        "disabling at fake cannot be undone: an undo is possible only during the overlap",
        "replace: every rotation changes the username",
    )
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    assert forecast_of(world).notes == (
        "in-place has no overlap: devices are cut off from a rotation until they read Vault again",
        "its present password is unknown: it can neither be proved before the rotation nor be put back",
    )


@pytest.mark.parametrize(
    ("target", "last"),
    [(IN_PLACE, "forget the old password of office"), (ALTERNATING, "forget the password of officeb")],
)
def test_what_is_forgotten_is_named(target, last):
    world = EngineHarness(target)
    for username in target.usernames:
        world.provider.add(username)
    world.engine().look(target)
    world.request(world.engine())
    world.settle(world.engine(), 2 * DAY)
    assert last in [event.what for event in forecast_of(world).events]


def test_the_next_proof_of_what_is_published_is_forecast_with_the_last_one():
    world = EngineHarness(replace(REPLACE, policy=replace(REPLACE.policy, verify=DAY)))
    world.engine().look(world.target)
    (proof,) = [event for event in forecast_of(world).events if event.what == "prove what is published"]
    assert proof.at == world.state.verify_at
    assert proof.why == "accepted 2026-01-05T12:00:00Z: asking the fake"
    world.clock.advance(DAY)
    assert [step.what for step in forecast_of(world).steps] == [f"prove that {world.consumer.username} is accepted"]
    world.engine().look(world.target)
    assert forecast_of(world).steps == ()


def test_a_proof_whose_time_is_not_drawn_yet_is_forecast_with_the_soonest_and_the_latest():
    world = EngineHarness(replace(REPLACE, policy=replace(REPLACE.policy, verify=DAY)))
    for wait in (timedelta(), DAY):  # after a rotation, and after a verification
        world.clock.advance(wait)
        now = world.clock.now()
        (proof,) = [event for event in forecast_of(world).events if event.what == "prove what is published"]
        assert round((proof.at - now) / HOUR, 1) == round(DAY / HOUR * (1 - SPREAD), 1)
        assert proof.until == now + DAY
        world.engine().look(world.target)
        assert proof.at <= world.state.verify_at <= proof.until


def test_another_path_is_published_now_and_the_old_one_is_withdrawn_after_the_overlap():
    world = EngineHarness(REPLACE)
    world.until_rotated(world.engine())
    name = world.state.published.username
    world.target = replace(world.target, path="phones/office")
    plan = forecast_of(world)
    assert [step.what for step in plan.steps] == [f"publish {name} at phones/office as well"]
    then = (world.clock.now() + DAY, "withdraw the document at sip/office")
    assert then in [(event.at, event.what) for event in plan.events]
    world.engine().look(world.target)
    world.clock.advance(DAY)
    assert [step.what for step in forecast_of(world).steps] == ["withdraw sip/office"]
    world.store.consumers["sip/office"] = replace(
        world.store.consumers["sip/office"], username="another", credential_id="theirs"
    )
    assert [step.what for step in forecast_of(world).steps] == ["leave sip/office"]
