"""The bell as the daemon hears it: one read for all targets, and nothing is lost if it is not heard."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from rotator.core.bell import Bell, Ringing
from rotator.daemon.bell_watch import BellWatch
from rotator.engine import ring_bell
from rotator.ports import Conflict, StoreUnavailable
from rotator.testing import FakeClock, MemoryStore


class CountingStore(MemoryStore):
    """Counts the reads of the bell. `meanwhile` rings between the next read and what follows it."""

    reads = 0
    meanwhile: tuple[str, ...] = ()

    def read_bell(self) -> Bell:
        self.reads += 1
        bell = super().read_bell()
        if self.meanwhile:
            self.bell, self.meanwhile = bell.after_ring(Ringing.ASKED, "another", self.meanwhile, FakeClock().now()), ()
        return bell


class BellBench:
    """A bell, somebody who rings it, and a daemon that listens."""

    def __init__(self) -> None:
        self.clock, self.store, self.looked_at = FakeClock(), CountingStore(), []
        self.looks: Any = SimpleNamespace(components=SimpleNamespace(store=self.store))
        self.watch = BellWatch(self.looks, SimpleNamespace(look_now=self._look_now))  # type: ignore[arg-type]

    def _look_now(self, names: Iterable[str]) -> None:
        self.looked_at += names

    def ring(self, *targets: str) -> None:
        ring_bell(self.store, self.clock, "command", targets, Ringing.ASKED)

    def heard(self) -> list[str]:
        self.looked_at: list[str] = []
        self.watch.listen()
        return self.looked_at


@pytest.fixture
def bench() -> BellBench:
    return BellBench()


def test_each_ring_is_heard_once_at_the_price_of_one_read(bench: BellBench) -> None:
    bench.ring("a")
    assert bench.heard() == ["a"]
    bench.ring("b", "c")
    bench.ring("d")
    before = bench.store.reads
    assert bench.heard() == ["b", "c", "d"]
    assert bench.heard() == []
    assert bench.store.reads == before + 2


def test_of_two_that_ring_at_once_both_are_heard(bench: BellBench) -> None:
    bench.store.meanwhile = ("other",)
    bench.ring("mine")
    assert bench.heard() == ["mine", "other"]


def test_whoever_never_gets_to_ring_is_told(bench: BellBench) -> None:
    bench.store.write_bell = lambda _: (_ for _ in ()).throw(Conflict("again"))  # type: ignore[assignment]
    with pytest.raises(Conflict):
        bench.ring("mine")


def test_a_bell_that_cannot_be_read_is_said_once_and_heard_later(bench: BellBench) -> None:
    bench.ring("a")
    with capture_logs() as logs:
        for _ in range(2):
            bench.store.failing = [StoreUnavailable("sealed")]
            assert bench.heard() == []
        assert bench.heard() == ["a"]
        bench.store.failing = [StoreUnavailable("sealed")]
        bench.heard()
    assert [line["error"] for line in logs] == ["sealed", "sealed"]


def test_before_vault_was_reached_there_is_nothing_to_hear(bench: BellBench) -> None:
    bench.looks.components = None
    assert bench.heard() == []
    assert bench.store.reads == 0
