"""The places in the window of an in-place account: what is in flight is not in doubt, and who waits is told."""

from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread

import pytest
from engine_harness import IN_PLACE, REPLACE, EngineHarness

from rotator.core.holding import HoldReason
from rotator.core.model import Attempt, Credential, Phase, Purpose, Strategy, Target, TargetState
from rotator.daemon.clock import SystemClock
from rotator.engine import Outcome
from rotator.engine.places import Places
from rotator.engine.throttles import Throttles
from rotator.testing import CHOSEN, FakeClock, FakeFault

CLOCK = FakeClock()
READ_BACK = replace(CHOSEN, proof=replace(CHOSEN.proof, tries_password=False))
SET = Attempt(
    "1",
    Purpose.ROTATE,
    Strategy.IN_PLACE,
    Phase.APPLIED,
    Credential("fake", "office"),
    None,
    CLOCK.now(),
    "me",
    "because",
)


def target(name: str) -> Target:
    return replace(IN_PLACE, name=name, usernames=(name,), path=f"sip/{name}")


def new_throttles() -> Throttles:
    return EngineHarness(IN_PLACE).engine().throttles


def note(throttles, name: str, attempt: Attempt | None, *, ago: float = 0.0, tried: bool = False) -> None:
    """A look at a target finds an attempt whose password was set so many seconds ago."""
    now = CLOCK.now()
    if attempt is not None and attempt.phase is Phase.APPLIED:
        attempt = replace(attempt, applied_at=now - timedelta(seconds=ago))
    state = TargetState(name, attempt=attempt, not_before=now if tried else None)
    throttles.note_attempt(name, state, CHOSEN, now)


def has_room(throttles) -> bool:
    return throttles.proving_accounts(target("another")) == frozenset()


def is_refused(throttles, name: str = "another") -> bool:
    return throttles.unproved_accounts(target(name)) == {"fake"}


def test_as_many_as_open_a_circuit_are_in_flight_at_first_and_one_more_for_each_proof():
    throttles = new_throttles()
    for number in range(5):
        assert has_room(throttles)
        note(throttles, f"target-{number}", SET)
    assert not has_room(throttles)
    for number in range(5):
        note(throttles, f"target-{number}", replace(SET, phase=Phase.PROVED))
        note(throttles, f"target-{number}", None)
    for number in range(10):
        assert has_room(throttles)
        note(throttles, f"more-{number}", SET)
    assert not has_room(throttles)
    assert not is_refused(throttles)


def test_what_was_tried_in_vain_fills_the_window_whatever_it_has_grown_to():
    throttles = new_throttles()
    for number in range(50):
        note(throttles, f"target-{number}", SET)
        note(throttles, f"target-{number}", replace(SET, phase=Phase.PROVED))
    for number in range(5):
        assert has_room(throttles)
        note(throttles, f"late-{number}", SET)
        note(throttles, f"late-{number}", SET, tried=True)
    assert not has_room(throttles)
    note(throttles, "late-0", replace(SET, phase=Phase.PROVED))
    note(throttles, "late-6", SET, tried=True)
    assert has_room(throttles)  # it was accepted in the end: there may be one more in doubt


def test_a_password_that_is_not_accepted_in_time_leaves_room_for_one():
    throttles = new_throttles()
    note(throttles, "office", SET)
    note(throttles, "office", SET, ago=60)  # nobody has tried it since: that is no refusal
    note(throttles, "next", SET)
    assert has_room(throttles)
    throttles.note_unaccepted("office", "fake")
    assert not has_room(throttles)
    note(throttles, "next", replace(SET, phase=Phase.PROVED))
    assert has_room(throttles)


def test_as_many_that_are_not_accepted_as_open_a_circuit_hold_the_account_until_one_is():
    throttles = new_throttles()
    for number in range(5):
        assert not is_refused(throttles)
        note(throttles, f"target-{number}", replace(SET, phase=Phase.STAGED, uncertain=True))
    assert is_refused(throttles)
    assert not is_refused(throttles, "target-4")  # somebody has to be the first to try again
    note(throttles, "target-0", replace(SET, phase=Phase.PROVED))
    assert not is_refused(throttles)


def test_a_password_that_was_put_back_counts_until_its_target_has_one_that_is_accepted():
    throttles = new_throttles()
    for number in range(5):
        throttles.note_unaccepted(f"target-{number}", "fake")
        note(throttles, f"target-{number}", None)
    assert is_refused(throttles)
    note(throttles, "target-0", SET)
    note(throttles, "target-0", replace(SET, phase=Phase.PROVED))
    note(throttles, "target-0", None)
    assert not is_refused(throttles)


@pytest.mark.parametrize(
    "harmless", [replace(SET, strategy=REPLACE.strategy), replace(SET, phase=Phase.STAGED), None], ids=str
)
def test_what_cuts_nobody_off_needs_no_place(harmless):
    throttles = new_throttles()
    for number in range(20):
        note(throttles, f"target-{number}", harmless)
    assert has_room(throttles)


def test_a_look_takes_its_place_before_it_stages_and_leaves_it_with_its_end():
    places = Places(FakeClock(), 1)
    places.begin_look("a")
    assert places.take("a", "k")
    assert places.take("a", "k")
    assert not places.take("b", "k")
    assert places.take("b", "another account")
    places.end_look("a")
    assert places.take("b", "k")


def test_who_waits_is_told_as_soon_as_there_is_room_and_no_more_than_there_is_room_for():
    throttles = new_throttles()
    told: list[list[str]] = []
    throttles.places.follow(lambda names: told.append(list(names)))
    for number in range(5):
        note(throttles, f"target-{number}", SET)
    for name in ("a", "b", "c"):
        throttles.places.end_look(name, "fake")
    assert (told, throttles.waiting_targets(target("x"))) == ([], 3)
    note(throttles, "target-0", replace(SET, phase=Phase.PROVED))  # leaves a place, and one more is allowed
    assert (told, throttles.waiting_targets(target("x"))) == ([["a", "b"]], 1)


def test_a_look_waits_inside_while_another_is_about_to_leave_its_place():
    places = Places(SystemClock(Event()), 1)
    places.begin_look("a")
    assert places.take("a", "k")
    places.begin_look("b")
    got: list[bool] = []
    waiter = Thread(target=lambda: got.append(places.wait("b", "k", lambda: False)))
    waiter.start()
    places.end_look("a")
    waiter.join(60)
    assert got == [True]
    assert not places.has_room("c", "k")


def test_a_look_does_not_wait_inside_for_what_nobody_works_on():
    places = Places(FakeClock(), 1)
    assert places.take("a", "k")
    assert not places.wait("b", "k", lambda: False)


def test_a_stop_ends_the_wait():
    places = Places(SystemClock(Event()), 1)
    places.begin_look("a")
    assert places.take("a", "k")
    assert not places.wait("b", "k", lambda: True)


def test_a_process_that_stops_takes_no_place_even_if_there_is_room():
    places = Places(FakeClock(), 1)
    assert not places.wait("a", "k", lambda: True)
    assert places.take("b", "k")


def test_a_look_does_not_wait_inside_for_what_was_tried_in_vain():
    throttles = new_throttles()
    for number in range(5):
        throttles.places.begin_look(f"target-{number}")
        note(throttles, f"target-{number}", SET, tried=True)
    assert not throttles.wait_for_place(target("another"), lambda: False)


def test_what_is_in_flight_at_one_account_leaves_the_places_of_another():
    places = Places(FakeClock(), 1)
    assert places.take("a", "one")
    places.end_look("b", "one")
    places.end_look("c", "two")
    assert (places.waiting_at("one"), places.waiting_at("two"), places.waiting_at("three")) == (1, 0, 0)
    assert places.has_room("d", "two")


def test_whoever_waits_at_an_account_that_does_not_accept_passwords_is_not_told():
    throttles = new_throttles()
    told: list[list[str]] = []
    throttles.places.follow(lambda names: told.append(list(names)))
    for number in range(5):
        note(throttles, f"target-{number}", replace(SET, phase=Phase.STAGED, uncertain=True))
    throttles.places.end_look("another", "fake")
    throttles.places.end_look("target-4", "fake")  # it may try again, but it stands behind
    assert told == []
    note(throttles, "target-0", replace(SET, phase=Phase.PROVED))
    assert told == [["another", "target-4"]]


# The engine


def fleet(world, number: int) -> list[Target]:
    world.provider.slow_to_accept = 0
    targets = [target(f"phone{each}") for each in range(number)]
    for one in targets:
        world.provider.add(one.usernames[0])
    return targets


def test_a_provider_that_takes_passwords_and_accepts_none_cuts_off_a_handful():
    world = EngineHarness(IN_PLACE)
    engine, targets = world.engine(), fleet(world, 30)
    world.provider.slow_to_accept = 10_000
    for _ in range(40):
        for one in targets:
            engine.look(one)
        world.clock.advance(timedelta(seconds=5))
    changed = [one for one in world.provider.calls if one == "set_password"]
    cut_off = [name for name, found in world.store.states.items() if found.state.attempt is not None]
    assert len(cut_off) <= 5
    assert len(changed) <= 5 * 12


def test_many_threads_rotate_a_fleet_in_one_run_of_looks():
    """No look ends as waiting for the others: it waits inside, which takes as long as their proofs."""
    world = EngineHarness(IN_PLACE)
    world.clock = SystemClock(Event())
    world.store._clock = world.clock
    engine, targets = world.engine(), fleet(world, 60)
    outcomes: list[Outcome] = []

    def work() -> None:
        while targets:
            try:
                one = targets.pop()
            except IndexError:
                return
            outcomes.append(engine.look(one).outcome)

    threads = [Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(outcomes) == {Outcome.ROTATED}
    assert len(outcomes) == 60


def test_a_429_is_a_hold_and_no_failure():
    world = EngineHarness()
    engine = world.engine()
    world.provider.faults["create"] = [FakeFault.RATE_LIMITED]
    look = engine.look(world.target)
    assert look.hold is not None
    assert (look.hold.reason, look.outcome) == (HoldReason.PACED, Outcome.WAITING)
    assert look.hold.message
    assert look.hold.until == world.clock.now() + timedelta(seconds=7)
    assert (world.state.failures, world.state.counts.failed, world.state.not_before) == (0, 0, None)
    assert (world.state.claim, world.state.attempt.uncertain) == (None, False)
    assert engine.look(world.target).outcome is Outcome.ROTATED


@pytest.mark.parametrize("fault", [FakeFault.READING, FakeFault.CHANGING])
@pytest.mark.parametrize("verb", ["find", "prove"])
def test_a_listing_that_does_not_show_it_yet_is_a_hold_and_no_failure(verb, fault):
    """A large account is read in many calls, one that changes all the time more than once: each call ends in time."""
    world = EngineHarness(IN_PLACE, READ_BACK)
    world.provider.add("office")
    engine = world.engine()
    world.provider.faults[verb] = 3 * [fault]
    for _ in range(3):
        look = engine.look(world.target)
        assert look.hold.reason is HoldReason.PACED
        assert look.hold.until == world.clock.now() + timedelta(seconds=5)
        assert (world.state.failures, world.state.counts.failed, world.state.not_before) == (0, 0, None)
        world.clock.advance(timedelta(seconds=5))
    assert engine.look(world.target).outcome is Outcome.ROTATED


def test_an_account_whose_pace_allows_nothing_for_long_begins_nothing():
    world = EngineHarness()
    world.pace_delay = lambda _: timedelta(minutes=5)
    engine = world.engine()
    look = engine.look(world.target)
    assert look.hold.reason is HoldReason.PACED
    assert look.hold.until == world.clock.now() + timedelta(minutes=5)
    assert world.state.attempt is None
    world.request(engine, compromised=True)  # goes ahead of every queue
    assert engine.look(world.target).outcome is Outcome.ROTATED


def test_a_target_that_was_retired_no_longer_counts_as_refused():
    """It never sets a password again, so none of its passwords is ever proved."""
    throttles = new_throttles()
    for number in range(5):
        throttles.note_unaccepted(f"target-{number}", "fake")
    note(throttles, "target-0", None)
    assert is_refused(throttles)
    throttles.note_attempt("target-0", TargetState("target-0", retired_at=CLOCK.now()), CHOSEN, CLOCK.now())
    assert not is_refused(throttles)
