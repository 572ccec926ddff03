"""A fleet at one account and a few targets at another: what one bad response, or one wrong clock, may not do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from promises import Promises
from simulated import SETUPS, SimulatedWorld, Trouble
from world import DAY

from rotator.core.clock_jump import ClockReading
from rotator.core.model import Target

FLEET, BESIDE = 24, 3
CAN_RETIRE = [setup for setup in SETUPS if setup.strategy.value != "in-place"]


class Fleet:
    """Many targets at the account `one`, a few at `two`; each look is one of a tick of the scheduler."""

    def __init__(self, setup, fleet: int = FLEET, beside: int = BESIDE) -> None:
        self.world = SimulatedWorld(setup, ("one", "two"))
        self.one = [setup.target("one", f"phone{number}") for number in range(fleet)]
        self.two = [setup.target("two", f"desk{number}") for number in range(beside)]
        for target in (*self.one, *self.two) if setup.adopts else ():
            self.world.accounts[target.account].add(target.usernames[0])
        self.promises = Promises(self.world, (*self.one, *self.two))
        self.world.cut_at(0, self.promises)
        self.engine = self.world.engine()

    def tick(self, targets: list[Target]) -> None:
        for target in targets:
            self.engine.look(target)

    def rotate(self) -> None:
        """All have a published credential, and all replaced ones are gone."""
        for _ in range(6):
            self.tick([*self.one, *self.two])
            self.world.clock.advance(timedelta(minutes=1))
        for _ in range(24):
            self.world.clock.advance(DAY)
            for _ in range(5):
                self.tick([*self.one, *self.two])
                self.world.clock.advance(timedelta(minutes=1))
        for target in (*self.one, *self.two):
            assert self.state(target).published is not None

    def state(self, target: Target):
        return self.world.store.states[target.name].state

    def held(self, account: str) -> dict:
        return dict(self.world.accounts[account].held())

    def rotations(self, targets: list[Target]) -> int:
        return sum(self.state(target).counts.succeeded for target in targets)

    def ask_all(self) -> None:
        for target in (*self.one, *self.two):
            self.world.target = target
            self.world.request(self.engine)

    def failed_since(self, number: int) -> int:
        """How many calls to the account `one` failed since so many audit records."""
        calls = [one for one in self.world.audit.records[number:] if one.facts.get("account") == "one"]
        return sum(one.outcome != "done" for one in calls)

    def retired(self) -> int:
        records = self.world.audit.records
        return sum(one.verb in ("disable", "delete", "expire") and one.outcome == "done" for one in records)


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.UNAUTHORIZED, Trouble.LOST_REQUEST, Trouble.UNREACHABLE])
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_an_account_that_refuses_everything_is_left_alone_and_the_others_go_on(setup, trouble, tally):
    """After the stated number of failures its circuit opens: one probe in five minutes, whatever is due."""
    tally(setup.kind, setup.strategy.value, f"a fleet, {trouble.value} for ever")
    fleet = Fleet(setup, fleet=12)
    fleet.rotate()
    fleet.ask_all()
    wire, limits = fleet.world.accounts["one"].wire, fleet.world.limits
    wire.plan = lambda request: trouble
    before, done = wire.requests, fleet.rotations(fleet.two)
    audited = len(fleet.world.audit.records)
    fleet.tick([*fleet.one, *fleet.two])
    assert fleet.engine.throttles.open_circuits() == ("one",)
    assert fleet.failed_since(audited) <= limits.circuit_failures
    fleet.world.clock.advance(timedelta(seconds=5))
    fleet.tick(fleet.two)
    assert fleet.rotations(fleet.two) == done + len(fleet.two)
    # Whoever looks how often: nothing is sent until a probe is due, and then by one target alone.
    sent = wire.requests
    for _ in range(3):
        fleet.tick(fleet.one)
    assert wire.requests == sent
    fleet.world.clock.advance(limits.circuit_open_for)
    audited = len(fleet.world.audit.records)
    fleet.tick(fleet.one)
    assert fleet.failed_since(audited) <= 1
    assert sent < wire.requests <= sent + 2 * 4  # a call is a request or two, each tried up to four times
    assert before < sent
    # It is well again: a single probe closes the circuit, and everybody gets on.
    wire.plan = None
    for _ in range(40):
        fleet.world.clock.advance(timedelta(minutes=5))
        fleet.tick(fleet.one)
    assert fleet.engine.throttles.open_circuits() == ()
    assert all(fleet.state(target).attempt is None for target in fleet.one)
    assert fleet.rotations(fleet.one) == 2 * len(fleet.one)


@pytest.mark.parametrize("setup", CAN_RETIRE, ids=str)
def test_a_clock_a_month_ahead_retires_no_more_than_the_cap_at_once(setup, tally):
    """Every overlap and every quarantine seems to have ended; what is due is retired at the pace of the cap."""
    tally(setup.kind, setup.strategy.value, "a fleet, the clock a month ahead")
    fleet = Fleet(setup)
    fleet.rotate()
    fleet.ask_all()
    fleet.tick([*fleet.one, *fleet.two])
    fleet.world.clock.advance(timedelta(minutes=1))
    fleet.tick([*fleet.one, *fleet.two])
    clock, cap = fleet.world.clock, fleet.world.limits.retirements_per_minute
    earlier = ClockReading(clock.now(), clock.monotonic())
    clock.jump(30 * DAY)
    assert ClockReading(clock.now(), clock.monotonic()).jump_since(earlier) == 30 * DAY
    for _ in range(8):
        before = fleet.retired()
        for _ in range(3):
            fleet.tick([*fleet.one, *fleet.two])
        assert fleet.retired() - before <= cap
        clock.advance(timedelta(seconds=61))
    for _ in range(30):
        fleet.tick([*fleet.one, *fleet.two])
        clock.advance(timedelta(minutes=2))
    clock.advance(10 * DAY)
    for _ in range(30):
        fleet.tick([*fleet.one, *fleet.two])
        clock.advance(timedelta(minutes=2))
    fleet.promises.at_rest("the jump")


def test_a_provider_that_says_done_and_means_nothing_cannot_break_an_in_place_fleet(tally):
    """Passwords that are never accepted count against the account as failures do."""
    setup = SETUPS[2]
    tally(setup.kind, setup.strategy.value, "a fleet, done and not in force")
    fleet = Fleet(setup, fleet=12)
    fleet.rotate()
    api = fleet.world.accounts["one"].api
    fleet.ask_all()
    original = api._apply

    def lies(account, record, given):
        kept = account.get("credential", record.id)
        return original(
            account, record, {**given, "password": kept.password.reveal()} if "password" in given else given
        )

    api._apply = lies
    for _ in range(40):
        fleet.tick([*fleet.one, *fleet.two])
        fleet.world.clock.advance(timedelta(seconds=5))
    opened = [target for target in fleet.one if fleet.state(target).attempt is not None]
    assert len(opened) <= fleet.world.limits.circuit_failures
    assert fleet.rotations(fleet.two) == 2 * len(fleet.two)


def test_a_fleet_whose_policy_has_other_overlaps_is_retired_at_the_same_pace(tally):
    """The cap counts over all targets of a process, whatever their policies."""
    setup = SETUPS[0]
    tally(setup.kind, setup.strategy.value, "a fleet, the clock a month ahead")
    fleet = Fleet(setup, beside=0)
    fleet.rotate()
    longer = replace(fleet.one[0].policy, overlap=2 * DAY)
    fleet.one = [replace(target, policy=longer) if number % 2 else target for number, target in enumerate(fleet.one)]
    fleet.ask_all()
    fleet.tick(fleet.one)
    fleet.world.clock.advance(timedelta(minutes=1))
    fleet.tick(fleet.one)
    fleet.world.clock.jump(30 * DAY)
    before = fleet.retired()
    fleet.tick(fleet.one)
    assert fleet.retired() - before <= fleet.world.limits.retirements_per_minute
