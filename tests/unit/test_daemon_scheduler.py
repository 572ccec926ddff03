"""The scheduler on real threads: due looks run, asked ones at once, the sweep comes by, and a stop ends all of it."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from polling import eventually

from rotator.daemon.clock import SystemClock
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.wheel import Plan, Turn, Urgency


class SchedulerBench:
    """A scheduler whose looks are counted, and wait if they are told to."""

    def __init__(self, workers: int = 2, poll: timedelta = timedelta(hours=1)) -> None:
        self.clock = SystemClock(threading.Event())
        self.looks: Counter[str] = Counter()
        self.turns: list[Turn] = []
        self.following: dict[str, timedelta] = {}  # by target: the pause that its next look asks for, once
        self.blocked: dict[str, threading.Event] = {}
        self.skipped: list[str] = []
        self.scheduler = Scheduler(
            look=self.look,
            heartbeat=lambda: None,
            missed=self.skipped.append,
            clock=self.clock,
            workers=workers,
            poll=poll,
        )

    def look(self, turn: Turn) -> Plan | None:
        self.turns.append(turn)
        self.looks[turn.name] += 1
        if turn.name in self.blocked:
            assert self.blocked[turn.name].wait(60)
        pause = self.following.pop(turn.name, None)
        return Plan(self.clock.now() + pause) if pause is not None else None

    def block(self, *names: str) -> None:
        self.blocked |= {name: threading.Event() for name in names}

    def has_looked(self, **times: int) -> None:
        eventually(lambda: all(self.looks[name] >= count for name, count in times.items()), f"{times}")
        assert self.looks == times


@pytest.fixture
def bench() -> Iterator[SchedulerBench]:
    made = SchedulerBench()
    yield made
    for event in made.blocked.values():
        event.set()
    made.scheduler.stop()


def test_each_target_is_looked_at_once_at_the_start_and_then_when_its_look_says(bench: SchedulerBench) -> None:
    bench.following["a"] = timedelta(seconds=0.3)
    bench.scheduler.hold(["a", "b", "c"])
    bench.scheduler.start()
    bench.has_looked(a=2, b=1, c=1)
    assert [turn for turn in bench.turns if turn.urgency is Urgency.DUE] == [Turn("a", Urgency.DUE, fresh=False)]


def test_a_target_that_is_being_looked_at_is_looked_at_once_more_and_no_run_is_skipped(bench: SchedulerBench) -> None:
    bench.block("phone")
    bench.scheduler.hold(["phone"])
    bench.scheduler.start()
    eventually(lambda: bench.looks["phone"] == 1, "the first look")
    for _ in range(3):
        bench.scheduler.look_now(["phone", "no such target"])
    bench.blocked["phone"].set()
    bench.has_looked(phone=2)
    assert bench.turns[1] == Turn("phone", Urgency.DUE, fresh=True)
    assert bench.skipped == []


def test_what_is_asked_for_does_not_wait_for_the_first_pass(bench: SchedulerBench) -> None:
    names = [f"phone-{number}" for number in range(50)]
    bench.block(*names)
    bench.scheduler.hold([*names, "asked", "urgent"])
    bench.scheduler.start()
    eventually(lambda: len(bench.turns) == 1, "one worker is at the first pass, the other one is free")
    bench.scheduler.look_now(["asked"])
    eventually(lambda: bench.looks["asked"] == 1, "the look that was asked for")
    assert len(bench.turns) == 2


def test_the_sweep_comes_by_at_every_target_again_and_again() -> None:
    bench = SchedulerBench(poll=timedelta(seconds=0.2))
    bench.scheduler.hold(["a"])
    bench.scheduler.start()
    try:
        eventually(lambda: bench.looks["a"] >= 3, "the sweep came by twice")
        assert all(turn == Turn("a", Urgency.SWEEP, fresh=True) for turn in bench.turns)
        assert bench.skipped == []
    finally:
        bench.scheduler.stop()


def test_a_sweep_that_finds_no_worker_is_counted() -> None:
    bench = SchedulerBench(workers=1, poll=timedelta(seconds=0.2))
    bench.scheduler.hold(["a", "b", "c"])
    bench.scheduler.start()
    eventually(lambda: len(bench.looks) == 3, "the first pass")
    bench.block("a", "b", "c")
    try:
        eventually(lambda: bool(bench.skipped), "a step of the sweep is skipped")
        assert set(bench.skipped) == {"still_running"}
    finally:
        for event in bench.blocked.values():
            event.set()
        bench.scheduler.stop()


def test_while_it_is_paused_nothing_begins(bench: SchedulerBench) -> None:
    bench.scheduler.hold(["a"])
    bench.scheduler.start()
    bench.has_looked(a=1)
    bench.scheduler.pause()
    bench.scheduler.look_now(["a"])
    bench.scheduler.hold(["a", "b"])
    assert bench.looks == {"a": 1}
    bench.scheduler.resume()
    bench.has_looked(a=2, b=1)


def test_after_the_clock_was_set_everything_is_looked_at_again(bench: SchedulerBench) -> None:
    bench.following = {"a": timedelta(hours=2), "b": timedelta(days=3)}
    bench.scheduler.hold(["a", "b"])
    bench.scheduler.start()
    bench.has_looked(a=1, b=1)
    bench.scheduler.after_jump()
    bench.has_looked(a=2, b=2)
    bench.scheduler.look_at_all()
    bench.has_looked(a=3, b=3)


def test_many_short_pauses_in_a_row_never_lose_the_alarm(bench: SchedulerBench) -> None:
    """The job that wakes the workers is planned anew while it runs."""
    names = [f"phone-{number}" for number in range(40)]
    bench.scheduler.hold(names)
    bench.scheduler.start()
    for number in range(5):
        bench.has_looked(**dict.fromkeys(names, 1 + 2 * number))
        bench.following = {name: timedelta(seconds=0.2 + 0.001 * place) for place, name in enumerate(names)}
        bench.scheduler.look_now(names)
    bench.has_looked(**dict.fromkeys(names, 11))


def test_a_stop_lets_nothing_begin_and_ends_the_threads(bench: SchedulerBench) -> None:
    bench.scheduler.hold(["a"])
    bench.scheduler.start()
    bench.has_looked(a=1)
    bench.scheduler.stop()
    bench.scheduler.look_now(["a"])
    eventually(lambda: not any(worker.is_alive() for worker in bench.scheduler._workers), "the workers have ended")
    assert bench.looks == {"a": 1}
