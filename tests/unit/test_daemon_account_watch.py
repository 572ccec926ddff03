"""What the daemon knows of its accounts: also of one that no target uses; how often it lists them, and who does."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import EngineHarness
from structlog.testing import capture_logs

from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence, FoundCredentials, Scratch
from rotator.core.model import Credential
from rotator.core.processes import Role
from rotator.daemon.account_watch import AccountWatch
from rotator.daemon.components import Components
from rotator.daemon.looks import Looks
from rotator.engine import FormerNames, Presence
from rotator.ports import StoreCorrupt, StoreDenied
from rotator.testing import FakeFault
from rotator.testing.provider import FakeProvider

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class WatchedAccounts:
    """A daemon's watch over a real engine, with one account that has a target and one that has none."""

    def __init__(self, every: timedelta | None = DAY) -> None:
        self.harness = harness = EngineHarness()
        harness.evidence_keys = {"fake": "fake-key", "idle": "idle-key"}
        self.idle = harness.others["idle"] = FakeProvider(account="idle")
        self.engine = harness.engine()
        self.own = {"fake-key", "idle-key"}
        self.states: dict[str, Any] = {}  # what the daemon has in memory
        components: Any = SimpleNamespace(
            settings=SimpleNamespace(daemon=SimpleNamespace(reconcile=every), core_selections=()),
            targets=(harness.target,),
            engine=self.engine,
            store=harness.store,
            providers={"fake": harness.provider, "idle": self.idle},
            evidence_keys=harness.evidence_keys,
            former_names=FormerNames(harness.store, {harness.target.name}),
            presence=Presence(harness.store, harness.clock, "daemon", Role.DAEMON),
        )
        nothing: Any = None
        self.stop, self.closed = Event(), list[Any]()
        self.looks = Looks(nothing, nothing, harness.clock, self.stop)
        self.put_into_force(components)
        fleet: Any = SimpleNamespace(get=self.states.get)
        share: Any = SimpleNamespace(is_own=lambda listing: listing in self.own)
        composition: Any = SimpleNamespace(clock=harness.clock, fleet=fleet)
        self.watch = AccountWatch(composition, self.looks, share)

    def put_into_force(self, components: Any) -> None:
        components.reconciler = partial(Components.reconciler, components)
        components.connections = object()
        components.close = lambda: self.closed.append(components)
        self.looks.components = components

    def reload(self) -> Any:
        """Puts the same configuration into force again, and returns the components of before."""
        old: Any = self.looks.components
        self.put_into_force(SimpleNamespace(**vars(old) | {"settings": SimpleNamespace(**vars(old.settings))}))
        self.looks.close(old)
        return old

    def pass_time(self, span: timedelta, step: timedelta = MINUTE) -> None:
        """Lets the watch come by every minute."""
        for _ in range(span // step):
            self.harness.clock.advance(step)
            self.watch.update()

    @property
    def listings(self) -> int:
        return self.harness.provider.calls.count("each")

    @property
    def kept(self) -> dict[DiscrepancyKind, int]:
        return {found.kind: found.number for found in self.harness.store.read_evidence("fake-key").reconciled}


def test_what_a_check_left_at_an_account_without_targets_is_known():
    """Its document was read only when a target of the account was looked at: no metric had it, and no alert came."""
    world = WatchedAccounts(every=None)
    left = Scratch(Credential("idle", "rotchk1", attempt="a1"), world.harness.clock.now())
    world.harness.store.write_evidence("idle-key", AccountEvidence(1, scratch=(left,)))
    world.watch.update()
    assert [one.credential.username for one in world.engine.checks["idle"].scratch] == ["rotchk1"]
    read = world.harness.store.read_evidence("idle-key")
    world.harness.store.write_evidence("idle-key", replace(read, version=2, scratch=()))
    world.pass_time(2 * MINUTE)
    assert world.engine.checks["idle"].scratch == ()


def test_each_account_is_listed_once_a_day_and_not_at_the_start():
    world = WatchedAccounts()
    world.harness.provider.add("somebody")
    world.pass_time(9 * MINUTE)
    assert world.listings == 0
    world.pass_time(3 * MINUTE)
    assert (world.listings, world.idle.calls.count("each")) == (1, 1)
    assert world.kept[DiscrepancyKind.FOREIGN] == 1
    assert world.harness.store.read_evidence("fake-key").reconciled_at is not None
    world.pass_time(DAY - HOUR)
    assert world.listings == 1
    world.harness.provider.credentials.clear()
    world.pass_time(2 * HOUR)
    assert world.listings == 2
    assert world.kept[DiscrepancyKind.FOREIGN] == 0
    world.pass_time(3 * MINUTE)
    assert world.engine.checks["fake"].reconciled == world.harness.store.read_evidence("fake-key").reconciled


def test_what_a_command_has_compared_is_not_listed_again():
    world = WatchedAccounts()
    found = (FoundCredentials(DiscrepancyKind.FOREIGN, 7),)
    for key in ("fake-key", "idle-key"):
        compared = AccountEvidence(1, reconciled_at=world.harness.clock.now(), reconciled=found)
        world.harness.store.write_evidence(key, compared)
    world.pass_time(DAY - HOUR)
    assert world.listings == 0
    world.pass_time(2 * HOUR)
    assert world.listings == 1


def test_one_daemon_of_all_lists_an_account():
    world = WatchedAccounts()
    world.own = {"idle-key"}
    world.pass_time(HOUR)
    assert (world.listings, world.idle.calls.count("each")) == (0, 1)


def test_it_can_be_switched_off_and_done_more_often():
    off, often = WatchedAccounts(every=None), WatchedAccounts(every=HOUR)
    for world in (off, often):
        world.pass_time(4 * HOUR + 12 * MINUTE)
    assert (off.listings, often.listings) == (0, 5)


@pytest.mark.parametrize("fault", [FakeFault.UNREACHABLE, FakeFault.CHANGING, FakeFault.UNAUTHORIZED])
def test_a_listing_that_is_not_whole_changes_nothing_and_is_tried_again_ever_more_rarely(fault):
    world = WatchedAccounts()
    world.harness.provider.faults["each"] = [fault] * 3
    world.pass_time(3 * HOUR + 15 * MINUTE)  # after 10 minutes, an hour and two hours
    assert world.listings == 3
    assert world.harness.store.read_evidence("fake-key").reconciled_at is None
    world.pass_time(4 * HOUR)
    assert world.listings == 4
    assert world.harness.store.read_evidence("fake-key").reconciled_at is not None
    world.harness.provider.faults["each"] = [fault]
    world.pass_time(DAY + HOUR + 15 * MINUTE)  # it begins with an hour again
    assert world.listings == 6


def test_an_account_whose_key_is_refused_costs_few_reads_of_documents():
    """Each try read the documents of all targets, every hour: 24 times in a day, for nothing."""
    world = WatchedAccounts()
    world.own = {"fake-key"}
    world.harness.provider.faults["each"] = [FakeFault.UNAUTHORIZED] * 100
    read, original = [], world.harness.store.read_state
    world.harness.store.read_state = lambda name: read.append(name) or original(name)
    world.pass_time(DAY)
    assert len(read) == world.listings == 5
    world.pass_time(3 * DAY)
    assert len(read) == world.listings == 8


@pytest.mark.parametrize("error", [StoreCorrupt("no evidence"), StoreDenied("403")])
def test_an_account_whose_document_cannot_be_read_does_not_keep_others_from_being_compared(error):
    """It did for ever, and was listed every hour for nothing."""
    world = WatchedAccounts()
    original = world.harness.store.read_evidence

    def read_evidence(key: str) -> AccountEvidence:
        if key == "fake-key":
            raise error
        return original(key)

    world.harness.store.read_evidence = read_evidence
    with capture_logs() as lines:
        world.pass_time(HOUR)
    assert (world.listings, world.idle.calls.count("each")) == (0, 1)
    assert original("idle-key").reconciled_at is not None
    told = [(line["event"], line["account"]) for line in lines]
    assert told == [
        ("account not compared with the documents", "fake"),
        ("account compared with the documents", "idle"),
    ]


def test_documents_that_cannot_be_listed_are_told_in_the_words_of_the_runbook():
    world = WatchedAccounts()

    def read_state(name: str) -> Any:
        raise StoreDenied("403")

    world.harness.store.read_state = read_state
    with capture_logs() as lines:
        world.pass_time(HOUR)
    told = [(line["event"], line["account"]) for line in lines]
    assert told == [("account not compared with the documents", name) for name in ("fake", "idle")]
    assert (world.listings, world.idle.calls.count("each")) == (0, 0)


def test_an_account_whose_circuit_is_open_is_left_alone():
    world = WatchedAccounts()
    world.engine.throttles.open_circuits = lambda: ("fake",)
    world.pass_time(2 * HOUR)
    assert (world.listings, world.idle.calls.count("each")) == (0, 1)


def test_what_the_daemon_has_in_memory_is_not_read_again_unless_it_does_not_fit():
    world = WatchedAccounts()
    harness = world.harness
    harness.until_rotated(world.engine)
    world.states[harness.target.name] = SimpleNamespace(state=harness.state)
    read, original = [], harness.store.read_state
    harness.store.read_state = lambda name: read.append(name) or original(name)
    world.pass_time(15 * MINUTE)
    assert (world.listings, read) == (1, [])
    assert sum(world.kept.values()) == 0

    stale = replace(harness.state, published=replace(harness.state.published, id="another"))
    world.states[harness.target.name] = SimpleNamespace(state=stale)
    world.pass_time(DAY)
    assert read == [harness.target.name]
    assert sum(world.kept.values()) == 0  # what was read anew fits


@pytest.mark.parametrize("how", ["stops", "reloads"])
def test_a_stop_or_a_reload_does_not_wait_for_a_long_listing(how):
    world = WatchedAccounts()
    provider, original = world.harness.provider, world.harness.provider.each

    def each(take: Any) -> Any:
        if how == "stops":
            world.looks.stop(lambda: None)
        else:
            world.reload()
        provider.each = original
        return original(take)

    provider.each, provider.faults["each"] = each, [FakeFault.READING]
    world.pass_time(10 * MINUTE)
    assert world.listings == 1
    assert world.harness.store.read_evidence("fake-key").reconciled_at is None
    world.stop.clear()
    world.pass_time(6 * MINUTE)
    assert world.harness.store.read_evidence("fake-key").reconciled_at is not None


def test_reloads_do_not_make_a_comparison_begin_again_at_once():
    """It read all documents anew, without a pause, for as long as reloads came faster than it could read them."""
    world = WatchedAccounts()
    read, original = [], world.harness.store.read_state

    def read_state(name: str) -> Any:
        read.append(name)
        world.reload()
        return original(name)

    world.harness.store.read_state = read_state
    world.pass_time(HOUR + 9 * MINUTE)
    assert len(read) == 12  # every five minutes


def test_a_bug_does_not_make_a_comparison_begin_again_at_once():
    world = WatchedAccounts()
    world.pass_time(9 * MINUTE)
    read: list[str] = []

    def read_state(name: str) -> Any:
        read.append(name)
        raise RuntimeError("a bug")

    world.harness.store.read_state = read_state
    with pytest.raises(RuntimeError):
        world.pass_time(MINUTE)
    world.pass_time(4 * MINUTE)
    assert len(read) == 1


@pytest.mark.parametrize("fault", [None, FakeFault.UNREACHABLE])
def test_a_reload_leaves_connections_open_for_what_uses_them_and_its_result_is_dropped(fault):
    world = WatchedAccounts()
    world.own = {"fake-key"}
    provider, original, replaced = world.harness.provider, world.harness.provider.each, []

    def each(take: Any) -> Any:
        provider.each = original
        replaced.append(world.reload())
        assert world.closed == []
        return original(take)

    provider.each, provider.faults["each"] = each, [fault] * (fault is not None)
    with capture_logs() as lines:
        world.pass_time(10 * MINUTE)
    assert world.closed == replaced
    assert len(replaced) == 1
    assert lines == []
    assert world.harness.store.read_evidence("fake-key").reconciled_at is None
    world.reload()
    assert len(world.closed) == 2
