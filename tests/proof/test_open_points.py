"""Faults that the proof has found in the protocol, each by itself, so that it says at once what is broken again."""

from datetime import timedelta

from lives import REST
from promises import Promises
from simulated import SETUPS, SimulatedWorld, Trouble

from rotator.core.ledger import LATE_COMMIT

IN_PLACE = SETUPS[2]
MINUTE = timedelta(minutes=1)


def test_a_refused_password_that_may_yet_come_into_force_is_kept_for_a_while():
    """In place: set, answer lost, then refused. The old password is brought back, but which one arrives last?"""
    world = SimulatedWorld(IN_PLACE)
    engine, promises = world.engine(), Promises(world)
    world.cut_at(0, promises)
    world.until_rotated(engine)
    world.settle(engine, REST)
    world.request(engine)
    wire, account = world.provider.wire, world.provider.account
    wire.troubles = [Trouble.LOST_ANSWER] * 4
    engine.look(world.target)
    refused = world.state.attempt.staged
    wire.troubles = [Trouble.REFUSED]
    world.clock.advance(timedelta(seconds=11))
    engine.look(world.target)
    assert world.state.attempt is None
    assert world.state.counts.succeeded == 1
    kept = [entry.credential.password for entry in world.state.ledger]
    assert refused.password in kept
    # A request that the network delivers now is not a password that nobody knows.
    account.update("credential", refused.id, password=refused.password)
    world.clock.advance(timedelta(seconds=10))
    promises("when the late request was carried out")
    world.settle(engine, LATE_COMMIT + MINUTE)
    world.settle(engine, REST)
    promises.at_rest("the end")
