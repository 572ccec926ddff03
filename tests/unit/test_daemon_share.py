"""The share of a process: what it looks at follows from who lives, and changes with it."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import REPLACE
from structlog.testing import capture_logs

from rotator.core.model import TargetState
from rotator.core.processes import Role
from rotator.daemon.share import Share
from rotator.engine import FormerNames, Presence
from rotator.ports import StoreUnavailable
from rotator.testing import FakeClock, MemoryStore

NAMES = [f"phone-{number}" for number in range(300)]


class Replica:
    """One daemon: its share, and what it was told to look at and to report."""

    def __init__(self, store: MemoryStore, clock: FakeClock, holder: str, names: list[str]) -> None:
        self.store, self.clock, self.holder = store, clock, holder
        self.held, self.kept = [], []
        self.looks: Any = SimpleNamespace(components=None, stopping=False)
        scheduler: Any = SimpleNamespace(hold=self._hold)
        snapshot: Any = SimpleNamespace(keep_only=self._keep_only, sweep_takes=self._sweep_takes)
        self.share = Share(self.looks, scheduler, snapshot, clock, holder)
        self.configure(names)

    def configure(self, names: list[str]) -> None:
        by_name = dict.fromkeys(names, REPLACE)
        former = FormerNames(self.store, frozenset(names))
        presence = Presence(self.store, self.clock, self.holder, Role.DAEMON)
        self.looks.components = SimpleNamespace(
            store=self.store, by_name=by_name, former_names=former, presence=presence
        )

    def _hold(self, names: list[str]) -> timedelta:
        self.held: list[str] = names
        return timedelta(seconds=len(names))

    def _sweep_takes(self, round_: timedelta) -> None:
        self.round = round_

    def _keep_only(self, names: list[str], is_own: Callable[[str], bool]) -> None:
        assert all(map(is_own, names))
        self.kept: list[str] = names


class ShareBench:
    """A store, and daemons that divide its targets."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.one, self.two = (Replica(self.store, self.clock, name, NAMES) for name in ("one", "two"))

    def pass_seconds(self, seconds: int, *living: Replica) -> None:
        for _ in range(seconds):
            self.clock.advance(timedelta(seconds=1))
            for replica in living:
                replica.share.update()


@pytest.fixture
def bench() -> ShareBench:
    return ShareBench()


def test_whoever_is_alone_looks_at_everything(bench: ShareBench) -> None:
    bench.one.share.update()
    assert bench.one.held == bench.one.kept == NAMES
    assert bench.one.round == timedelta(seconds=len(NAMES))
    assert bench.one.share.is_own("phone-1")
    assert bench.one.share.concerning_others(NAMES) == []


def test_two_divide_the_targets_and_each_target_has_one_of_them(bench: ShareBench) -> None:
    bench.pass_seconds(6, bench.one, bench.two)
    assert sorted(bench.one.held + bench.two.held) == sorted(NAMES)
    assert 100 < len(bench.one.held) < 200
    assert all(bench.one.share.is_own(name) for name in bench.one.held)
    assert not any(bench.one.share.is_own(name) for name in bench.two.held)
    assert bench.one.share.concerning_others(NAMES) == sorted(bench.two.held)


def test_what_a_killed_one_looked_at_is_taken_up_within_fifteen_seconds(bench: ShareBench) -> None:
    bench.pass_seconds(6, bench.one, bench.two)
    bench.pass_seconds(10, bench.one)
    assert len(bench.one.held) < 200
    bench.pass_seconds(5, bench.one)
    assert bench.one.held == NAMES


def test_what_one_that_stops_looked_at_is_taken_up_at_once(bench: ShareBench) -> None:
    bench.pass_seconds(6, bench.one, bench.two)
    bench.two.share.leave()
    bench.pass_seconds(4, bench.one)
    assert bench.one.held == NAMES


def test_a_command_looks_at_nothing_and_wants_to_know_of_everything(bench: ShareBench) -> None:
    bench.one.share.update()
    command = Presence(bench.store, bench.clock, "command", Role.COMMAND)
    command.renew()
    bench.pass_seconds(4, bench.one)
    assert bench.one.held == NAMES
    assert bench.one.share.concerning_others(["b", "a"]) == ["a", "b"]


def test_while_vault_does_not_answer_the_targets_stay_divided_and_it_is_said_once(bench: ShareBench) -> None:
    bench.pass_seconds(6, bench.one, bench.two)
    half = list(bench.one.held)
    with capture_logs() as logs:
        for _ in range(30):
            bench.store.failing = [StoreUnavailable("sealed")]
            bench.clock.advance(timedelta(seconds=1))
            bench.one.share.update()
    assert bench.one.held == half
    assert [line["error"] for line in logs] == ["sealed"]
    bench.store.failing = []
    bench.pass_seconds(1, bench.one)
    assert bench.one.held == NAMES


def test_a_start_without_an_answer_looks_at_everything(bench: ShareBench) -> None:
    bench.store.failing = [StoreUnavailable("sealed")]
    bench.one.share.update()
    assert bench.one.held == NAMES


def test_what_removed_targets_left_behind_is_divided_as_well(bench: ShareBench) -> None:
    bench.store.write_state(TargetState("gone"), 0)
    bench.pass_seconds(6, bench.one, bench.two)
    assert ("gone" in bench.one.held) is not ("gone" in bench.two.held)


def test_a_target_that_is_removed_later_is_found_within_ten_minutes_and_after_a_reload(bench: ShareBench) -> None:
    bench.one.share.update()
    bench.store.write_state(TargetState("gone"), 0)
    bench.pass_seconds(590, bench.one)
    assert "gone" not in bench.one.held
    bench.pass_seconds(10, bench.one)
    assert "gone" in bench.one.held
    bench.store.write_state(TargetState("phone-0"), 0)
    bench.one.configure(NAMES[1:])
    bench.one.share.update()
    assert set(bench.one.held) == {*NAMES, "gone"}


def test_before_vault_was_reached_and_while_it_stops_nothing_is_divided(bench: ShareBench) -> None:
    components, bench.one.looks.components = bench.one.looks.components, None
    bench.one.share.update()
    bench.one.share.leave()
    bench.one.looks.components, bench.one.looks.stopping = components, True
    bench.one.share.update()
    assert bench.store.processes.entries == ()
    assert bench.one.held == []


def test_a_stop_without_vault_says_that_the_others_take_longer(bench: ShareBench) -> None:
    bench.one.share.update()
    bench.store.failing = [StoreUnavailable("sealed")]
    with capture_logs() as logs:
        bench.one.share.leave()
    assert [line["error"] for line in logs] == ["sealed"]
