"""What is repeated beside a `with`, by the machine's clock and by that of tests; what is drawn by chance."""

from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from itertools import product
from threading import Event, active_count
from threading import enumerate as threads

import pytest

from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.testing import FakeClock

MOMENT, SECOND = timedelta(milliseconds=1), timedelta(seconds=1)


def test_the_machines_clock_repeats_until_the_with_ends():
    calls, enough = [], Event()

    def act() -> bool:
        calls.append(len(calls))
        if len(calls) == 3:
            enough.set()
        return True

    with SystemClock(Event()).repeat(MOMENT, act):
        assert enough.wait(60)
    seen = len(calls)
    assert "repeat" not in {thread.name for thread in threads()}
    assert len(calls) == seen


def test_what_is_over_before_its_first_interval_costs_no_thread_of_its_own():
    clock, before = SystemClock(Event()), active_count()
    for _ in range(100):
        with clock.repeat(3600 * SECOND, lambda: True):
            assert active_count() <= before + 1
    with ExitStack() as many:
        for _ in range(100):
            many.enter_context(clock.repeat(3600 * SECOND, lambda: True))
        assert active_count() <= before + 1


def test_several_are_repeated_at_once_and_a_slow_one_holds_up_nobody():
    clock, slow_began, slow_may_end, quick = SystemClock(Event()), Event(), Event(), Event()

    def slow() -> bool:
        slow_began.set()
        return slow_may_end.wait(60)

    def act() -> bool:
        quick.set()
        return True

    with clock.repeat(MOMENT, slow):
        assert slow_began.wait(60)
        with clock.repeat(MOMENT, act):
            assert quick.wait(60)
        slow_may_end.set()


def test_the_machines_clock_repeats_while_the_process_stops_and_until_it_is_told_to_end():
    stop, calls, last = Event(), [], Event()
    stop.set()

    def act() -> bool:
        calls.append(len(calls))
        if len(calls) == 2:
            last.set()
        return not last.is_set()

    with SystemClock(stop).repeat(MOMENT, act):
        assert last.wait(60)
    assert calls == [0, 1]


def test_a_with_that_fails_ends_what_is_repeated():
    clock, calls, later = SystemClock(Event()), [], Event()

    def act() -> bool:
        later.set()
        return False

    with pytest.raises(KeyError), clock.repeat(100 * MOMENT, lambda: calls.append("failed") is None):
        raise KeyError
    with clock.repeat(100 * MOMENT, act):
        assert later.wait(60)
    assert calls == []


def test_the_clock_of_tests_repeats_at_the_times_themselves():
    clock, times = FakeClock(), []
    start = clock.now()

    def act() -> bool:
        times.append((clock.now() - start).total_seconds())
        return len(times) < 4

    with clock.repeat(3 * SECOND, act):
        clock.advance(2 * SECOND)
        assert times == []
        clock.advance(5 * SECOND)
        assert times == [3, 6]
        clock.paused = True
        clock.advance(5 * SECOND)
        clock.paused = False
        clock.advance(20 * SECOND)
    assert times == [3, 6, 15, 18]
    assert clock.monotonic() == 1032.0


def test_the_clock_of_tests_repeats_several_things_in_order_and_nothing_after_the_with():
    clock, order = FakeClock(), []
    with clock.repeat(2 * SECOND, lambda: order.append("two") is None):
        with clock.repeat(3 * SECOND, lambda: order.append("three") is None):
            clock.advance(4 * SECOND)
        clock.advance(2 * SECOND)
    clock.advance(9 * SECOND)
    assert order == ["two", "three", "two", "two"]


def test_texts_of_the_machines_randomness_are_drawn_uniformly_among_all_of_their_length():
    randomness, seen = SystemRandomness(), Counter[str]()
    for _ in range(27 * 400):
        seen[randomness.text("abc", 3)] += 1
    assert seen.keys() == {"".join(text) for text in product("abc", repeat=3)}
    assert sum((number - 400) ** 2 / 400 for number in seen.values()) < 77  # chi-square, 26 degrees, one in 10**6
    assert randomness.text("abc", 0) == ""
    assert len({randomness.text("0123456789abcdef", 64) for _ in range(100)}) == 100
