"""The pace that processes share: slots that no clock and no order of reservations pushes together, and hold-offs."""

from bisect import bisect_left
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.core.pace import AccountPace, Moment, Slots, Track

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class SharedPace:
    """The document, and the true time."""

    def __init__(self):
        self.pace = AccountPace()
        self.true = 0.0
        self.sent: list[float] = []


class PacedProcess:
    """One process: its own monotonic clock, and an idea of Vault's time that is wrong by less than it says."""

    def __init__(self, shared: SharedPace, name: str, limit: tuple[int, timedelta], error: float, bound: float):
        self.shared, self.error, self.bound = shared, error, bound
        self.slots = Slots(*limit, name)
        self.boot = 1000.0 * len(name)
        self.read: tuple[AccountPace, Moment, float, int] | None = None

    @property
    def now(self) -> float:
        return self.boot + self.shared.true

    @property
    def moment(self) -> Moment:
        return Moment(START + timedelta(seconds=self.shared.true + self.error), timedelta(seconds=self.bound))

    def begin(self, waiting: int) -> None:
        """Reads the document."""
        number = self.slots.wanted(waiting, self.now) or self.slots.wanted_ahead(self.now)
        if number and self.read is None:
            self.read = (self.shared.pace, self.moment, self.now, number)

    def end(self) -> None:
        """Writes it, unless somebody else has written since."""
        if self.read is None:
            return
        before, moment, now, number = self.read
        self.read = None
        written = self.slots.reserve(before, moment, now, number)
        if self.shared.pace.version == before.version:
            self.shared.pace = written
            self.slots.add(before, written, moment, now, number)

    def send(self, waiting: int) -> int:
        sent = 0
        while sent < waiting and self.slots.take(self.now):
            self.shared.sent.append(self.shared.true)
            sent += 1
        return sent


def most_in_a_window(sent: list[float], per: float) -> int:
    ordered = sorted(sent)
    return max((bisect_left(ordered, begin + per) - number for number, begin in enumerate(ordered)), default=0)


LIMITS = st.sampled_from(
    [
        *((1, SECOND), (5, SECOND), (8, SECOND), (100, SECOND), (30, 60 * SECOND), (300, 60 * SECOND)),
        *((11, SECOND / 100), (64, SECOND / 50)),  # of two tracks, and of six
    ]
)
CLOCKS = st.lists(st.tuples(st.floats(-1, 1), st.sampled_from([0.0, 0.005, 0.05, 0.5])), min_size=1, max_size=4)
# Who acts, what he does, how long before, and how many wait: one draw for each event, which is what a long story costs.
EVENTS = st.lists(
    st.sampled_from(
        tuple(
            product(
                range(4),
                ("begin", "end", "send", "send", "whole", "refused"),
                (0.0, 0.001, 0.01, 0.03, 0.12, 0.2, 0.9, 3.0),
                range(1, 41),
            )
        )
    ),
    min_size=20,
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(LIMITS, CLOCKS, EVENTS)
def test_no_window_has_more_requests_than_the_limit_whoever_reserves_in_whatever_order(limit, clocks, events):
    shared = SharedPace()
    processes = [PacedProcess(shared, "p" * (n + 1), limit, e * bound, bound) for n, (e, bound) in enumerate(clocks)]
    for who, what, pause, waiting in events:
        shared.true += pause
        process = processes[who % len(processes)]
        if what in ("begin", "whole"):
            process.begin(waiting)
        if what in ("end", "whole"):
            process.end()
        if what in ("send", "whole"):
            process.send(waiting)
        if what == "refused":
            lowered = shared.pace.after_hold(process.moment, None, refused=True)
            shared.pace = replace(lowered, version=shared.pace.version + 1)
    assert most_in_a_window(shared.sent, limit[1].total_seconds()) <= limit[0]


def busy(processes: list[PacedProcess], seconds: float, waiting: int = 8, step: float = 0.003) -> float:
    """Everybody always has something to send; returns the requests a second."""
    shared = processes[0].shared
    end = shared.true + seconds
    while shared.true < end:
        for process in processes:
            process.begin(waiting)
            process.end()
            process.send(waiting)
        shared.true += step
    return len(shared.sent) / seconds


@pytest.mark.parametrize("limit", [(8, SECOND), (50, SECOND), (300, 60 * SECOND)], ids=str)
def test_a_process_alone_uses_the_limit(limit):
    shared = SharedPace()
    allowed = limit[0] / limit[1].total_seconds()
    used = busy([PacedProcess(shared, "p", limit, 0.1, 0.3)], 120.0)
    assert used > 0.95 * allowed
    assert most_in_a_window(shared.sent, limit[1].total_seconds()) <= limit[0]


@pytest.mark.parametrize("limit", [(8, SECOND), (20, SECOND)], ids=str)
def test_four_processes_use_the_limit_together_and_share_it_evenly(limit):
    shared = SharedPace()
    processes = [
        PacedProcess(shared, "p" * (n + 1), limit, error, 0.008) for n, error in enumerate((0, 0.008, -0.008, 0.004))
    ]
    used = busy(processes, 40.0)
    assert used > 0.94 * limit[0]
    assert most_in_a_window(shared.sent, 1.0) <= limit[0]


def test_who_needs_one_slot_takes_one_and_the_others_have_the_rest():
    shared = SharedPace()
    greedy, modest = (PacedProcess(shared, name, (10, SECOND), 0.0, 0.002) for name in ("p", "pp"))
    sent = 0
    for _ in range(3000):
        greedy.begin(8)
        greedy.end()
        greedy.send(8)
        if shared.true > (sent + 1) * 3.0:  # one request in three seconds
            modest.begin(1)
            modest.end()
            sent += modest.send(1)
        shared.true += 0.01
    assert sent >= 7
    assert len(shared.sent) > 0.93 * 10 * 30


def test_a_burst_as_large_as_the_tolerance_goes_at_once():
    shared = SharedPace()
    process = PacedProcess(shared, "p", (1000, timedelta(hours=1)), 0.0, 0.0)
    process.begin(20)
    process.end()
    assert process.send(20) >= 1  # a run is a second's worth, which is one slot here
    for _ in range(19):
        process.begin(20)
        process.end()
        process.send(20)
    assert len(shared.sent) == 20


def test_a_reservation_in_a_far_future_was_written_by_a_wrong_clock():
    shared = SharedPace()
    shared.pace = AccountPace(7, (Track(START + timedelta(days=3), "somebody"),))
    process = PacedProcess(shared, "p", (5, SECOND), 0.0, 0.0)
    process.begin(1)
    process.end()
    assert process.send(1) == 1
    assert shared.pace.version == 8


@pytest.mark.parametrize("minutes", [5, 15, 600])
@pytest.mark.parametrize("wait", ["held_until", "shut_until"])
def test_what_is_reserved_behind_a_long_wait_is_no_wrong_clock_s(minutes, wait):
    """Else the next process would reserve the same slots, and the limit would be exceeded when the wait is over."""
    pace = AccountPace(**{wait: START + timedelta(minutes=minutes)})
    first = Slots(10, SECOND, "a").reserve(pace, Moment(START), 0.0, 5)
    second = Slots(10, SECOND, "b").reserve(first, Moment(START), 0.0, 5)
    assert first.tracks[0].free_at > START + timedelta(minutes=minutes)
    assert second.tracks[0].free_at - first.tracks[0].free_at >= SECOND / 2


def test_a_hold_off_moves_every_slot_behind_it():
    shared = SharedPace()
    process = PacedProcess(shared, "p", (5, SECOND), 0.0, 0.0)
    shared.pace = AccountPace(1).after_hold(process.moment, 10 * SECOND, refused=True)
    process.begin(1)
    process.end()
    assert process.send(1) == 0
    opens = process.slots.opens(0, process.now)
    assert opens is not None
    assert opens - process.now == pytest.approx(10, abs=0.05)


def test_what_is_urgent_obeys_a_hold_off_for_two_minutes_at_most():
    pace = AccountPace().after_hold(Moment(START), timedelta(hours=1), refused=True)
    later = Moment(START + timedelta(minutes=1))
    assert pace.held_for(later) == timedelta(minutes=59)
    assert pace.held_for(later, urgent=True) == timedelta(minutes=1)
    assert pace.held_for(Moment(START + timedelta(minutes=3)), urgent=True) == timedelta()


def test_a_hold_off_lasts_until_it_is_over_by_the_slowest_idea_of_vaults_time():
    pace = AccountPace().after_hold(Moment(START), SECOND, refused=True)
    assert pace.held_for(Moment(START + SECOND, SECOND / 2)) == SECOND / 2
    assert pace.held_for(Moment(START + 2 * SECOND, SECOND / 2)) == timedelta()


def test_a_429_without_a_wait_holds_for_a_second():
    assert AccountPace().after_hold(Moment(START), None, refused=True).held_for(Moment(START)) == SECOND


def test_a_429_lowers_the_rate_and_quiet_raises_it_again_never_above_the_limit():
    pace = AccountPace().after_hold(Moment(START), None, refused=True)
    shares = [pace.share_at(START + timedelta(seconds=seconds)) for seconds in (0, 29, 30, 90, 180, 3600)]
    assert shares == pytest.approx([0.7, 0.7, 0.75, 0.85, 1.0, 1.0])
    again = pace.after_hold(Moment(START + timedelta(seconds=30)), None, refused=True)
    assert again.share == pytest.approx(0.525)


def test_answers_429_to_what_was_under_way_together_lower_the_rate_once():
    pace = AccountPace().after_hold(Moment(START), SECOND, refused=True)
    assert pace.after_hold(Moment(START + SECOND / 10), SECOND, refused=True) is pace


def test_a_quota_that_is_used_up_holds_and_lowers_nothing():
    pace = AccountPace().after_hold(Moment(START), 5 * SECOND, refused=False)
    assert (pace.share_at(START), pace.held_for(Moment(START))) == (1.0, 5 * SECOND)


def test_a_longer_wait_counts_and_a_shorter_one_does_not_shorten():
    pace = AccountPace().after_hold(Moment(START), 60 * SECOND, refused=True)
    assert pace.after_hold(Moment(START), 10 * SECOND, refused=True).held_for(Moment(START)) == 60 * SECOND
    assert pace.after_hold(Moment(START), 600 * SECOND, refused=True).held_for(Moment(START)) == 600 * SECOND


def test_a_hold_off_that_was_written_by_a_wrong_clock_is_ignored():
    pace = AccountPace().after_hold(Moment(START + timedelta(days=30)), SECOND, refused=True)
    assert pace.held_for(Moment(START)) == timedelta()
    assert pace.after_hold(Moment(START), SECOND, refused=True).held_for(Moment(START)) == SECOND


def test_a_lowered_rate_spaces_the_slots():
    shared = SharedPace()
    process = PacedProcess(shared, "p", (10, SECOND), 0.0, 0.0)
    shared.pace = AccountPace().after_hold(Moment(START - 10 * SECOND), SECOND, refused=True)
    used = busy([process], 20.0)
    assert 6.5 < used < 7.2
    assert process.slots.share == pytest.approx(0.7)


def test_a_quota_holds_for_as_short_as_it_asks_and_a_429_for_a_second_at_least():
    asked = SECOND / 5
    assert AccountPace().after_hold(Moment(START), asked, refused=False).held_for(Moment(START)) == asked
    assert AccountPace().after_hold(Moment(START), asked, refused=True).held_for(Moment(START)) == SECOND


def test_nobody_is_held_for_longer_than_a_day():
    pace = AccountPace().after_hold(Moment(START), timedelta(days=40), refused=True)
    assert pace.held_for(Moment(START)) == timedelta(days=1)


def test_a_wait_that_ends_a_second_later_is_nothing_new():
    pace = AccountPace().after_hold(Moment(START), 59 * SECOND, refused=True)
    assert pace.after_hold(Moment(START), 60 * SECOND, refused=True) is pace
    longer = pace.after_hold(Moment(START), 61 * SECOND, refused=True)
    assert longer.held_for(Moment(START)) == 61 * SECOND


def test_an_answer_429_a_second_after_another_lowers_the_rate_again_down_to_a_hundredth():
    pace = AccountPace()
    for number in range(2):
        pace = pace.after_hold(Moment(START + number * SECOND), SECOND, refused=True)
    assert pace.share == pytest.approx(0.49)
    for number in range(2, 30):
        pace = pace.after_hold(Moment(START + number * SECOND), SECOND, refused=True)
    assert pace.share == pytest.approx(0.01)


def test_an_open_circuit_holds_all_but_what_is_urgent():
    shut = AccountPace().after_opening(Moment(START), 60 * SECOND)
    later = Moment(START + SECOND)
    assert (shut.held_for(later), shut.held_for(later, urgent=True)) == (59 * SECOND, timedelta())
    both = shut.after_hold(Moment(START), 5 * SECOND, refused=False)
    assert (both.held_for(later), both.held_for(later, urgent=True)) == (59 * SECOND, 4 * SECOND)
    assert both.after_opening(later, 120 * SECOND).held_for(later) == 120 * SECOND


@pytest.mark.parametrize("reserved", [0, 2])
def test_whoever_stands_further_back_expects_a_later_slot_reserved_or_not(reserved):
    process = PacedProcess(SharedPace(), "p", (50, SECOND), 0.0, 0.0)
    if reserved:
        written = process.slots.reserve(AccountPace(), process.moment, process.now, reserved)
        process.slots.add(AccountPace(), written, process.moment, process.now, reserved)
    interval = process.slots.interval
    assert interval == pytest.approx(1.021 / 50)
    for ahead in range(5):
        assert process.slots.expects(ahead, process.now) == pytest.approx(process.now + ahead * interval - 0.02)
    assert process.slots.opens(reserved, process.now) is None


def reserve(slots: Slots, number: int, now: float = 0.0) -> None:
    moment = Moment(START + timedelta(seconds=now))
    written = slots.reserve(AccountPace(), moment, now, number)
    slots.add(AccountPace(), written, moment, now, number)


def test_a_process_reserves_again_shortly_before_its_last_slot_and_not_earlier():
    slots = Slots(8, SECOND, "p")
    assert slots.asks_at(5.0) == 5.0
    reserve(slots, 8)
    due = slots.asks_at(0.0)
    assert due == pytest.approx(1.021 - 0.25)
    assert (slots.wanted(9, due - 1e-6), slots.wanted(9, due)) == (0, 8)
    assert slots.asks_at(due + 0.1) == due + 0.1, "not in the past"


@pytest.mark.parametrize(
    ("per_second", "waiting", "number"),
    [
        (450, 1, 5),  # a hundredth of a second's worth at least: one slot is next to nothing
        (450, 300, 300),
        (450, 5000, 441),  # a second's worth at most
        (1000, 5000, 490),  # of one track of two
        (100_000, 20_000, 12_243),  # of one of eight
        (5, 1, 1),
        (5, 40, 5),
        (5, 0, 0),
    ],
)
def test_a_run_is_as_long_as_those_who_wait_within_its_bounds(per_second, waiting, number):
    assert Slots(per_second, SECOND, "p").wanted(waiting, 0.0) == number


def test_a_process_that_needs_more_than_it_reserved_reserves_twice_as_many_the_next_time():
    slots = Slots(20, SECOND, "p")
    reserve(slots, 3)
    assert slots.wanted(4, 0.05) == 6
    slots.clear()
    assert slots.wanted(4, 0.05) == 4, "the provider asked to wait: it begins small again"


@pytest.mark.parametrize(("minutes", "believed"), [(9, True), (25, True), (31, False)])
def test_what_many_have_reserved_ahead_at_a_slow_account_is_believed(minutes, believed):
    """A slot a minute: ten minutes, and what twenty processes may have reserved."""
    slots, free_at = Slots(1, timedelta(minutes=1), "p"), START + timedelta(minutes=minutes)
    written = slots.reserve(AccountPace(1, (Track(free_at, "another"),)), Moment(START), 0.0, 1)
    begins = free_at if believed else START
    assert abs(written.tracks[0].free_at - begins - timedelta(seconds=61.26)) < SECOND / 100


def test_while_nobody_else_reserves_the_shortest_run_grows_to_half_a_second():
    """At a limit that nobody reaches, a process alone would wait for a write after every hundredth of a second."""
    process = PacedProcess(SharedPace(), "p", (450, SECOND), 0.0, 0.0)
    sizes = []
    for _ in range(8):
        number = process.slots.wanted(1, process.now)
        sizes.append(number)
        process.begin(1)
        process.end()
        process.shared.true += 0.6  # none of them was used
    assert sizes == [5, 5, 9, 18, 36, 71, 142, 221]
    another = PacedProcess(process.shared, "pp", (450, SECOND), 0.0, 0.0)
    another.begin(1)
    another.end()
    process.begin(1)
    process.end()
    process.shared.true += 0.6
    assert process.slots.wanted(1, process.now) == 5, "somebody else reserves"


def test_a_process_alone_reserves_before_time_ends_its_run():
    slots = Slots(500, SECOND, "p")
    reserve(slots, 5)
    assert not slots.wanted_ahead(0.009), "somebody else may want the next ones"
    before = AccountPace(1, (Track(slots._free_at, "p"),))
    written = slots.reserve(before, Moment(START), 0.0, 10)
    slots.add(before, written, Moment(START), 0.0, 10)
    ends = 14 * 1.021 / 500
    assert not slots.wanted_ahead(ends - 0.012)
    assert slots.wanted_ahead(ends - 0.008) == 10
    slots.clear()
    assert not slots.wanted_ahead(ends - 0.008)


def mean_wait(processes: list[PacedProcess], seconds: float, every: float) -> float:
    """Each process has a request after such a time; returns how long one waits."""
    shared = processes[0].shared
    wants, waits = [every * number / len(processes) for number in range(len(processes))], []
    while shared.true < seconds:
        for number, process in enumerate(processes):
            if wants[number] <= shared.true:
                process.begin(1)
                process.end()
                if process.send(1):
                    waits.append(shared.true - wants[number])
                    wants[number] = shared.true + every
        shared.true += 0.001
    return sum(waits) / len(waits)


@pytest.mark.parametrize(
    ("rate", "number", "longest"),
    [
        (999, 3, 0.012),  # one track: whoever reserves holds up the others, however little of his run he uses
        (1000, 3, 0.005),  # of two tracks, one is shared
        (4000, 3, 0.001),
        (100_000, 8, 0.001),
        (100_000, 12, 0.010),
    ],
)
def test_processes_that_need_little_of_a_high_limit_hardly_wait_for_each_other(rate, number, longest):
    """As four workers at a provider that takes 88 ms. A look at the clock is a millisecond late."""
    shared = SharedPace()
    processes = [PacedProcess(shared, "p" * (n + 1), (rate, SECOND), 0.0, 0.001) for n in range(number)]
    assert mean_wait(processes, 20.0, every=0.022) < longest
    assert most_in_a_window(shared.sent, 1.0) <= rate


def test_of_a_lowered_rate_a_process_alone_uses_all():
    """There are no tracks for others then, or they would have most of it for nothing."""
    shared = SharedPace()
    process = PacedProcess(shared, "p", (2000, SECOND), 0.0, 0.0)
    busy([process], 1.0)
    assert len(shared.pace.tracks) == 4
    shared.pace = AccountPace(1, shared.pace.tracks, share=0.2, shared_at=process.moment.now)
    before = len(shared.sent)
    busy([process], 10.0)
    assert len(shared.pace.tracks) == 1
    assert 0.93 * 400 < (len(shared.sent) - before) / 10 <= 400


def test_tracks_that_were_written_at_another_rate_end_before_new_ones_begin():
    slots = Slots(1500, SECOND, "p")
    tracks = (Track(START + 3 * SECOND, "other"), Track(START + timedelta(days=2), "of a clock ahead"))
    written = slots.reserve(AccountPace(1, tracks), Moment(START, SECOND / 10), 0.0, 5)
    assert len(written.tracks) == 3
    assert written.tracks[0].taken_by == "p"
    assert written.tracks[0].free_at - START > 3.2 * SECOND
    later = [track.free_at - START - 3 * SECOND for track in written.tracks[1:]]
    assert later == [pytest.approx(place * slots.interval * SECOND / 3, abs=SECOND / 10**5) for place in (1, 2)]


def test_at_a_limit_that_may_be_used_up_a_process_reserves_no_more_than_is_waited_for():
    slots = Slots(150, SECOND, "p")
    before = AccountPace()
    for _ in range(6):
        written = slots.reserve(before, Moment(START), 0.0, 1)
        slots.add(before, written, Moment(START), 0.0, 1)
        before = written
    assert not slots.wanted_ahead(6 * slots.interval)
    slots._drop_late(1.0)
    assert slots.wanted(1, 1.0) == 2, "a hundredth of a second's worth, as at first"
