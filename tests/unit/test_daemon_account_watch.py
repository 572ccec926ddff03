"""What the daemon knows of its accounts: also of one that no target uses; how often it lists them, and who does."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import EngineHarness

from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence, FoundCredentials, Scratch
from rotator.core.model import Credential
from rotator.core.processes import Role
from rotator.daemon.account_watch import AccountWatch
from rotator.daemon.components import Components
from rotator.engine import FormerNames, Presence
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
        components.reconciler = partial(Components.reconciler, components)
        self.looks: Any = SimpleNamespace(components=components, stopping=False)
        fleet: Any = SimpleNamespace(get=self.states.get)
        share: Any = SimpleNamespace(is_own=lambda listing: listing in self.own)
        composition: Any = SimpleNamespace(clock=harness.clock, fleet=fleet)
        self.watch = AccountWatch(composition, self.looks, share)

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
def test_a_listing_that_is_not_whole_changes_nothing_and_is_tried_once_an_hour(fault):
    world = WatchedAccounts()
    world.harness.provider.faults["each"] = [fault] * 3
    world.pass_time(2 * HOUR + 15 * MINUTE)
    assert world.listings == 3
    assert world.harness.store.read_evidence("fake-key").reconciled_at is None
    world.pass_time(HOUR)
    assert world.listings == 4
    assert world.harness.store.read_evidence("fake-key").reconciled_at is not None


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
            world.looks.stopping = True
        else:
            old = world.looks.components
            world.looks.components = SimpleNamespace(**vars(old) | {"settings": SimpleNamespace(**vars(old.settings))})
        provider.each = original
        return original(take)

    provider.each, provider.faults["each"] = each, [FakeFault.READING]
    world.pass_time(10 * MINUTE)
    assert world.listings == 1
    assert world.harness.store.read_evidence("fake-key").reconciled_at is None
    world.looks.stopping = False
    world.pass_time(2 * MINUTE)
    assert world.harness.store.read_evidence("fake-key").reconciled_at is not None
