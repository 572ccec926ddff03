"""SIGUSR1 and requests: within ten seconds they are one, on a clock of our own."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import EngineHarness

from rotator.core.bell import Ringing
from rotator.core.model import Purpose, Request
from rotator.daemon.rotate_now import RotationSignal, rotate_now
from rotator.engine import PauseBook
from rotator.ports import StoreUnavailable
from rotator.settings.models import DaemonSettings
from rotator.testing import FakeFault


class SignalBench(EngineHarness):
    """One daemon: an engine on an account in memory, whose target its schedule has rotated."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str] = []
        self.is_own = True
        self.daemon = self.engine()
        self.settings = DaemonSettings()
        self.until_rotated(self.daemon)

    def signal(self, at: float | None = None) -> None:
        """SIGUSR1, which came at `at`; and then the looks that follow."""
        components: Any = SimpleNamespace(
            engine=self.daemon,
            targets=[self.target],
            settings=SimpleNamespace(daemon=self.settings),
            store=self.store,
            pauses=PauseBook(self.store, self.clock),
        )
        scheduler: Any = SimpleNamespace(look_now=self.looks.extend)
        share: Any = SimpleNamespace(is_own=lambda _: self.is_own, holder="daemon")
        came = self.clock.monotonic() if at is None else at
        rotate_now(components, scheduler, share, self.clock, RotationSignal("SIGUSR1", came))
        self.daemon.look(self.target)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @property
    def rotations(self) -> int:
        return self.state.counts.succeeded


@pytest.fixture
def bench() -> SignalBench:
    return SignalBench()


@pytest.mark.parametrize(("seconds", "rotations"), [(0, 2), (9.9, 2), (10.1, 3)])
def test_two_signals_within_ten_seconds_are_one(bench: SignalBench, seconds: float, rotations: int) -> None:
    bench.signal()
    bench.pass_seconds(seconds)
    bench.signal()
    assert bench.rotations == rotations
    assert bench.looks == ["office"] * (rotations - 1)


def test_a_signal_counts_from_when_it_came_and_not_from_when_a_reload_let_it_through(bench: SignalBench) -> None:
    came = bench.clock.monotonic()
    bench.signal(came)
    bench.pass_seconds(30)
    bench.signal(came + 5)
    assert bench.rotations == 2


@pytest.mark.parametrize(("seconds", "rotations"), [(5, 2), (11, 3)])
def test_a_request_that_was_carried_out_is_not_repeated_by_a_signal(
    bench: SignalBench, seconds: float, rotations: int
) -> None:
    bench.request(bench.daemon)
    bench.daemon.look(bench.target)
    bench.pass_seconds(seconds)
    bench.signal()
    assert bench.rotations == rotations


def test_a_request_that_waits_is_carried_out_once_with_the_signal(bench: SignalBench) -> None:
    bench.request(bench.daemon)
    bench.signal()
    assert bench.rotations == 2


def test_a_scheduled_rotation_is_no_request_and_a_signal_follows_it(bench: SignalBench) -> None:
    assert bench.state.next_rotation is not None
    bench.clock.advance(bench.state.next_rotation - bench.clock.now())
    bench.daemon.look(bench.target)
    bench.signal()
    assert bench.rotations == 3


def test_what_waits_to_be_tried_again_is_tried_at_once(bench: SignalBench) -> None:
    bench.provider.faults = {"create": [FakeFault.UNREACHABLE]}
    bench.signal()
    assert bench.state.failures
    bench.signal()
    assert bench.rotations == 2


def test_an_undo_is_no_request_for_a_rotation(bench: SignalBench) -> None:
    bench.signal()
    bench.pass_seconds(60)
    bench.request(bench.daemon, Purpose.UNDO)
    bench.daemon.look(bench.target)
    bench.signal()
    assert (bench.state.counts.undone, bench.rotations) == (1, 3)


def test_a_signal_that_vault_did_not_take_may_be_sent_again(bench: SignalBench) -> None:
    bench.store.failing = [StoreUnavailable("sealed")]
    bench.signal()
    assert bench.rotations == 1
    bench.signal()
    assert bench.rotations == 2


def test_what_another_process_looks_at_is_asked_for_and_rung_for(bench: SignalBench) -> None:
    bench.is_own = False
    bench.signal()
    (ring,) = bench.store.bell.rings
    assert (ring.by, ring.kind, ring.targets) == ("daemon", Ringing.ASKED, ("office",))
    assert bench.rotations == 2


@pytest.mark.parametrize("is_own", [True, False])
def test_a_signal_that_two_processes_got_rotates_once_wherever_the_other_one_is(is_own: bool) -> None:
    """It reaches this process at each boundary between two effects of the rotation that the other one asked for."""
    _, boundaries = signal_at(0, is_own=is_own)
    assert boundaries == 10
    for boundary in range(1, boundaries + 1):
        bench, _ = signal_at(boundary, is_own=is_own)
        bench.settle(bench.daemon, timedelta(minutes=10))
        assert bench.rotations == 2, f"at boundary {boundary}"


def signal_at(boundary: int, *, is_own: bool) -> tuple[SignalBench, int]:
    """Another process carries out a signal, which comes here at this boundary (0: never); and how many it passed."""
    bench, passed = SignalBench(), 0
    bench.is_own = is_own
    other = bench.engine()
    other.request(bench.target, Request(Purpose.ROTATE, "SIGUSR1", "signal SIGUSR1", bench.clock.now()))

    def watch(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == boundary:
            bench.cut_at(0)  # what this process does passes none of the other's boundaries
            bench.signal()
            bench.store.points = bench.provider.points = points

    points = bench.cut_at(0, watch)
    other.look(bench.target)
    bench.cut_at(0)
    return bench, passed


def test_a_clock_that_is_ahead_does_not_swallow_a_signal(bench: SignalBench) -> None:
    bench.is_own = False
    bench.signal()
    bench.clock.jump(timedelta(days=-2))  # it was asked for by a clock that was ahead
    bench.signal()
    bench.settle(bench.daemon, timedelta(minutes=10))
    assert bench.rotations == 3


def test_a_bell_that_cannot_be_rung_leaves_the_requests_to_the_sweep(bench: SignalBench) -> None:
    bench.is_own = False
    bench.store.write_bell = lambda _: (_ for _ in ()).throw(StoreUnavailable("sealed"))  # type: ignore[method-assign]
    bench.signal()
    assert bench.rotations == 2


def test_only_what_is_named_is_rotated(bench: SignalBench) -> None:
    bench.settings = DaemonSettings(signal_rotates=("lobby-*",))
    bench.signal()
    assert (bench.rotations, bench.looks) == (1, [])


@pytest.mark.parametrize(
    ("patterns", "named"),
    [(("*",), True), ((), False), (("office",), True), (("off*", "lobby"), True), (("Office",), False)],
)
def test_names_and_patterns(patterns: tuple[str, ...], named: bool) -> None:
    assert DaemonSettings(signal_rotates=patterns).rotates_on_signal("office") is named
