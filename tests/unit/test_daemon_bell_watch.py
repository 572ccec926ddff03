"""The bell as the daemon hears and rings it: one read for all targets, and whoever missed something looks at all."""

from collections.abc import Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from rotator.core.bell import MOST_NAMES, Bell, Ringing
from rotator.core.pauses import Pauses
from rotator.daemon.bell_watch import BellWatch
from rotator.daemon.wheel import Urgency
from rotator.engine import PauseBook, ring_bell
from rotator.observe.health import Health
from rotator.ports import Conflict, StoreDenied, StoreUnavailable
from rotator.testing import FakeClock, MemoryStore

ALL = "all"


class CountedBell(MemoryStore):
    """Counts the reads of the bell. `meanwhile` rings between the next read and what follows it."""

    reads = 0
    meanwhile: tuple[str, ...] = ()

    def read_bell(self) -> Bell:
        self.reads += 1
        bell = super().read_bell()
        if self.meanwhile:
            self.bell, self.meanwhile = bell.after_ring(Ringing.ASKED, "another", self.meanwhile, self._clock.now()), ()
        return bell


class BellBench:
    """A bell, somebody who rings it, and a daemon that listens."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = CountedBell(self.clock)
        self.health = Health(self.clock)
        self.health.configuration_loaded()
        self.changed: set[str] = set()
        self.others: set[str] = set()  # the targets of other processes
        self.looks: Any = SimpleNamespace(
            components=SimpleNamespace(store=self.store, pauses=PauseBook(self.store, self.clock)),
            take_changed=self._take_changed,
        )
        scheduler: Any = SimpleNamespace(look_now=self._look_now, look_at_all=lambda: self.looked_at.append(ALL))
        share: Any = SimpleNamespace(concerning_others=lambda names: sorted(self.others & names))
        self.watch = BellWatch(self.looks, scheduler, share, self.health, self.clock, "daemon")
        self.heard()

    def _look_now(self, names: Iterable[str], urgency: Urgency) -> None:
        self.looked_at += names
        self.urgent += names if urgency is Urgency.EMERGENCY else []

    def _take_changed(self) -> set[str]:
        changed, self.changed = self.changed, set()
        return changed

    def ring(self, *targets: str, kind: Ringing = Ringing.ASKED, by: str = "command") -> None:
        ring_bell(self.store, self.clock, by, targets, kind)

    def heard(self) -> list[str]:
        self.looked_at: list[str] = []
        self.urgent: list[str] = []
        self.watch.listen()
        return self.looked_at


@pytest.fixture
def bench() -> BellBench:
    return BellBench()


def test_each_ring_is_heard_once_at_the_price_of_one_read(bench: BellBench) -> None:
    bench.ring("a")
    assert bench.heard() == ["a"]
    bench.ring("b", "c")
    bench.ring("d", kind=Ringing.CHANGED)
    before = bench.store.reads
    assert bench.heard() == ["b", "c", "d"]
    assert bench.heard() == []
    assert bench.store.reads == before + 2


def test_while_it_is_asked_it_listens_more_often(bench: BellBench) -> None:
    """The requests of a fleet come in many rings: with two seconds between them, workers had nothing to do."""
    waits: list[float] = []
    rings = [{}, {"kind": Ringing.CHANGED}, {}, {"kind": Ringing.EMERGENCY}, None]

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        ring = rings.pop(0)
        if ring is not None:
            bench.ring("a", **ring)
        return ring is None

    stop: Any = SimpleNamespace(wait=wait)
    bench.watch.watch(stop)
    assert waits == [2.0, 0.5, 2.0, 0.5, 0.5]


def test_an_emergency_is_told_apart_and_nobody_hears_himself(bench: BellBench) -> None:
    bench.ring("burning", kind=Ringing.EMERGENCY)
    bench.ring("asked")
    bench.ring("mine", kind=Ringing.CHANGED, by="daemon")
    assert bench.heard() == ["burning", "asked"]
    assert bench.urgent == ["burning"]


def test_of_two_that_ring_at_once_both_are_heard(bench: BellBench) -> None:
    bench.store.meanwhile = ("other",)
    bench.ring("mine")
    assert bench.heard() == ["mine", "other"]


def test_whoever_never_gets_to_ring_is_told(bench: BellBench) -> None:
    bench.store.write_bell = lambda _: (_ for _ in ()).throw(Conflict("again"))  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        bench.ring("mine")


def test_whoever_missed_a_ring_looks_at_everything_and_only_once(bench: BellBench) -> None:
    bench.ring("a")
    assert bench.heard() == ["a"]
    bench.ring("missed")
    bench.clock.advance(timedelta(minutes=2))
    bench.ring("b")
    assert bench.heard() == ["b", ALL]
    bench.ring(*(f"phone-{number}" for number in range(MOST_NAMES + 1)))
    assert bench.heard() == [ALL]
    assert bench.heard() == []


def test_what_was_rung_before_the_start_is_looked_at_first_and_nothing_was_missed(bench: BellBench) -> None:
    bench.ring("long ago")
    bench.clock.advance(timedelta(minutes=2))
    bench.ring("just now")
    bench.watch._heard = None
    assert bench.heard() == ["just now"]


def test_a_start_that_could_not_read_the_bell_takes_everything_for_missed(bench: BellBench) -> None:
    bench.ring("long ago")
    bench.watch._heard = None
    bench.store.failing = [StoreUnavailable("sealed")]
    assert bench.heard() == []
    bench.clock.advance(timedelta(minutes=2))
    bench.ring("just now")
    assert bench.heard() == ["just now", ALL]


def test_what_this_process_wrote_is_rung_at_once_for_those_whom_it_concerns(bench: BellBench) -> None:
    bench.changed, bench.others = {"a", "b", "mine"}, {"a", "b"}
    bench.heard()
    bench.changed = {"mine"}
    bench.heard()
    (ring,) = bench.store.bell.rings
    assert (ring.by, ring.kind, ring.targets) == ("daemon", Ringing.CHANGED, ("a", "b"))
    assert bench.heard() == []


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


@pytest.mark.parametrize(("error", "ready"), [(StoreUnavailable("sealed"), False), (StoreDenied("no right"), True)])
def test_a_bell_that_is_read_shows_that_vault_answers(bench: BellBench, error: Exception, ready: bool) -> None:
    assert bench.health.ready().ok
    bench.clock.advance(timedelta(minutes=4))
    bench.store.failing = [error]  # type: ignore[list-item]
    bench.heard()
    assert bench.health.ready().ok is ready
    bench.heard()
    assert bench.health.ready().ok


def test_before_vault_was_reached_there_is_nothing_to_hear(bench: BellBench) -> None:
    bench.looks.components, before = None, bench.store.reads
    assert bench.heard() == []
    assert bench.store.reads == before


def test_what_is_paused_is_read_when_somebody_rings_and_once_a_minute(bench: BellBench) -> None:
    """Whatever becomes of a ring, a status that shows what is paused is a minute old at most."""
    book = bench.looks.components.pauses
    bench.store.pauses = Pauses(1, problem="first")
    bench.ring("a", kind=Ringing.CHANGED)
    bench.heard()
    assert book.known.problem == "first"

    bench.store.pauses = Pauses(2, problem="second")
    bench.heard()
    assert book.known.problem == "first", "nobody rang"
    bench.clock.advance(timedelta(minutes=1))
    bench.heard()
    assert book.known.problem == "second"


def test_what_is_paused_is_read_when_somebody_rang_or_a_minute_has_passed(bench: BellBench, monkeypatch) -> None:
    reads, read = [], bench.store.read_pauses
    monkeypatch.setattr(bench.store, "read_pauses", lambda: reads.append(bench.clock.now()) or read())
    pauses = bench.looks.components.pauses
    for _ in range(25):  # of two seconds: less than a minute
        bench.clock.advance(timedelta(seconds=2))
        bench.heard()
        pauses.fresh()
    assert not reads, "what nobody rang for is as it was"
    bench.ring("a", kind=Ringing.CHANGED)
    bench.heard()
    pauses.fresh()
    assert len(reads) == 1
    bench.clock.advance(timedelta(seconds=6))
    pauses.fresh()
    assert len(reads) == 2, "nobody hears the bell"
    for _ in range(31):
        bench.clock.advance(timedelta(seconds=2))
        bench.heard()
    assert len(reads) == 3
