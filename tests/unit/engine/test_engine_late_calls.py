"""A call that comes late: meanwhile another process has published the credential that the call changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_harness import DAY, IN_PLACE, EngineHarness
from single_effect import naming

from rotator.core.answers import Answer, Unknown
from rotator.core.model import Attempt, Capabilities, Credential, Phase, Proof, Purpose, Request, Strategy, TargetState
from rotator.core.secret import Secret
from rotator.engine import Engine, Outcome
from rotator.ports import Versioned
from rotator.testing import CHOSEN, GENERATED, FakeFault

MINUTE = timedelta(minutes=1)


def while_sending(world: EngineHarness, verb: str, publish: Callable[[TargetState], Credential], **changes) -> None:
    """Between deciding and sending `verb`, another process publishes a credential and closes everything."""
    send = getattr(world.provider, verb)

    def send_late(*arguments) -> Answer[Any]:
        setattr(world.provider, verb, send)
        before = world.store.states["office"]
        published = publish(before.state)
        state = replace(before.state, published=published, ledger=(), attempt=None, request=None, claim=None)
        world.store.states["office"] = Versioned(replace(state, **changes), before.version + 1)
        world.store.write_consumer(world.target.path, published, world.clock.now(), world.consumer)
        return send(*arguments)

    setattr(world.provider, verb, send_late)
    world.audit.records.clear()


def with_old_one_in_overlap(capabilities: Capabilities = CHOSEN) -> tuple[EngineHarness, Engine, Credential]:
    """A target that was rotated, and the replaced credential, whose overlap has just ended."""
    world = EngineHarness(capabilities=capabilities)
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    engine.look(world.target)
    world.clock.advance(DAY)
    return world, engine, world.state.ledger[0].credential


def test_what_a_late_disable_switched_off_is_enabled_again_and_that_is_recorded():
    world, engine, old = with_old_one_in_overlap()
    while_sending(world, "disable", lambda _: old)
    assert engine.look(world.target).outcome is Outcome.HELD
    assert world.published_works
    assert world.provider.calls[-1] == "enable"
    assert world.audit.verbs("office") == ["disable", "reassert"]
    assert world.audit.records[-1].outcome == "done"
    assert world.audit.records[-1].facts == naming(old)


def test_at_a_provider_that_cannot_enable_the_password_is_set_again():
    world, engine, old = with_old_one_in_overlap(replace(CHOSEN, re_enables=False))
    world.provider.disable = lambda _: Unknown("timeout")
    while_sending(world, "disable", lambda _: old)
    engine.look(world.target)
    assert world.provider.calls[-1] == "set_password"
    assert world.audit.verbs("office") == ["disable", "reassert"]
    assert world.published_works


def test_what_cannot_be_put_right_is_replaced_by_a_rotation_that_says_why():
    world, engine, old = with_old_one_in_overlap()
    while_sending(world, "disable", lambda _: old)
    world.provider.faults["enable"] = [FakeFault.LOST_BEFORE]
    assert engine.look(world.target).outcome is Outcome.ROTATED
    why = "a late call may have changed the published credential"
    _, reassert, request, *rotation = world.audit.records
    assert (reassert.outcome, reassert.facts["detail"]) == ("unknown", "the answer was lost")
    assert (request.verb, request.target, request.outcome) == ("request_rotation", "office", "done")
    assert request.facts == {"requested_by": "rotator", "reason": why}
    assert [record.verb for record in rotation] == ["stage", "create", "prove", "publish", "close"]
    assert (rotation[0].facts["requested_by"], rotation[0].facts["reason"]) == ("rotator", why)
    assert world.published_works


def test_the_rotation_that_puts_it_right_stays_asked_for_until_it_can_be_staged():
    world, engine, old = with_old_one_in_overlap()
    while_sending(world, "disable", lambda _: old)
    world.provider.faults["enable"] = [FakeFault.LOST_BEFORE]
    world.store.unpublishable.add(world.target.path)
    world.store.write_consumer = lambda *_: None
    engine.look(world.target)
    why = "a late call may have changed the published credential"
    assert world.state.request == Request(Purpose.ROTATE, "rotator", why, world.clock.now(), despite_pause=True)


def test_what_was_ended_for_good_is_replaced_too():
    world, engine, old = with_old_one_in_overlap(GENERATED)
    while_sending(world, "disable", lambda _: old)
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert world.published_works


def test_an_attempt_that_is_under_way_with_it_puts_it_right_by_itself():
    world, engine, old = with_old_one_in_overlap()
    attempt = Attempt(
        "9", Purpose.UNDO, Strategy.REPLACE, Phase.STAGED, old, None, world.clock.now(), "somebody", "because"
    )
    while_sending(world, "disable", lambda _: old, attempt=attempt)
    engine.look(world.target)
    assert world.audit.verbs("office") == ["disable", "enable", "prove", "close"]


def test_a_late_call_to_a_credential_that_is_not_published_changes_nothing_of_it():
    world, engine, _ = with_old_one_in_overlap()
    while_sending(world, "disable", lambda state: state.published)
    engine.look(world.target)
    assert world.audit.verbs("office") == ["disable"]


@pytest.mark.parametrize(("password", "verbs"), [(None, []), (Secret("another"), ["reassert"])])
def test_a_password_set_late_is_harmless_if_it_is_the_published_one(password, verbs):
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    while_sending(
        world,
        "set_password",
        lambda state: replace(state.published, password=password or state.attempt.staged.password),
    )
    engine.look(world.target)
    assert world.audit.verbs("office") == ["stage", "set_password", "prove", *verbs]
    assert world.published_works


def test_a_password_restored_late_is_made_good():
    # No log-in can settle which password is in force.
    world = EngineHarness(IN_PLACE, replace(CHOSEN, proof=Proof("the listing", tries_password=False)))
    world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.request(engine)
    world.provider.faults["set_password"] = [FakeFault.LOST_BEFORE, FakeFault.REFUSED]
    engine.look(world.target)
    world.clock.advance(MINUTE)
    set_once = world.provider.set_password

    def set_then_restore(credential) -> Answer[Any]:
        answer = set_once(credential)
        while_sending(world, "set_password", lambda state: replace(state.published, password=Secret("another")))
        return answer

    world.provider.set_password = set_then_restore
    engine.look(world.target)
    assert world.audit.verbs("office") == ["restore", "reassert"]
    assert world.published_works
