"""A fleet at one account and a few targets at another: what one bad response, or one wrong clock, may not do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY
from invariants import InvariantChecker
from simulated_accounts import SETUPS, RequestFault, SimulatedHarness

from rotator.core.clock_jump import ClockReading
from rotator.core.model import Target, TargetState
from rotator_simulator.account import SimulatedCredential

MANY, FEW = 24, 3
CAN_RETIRE = [setup for setup in SETUPS if setup.strategy.value != "in-place"]


class TwoAccounts:
    """Many targets at the account `one`, a few at `two`; each look is one of a tick of the scheduler."""

    def __init__(self, setup, many: int = MANY, few: int = FEW) -> None:
        self.harness = SimulatedHarness(setup, ("one", "two"))
        self.one = [setup.target("one", f"phone{number}") for number in range(many)]
        self.two = [setup.target("two", f"desk{number}") for number in range(few)]
        for target in (*self.one, *self.two) if setup.adopts else ():
            self.harness.accounts[target.account].add(target.usernames[0])
        self.invariants = InvariantChecker(self.harness, (*self.one, *self.two))
        self.harness.cut_at(0, self.invariants)
        self.engine = self.harness.engine()

    def tick(self, targets: list[Target]) -> None:
        for target in targets:
            self.engine.look(target)

    def rotate_all(self) -> None:
        """All have a published credential, and all replaced ones are gone."""
        for _ in range(6):
            self.tick([*self.one, *self.two])
            self.harness.clock.advance(timedelta(minutes=1))
        for _ in range(24):
            self.harness.clock.advance(DAY)
            for _ in range(5):
                self.tick([*self.one, *self.two])
                self.harness.clock.advance(timedelta(minutes=1))
        for target in (*self.one, *self.two):
            assert self.state(target).published is not None

    def state(self, target: Target) -> TargetState:
        return self.harness.store.states[target.name].state

    def stored_credentials(self, account: str) -> dict:
        return dict(self.harness.accounts[account].stored_credentials())

    def rotations(self, targets: list[Target]) -> int:
        return sum(self.state(target).counts.succeeded for target in targets)

    def ask_all(self, *, compromised: bool = False) -> None:
        for target in (*self.one, *self.two):
            self.harness.target = target
            self.harness.request(self.engine, compromised=compromised)

    def failed_since(self, number: int) -> int:
        """How many calls to the account `one` failed since so many audit records; a log-in is none."""
        calls = [one for one in self.harness.audit.records[number:] if one.facts.get("account") == "one"]
        return sum(one.outcome != "done" and one.verb not in ("prove", "verify") for one in calls)

    def retired(self) -> int:
        records = self.harness.audit.records
        return sum(one.verb in ("disable", "delete", "expire") and one.outcome == "done" for one in records)


@pytest.mark.parametrize(
    "fault", [RequestFault.ERROR, RequestFault.UNAUTHORIZED, RequestFault.LOST_REQUEST, RequestFault.UNREACHABLE]
)
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_an_account_that_refuses_everything_is_left_alone_and_the_others_go_on(setup, fault, count_run):
    """After the stated number of failures its circuit opens: one probe in five minutes, whatever is due."""
    count_run(setup.kind, setup.strategy.value, f"a fleet, {fault.value} for ever")
    accounts = TwoAccounts(setup, many=12)
    accounts.rotate_all()
    accounts.ask_all()
    transport, limits = accounts.harness.accounts["one"].transport, accounts.harness.limits
    # Passwords still are tried at the gateway: where they cannot be, `in-place` sends nothing at all.
    transport.plan = lambda request: None if request.url.path.startswith("/gateway/") else fault
    before, done = transport.api_requests, accounts.rotations(accounts.two)
    audited = len(accounts.harness.audit.records)
    accounts.tick([*accounts.one, *accounts.two])
    assert accounts.engine.throttles.open_circuits() == ("one",)
    assert accounts.failed_since(audited) <= limits.circuit_failures
    accounts.harness.clock.advance(timedelta(seconds=5))
    accounts.tick(accounts.two)
    assert accounts.rotations(accounts.two) == done + len(accounts.two)
    # Whoever looks how often: nothing is sent until a probe is due, and then by one target alone.
    sent = transport.api_requests
    for _ in range(3):
        accounts.tick(accounts.one)
    assert transport.api_requests == sent
    accounts.harness.clock.advance(limits.circuit_open_for)
    audited = len(accounts.harness.audit.records)
    accounts.tick(accounts.one)
    assert accounts.failed_since(audited) <= 1
    assert sent < transport.api_requests <= sent + 2 * 4  # a call is a request or two, each tried up to four times
    assert before < sent
    # It is well again: a single probe closes the circuit, and everybody gets on.
    transport.plan = None
    for _ in range(40):
        accounts.harness.clock.advance(timedelta(minutes=10))  # what was put back waits for six hours
        accounts.tick(accounts.one)
    assert accounts.engine.throttles.open_circuits() == ()
    assert all(accounts.state(target).attempt is None for target in accounts.one)
    assert accounts.rotations(accounts.one) == 2 * len(accounts.one)


@pytest.mark.parametrize("setup", CAN_RETIRE, ids=str)
def test_a_clock_a_month_ahead_retires_no_more_than_the_cap_at_once(setup, count_run):
    """Every overlap and every quarantine seems to have ended; what is due is retired at the pace of the cap."""
    count_run(setup.kind, setup.strategy.value, "a fleet, the clock a month ahead")
    accounts = TwoAccounts(setup)
    accounts.rotate_all()
    accounts.ask_all()
    accounts.tick([*accounts.one, *accounts.two])
    accounts.harness.clock.advance(timedelta(minutes=1))
    accounts.tick([*accounts.one, *accounts.two])
    clock, cap = accounts.harness.clock, accounts.harness.limits.retirements_per_minute
    earlier = ClockReading(clock.now(), clock.monotonic())
    clock.jump(30 * DAY)
    assert ClockReading(clock.now(), clock.monotonic()).jump_since(earlier) == 30 * DAY
    for _ in range(8):
        before = accounts.retired()
        for _ in range(3):
            accounts.tick([*accounts.one, *accounts.two])
        assert accounts.retired() - before <= cap
        clock.advance(timedelta(seconds=61))
    for _ in range(30):
        accounts.tick([*accounts.one, *accounts.two])
        clock.advance(timedelta(minutes=2))
    clock.advance(10 * DAY)
    for _ in range(30):
        accounts.tick([*accounts.one, *accounts.two])
        clock.advance(timedelta(minutes=2))
    accounts.invariants.at_rest("the jump")


def test_a_provider_that_says_done_and_means_nothing_cannot_break_an_in_place_fleet(count_run):
    """Passwords that are never accepted count against the account as failures do."""
    setup = SETUPS[2]
    count_run(setup.kind, setup.strategy.value, "a fleet, done and not in force")
    accounts = TwoAccounts(setup, many=12)
    accounts.rotate_all()
    api = accounts.harness.accounts["one"].api
    accounts.ask_all()
    original = api._apply

    def lies(account, record, given) -> SimulatedCredential:
        kept = account.get("credential", record.id)
        return original(
            account, record, {**given, "password": kept.password.reveal()} if "password" in given else given
        )

    api._apply = lies
    for _ in range(40):
        accounts.tick([*accounts.one, *accounts.two])
        accounts.harness.clock.advance(timedelta(seconds=5))
    opened = [target for target in accounts.one if accounts.state(target).attempt is not None]
    assert len(opened) <= accounts.harness.limits.circuit_failures
    assert accounts.rotations(accounts.two) == 2 * len(accounts.two)


def test_a_fleet_whose_policy_has_other_overlaps_is_retired_at_the_same_pace(count_run):
    """The cap counts over all targets of a process, whatever their policies."""
    setup = SETUPS[0]
    count_run(setup.kind, setup.strategy.value, "a fleet, the clock a month ahead")
    accounts = TwoAccounts(setup, few=0)
    accounts.rotate_all()
    longer = replace(accounts.one[0].policy, overlap=2 * DAY)
    accounts.one = [
        replace(target, policy=longer) if number % 2 else target for number, target in enumerate(accounts.one)
    ]
    accounts.ask_all()
    accounts.tick(accounts.one)
    accounts.harness.clock.advance(timedelta(minutes=1))
    accounts.tick(accounts.one)
    accounts.harness.clock.jump(30 * DAY)
    before = accounts.retired()
    accounts.tick(accounts.one)
    assert accounts.retired() - before <= accounts.harness.limits.retirements_per_minute


def test_a_key_that_may_not_delete_stops_neither_rotations_nor_emergencies(count_run):
    """The end of a quarantine comes for a whole fleet, and each deletion is answered with 403."""
    setup = SETUPS[0]
    count_run(setup.kind, setup.strategy.value, "a fleet, no right to delete")
    accounts = TwoAccounts(setup, many=30, few=0)
    accounts.rotate_all()
    accounts.ask_all()
    accounts.tick(accounts.one)
    transport = accounts.harness.accounts["one"].transport
    transport.plan = lambda request: RequestFault.FORBIDDEN if request.method == "DELETE" else None
    for _ in range(9):
        accounts.harness.clock.advance(DAY)
        for _ in range(5):
            accounts.tick(accounts.one)
            accounts.harness.clock.advance(timedelta(minutes=1))
    assert accounts.engine.throttles.open_circuits() == ()
    assert sum(len(accounts.state(target).ledger) for target in accounts.one) == len(accounts.one)
    old = [accounts.harness.store.read_consumer(target.path) for target in accounts.one]
    accounts.ask_all(compromised=True)
    accounts.tick(accounts.one)
    accounts.harness.clock.advance(timedelta(seconds=5))
    accounts.tick(accounts.one)
    account = accounts.harness.accounts["one"]
    account.clock.advance(timedelta(seconds=5))  # the registrar learns of it
    assert not any(account.accepts(one.username, one.password) for one in old)
    # The right is given: a probe shows it, and all is tidied up.
    transport.plan = None
    for _ in range(60):
        accounts.harness.clock.advance(timedelta(minutes=5))
        accounts.tick(accounts.one)
    accounts.invariants.at_rest("the right to delete was given")


def test_an_emergency_of_a_whole_fleet_ends_every_old_credential_at_once(count_run):
    """Vault was read. What is disabled counts for no cap; what is deleted afterwards does."""
    setup = SETUPS[0]
    count_run(setup.kind, setup.strategy.value, "a fleet, all compromised")
    accounts = TwoAccounts(setup, many=100, few=0)
    accounts.harness.cut_at(0)  # what holds at each boundary is compared for all targets: too slow for so many
    accounts.tick(accounts.one)
    accounts.harness.clock.advance(timedelta(seconds=10))
    accounts.tick(accounts.one)
    old = [accounts.harness.store.read_consumer(target.path) for target in accounts.one]
    assert all(one.exists for one in old)
    accounts.ask_all(compromised=True)
    before, began = accounts.retired(), accounts.harness.clock.now()
    for _ in range(3):
        accounts.tick(accounts.one)
        accounts.harness.clock.advance(timedelta(seconds=10))
    account = accounts.harness.accounts["one"]
    assert not any(account.accepts(one.username, one.password) for one in old)
    assert accounts.harness.clock.now() - began <= timedelta(minutes=2)
    assert accounts.retired() - before <= 2 * len(old) + 2 * accounts.harness.limits.retirements_per_minute
