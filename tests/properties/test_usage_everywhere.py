"""The end of an overlap, cut at every boundary, with every answer lost: a device that is still there is not cut off."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, POLICY, REPLACE, EngineHarness

from rotator.core import retirement, usage
from rotator.core.usage_rules import UsageRules
from rotator.ports import StoreUnavailable
from rotator.testing import GENERATED, SHOWING, FakeFault

MINUTE = timedelta(minutes=1)
RULES = UsageRules(("provider",), every=5 * MINUTE, extend_at_most=DAY)
ASKING = replace(POLICY, usage=RULES)
SETUPS = {
    "replace": (replace(REPLACE, policy=ASKING), SHOWING),
    "alternating": (replace(ALTERNATING, policy=ASKING), SHOWING),
    "generated": (replace(REPLACE, policy=ASKING), replace(GENERATED, shows_usage=True)),
}
STAYS = 12 * MINUTE  # past the overlap


class SlowDevice:
    """Is logged in with the old credential until a while after the overlap; looks on at every boundary."""

    def __init__(self, setup: str) -> None:
        target, capabilities = SETUPS[setup]
        self.world = EngineHarness(target, capabilities)
        engine = self.world.engine()
        self.world.until_rotated(engine)
        self.old = self.world.consumer
        self.world.request(engine)
        self.world.until_rotated(engine)
        self.world.provider.logged_in.add(self.old.username)
        (entry,) = self.world.state.ledger
        self.leaves, self.comes_back = entry.disable_at + STAYS, None
        self.world.settle(engine, entry.disable_at - self.world.clock.now() - MINUTE)

    def __call__(self, label: str) -> None:
        self.world.provider.pass_time(self.world.clock.now())
        if self.comes_back is not None and self.world.clock.now() >= self.comes_back:
            self.world.provider.logged_in.add(self.old.username)
        if self.world.clock.now() >= self.leaves:
            self.world.provider.logged_in.clear()
            self.comes_back = None
        if self.world.provider.logged_in:
            assert self.world.provider.accepts(self.old.username, self.old.password), f"cut off, {label}"

    def run(self) -> None:
        self.world.settle(self.world.engine(), 30 * MINUTE)

    def ends_well(self) -> None:
        """Whatever happened: it is retired once, minutes after the device has left."""
        self.world.cut_at(0, self)
        self.world.settle(self.world.engine(), 30 * MINUTE)
        assert not self.world.provider.accepts(self.old.username, self.old.password)
        assert self.world.state.counts.disabled == 1
        self.world.settle(self.world.engine(), 8 * DAY)
        assert self.world.state.ledger == ()
        assert self.world.published_works


@pytest.mark.parametrize("setup", SETUPS)
def test_a_cut_at_any_boundary_cuts_no_device_off(setup):
    cut = 0
    while True:
        cut += 1
        device = SlowDevice(setup)
        device.world.cut_at(cut, device)
        reached = device.world.crash(device.run)
        device.ends_well()
        if reached is None:
            break
    assert cut > 5, "the run has hardly any boundaries"


@pytest.mark.parametrize("fault", list(FakeFault), ids=lambda fault: fault.name)
@pytest.mark.parametrize("setup", SETUPS)
def test_no_answer_of_the_provider_cuts_a_device_off(setup, fault):
    for verb in ("usage", "prove", "disable"):
        for first in range(3):
            device = SlowDevice(setup)
            device.world.provider.faults[verb] = [None] * first + [fault, fault]
            device.world.cut_at(0, device)
            device.run()
            device.world.provider.faults.clear()
            device.world.settle(device.world.engine(), 2 * DAY)
            assert not device.world.provider.accepts(device.old.username, device.old.password)
            assert device.world.published_works


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("setup", SETUPS)
def test_no_write_to_vault_that_is_lost_cuts_a_device_off(setup, carried_out):
    number = 0
    while True:
        number += 1
        device, writes = SlowDevice(setup), []

        def lose_one(label: str, device=device, writes=writes, number=number) -> None:
            device(label)
            writes += [label] if label == "before write state" else []
            if label == "before write state" and len(writes) == number:
                lost = device.world.store.losing if carried_out else device.world.store.failing
                lost.append(StoreUnavailable("the answer was lost"))

        device.world.cut_at(0, lose_one)
        device.run()
        device.ends_well()
        if len(writes) < number:
            break
    assert number > 3, "the run has hardly any writes"


def unknown_counts_as_no(patch) -> None:
    summed_up = usage.summed_up
    patch.setattr(usage, "summed_up", lambda *of: replace(summed_up(*of), in_use=bool(summed_up(*of).in_use)))


def an_old_no_counts(patch) -> None:
    patch.setattr(usage, "is_fresh", lambda at, facts: True)


def nobody_is_asked(patch) -> None:
    patch.setattr(retirement, "before_end", lambda facts, entry: None)


def an_end_is_told_in_advance(patch) -> None:
    patch.setattr(retirement, "rules_for", lambda wanted, entry: None)


@pytest.mark.parametrize(
    ("mutant", "setup", "faults"),
    [
        (nobody_is_asked, "replace", {}),
        (unknown_counts_as_no, "replace", {"usage": [FakeFault.LOST_BEFORE]}),
        (an_old_no_counts, "replace", {"prove": [FakeFault.UNREACHABLE] * 7}),
        (an_end_is_told_in_advance, "generated", {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_protocol_that_is_broken_on_purpose_is_caught(mutant, setup, faults, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="cut off"):
        watched(setup, faults, away=mutant is an_old_no_counts).run()


@pytest.mark.parametrize("away", [False, True])
def test_and_as_it_is_it_passes_the_same(away):
    device = watched("replace", {"usage": [FakeFault.LOST_BEFORE], "prove": [FakeFault.UNREACHABLE] * 7}, away=away)
    device.run()
    device.ends_well()


def watched(setup, faults, *, away: bool) -> SlowDevice:
    """A device that is there, or is `away` at the end of the overlap and comes back before the proof can be made."""
    device = SlowDevice(setup)
    if away:
        device.world.provider.logged_in.clear()
        device.comes_back, device.leaves = device.leaves - STAYS + 6 * MINUTE, device.leaves + 10 * MINUTE
    device.world.provider.faults |= {verb: list(some) for verb, some in faults.items()}
    device.world.cut_at(0, device)
    return device
