"""A fleet that begins: canaries first, then so many a day, over processes and restarts."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY, IN_PLACE, POLICY, EngineHarness
from few_targets import fleet_documents

from rotator.core.canaries import CanaryResult, CanaryVerdict
from rotator.core.holding import HoldReason
from rotator.core.model import FirstRotations, Purpose, Request, Target, TargetState
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.core.waves import Wave, canaries, with_canaries
from rotator.engine import Engine, Waves
from rotator.ports import Versioned
from rotator.testing import FakeClock, MemoryStore

HOUR = timedelta(hours=1)


class WaveFleet(EngineHarness):
    """Many targets of one account; processes come and go."""

    def __init__(self, number: int, first: FirstRotations) -> None:
        super().__init__(IN_PLACE)
        policy = replace(POLICY, verify=DAY, first=first)
        targets = [
            replace(IN_PLACE, name=f"t{each}", usernames=(f"t{each}",), path=f"sip/t{each}", policy=policy)
            for each in range(number)
        ]
        self.targets = with_canaries(targets)
        for target in self.targets:
            self.provider.add(target.usernames[0])

    def engine(self) -> Engine:
        self.processes += 1
        return Engine(
            store=self.store,
            providers={"fake": self.provider},
            clock=self.clock,
            randomness=self.randomness,
            audit=self.audit,
            holder=f"process-{self.processes}",
            limits=self.limits,
            observe=lambda target, state: None,
            stopping=lambda: False,
            documents=fleet_documents(
                self.store, self.clock, waves=Waves(self.store, self.clock, {"fake": "key"}, self.targets)
            ),
        )

    def pass_time(self, engines: list[Engine], span: timedelta, step: timedelta = HOUR) -> None:
        """Looks at every target again and again; each engine has its share."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            for number, target in enumerate(self.targets):
                engines[number % len(engines)].look(target)
            self.clock.advance(step)

    def rotated(self) -> list[Target]:
        return [target for target in self.targets if self.known(target).last_rotation is not None]

    def known(self, target: Target) -> TargetState:
        return self.store.read_state(target.name).state


@pytest.mark.unmeasured
def test_a_fleet_that_begins_keeps_its_budget_over_processes_and_restarts():
    """No day has more than its budget, and no day is wasted."""
    fleet = WaveFleet(60, FirstRotations(per_day=10))
    began = fleet.clock.now()

    for _ in range(9):  # each day two new processes
        fleet.pass_time([fleet.engine(), fleet.engine()], DAY, HOUR * 6)

    days = Counter((fleet.known(target).last_rotation - began) // DAY for target in fleet.rotated())
    assert len(fleet.rotated()) == 60
    assert max(days.values()) <= 10 + 1  # the looks are six hours apart


def test_a_small_fleet_begins_at_once_and_writes_nothing_more():
    """Up to a tenth of a day's budget."""
    fleet = WaveFleet(10, FirstRotations(per_day=100))

    fleet.pass_time([fleet.engine()], HOUR)

    assert len(fleet.rotated()) == 10
    assert fleet.store.waves == {}


def test_a_policy_with_a_shorter_period_does_not_fall_due_all_at_once():
    """What would be overdue by the new schedule is spread like a fleet that begins."""
    fleet = WaveFleet(30, FirstRotations(per_day=300))
    fleet.pass_time([fleet.engine()], HOUR)
    assert len(fleet.rotated()) == 30
    fleet.clock.advance(60 * DAY)
    shorter = replace(fleet.targets[0].policy, schedule=Every(30 * DAY), first=FirstRotations(per_day=10))
    fleet.targets = tuple(replace(target, policy=shorter) for target in fleet.targets)
    changed = fleet.clock.now()

    fleet.pass_time([fleet.engine()], DAY, HOUR)

    again = [target for target in fleet.targets if fleet.known(target).last_rotation >= changed]
    assert 8 <= len(again) <= 10


def test_the_canaries_go_first_and_the_others_after_their_verification():
    """Three at once; the others after the wait, and once all three were verified."""
    fleet = WaveFleet(12, FirstRotations(canary=3, wait=HOUR))
    engine = fleet.engine()
    first = set(canaries(fleet.targets, 3))

    fleet.pass_time([engine], HOUR / 2, HOUR / 12)

    assert {target.name for target in fleet.rotated()} == first
    waiting = engine.look(next(target for target in fleet.targets if target.name not in first))
    assert waiting.hold.reason is HoldReason.WAITING_FOR_CANARY
    assert waiting.next_look is not None

    fleet.pass_time([fleet.engine()], HOUR, HOUR / 12)

    assert len(fleet.rotated()) == 12


@pytest.mark.parametrize("restart", [False, True])
def test_a_canary_that_is_refused_stops_the_others_until_it_is_mended(restart):
    """By itself; an operator's request does not wait; a verification that succeeds lets them go on."""
    fleet = WaveFleet(6, FirstRotations(canary=1, wait=HOUR))
    engine = fleet.engine()
    (name,) = canaries(fleet.targets, 1)
    canary = next(target for target in fleet.targets if target.name == name)
    other, asked = [target for target in fleet.targets if target.name != name][:2]
    engine.look(canary)
    right = fleet.known(canary).published.password
    stored = next(each for each in fleet.provider.credentials.values() if each.username == name)
    stored.password = Secret("changed by somebody")
    for _ in range(4):
        fleet.clock.advance(HOUR)
        engine.verify(canary)
        stored.password = Secret("changed by somebody")
    engine = fleet.engine() if restart else engine
    fleet.clock.advance(timedelta(minutes=1))

    held = engine.look(other)

    assert held.hold.reason is HoldReason.CANARY_FAILED
    assert f"rotator verify {name}" in held.message
    assert fleet.known(other).last_rotation is None

    engine.request(asked, Request(Purpose.ROTATE, "ann", "now", fleet.clock.now()))
    engine.look(asked)
    assert fleet.known(asked).last_rotation is not None

    stored.password = right
    engine.verify(canary)
    fleet.clock.advance(HOUR)
    engine.look(other)
    assert fleet.known(other).last_rotation is not None


# The slots and the verdict, alone


class CountedStateReads(MemoryStore):
    """Counts the state documents that are read."""

    reads = 0

    def read_state(self, target: str) -> Versioned:
        self.reads += 1
        return super().read_state(target)


def targets_of(number: int, first: FirstRotations, account: str = "fake") -> list[Target]:
    policy = replace(POLICY, first=first)
    return [replace(IN_PLACE, name=f"{account}-{each}", account=account, policy=policy) for each in range(number)]


@pytest.mark.parametrize(("per_day", "batch"), [(100, 10), (150, 15), (1000, 20)])
def test_slots_are_reserved_in_batches_and_given_out_in_their_order(per_day, batch):
    """No batch is larger than what may be due at once: a process that dies wastes no more."""
    first, clock = FirstRotations(per_day), FakeClock()
    store, targets = MemoryStore(clock), targets_of(101, first)
    waves = Waves(store, clock, {"fake": "key"}, targets)

    given = [waves.slot(target, clock.now()) for target in targets[: batch + 1]]

    assert given == Wave().reserved(first, clock.now(), batch + 1)[1]
    assert store.waves["key"].version == 2


def test_a_slot_that_was_reserved_and_not_given_out_in_time_is_now():
    clock = FakeClock()
    targets = targets_of(30, FirstRotations(20))
    waves = Waves(MemoryStore(clock), clock, {}, targets)
    waves.slot(targets[0], clock.now())
    clock.advance(9 * DAY)
    assert waves.slot(targets[1], clock.now()) == clock.now()


def test_all_names_of_an_account_share_its_slots_and_its_budget():
    """Six and six targets are more than the ten that may be due at once; six of an account of its own are not."""
    first, clock = FirstRotations(100), FakeClock()
    store = MemoryStore(clock)
    one, two, third, fourth = (targets_of(6, first, account) for account in ("one", "two", "third", "fourth"))
    waves = Waves(store, clock, {"one": "key", "two": "key"}, [*one, *two, *third, *fourth])
    assert waves.slot(third[0], clock.now()) is None
    given = [waves.slot(target, clock.now()) for target in (*one, *two)]
    assert given == Wave().reserved(first, clock.now(), 12)[1]
    assert store.waves.keys() == {"key"}
    waves.configure(one)
    assert waves.slot(one[0], clock.now()) is None, "the others were removed"


def test_two_processes_never_give_out_the_same_slot_even_if_both_write_at_once():
    first, clock = FirstRotations(10), FakeClock()
    store, targets = MemoryStore(clock), targets_of(5, first)
    mine, theirs = (Waves(store, clock, {}, targets) for _ in range(2))
    write, taken, now = store.write_wave, [], clock.now()

    def write_after_the_other(key: str, wave: Wave) -> None:
        store.write_wave = write
        taken.append(theirs.slot(targets[1], now))
        write(key, wave)

    store.write_wave = write_after_the_other
    taken.append(mine.slot(targets[0], now))
    assert sorted(taken) == Wave().reserved(first, now, 2)[1]
    assert len(set(taken)) == 2


def test_the_documents_of_the_canaries_are_read_every_twenty_seconds_for_all_who_wait():
    clock = FakeClock()
    store, targets = CountedStateReads(clock), targets_of(9, FirstRotations(canary=2, wait=HOUR))
    waves = Waves(store, clock, {}, targets)
    names = canaries(targets, 2)
    waiting = [target for target in targets if target.name not in names]

    def ask(target: Target) -> CanaryVerdict | None:
        return waves.canary(target, TargetState(target.name), clock.now())

    assert ask(waiting[0]) == CanaryVerdict(CanaryResult.WAITING, names[0], "it was not rotated yet")
    for name in names:
        store.states[name] = Versioned(TargetState(name, failures=3, last_error="no right"), 1)
    clock.advance(timedelta(seconds=19.9))
    assert ask(waiting[1]).result is CanaryResult.WAITING
    assert store.reads == 2
    clock.advance(timedelta(seconds=0.1))
    assert ask(waiting[2]) == CanaryVerdict(CanaryResult.FAILED, names[0], "no right")
    assert store.reads == 4
    waves.configure(targets)  # other canaries, perhaps
    ask(waiting[3])
    assert store.reads == 6


def test_only_a_first_rotation_whose_time_was_not_drawn_waits_for_canaries():
    clock = FakeClock()
    targets = targets_of(3, FirstRotations(canary=1))
    alone = targets_of(1, FirstRotations(), "alone")
    waves = Waves(MemoryStore(clock), clock, {}, [*targets, *alone])
    (canary,) = canaries(targets, 1)
    state, now = TargetState("any"), clock.now()
    asked = {target.name: waves.canary(target, state, now) for target in (*targets, *alone)}
    assert {name for name, verdict in asked.items() if verdict is None} == {canary, "alone-0"}
    other = next(target for target in targets if target.name != canary)
    assert waves.canary(other, replace(state, last_rotation=now), now) is None
    assert waves.canary(replace(other, removed=True), state, now) is None
    assert waves.canary(other, replace(state, next_rotation=now), now) is None
