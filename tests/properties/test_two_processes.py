"""Two processes on one target, interleaved at the granularity of effects, with clocks that disagree.

Exhaustively for every pair of switches (A up to boundary i, B up to boundary j, A to its end, B to its end), and with
Hypothesis for longer schedules with crashes, restarts, waiting, faults, and requests from a third process.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness
from hypothesis import given
from hypothesis import strategies as st
from interleaving import BoundaryInvariants, Interleaving
from long_runs import examples
from process_variants import SkewedClock, start_process

from rotator.core.model import Purpose
from rotator.testing import CHOSEN, GENERATED, FakeFault

SETUPS = {
    "replace": (REPLACE, CHOSEN),
    "alternating": (ALTERNATING, CHOSEN),
    "in-place": (IN_PLACE, CHOSEN),
    "generated": (REPLACE, GENERATED),
}
SCENARIOS = ("first", "due", "undo", "compromised", "retirement")
SKEWS = (timedelta(), timedelta(minutes=-10), timedelta(minutes=10))
APART = max(SKEWS) - min(SKEWS)


def prepared_harness(setup: str, scenario: str) -> EngineHarness:
    target, capabilities = SETUPS[setup]
    harness = EngineHarness(replace(target), capabilities)
    if capabilities is CHOSEN:
        harness.provider.add(target.usernames[0])
    if scenario == "first":
        return harness
    engine = harness.engine()
    engine.look(harness.target)
    harness.settle(engine, 2 * DAY)
    harness.request(engine)
    engine.look(harness.target)
    if scenario == "due":
        harness.settle(engine, 20 * DAY)
        harness.clock.advance(90 * DAY)
    elif scenario == "retirement":
        harness.clock.advance(9 * DAY)
    elif scenario == "undo":
        harness.request(engine, Purpose.UNDO)
    else:
        harness.request(engine, compromised=True)
    return harness


def looks_of(harness: EngineHarness, skew: timedelta) -> Callable[[], None]:
    """What one process does: it looks a few times, as a scheduler makes it."""
    engine = start_process(harness, clock=SkewedClock(harness, skew))

    def run():
        for _ in range(3):
            engine.look(harness.target)

    return run


def at_rest(harness: EngineHarness, setup: str, where: object) -> None:
    """After everything has come to rest: what must hold then."""
    state = harness.state
    assert harness.published_works, where
    assert state.attempt is None, where
    assert state.request is None, where
    assert state.ledger == (), where
    named = {state.published.id, state.standby.id if state.standby else None}
    assert set(harness.provider.credentials) <= named, f"an orphan is left: {where}"
    assert sum(held.enabled for held in harness.provider.credentials.values()) == 1, where


def rotations(harness: EngineHarness) -> int:
    return harness.state.counts.succeeded if harness.store.states else 0


# Clocks that differ matter most where something is drawn or due; the long run of tests/proof has every pair.
@pytest.mark.parametrize(
    ("scenario", "skew"),
    [(scenario, skew) for scenario in SCENARIOS for skew in SKEWS if not skew or scenario in ("first", "due")],
)
@pytest.mark.parametrize("setup", SETUPS)
def test_any_two_switches_between_two_processes_do_the_work_once(setup, scenario, skew):
    first, explored = 0, 0
    while True:
        second, first_ended = 0, False
        while True:
            harness = prepared_harness(setup, scenario)
            before, calls = rotations(harness), list(harness.provider.calls)
            invariants = BoundaryInvariants(harness, overlapping=setup != "in-place", apart=APART)
            turns = Interleaving(harness, invariants)
            one, other = turns.start(looks_of(harness, timedelta())), turns.start(looks_of(harness, skew))
            try:
                first_ended = _steps(one, first)
                second_ended = _steps(other, second)
                _steps(one, 10_000)
                turns.finish()
            finally:
                turns.end()
            where = (setup, scenario, skew, first, second)
            wanted = {"first": 1, "due": 1, "compromised": 1}.get(scenario, 0)
            assert rotations(harness) - before == wanted, where
            assert harness.provider.calls.count("create") - calls.count("create") <= 1, where
            harness.store.points = harness.provider.points = type(turns.turns)(watch=invariants)
            harness.settle(harness.engine(), 20 * DAY)
            at_rest(harness, setup, where)
            explored += 1
            if second_ended:
                break
            second += 2 if first % 2 else 3  # each pair of neighbours is met from one side
        if first_ended:
            break
        first += 1
    assert explored > 8


def _steps(process, number: int) -> bool:
    """Steps so often, or to the end; True where the end was reached."""
    for _ in range(number):
        if process.ended:
            return True
        process.step()
    return process.ended


STEP = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 1), st.integers(1, 12)),
    st.tuples(st.just("step"), st.integers(0, 1), st.integers(1, 12)),
    st.tuples(st.just("time"), st.sampled_from([1, 15, 70]), st.just(0)),
    st.tuples(st.just("crash"), st.integers(0, 1), st.just(0)),
    st.tuples(
        st.just("fault"), st.sampled_from(["create", "set_password", "enable", "find"]), st.sampled_from(FakeFault)
    ),
    st.tuples(st.just("fault"), st.sampled_from(["disable", "delete", "prove"]), st.sampled_from(FakeFault)),
    st.tuples(st.just("request"), st.sampled_from(Purpose), st.booleans()),
)


@examples(150)
@given(
    setup=st.sampled_from(sorted(SETUPS)),
    scenario=st.sampled_from(SCENARIOS),
    skews=st.tuples(st.sampled_from(SKEWS), st.sampled_from(SKEWS)),
    schedule=st.lists(STEP, max_size=40),
)
def test_any_schedule_of_two_processes_keeps_the_promises(setup, scenario, skews, schedule):
    harness = prepared_harness(setup, scenario)
    invariants = BoundaryInvariants(harness, overlapping=setup != "in-place", apart=APART)
    turns = Interleaving(harness, invariants)
    client = start_process(harness, name="command line")
    pair = [turns.start(looks_of(harness, skew)) for skew in skews]
    try:
        for what, one, two in schedule:
            if what == "step":
                if pair[one].ended:
                    pair[one] = turns.start(looks_of(harness, skews[one]))
                _steps(pair[one], two)
            elif what == "crash":
                pair[one].kill()
                pair[one] = turns.start(looks_of(harness, skews[one]))
            elif what == "time":
                turns.pass_time(timedelta(seconds=one))
            elif what == "fault":
                harness.provider.faults.setdefault(one, []).append(two)
            else:
                harness.request(client, one, compromised=two and one is Purpose.ROTATE)
        turns.finish()
    finally:
        turns.end()
    harness.provider.faults.clear()
    harness.store.points = harness.provider.points = type(turns.turns)(watch=invariants)
    engine = harness.engine()
    harness.settle(engine, 20 * DAY)
    harness.settle(engine, 20 * DAY)
    at_rest(harness, setup, schedule)
