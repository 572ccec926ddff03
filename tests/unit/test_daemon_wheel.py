"""The wheel and the sweep: which look comes first, never two at one target, and nothing that was asked for is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.daemon.sweep import Sweep
from rotator.daemon.wheel import Plan, Turn, Urgency, Wheel

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DUE, SWEEP, EMERGENCY = Urgency.DUE, Urgency.SWEEP, Urgency.EMERGENCY


def wheel_of(*names: str, most_sweeping: int = 9) -> Wheel:
    wheel = Wheel(most_sweeping)
    wheel.hold(names)
    return wheel


def taken(wheel: Wheel, now: datetime = NOW) -> list[str]:
    """The names of every look that can begin now, in order."""
    turns = []
    while (turn := wheel.take(now)) is not None:
        turns.append(turn.name)
    return turns


def test_what_is_due_comes_before_the_sweep_and_an_emergency_before_both():
    wheel = wheel_of(*"abcd")
    wheel.sweep("d", NOW)
    wheel.plan("a", Plan(NOW))
    wheel.plan("b", Plan(NOW - SECOND))
    wheel.plan("c", Plan(NOW, EMERGENCY))
    assert taken(wheel) == ["c", "b", "a", "d"]


def test_nothing_begins_before_its_moment_and_the_earliest_is_known():
    wheel = wheel_of("a", "b")
    wheel.plan("a", Plan(NOW + 2 * SECOND))
    wheel.plan("b", Plan(NOW + SECOND))
    assert wheel.take(NOW) is None
    assert wheel.earliest() == NOW + SECOND
    assert taken(wheel, NOW + SECOND) == ["b"]
    assert wheel.earliest() == NOW + 2 * SECOND


def test_whoever_asks_for_an_earlier_moment_gets_it_and_a_later_one_changes_nothing():
    wheel = wheel_of("a")
    wheel.plan("a", Plan(NOW + SECOND))
    wheel.plan("a", Plan(NOW, fresh=True))
    wheel.plan("a", Plan(NOW + 5 * SECOND))
    assert wheel.take(NOW) == Turn("a", DUE, fresh=True)
    wheel.finish("a", None)
    assert wheel.take(NOW + timedelta(days=1)) is None


@pytest.mark.parametrize("asked", [Plan(NOW, fresh=True), None])
def test_a_target_that_is_looked_at_is_looked_at_again_only_afterwards(asked: Plan | None):
    wheel = wheel_of("a")
    wheel.plan("a", Plan(NOW))
    assert wheel.take(NOW) == Turn("a", DUE, fresh=False)
    if asked is not None:
        wheel.plan("a", asked)
    else:
        wheel.sweep("a", NOW)
    assert wheel.take(NOW) is None
    wheel.finish("a", Plan(NOW + SECOND))
    again = wheel.take(NOW)
    assert again is not None
    assert again.fresh
    wheel.finish("a", None)
    assert wheel.earliest() is None


def test_the_sweep_leaves_a_worker_to_what_is_due():
    wheel = wheel_of(*"abcd", most_sweeping=2)
    wheel.sweep("abc", NOW)
    assert taken(wheel) == ["a", "b"]
    wheel.plan("d", Plan(NOW))
    assert taken(wheel) == ["d"]
    wheel.finish("d", None)
    assert taken(wheel) == []
    wheel.finish("a", None)
    assert taken(wheel) == ["c"]


def test_a_look_of_the_sweep_replaces_what_was_planned():
    wheel = wheel_of("a")
    wheel.plan("a", Plan(NOW + SECOND))
    wheel.sweep(["a", "a"], NOW)
    assert taken(wheel) == ["a"]
    wheel.finish("a", Plan(NOW + 9 * SECOND))
    assert wheel.earliest() == NOW + 9 * SECOND


def test_what_is_dropped_is_not_looked_at_any_more_and_what_runs_is_finished():
    wheel = wheel_of("a", "b", "c")
    wheel.plan("a", Plan(NOW))
    assert taken(wheel) == ["a"]
    wheel.plan("b", Plan(NOW))
    wheel.sweep("c", NOW)
    assert sorted(wheel.hold(["d"])) == ["d"]
    assert taken(wheel) == []
    wheel.finish("a", Plan(NOW))
    wheel.plan("a", Plan(NOW))
    assert taken(wheel) == []
    assert set(wheel.held) == {"d"}


def test_plans_that_were_replaced_do_not_pile_up():
    wheel = wheel_of("a", "b")
    for number in range(10_000):
        wheel.sweep("ab", NOW)
        assert sorted(taken(wheel)) == ["a", "b"]
        for name in "ab":
            wheel.finish(name, Plan(NOW + timedelta(days=60) + number * SECOND))
    assert len(wheel._later) + len(wheel._ready) < 100


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["plan", "sweep", "take", "finish", "later"]),
        st.sampled_from("abc"),
        st.integers(0, 3),
        st.sampled_from(list(Urgency)),
    ),
    max_size=60,
)


@given(MOVES)
def test_whatever_happens_no_target_is_looked_at_twice_at_once_and_every_plan_is_kept(moves):
    wheel, now, running, wanted = wheel_of(*"abc", most_sweeping=2), NOW, set(), {}
    for move, name, seconds, urgency in moves:
        if move == "plan":
            moment = now + seconds * SECOND
            wheel.plan(name, Plan(moment, urgency))
            wanted[name] = min(moment, wanted.get(name, moment))
        elif move == "sweep":
            wheel.sweep([name], now)
        elif move == "take" and (turn := wheel.take(now)) is not None:
            assert turn.name not in running
            running.add(turn.name)
            wanted.pop(turn.name, None)
        elif move == "finish" and name in running:
            running.discard(name)
            wheel.finish(name, None)
        elif move == "later":
            now += seconds * SECOND
    for name in running:
        wheel.finish(name, None)
    end = now + 10 * SECOND
    last = []
    while (turn := wheel.take(end)) is not None:
        last.append(turn.name)
        wheel.finish(turn.name, None)
    assert set(last) >= set(wanted)


@pytest.mark.parametrize(
    ("targets", "together", "pause"), [(1, 1, 30.0), (3, 1, 10.0), (20, 1, 1.5), (60, 4, 2.0), (10_000, 4, 2.0)]
)
def test_the_sweep_takes_a_poll_for_all_or_half_a_second_for_each(targets: int, together: int, pause: float):
    sweep = Sweep(timedelta(seconds=30))
    sweep.restart(NOW)
    assert sweep.moment is None
    names = [f"phone-{number}" for number in range(targets)]
    sweep.set_names(names)
    assert sweep.takes == timedelta(seconds=max(30, targets / 2))
    assert sweep.moment == NOW + timedelta(seconds=pause)
    steps = [sweep.step(NOW + number * SECOND) for number in range(targets // together)]
    assert {len(step) for step in steps} == {together}
    assert sorted(name for step in steps for name in step) == sorted(names)
    assert sweep.moment == NOW + (len(steps) - 1) * SECOND + timedelta(seconds=pause)


def test_the_sweep_goes_on_where_it_was_if_targets_go():
    sweep = Sweep(10 * SECOND)
    sweep.set_names(list("abcde"))
    assert [sweep.step(NOW) for _ in range(6)] == [["a"], ["b"], ["c"], ["d"], ["e"], ["a"]]
    sweep.step(NOW)
    sweep.set_names(["a", "b"])
    assert sorted(sweep.step(NOW) + sweep.step(NOW)) == ["a", "b"]
