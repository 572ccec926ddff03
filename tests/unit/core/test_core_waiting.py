"""Back-off and circuits: bounded on both sides, whatever they are fed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rotator.core.backoff import LONGEST_ASKED, Backoff, is_waiting
from rotator.core.circuit import Circuit
from rotator.core.clock_jump import SMALLEST_JUMP, ClockReading

NOW = datetime(2026, 1, 5, tzinfo=UTC)
lengths = st.timedeltas(timedelta(milliseconds=1), timedelta(days=3))  # 2 ** 28 times the shortest is the longest
backoffs = st.builds(Backoff, base=lengths, cap=lengths)
failures = st.integers(-3, 10**9)
fractions = st.floats(0, 1, exclude_max=True)


@given(backoffs, failures, fractions)
def test_a_wait_is_between_half_and_all_of_what_it_grew_to_and_never_beyond_the_cap(backoff, number, fraction):
    whole = min(backoff.base * 2 ** min(max(number - 1, 0), 28), backoff.cap)
    wait = backoff.delay(number, fraction)
    tick = timedelta(microseconds=1)
    assert whole / 2 - tick <= wait <= whole + tick
    assert wait <= backoff.cap


@given(backoffs, st.integers(1, 200), fractions)
def test_a_wait_never_shrinks_as_failures_go_on(backoff, number, fraction):
    assert backoff.delay(number + 1, fraction) >= backoff.delay(number, fraction)


@given(backoffs, failures, fractions, st.timedeltas(timedelta(days=-1), timedelta(days=900)))
def test_what_the_provider_asks_for_is_never_undercut_within_a_day(backoff, number, fraction, asked):
    wait = backoff.delay(number, fraction, asked)
    assert wait >= min(asked, LONGEST_ASKED)
    assert wait <= max(backoff.cap, LONGEST_ASKED)
    assert wait >= backoff.delay(number, fraction)


def test_the_waits_of_the_default():
    seconds = [Backoff().delay(number, 0.999999).total_seconds() for number in range(1, 10)]
    assert [round(second) for second in seconds] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@given(st.timedeltas(timedelta(seconds=1), LONGEST_ASKED))
def test_a_stored_wait_lasts_until_it_is_over(length):
    assert is_waiting(NOW + length, NOW)
    assert not is_waiting(NOW, NOW + length)
    assert not is_waiting(NOW, NOW)
    assert not is_waiting(None, NOW)


def test_a_wait_that_only_a_wrong_clock_can_have_stored_is_not_believed():
    assert is_waiting(NOW + 2 * LONGEST_ASKED, NOW)
    assert not is_waiting(NOW + 2 * LONGEST_ASKED + timedelta(microseconds=1), NOW)


events = st.lists(st.tuples(st.sampled_from(["call", "fail", "succeed"]), st.floats(0, 400)), max_size=60)


@given(threshold=st.integers(1, 6), story=events)
def test_a_circuit_is_open_from_its_threshold_until_a_success_and_lets_one_probe_a_period_through(threshold, story):
    circuit, at, in_a_row, last = Circuit(threshold, timedelta(minutes=5)), 0.0, 0, None
    for what, passes in story:
        at += passes
        assert circuit.is_open is (in_a_row >= threshold)
        if what == "call":
            if circuit.wait(at) > timedelta():
                assert circuit.is_open
                continue
            assert not circuit.is_open or last is None or at - last >= 300 - 1e-6
            circuit, last = circuit.after_call(at), at
        elif what == "fail":
            circuit, in_a_row, last = circuit.after_failure(at), in_a_row + 1, at
            assert circuit.wait(at) == (timedelta(minutes=5) if in_a_row >= threshold else timedelta())
        else:
            circuit, in_a_row = Circuit(threshold, timedelta(minutes=5)), 0


def test_a_probe_shuts_the_door_behind_it():
    circuit = Circuit(1, timedelta(minutes=5)).after_failure(0.0)
    assert circuit.wait(299.0) == timedelta(seconds=1)
    assert circuit.wait(300.0) == timedelta()
    assert circuit.after_call(300.0).wait(301.0) == timedelta(seconds=299)
    assert Circuit().after_call(10.0) == Circuit()


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_jump_is_what_the_wall_clock_did_beyond_the_other(jumped, passed):
    earlier = ClockReading(NOW, 5.0)
    later = ClockReading(NOW + timedelta(seconds=passed + jumped), 5.0 + passed)
    seen = later.jump_since(earlier)
    if abs(jumped) > SMALLEST_JUMP.total_seconds() + 1:
        assert abs(seen.total_seconds() - jumped) < 0.01
    elif abs(jumped) < SMALLEST_JUMP.total_seconds() - 1:
        assert seen == timedelta()


def test_the_smallest_jump_is_one_in_either_direction():
    earlier = ClockReading(NOW, 5.0)
    for jump in (SMALLEST_JUMP, -SMALLEST_JUMP):
        assert ClockReading(NOW + jump, 5.0).jump_since(earlier) == jump
    less = SMALLEST_JUMP - timedelta(microseconds=1)
    assert ClockReading(NOW + less, 5.0).jump_since(earlier) == timedelta()


def test_without_a_base_only_the_provider_makes_anybody_wait():
    backoff = Backoff(timedelta(), timedelta(hours=1))
    assert backoff.delay(9, 0.5) == timedelta()
    assert backoff.delay(9, 0.5, timedelta(seconds=7)) == timedelta(seconds=7)
