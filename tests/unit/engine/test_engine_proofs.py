"""Every proof goes one way: read-backs by the account's circuit, log-ins within a bound for wrong ones."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.holding import HoldReason
from rotator.core.log_ins import ANOTHER_AFTER, BURST
from rotator.core.model import Credential, Proof, Purpose, Target
from rotator.core.secret import Secret
from rotator.engine import Engine
from rotator.testing import CHOSEN, FakeClock, FakeFault, FakeProvider

READ_BACK = replace(CHOSEN, proof=Proof("read-back", tries_password=False))
MINUTE = timedelta(minutes=1)


def test_a_read_back_that_proves_an_attempt_is_counted_by_the_accounts_circuit():
    world = EngineHarness(REPLACE, READ_BACK)
    world.limits = replace(world.limits, circuit_failures=1)
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE]
    engine = world.engine()
    engine.look(world.target)
    assert engine.throttles.open_circuits() == ("fake",)


def test_a_log_in_is_counted_by_no_circuit():
    world = EngineHarness(REPLACE)
    world.limits = replace(world.limits, circuit_failures=1)
    world.provider.faults["prove"] = [FakeFault.UNREACHABLE]
    engine = world.engine()
    engine.look(world.target)
    assert engine.throttles.open_circuits() == ()


class SlowRegistrar(FakeProvider):
    """It accepts a new password after a while, and counts what it refused."""

    def __init__(self, clock: FakeClock, lag: timedelta = timedelta()) -> None:
        super().__init__()
        self.lag, self.refuses_all, self.wrong = lag, False, 0
        self._clock, self._made = clock, dict[str, datetime]()

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        self._made[staged.username] = self._clock.now()
        return super().create(staged, target, like)

    def prove(self, credential: Credential) -> Answer[Proof]:
        early = self._clock.now() - self._made.get(credential.username, FakeClock().now() - DAY) < self.lag
        answer = Retry(Wait.NOT_YET, "refused") if early or self.refuses_all else super().prove(credential)
        self.wrong += not isinstance(answer, Done)
        return answer


def fleet(number: int, target: Target = REPLACE, lag: timedelta = timedelta()) -> tuple[EngineHarness, list[Target]]:
    world = EngineHarness()
    world.provider = SlowRegistrar(world.clock, lag)
    names = [f"phone{each}" for each in range(number)]
    return world, [replace(target, name=name, path=f"sip/{name}", usernames=(name,)) for name in names]


def looked_at(world: EngineHarness, engine: Engine, targets: list[Target], span: timedelta) -> None:
    """Looks at each target when its last look asked for that."""
    end, due = world.clock.now() + span, dict.fromkeys((target.name for target in targets), world.clock.now())
    while world.clock.now() < end:
        for target in targets:
            if due[target.name] <= world.clock.now():
                due[target.name] = engine.look(target).next_look or end
        world.clock.advance(timedelta(seconds=1))


@pytest.mark.unmeasured
def test_wrong_log_ins_at_an_account_are_few_whatever_the_number_of_targets():
    world, targets = fleet(60)
    engine = world.engine()
    world.provider.refuses_all = True
    looked_at(world, engine, targets, 30 * MINUTE)
    assert BURST < world.provider.wrong <= BURST + 30 * MINUTE / ANOTHER_AFTER + 1
    resting = [look for look in map(engine.look, targets) if look.hold.reason is HoldReason.LOG_INS_REST]
    assert resting
    assert all(look.next_look <= world.clock.now() + ANOTHER_AFTER for look in resting)
    world.provider.refuses_all = False
    looked_at(world, engine, targets, 90 * MINUTE)
    assert all(world.store.consumers[target.path].exists for target in targets)


def test_right_log_ins_wait_for_nothing():
    world, targets = fleet(10 * BURST)
    engine = world.engine()
    before = world.clock.now()
    for target in targets:
        assert engine.look(target).state.published is not None
    assert world.clock.now() == before


def test_a_fleet_learns_when_a_new_password_is_likely_to_be_accepted():
    world, targets = fleet(10 * BURST, lag=timedelta(seconds=5))
    engine = world.engine()
    for target in targets:
        looked_at(world, engine, [target], timedelta(seconds=12))
        assert world.store.consumers[target.path].exists
    assert world.provider.wrong <= 2 * BURST


def test_a_fleet_that_is_rotated_at_once_is_not_held_up_by_what_is_still_propagating():
    world, targets = fleet(60, lag=timedelta(seconds=5))
    looked_at(world, world.engine(), targets, timedelta(seconds=20))
    assert all(world.store.consumers.get(target.path) for target in targets)
    assert world.provider.wrong <= BURST


def test_verifications_wait_even_those_by_hand():
    world, targets = fleet(2 * BURST, replace(IN_PLACE, policy=replace(POLICY, verify=timedelta(hours=1))))
    for target in targets:
        world.provider.add(target.name)
    engine = world.engine()
    looked_at(world, engine, targets, 5 * MINUTE)
    world.clock.advance(2 * DAY)
    world.provider.refuses_all, world.provider.wrong = True, 0
    looked_at(world, engine, targets, 3 * MINUTE)
    assert world.provider.wrong <= BURST + 3 * MINUTE / ANOTHER_AFTER + 1
    assert HoldReason.LOG_INS_REST in {engine.look(target).hold.reason for target in targets}
    answer, _ = engine.verify(targets[-1])  # by hand
    assert isinstance(answer, Retry)
    assert "registrars lock addresses out" in answer.message


def test_an_attempt_that_keeps_devices_out_waits_for_no_wrong_log_in():
    world, targets = fleet(2, replace(IN_PLACE, new=False))
    for target in targets:
        world.provider.add(target.name)
    engine = world.engine()
    stranger = Credential("fake", "stranger", "id", Secret("wrong"))
    for _ in range(3 * BURST):
        engine.throttles.log_ins.learn(stranger, Retry(Wait.NOT_YET, "refused"), None)
    assert engine.look(targets[0]).state.published is not None


def test_what_somebody_uses_before_anybody_was_given_it_is_not_published():
    world = EngineHarness(REPLACE)
    accepted = Done(replace(CHOSEN.proof, in_use=True))
    world.provider.prove = lambda _: accepted
    world.engine().look(world.target)
    assert world.state.attempt is not None
    assert "somebody is registered as" in world.state.last_error
    assert "publish" not in [record.verb.value for record in world.audit.records]


def test_what_devices_had_may_be_in_use_when_it_is_published_again():
    world = EngineHarness(REPLACE)
    engine = world.engine()
    world.until_rotated(engine)
    first = world.state.published
    world.request(engine)
    world.until_rotated(engine)
    world.provider.prove = lambda _: Done(replace(CHOSEN.proof, in_use=True))
    world.request(engine, Purpose.UNDO)
    engine.look(world.target)
    assert first is not None
    assert world.state.published is not None
    assert world.state.published.id == first.id


@pytest.mark.parametrize("compromised", [False, True])
@pytest.mark.parametrize("target", [REPLACE, ALTERNATING], ids=lambda target: target.strategy.value)
def test_what_lacks_a_grant_is_tried_again_and_not_set_every_few_minutes_for_months(target, compromised):
    """An Apinizer credential whose predecessor had no grant got its password anew whenever a proof failed."""
    world = EngineHarness(target)
    engine = world.engine()
    world.until_rotated(engine)
    published, prove = world.consumer.username, world.provider.prove
    not_granted = Retry(Wait.NOT_YET, "the gateway answered 403")
    world.provider.prove = lambda one: prove(one) if one.username == published else not_granted
    world.request(engine, compromised=compromised)
    world.settle(engine, DAY, most=5000)
    calls = len(world.provider.calls)
    world.settle(engine, 10 * DAY, most=20000)
    sent = [call for call in world.provider.calls[calls:] if call in ("set_password", "complete")]
    assert 8 <= len(sent) <= 11 or compromised
    world.provider.prove = prove
    world.settle(engine, DAY / 24)
    assert (world.state.counts.succeeded, world.published_works) == (2, True), "it is granted: the next try is enough"


def test_a_spare_credential_that_somebody_deletes_meanwhile_is_created_again():
    """It is noticed when its password is sent again: within a day."""
    world = EngineHarness(REPLACE)
    engine = world.engine()
    world.until_rotated(engine)
    prove, published = world.provider.prove, world.consumer.username
    world.provider.prove = lambda one: prove(one) if one.username == published else Retry(Wait.NOT_YET, "403")
    world.request(engine)
    world.settle(engine, DAY / 2, most=5000)
    del world.provider.credentials[world.state.attempt.staged.id]
    world.provider.prove = prove
    world.settle(engine, DAY + DAY / 24, most=5000)
    assert (world.state.counts.succeeded, world.published_works) == (2, True)
