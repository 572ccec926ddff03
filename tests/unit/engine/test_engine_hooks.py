"""What a hook is told, what waits for one that fails, and what does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_facts import OWED
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.blackouts import Blackout
from rotator.core.forecast import forecast
from rotator.core.holding import HoldReason
from rotator.core.hook_rules import Hooks
from rotator.core.hooks import kept_hold
from rotator.core.left_over import left_over
from rotator.core.model import Purpose, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.core.schedule import Every, Window
from rotator.core.secret import Secret
from rotator.core.usage_rules import MOST_KEPT
from rotator.observe.needs import Need, needs
from rotator.observe.target_figures import GAUGES, TargetSnapshot
from rotator.testing import CHOSEN, GENERATED, FakeFault, FakeHook

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ROTATION = Hooks(before_rotation=("ask",), after_rotation=("tell",))
RETIREMENT = Hooks(before_retirement=("ask",), after_retirement=("tell",))


def hooked(wanted: Hooks = ROTATION, target: Target = REPLACE, **policy: Any) -> Target:
    return replace(target, policy=replace(POLICY, hooks=wanted, **policy))


def rotated(target: Target, capabilities=CHOSEN) -> tuple[EngineHarness, Any]:
    """A target that was rotated once; from now on the hook `ask` fails."""
    world = EngineHarness(target, capabilities)
    world.hooks = {"ask": FakeHook(), "tell": FakeHook()}
    if not target.new and not capabilities.generates_password:
        world.provider.add(target.usernames[0])
    engine = world.engine()
    world.until_rotated(engine)
    world.hooks["ask"].failures = None
    return world, engine


def records(world, outcome: AuditOutcome | None = None) -> list[Any]:
    found = [record for record in world.audit.records if record.verb is AuditVerb.RUN_HOOK]
    return [record for record in found if outcome in (None, record.outcome)]


def test_a_hook_is_told_what_happens_and_no_value():
    world, _ = rotated(hooked())
    ((asked,), (told,)) = (world.hooks[name].told for name in ("ask", "tell"))
    state = world.state
    attempt = state.published.attempt
    assert asked == {
        "key": f"{attempt}.before_rotation",
        "hook": "ask",
        "moment": "before_rotation",
        "target": "office",
        "path": "sip/office",
        "labels": {},
        "account": "fake",
        "username": state.published.username,
        "credential_id": None,
        "purpose": "rotate",
        "compromised": False,
        "attempt": attempt,
        "requested_by": "schedule",
        "reason": "first rotation",
    }
    changed = {"key": f"{attempt}.after_rotation", "hook": "tell", "moment": "after_rotation"}
    assert told == asked | changed | {"credential_id": state.published.id}
    assert world.hooks["tell"].passwords == [None]
    assert [record.facts["hook"] for record in records(world, AuditOutcome.DONE)] == ["ask", "tell"]


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE], ids=lambda target: target.strategy.value)
def test_one_that_fails_before_a_rotation_holds_it_before_anything_is_sent(target):
    world, engine = rotated(hooked(target=target))
    calls = list(world.provider.calls)
    world.request(engine)
    look = world.settle(engine, 3 * HOUR)
    assert look.hold.reason is HoldReason.HOOK_FAILED
    assert look.hold.message == (
        "the hook ask failed: it answers 503: nothing is sent to the provider until it succeeds; fix it, "
        "or take it out of the policy quarterly, or end the rotation (rotator abandon office)"
    )
    assert not {"create", "set_password"} & set(world.provider.calls[len(calls) :])
    assert len({facts["key"] for facts in world.hooks["ask"].told[1:]}) == 1
    assert 5 < len(world.hooks["ask"].told) < 40, "it is tried again, at the pace of the back-off"
    world.hooks["ask"].failures = 0
    world.settle(engine, HOUR)
    assert world.state.counts.succeeded == 2
    assert world.state.attempt is None


@pytest.mark.parametrize("way", ["emergency", "undo", "joined emergency"])
def test_what_is_urgent_passes_and_says_so(way):
    world, engine = rotated(hooked())
    world.hooks["ask"].failures = 0
    world.request(engine)
    world.until_rotated(engine)
    world.hooks["ask"].failures = None
    if way == "undo":
        world.request(engine, Purpose.UNDO)
    else:
        if way == "joined emergency":
            world.request(engine)
            world.settle(engine, HOUR)
        world.request(engine, compromised=True)
    world.settle(engine, MINUTE)
    assert (world.state.counts.undone, world.state.counts.succeeded) == ((1, 2) if way == "undo" else (0, 3))
    *_, last = records(world, AuditOutcome.UNKNOWN)
    assert last.facts["detail"] == "it answers 503; what it precedes waits for nobody, and goes on"


def test_a_rotation_passes_while_devices_are_out():
    world, engine = rotated(hooked(target=IN_PLACE, verify=HOUR))
    world.provider.credentials[world.state.published.id].password = Secret("somebody else's")
    world.settle(engine, 2 * DAY)
    assert world.state.counts.succeeded == 2
    assert world.published_works


@pytest.mark.unmeasured
@pytest.mark.parametrize("held", ["by the hook", "by a blackout", "by the window"])
@pytest.mark.parametrize("target", [REPLACE, IN_PLACE], ids=lambda target: target.strategy.value)
def test_what_is_refused_while_a_rotation_waits_for_its_hook_is_noticed_and_repaired(target, held):
    """Nothing was proved while an attempt was open: devices were out for as long as a hook failed, without a word."""
    window = Window("0 2 * * *", HOUR) if held == "by the window" else None
    world, engine = rotated(hooked(target=target, window=window, verify=HOUR))
    if held == "by the window":
        while world.state.attempt is None:
            world.settle(engine, HOUR, most=5000)
    else:
        world.request(engine)
    world.settle(engine, 4 * HOUR)
    if held == "by a blackout":
        now = world.clock.now()
        frozen = Blackout(now, now + 30 * DAY, "freeze")
        world.target = hooked(target=target, verify=HOUR, blackouts=(frozen,))
    assert world.state.attempt.before
    world.provider.credentials[world.state.published.id].password = Secret("somebody else's")
    world.settle(engine, 8 * HOUR)
    assert world.state.counts.succeeded == 2
    assert world.published_works


def test_an_undo_does_not_wait_behind_a_rotation_whose_hook_fails():
    """It waited for as long as the hook failed, since an attempt was open: of which nothing had been sent."""
    world, engine = rotated(hooked())
    world.hooks["ask"].failures = 0
    first = world.state.published
    world.request(engine)
    world.until_rotated(engine)
    world.hooks["ask"].failures = None
    world.request(engine)
    world.settle(engine, HOUR)
    assert world.state.attempt.before
    world.request(engine, Purpose.UNDO)
    world.settle(engine, MINUTE)
    assert (world.state.published.username, world.state.counts.undone) == (first.username, 1)


def test_passwords_that_waited_for_a_hook_are_not_all_set_before_the_first_is_proved():
    """Their places were left when their hooks failed: once it was mended, a whole fleet was set at the same time."""
    world, engine = rotated(hooked(target=IN_PLACE))
    world.request(engine)
    world.settle(engine, HOUR)
    calls = len(world.provider.calls)
    for number in range(9):
        engine.throttles.note_unaccepted(f"other {number}", "fake")
    world.hooks["ask"].failures, told = 0, len(world.hooks["ask"].told)
    assert world.settle(engine, HOUR).hold.reason is HoldReason.UNPROVED
    assert len(world.hooks["ask"].told) == told
    assert "set_password" not in world.provider.calls[calls:]


def test_an_emergency_does_not_wait_for_hooks_that_follow_something():
    """Each may take half a minute, and there may be many."""
    world, engine = rotated(hooked())
    world.hooks["tell"].failures = None
    late = tuple(replace(OWED, since=world.clock.now(), call=replace(OWED.call, key=f"{n}")) for n in range(9))
    world.store.write_state(replace(world.state, owed=late), world.store.read_state("office").version)
    told = len(world.hooks["tell"].told)
    world.hooks["ask"].failures = 0
    world.request(engine, compromised=True)
    steps = engine.look(world.target).steps
    assert steps.index(Step.STAGE) < steps.index(Step.RUN_HOOK)
    assert world.state.counts.succeeded == 2
    assert len(world.hooks["tell"].told) > told, "they follow"


def test_another_failure_of_a_retirement_is_not_said_to_be_the_hooks():
    """The hold went on to name a hook that had left the policy, and a remedy that mended nothing."""
    world, engine = rotated(hooked(RETIREMENT))
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    assert world.state.ledger[0].held_by == "ask"
    world.target = hooked(Hooks())
    world.provider.faults["disable"] = [FakeFault.REFUSED] * 99
    look = world.settle(engine, 3 * HOUR)
    assert look.hold.reason is HoldReason.RETIREMENT_DELAYED
    assert "hook" not in look.hold.message


def test_a_rotation_whose_hook_failed_in_the_window_waits_for_the_next_one():
    window = Window("0 2 * * *", HOUR)
    world, engine = rotated(hooked(window=window))
    while not world.hooks["ask"].told[1:]:
        world.settle(engine, DAY)
    world.clock.advance(datetime.combine(world.clock.now().date() + DAY, datetime.min.time(), UTC) - world.clock.now())
    look = world.settle(engine, 4 * HOUR)
    assert look.hold.reason is HoldReason.OUTSIDE_WINDOW
    world.hooks["ask"].failures, told = 0, len(world.hooks["ask"].told)
    world.settle(engine, 20 * HOUR)
    assert len(world.hooks["ask"].told) == told
    world.settle(engine, 3 * HOUR)
    assert world.state.counts.succeeded == 2
    assert window.contains(world.state.last_rotation)


def needed(world) -> set[Need]:
    """What somebody would be told of now."""
    seen, now = TargetSnapshot(world.target, world.state, world.clock.now()), world.clock.now()
    return {need for need, since in needs(seen) if since <= now}


@pytest.mark.parametrize("target", [REPLACE, IN_PLACE], ids=lambda target: target.strategy.value)
def test_a_rotation_that_waits_for_the_next_window_is_none_that_stays_open(target):
    """It was told of an hour after its hook had failed, and so were devices that were out, once it had begun."""
    window = Window("0 2 * * *", HOUR)
    world, engine = rotated(hooked(target=target, window=window))
    while world.state.attempt is None:
        world.settle(engine, HOUR, most=5000)
    staged = world.state.attempt.started_at
    world.settle(engine, 6 * HOUR)
    assert world.state.attempt.before
    assert (
        GAUGES["rotator_attempt_open_timestamp_seconds"](
            TargetSnapshot(world.target, world.state, world.clock.now()), world.clock.now()
        )
        is None
    )
    assert Need.STAYS_OPEN not in needed(world)
    world.hooks["ask"].failures = 0
    world.provider.faults["create" if target is REPLACE else "set_password"] = [FakeFault.UNREACHABLE] * 99
    while world.state.attempt.before:
        world.clock.advance(MINUTE)
        engine.look(world.target)
    assert world.state.attempt.started_at > staged + 12 * HOUR
    assert not {Need.STAYS_OPEN, Need.DEVICES_OUT} & needed(world)
    world.settle(engine, 2 * HOUR)
    assert Need.STAYS_OPEN in needed(world)


def test_a_pause_holds_a_rotation_that_has_not_begun():
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, HOUR)
    pause = Pause(Scope(), world.clock.now(), world.clock.now() + DAY, Origin("ann", "freeze"))
    world.store.write_pauses(Pauses(1, (pause,)))
    world.hooks["ask"].failures = 0
    assert world.settle(engine, 5 * HOUR).hold.reason is HoldReason.PAUSED
    assert world.state.counts.succeeded == 1
    world.settle(engine, DAY)
    assert world.state.counts.succeeded == 2


def test_one_that_the_policy_no_longer_names_is_not_waited_for():
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, HOUR)
    world.target = hooked(Hooks())
    engine.look(world.target)
    assert world.state.counts.succeeded == 2
    (dropped,) = records(world, AuditOutcome.REFUSED)
    assert dropped.facts["detail"] == "the policy quarterly does not name it any more"


def test_an_attempt_that_waits_for_a_hook_can_be_given_up_and_leaves_nothing():
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, HOUR)
    there = set(world.provider.credentials)
    done = engine.abandon(world.target, world.state.attempt.id, Origin("ann", "ticket"))
    assert done.consequence.endswith("is discarded.")
    world.settle(engine, HOUR)
    assert (world.state.attempt, world.state.ledger, set(world.provider.credentials)) == (None, (), there)


def test_a_hook_that_fails_before_a_retirement_costs_no_proof_for_each_try():
    """Each of its tries, 24 a day, was preceded by a log-in with what is published."""
    world, engine = rotated(hooked(RETIREMENT, verify=DAY))
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, DAY + HOUR)
    proofs, asked = world.provider.calls.count("prove"), len(world.hooks["ask"].told)
    world.settle(engine, 3 * DAY, most=2000)
    assert len(world.hooks["ask"].told) - asked > 60, "it is tried again, at the pace of the back-off"
    assert world.provider.calls.count("prove") - proofs <= 4, "verified daily, as at any time"
    world.hooks["ask"].failures, calls = 0, len(world.provider.calls)
    world.settle(engine, 2 * HOUR)
    assert world.state.counts.disabled == 1
    assert [call for call in world.provider.calls[calls:] if call in ("prove", "disable")] == ["prove", "disable"]


def test_a_hook_that_failed_is_not_run_for_an_end_that_a_refusal_holds():
    """Devices live on the predecessor: nobody is told that it ends."""
    world, engine = rotated(hooked(RETIREMENT, verify=DAY))
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, DAY + HOUR)
    world.provider.credentials[world.state.published.id].password = Secret("somebody else's")
    world.provider.faults["create"] = [FakeFault.REFUSED] * 9999
    world.settle(engine, 2 * DAY, most=2000)
    told = len(world.hooks["ask"].told)
    world.settle(engine, 2 * DAY, most=2000)
    assert len(world.hooks["ask"].told) == told


def test_a_removed_target_does_not_pass_the_hook():
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, HOUR)
    calls = len(world.provider.calls)
    world.target = left_over(world.state)
    world.settle(engine, HOUR)
    assert (world.state.attempt, world.state.counts.succeeded) == (None, 1)
    assert "create" not in world.provider.calls[calls:]


@pytest.mark.parametrize("compromised", [False, True])
def test_a_removed_target_keeps_only_the_request_of_what_is_still_wrong(compromised):
    """One that is configured again, perhaps for something else, began with a rotation that nobody asked it for."""
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, HOUR)
    if compromised:  # the process ends before the hook is tried once more
        world.store.write_state(
            replace(world.state, attempt=replace(world.state.attempt, compromised=True)),
            world.store.read_state("office").version,
        )
        engine = world.engine()
    world.target = left_over(world.state)
    world.settle(engine, HOUR)
    assert world.state.attempt is None
    assert (world.state.request is not None) is compromised


def test_a_target_that_was_retired_is_looked_at_while_a_hook_is_owed():
    owing = TargetState("office", owed=(OWED,))
    assert left_over(owing).account == OWED.call.account
    assert left_over(replace(owing, owed=())) is None


def test_a_request_tries_the_hook_again_at_once():
    world, engine = rotated(hooked())
    world.request(engine)
    world.settle(engine, 3 * HOUR)
    world.hooks["ask"].failures = 0
    world.request(engine)
    engine.look(world.target)
    assert world.state.counts.succeeded == 2


def test_one_that_fails_after_a_rotation_is_run_again_and_nothing_waits_for_it():
    world, engine = rotated(hooked())
    world.hooks["ask"].failures, world.hooks["tell"].failures = 0, None
    world.request(engine)
    world.settle(engine, DAY + HOUR)
    (owed,) = world.state.owed
    assert (owed.note, owed.failures > 10) == ("the hook tell failed: it answers 503", True)
    assert world.state.counts.succeeded == 2
    assert world.state.counts.disabled == 1, "what it follows goes on"
    world.hooks["tell"].failures = 0
    world.settle(engine, HOUR)
    assert (world.state.owed, len(world.hooks["tell"].succeeded)) == ((), 2)


@pytest.mark.unmeasured
def test_after_a_week_it_is_given_up_and_the_audit_says_so():
    world, engine = rotated(hooked())
    world.hooks["ask"].failures, world.hooks["tell"].failures = 0, None
    world.request(engine)
    world.settle(engine, 6 * DAY, most=5000)
    assert world.state.owed
    world.settle(engine, 2 * DAY, most=5000)
    assert not world.state.owed
    (given_up,) = records(world, AuditOutcome.REFUSED)
    assert given_up.facts["detail"] == "it answers 503; it has failed for a week, and is not run again"


def test_a_clock_that_is_ahead_gives_none_up():
    world, engine = rotated(hooked())
    world.hooks["ask"].failures, world.hooks["tell"].failures = 0, None
    world.request(engine)
    world.until_rotated(engine)
    world.store.ahead = 8 * DAY
    engine.look(world.target)
    assert world.state.owed
    world.store.ahead, world.hooks["tell"].failures = timedelta(), 0
    world.settle(engine, DAY)
    assert (world.state.owed, len(world.hooks["tell"].succeeded)) == ((), 2)


def test_one_that_left_the_configuration_is_owed_no_longer():
    world, engine = rotated(hooked())
    world.hooks["ask"].failures, world.hooks["tell"].failures = 0, None
    world.request(engine)
    world.until_rotated(engine)
    del world.hooks["tell"]
    world.settle(world.engine(), 3 * HOUR)
    assert not world.state.owed
    (dropped,) = records(world, AuditOutcome.REFUSED)
    assert dropped.facts["detail"] == "it is not in the configuration any more"


def test_a_password_is_given_only_after_a_rotation_and_only_the_published_one():
    world = EngineHarness(hooked(replace(ROTATION, before_rotation=("tell",))))
    world.hooks = {"tell": FakeHook(takes_password=True)}
    engine = world.engine()
    world.until_rotated(engine)
    engine.look(world.target)
    assert world.hooks["tell"].passwords == [None, world.consumer.password]
    world.hooks["tell"].failures = None
    world.target = hooked(replace(ROTATION, before_rotation=()))
    world.request(engine)
    world.until_rotated(engine)
    engine.look(world.target)
    first = world.consumer.password
    world.request(engine)
    world.until_rotated(engine)
    given = len(world.hooks["tell"].passwords)
    world.hooks["tell"].failures = 0
    world.settle(engine, HOUR)
    assert world.hooks["tell"].passwords[given:] == [world.consumer.password] != [first]
    (dropped,) = records(world, AuditOutcome.REFUSED)
    assert dropped.facts["detail"] == "what it would be given is not published any more"


@pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED], ids=["disabled", "told its end"])
def test_one_that_fails_before_a_retirement_holds_it(capabilities):
    world, engine = rotated(hooked(RETIREMENT), capabilities)
    old = world.consumer
    world.request(engine)
    world.until_rotated(engine)
    look = world.settle(engine, 3 * DAY)
    world.provider.pass_time(world.clock.now())
    assert world.provider.accepts(old.username, old.password)
    assert look.hold.reason is HoldReason.HOOK_FAILED
    assert look.hold.message == (
        f"the hook ask failed: it answers 503: {old.username} stays until it succeeds; fix it, "
        "or take it out of the policy quarterly"
    )
    world.hooks["ask"].failures = 0
    world.settle(engine, 9 * DAY)
    assert world.state.ledger == ()
    ((asked,), (told,)) = (world.hooks[name].succeeded for name in ("ask", "tell"))
    assert asked == told.replace("after", "before")
    assert world.hooks["tell"].told[0]["attempt"] == world.state.published.attempt
    assert world.hooks["tell"].told[0]["username"] == old.username
    assert (world.hooks["tell"].told[0]["purpose"], len(world.hooks["tell"].told)) == ("retire", 1)


def test_a_request_does_not_set_the_idle_one_of_a_pair_while_a_hook_before_its_end_fails():
    """The password of the replaced credential was set: it ended, although the hook had just said no."""
    world, engine = rotated(hooked(RETIREMENT, ALTERNATING))
    world.request(engine)
    world.until_rotated(engine)
    old = world.state.ledger[0].credential
    world.settle(engine, 2 * DAY)
    world.request(engine)
    look = world.settle(engine, 2 * HOUR)
    assert look.hold.reason is HoldReason.HOOK_FAILED
    assert world.provider.accepts(old.username, old.password)
    world.hooks["ask"].failures = 0
    world.settle(engine, 2 * HOUR)
    assert (world.state.counts.succeeded, world.state.counts.disabled) == (3, 1)


@pytest.mark.unmeasured
def test_no_more_than_three_stay_because_of_a_hook():
    """Each rotation left one more that was accepted, for as long as the hook failed: the ledger grew and grew."""
    world, engine = rotated(hooked(RETIREMENT, schedule=Every(2 * DAY)))
    look = world.settle(engine, 12 * DAY, most=9000)
    assert [entry.held_by for entry in world.state.ledger] == ["ask"] * MOST_KEPT
    assert look.hold.reason is HoldReason.HOOK_FAILED
    assert look.hold.message.startswith("no rotation begins by schedule while 3 replaced credentials stay (")
    remedy = "fix them, or take them out of the policy quarterly"
    assert look.hold.message.endswith(f"), since hooks fail (ask): {remedy}")
    first, *others = world.state.ledger
    two = replace(world.state, ledger=(replace(first, held_by="tell"), *others))
    rules = replace(world.target.policy, hooks=Hooks(before_retirement=("ask", "tell")))
    known = replace(engine.facts(world.target), state=two, target=replace(world.target, policy=rules))
    assert kept_hold(known).message.endswith(f"), since hooks fail (ask, tell): {remedy}")
    planned = next(event for event in forecast(engine.facts(world.target)).events if event.what == "rotation")
    assert planned.why.endswith("; not while hooks keep 3 replaced credentials")
    world.hooks["ask"].failures = 0
    world.settle(engine, 3 * DAY, most=9000)
    assert world.state.counts.succeeded > MOST_KEPT + 1


def test_an_end_that_was_told_is_lifted_when_a_hook_is_to_come_before_it():
    world, engine = rotated(hooked(Hooks()), GENERATED)
    old = world.consumer
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, HOUR)
    assert world.state.ledger[0].expires_at is not None
    world.target = hooked(RETIREMENT)
    world.settle(engine, 2 * DAY)
    world.provider.pass_time(world.clock.now())
    assert world.provider.accepts(old.username, old.password)


def test_an_emergency_ends_what_leaked_whatever_the_hook_says():
    world, engine = rotated(hooked(RETIREMENT))
    old = world.consumer
    world.request(engine, compromised=True)
    world.settle(engine, MINUTE)
    assert not world.provider.accepts(old.username, old.password)
    (passed,) = records(world, AuditOutcome.UNKNOWN)
    assert passed.facts["detail"] == "it answers 503; what it precedes waits for nobody, and goes on"
    (told,) = world.hooks["tell"].told
    assert told["compromised"]


def test_a_plan_names_the_hooks_and_runs_none():
    world, engine = rotated(hooked())
    world.request(engine)
    told = len(world.hooks["ask"].told)
    steps = [step.what for step in forecast(engine.facts(world.target)).steps]
    assert [what for what in steps if "hook" in what] == ["run the hook ask", "run the hook tell"]
    assert steps.index("run the hook ask") == 1
    assert len(world.hooks["ask"].told) == told


def test_two_processes_run_a_hook_once():
    world, engine = rotated(hooked())
    world.hooks["ask"].failures = 0
    other = world.engine()
    world.request(engine)
    for _ in range(5):
        engine.look(world.target)
        other.look(world.target)
    assert [len(hook.told) for hook in world.hooks.values()] == [2, 2]


@pytest.mark.parametrize("moment", ["overlap", "quarantine"])
def test_what_an_abandoned_undo_enabled_is_not_told_to_end_a_second_time(moment):
    """The receiver was told of the same end again, by the same key, of a credential that no device got meanwhile."""
    world, engine = rotated(hooked(RETIREMENT))
    world.hooks["ask"].failures = 0
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY if moment == "quarantine" else HOUR)
    world.provider.faults["prove"] = [FakeFault.REFUSED] * 20
    world.request(engine, Purpose.UNDO)
    world.settle(engine, MINUTE)
    assert world.state.attempt.purpose is Purpose.UNDO
    assert engine.abandon(world.target, world.state.attempt.id, Origin("alice", "no")).restores is None
    world.provider.faults.clear()
    world.settle(engine, 10 * DAY)
    assert world.state.ledger == ()
    for name in ("ask", "tell"):
        assert len(world.hooks[name].told) == len({facts["key"] for facts in world.hooks[name].told}) == 1


def test_what_is_owed_is_run_while_an_emergency_waits_for_what_it_cannot_have():
    """The emergency stayed requested, its credential was gone, and the hook was given up after a week without a run."""
    world, engine = rotated(hooked(Hooks(after_rotation=("tell",)), IN_PLACE))
    world.hooks["tell"].failures = 1
    world.request(engine)
    world.settle(engine, timedelta(seconds=5))
    assert [owed.failures for owed in world.state.owed] == [1]
    world.provider.credentials.clear()
    world.request(engine, compromised=True)
    world.settle(engine, DAY)
    assert world.state.request.compromised
    assert world.state.owed == ()
    assert records(world)[-1].outcome is AuditOutcome.DONE
