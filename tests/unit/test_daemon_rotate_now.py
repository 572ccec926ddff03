"""SIGUSR1 and requests: within ten seconds they are one, on a clock of our own."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import EngineHarness

from rotator.core.bell import Ringing
from rotator.core.model import Purpose
from rotator.daemon.recent_requests import RecentRequests
from rotator.daemon.rotate_now import RotationSignal, rotate_now
from rotator.engine import Engine
from rotator.ports import StoreUnavailable
from rotator.settings.models import DaemonSettings


class SignalBench(EngineHarness):
    """One daemon: an engine on an account in memory, and the requests that it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.recent = RecentRequests(self.clock)
        self.looks: list[str] = []
        self.is_own = True
        self.daemon = self.engine()
        self.settings = DaemonSettings()
        self.until_rotated(self.daemon)

    def engine(self) -> Engine:
        engine = super().engine()
        engine._observe = lambda _, state: self.recent.see(state)
        return engine

    def signal(self, at: float | None = None) -> None:
        """SIGUSR1, which came at `at`; and then the looks that follow."""
        components: Any = SimpleNamespace(
            engine=self.daemon,
            targets=[self.target],
            settings=SimpleNamespace(daemon=self.settings),
            store=self.store,
        )
        scheduler: Any = SimpleNamespace(look_now=self.looks.extend)
        share: Any = SimpleNamespace(is_own=lambda _: self.is_own, holder="daemon")
        came = self.clock.monotonic() if at is None else at
        rotate_now(components, scheduler, share, self.recent, self.clock, RotationSignal("SIGUSR1", came))
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
    bench.pass_seconds(60)
    bench.is_own = False
    bench.signal()
    (ring,) = bench.store.bell.rings
    assert (ring.by, ring.kind, ring.targets) == ("daemon", Ringing.ASKED, ("office",))
    assert bench.rotations == 2


@pytest.mark.parametrize(("seconds", "rotations"), [(9, 1), (11, 2)])
def test_what_another_process_rotated_at_the_same_signal_is_not_rotated_again(
    bench: SignalBench, seconds: float, rotations: int
) -> None:
    """It never saw the request: this process does not look at the target."""
    bench.recent = RecentRequests(bench.clock)
    bench.is_own = False
    bench.pass_seconds(seconds)
    bench.signal()
    assert bench.rotations == rotations


def test_a_bell_that_cannot_be_rung_leaves_the_requests_to_the_sweep(bench: SignalBench) -> None:
    bench.pass_seconds(60)
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


def test_a_target_that_is_no_longer_configured_is_forgotten(bench: SignalBench) -> None:
    bench.recent.see(replace(bench.state, target="gone"))
    bench.recent.note("gone", 0.0)
    bench.recent.forget_all_but({"office"})
    assert not bench.recent.were_carried_out("gone", 0.0)
