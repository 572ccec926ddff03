"""What the provider refuses although it is published: looked into, repaired once, and never a series of rotations."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.answers import Answer, Retry, Wait
from rotator.core.drift import ALONE
from rotator.core.holding import HoldReason
from rotator.core.left_over import left_over
from rotator.core.model import Credential, Strategy, Target
from rotator.core.origin import Origin
from rotator.core.removal import after_retirement
from rotator.core.secret import Secret
from rotator.core.verification import BELIEVED
from rotator.engine import Engine
from rotator.testing import GENERATED, FakeFault

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAILY = replace(POLICY, verify=DAY)


def verified(target: Target = REPLACE, **known: Any) -> tuple[EngineHarness, Engine]:
    """A target that is verified every day, long after its only rotation."""
    world = EngineHarness(replace(target, policy=DAILY), **known)
    if target is IN_PLACE:
        world.provider.add("office")
    engine = world.engine()
    engine.look(world.target)
    world.settle(engine, 10 * DAY)
    assert world.state.ledger == ()
    return world, engine


def stored(world: EngineHarness) -> Any:
    return world.provider.credentials[world.consumer.credential_id]


def disable(world: EngineHarness) -> None:
    stored(world).enabled = False


def delete(world: EngineHarness) -> None:
    del world.provider.credentials[world.consumer.credential_id]


def change(world: EngineHarness) -> None:
    stored(world).password = Secret("set by hand")


def until_believed(world: EngineHarness, engine: Engine) -> None:
    """Until a second proof in a row was refused."""
    while world.state.verification.refusals < BELIEVED:
        engine.look(world.target)
        world.clock.advance(MINUTE)


def requested(world: EngineHarness) -> list[str]:
    asked = [record for record in world.audit.records if record.verb == "request_rotation"]
    assert {(record.outcome, record.facts["requested_by"]) for record in asked} <= {
        ("done", "rotator"),
        ("done", "tester"),
    }
    assert all("credential" in record.facts for record in asked if record.facts["requested_by"] == "rotator")
    return [record.facts["reason"] for record in asked]


def test_a_working_credential_is_asked_once_a_day_and_the_audit_is_silent_about_it():
    world, engine = verified()
    before, records = world.provider.calls.count("prove"), len(world.audit.records)
    world.settle(engine, 20 * DAY)
    assert 20 <= world.provider.calls.count("prove") - before <= 23
    assert len(world.audit.records) == records
    assert world.state.counts.succeeded == 1


@pytest.mark.parametrize(
    ("target", "capabilities", "act", "why"),
    [
        (REPLACE, None, delete, "is refused and gone"),
        (REPLACE, None, disable, "is refused and disabled"),
        (replace(REPLACE, usernames=()), GENERATED, change, "is refused and listed with another password"),
        (ALTERNATING, None, delete, "is refused and gone"),
        (IN_PLACE, None, disable, "is refused and disabled"),
    ],
)
def test_what_somebody_changed_at_the_provider_is_repaired_within_the_interval(target, capabilities, act, why):
    world, engine = verified(target, **({"capabilities": capabilities} if capabilities else {}))
    act(world)
    world.settle(engine, DAY + 2 * MINUTE)
    assert world.published_works
    (reason,) = requested(world)
    assert reason.startswith("drift: ")
    assert reason.endswith(why)
    assert reason in [one.facts.get("reason") for one in world.audit.intended if "request" in one.verb.value]
    assert world.state.verification.accepted
    world.settle(engine, 30 * DAY)
    assert world.state.counts.succeeded == 2


def test_the_window_is_not_awaited_and_the_back_off_is():
    world, engine = verified()
    delete(world)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 3
    world.settle(engine, DAY + 5 * MINUTE)
    assert world.published_works
    assert world.provider.calls.count("create") == 1 + 4


def test_a_single_one_that_is_listed_unchanged_is_rotated_once_and_not_before_others_were_seen():
    world, engine = verified()
    change(world)
    until_believed(world, engine)
    world.settle(engine, ALONE - 3 * MINUTE)
    assert requested(world) == []
    world.settle(engine, 3 * MINUTE)
    (reason,) = requested(world)
    assert reason.endswith("at fake is refused and listed unchanged")
    assert world.published_works


def test_there_is_no_second_repair_while_the_first_has_not_helped():
    world, engine = verified(IN_PLACE)
    world.provider.credentials.clear()
    world.settle(engine, 10 * DAY, most=2000)
    assert len(requested(world)) == 1
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.PUBLISHED_REFUSED
    assert "it was rotated once because of that: rotator rotate office" in look.hold.message


def fleet(number: int) -> tuple[EngineHarness, Engine, list[Target], Callable[[timedelta], None]]:
    """Targets of one account, verified every day, and what lets time pass for all of them."""
    world = EngineHarness()
    engine = world.engine()
    names = [f"t{i}" for i in range(number)]
    targets = [replace(REPLACE, name=name, usernames=(name,), path=f"sip/{name}", policy=DAILY) for name in names]

    def pass_time(span: timedelta) -> None:
        end = world.clock.now() + span
        while world.clock.now() < end:
            for target in targets:
                engine.look(target)
            world.clock.advance(5 * MINUTE)

    pass_time(HOUR)
    return world, engine, targets, pass_time


def test_several_that_are_listed_unchanged_are_the_registrars_trouble_and_nothing_is_rotated():
    world, engine, targets, pass_time = fleet(4)
    for one in world.provider.credentials.values():
        one.password = Secret(f"the registrar's own, {one.id}")
    pass_time(2 * DAY)
    assert [world.store.states[target.name].state.counts.succeeded for target in targets].count(2) <= 1
    hold = engine.look(targets[-1]).hold
    assert hold.reason is HoldReason.PUBLISHED_REFUSED
    assert "targets of its account are refused and listed unchanged" in hold.message


def test_wrong_log_ins_are_at_most_one_an_hour():
    world, _, targets, pass_time = fleet(2)
    for one in world.provider.credentials.values():
        one.password = Secret(f"the registrar's own, {one.id}")
    pass_time(2 * DAY)
    before = world.provider.calls.count("prove")
    pass_time(DAY)
    assert world.provider.calls.count("prove") - before <= 24 * len(targets) + 1


@pytest.mark.parametrize("verb", ["prove", "create"])
def test_no_wait_that_a_provider_asks_for_keeps_devices_out_of_what_is_repaired(verb):
    """A Retry-After of a day, met by the second log-in or by the repair, was obeyed for the day."""
    world, engine = verified()
    delete(world)
    while not world.state.verification.refusals:
        engine.look(world.target)
        world.clock.advance(MINUTE)
    call, refused = getattr(world.provider, verb), []

    def busy_once(*known: Any) -> Any:
        refused.append(verb)
        return call(*known) if refused[1:] else Retry(Wait.RATE_LIMITED, "429", DAY)

    setattr(world.provider, verb, busy_once)
    world.settle(engine, HOUR)
    assert refused
    assert world.published_works


def test_during_an_overlap_the_predecessor_of_alternating_is_published_again():
    world, engine = verified(ALTERNATING)
    old = world.consumer
    world.request(engine)
    engine.look(world.target)
    world.settle(engine, HOUR)
    delete(world)
    world.settle(engine, DAY)
    assert (world.consumer.username, world.consumer.password) == (old.username, old.password)
    assert world.published_works


def test_a_look_up_that_fails_is_made_again_with_the_next_proof():
    world, engine = verified()
    delete(world)
    world.provider.faults["find"] = [FakeFault.UNREACHABLE]
    until_believed(world, engine)
    assert not world.published_works
    assert "could not be looked up yet" in engine.look(world.target).hold.message
    world.settle(engine, 11 * MINUTE)
    assert world.published_works


def test_a_removed_target_whose_credential_was_deleted_says_which_command_ends_the_rest():
    world, engine = verified()
    world.request(engine)
    engine.look(world.target)
    world.target = left_over(world.state)
    delete(world)
    world.settle(engine, 2 * DAY)
    assert "rotator retire office --published" in engine.look(world.target).hold.message
    state = after_retirement(world.state, DAILY, world.clock.now(), Origin("tester", "because"), at_once=True)
    world.store.write_state(state, world.store.states["office"].version)
    world.settle(engine, 10 * DAY)
    assert world.state.ledger == ()
    assert world.provider.credentials == {}


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING], ids=lambda target: target.strategy.value)
def test_devices_that_are_out_do_not_wait_a_day_for_what_was_sent_in_vain(target):
    """Somebody deletes, or sets, the repairing credential too: it is sent again at once, whatever failed before."""
    world, engine = verified(target)
    if target is ALTERNATING:  # its second credential is there
        world.request(engine)
        world.settle(engine, 12 * DAY)
    sending = "create" if target.strategy is Strategy.REPLACE else "set_password"
    send, times, meddled_at = getattr(world.provider, sending), count(), []

    def meddled(credential: Credential, *arguments: Any) -> Answer[Credential]:
        if (number := next(times)) < 4:
            return Retry(Wait.UNREACHABLE, "503")
        sent = send(credential, *arguments)
        if number == 4:
            world.provider.credentials[sent.value.id].password = Secret("set by hand")
            meddled_at.append(world.clock.now())
        return sent

    setattr(world.provider, sending, meddled)
    delete(world)
    for _ in range(72):
        world.settle(engine, HOUR)
        if meddled_at and world.published_works:
            break
    assert world.clock.now() - meddled_at[0] <= 2 * HOUR
