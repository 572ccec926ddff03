"""Faults that the proof has found in the protocol, each by itself, so that it says at once what is broken again."""

from datetime import timedelta

import pytest
from faulted_lifecycles import REST
from invariants import InvariantChecker
from simulated_accounts import SETUPS, RequestFault, SimulatedHarness
from tidied_away import published_is_tidied_away, staged_is_tidied_away

from rotator.core.ledger import LATE_COMMIT
from rotator.core.model import Strategy

IN_PLACE = SETUPS[2]
MINUTE = timedelta(minutes=1)


def test_a_refused_password_that_may_yet_come_into_force_is_kept_for_a_while():
    """In place: set, no answer, then refused. The old password is brought back, and the first request may yet come."""
    harness = SimulatedHarness(IN_PLACE)
    engine, invariants = harness.engine(), InvariantChecker(harness)
    harness.cut_at(0, invariants)
    harness.until_rotated(engine)
    harness.settle(engine, REST)
    harness.request(engine)
    transport, account = harness.provider.transport, harness.provider.account
    transport.faults = [RequestFault.LOST_REQUEST] * 4
    engine.look(harness.target)
    refused = harness.state.attempt.staged
    transport.faults = [RequestFault.REFUSED]
    harness.clock.advance(timedelta(seconds=11))
    engine.look(harness.target)
    assert harness.state.attempt is None
    assert harness.state.counts.succeeded == 1
    kept = [entry.credential.password for entry in harness.state.ledger]
    assert refused.password in kept
    # A request that the network delivers now is not a password that nobody knows.
    account.update("credential", refused.id, password=refused.password)
    harness.clock.advance(timedelta(seconds=10))
    invariants("when the late request was carried out")
    harness.settle(engine, LATE_COMMIT + MINUTE)
    harness.settle(engine, REST)
    invariants.at_rest("the end")


OVERLAPPING = [setup for setup in SETUPS if setup.strategy is not Strategy.IN_PLACE]


@pytest.mark.parametrize("setup", OVERLAPPING, ids=str)
@pytest.mark.parametrize("scenario", [published_is_tidied_away, staged_is_tidied_away])
def test_a_person_deletes_what_rotator_needs_and_nobody_is_cut_off(setup, scenario):
    assert len(list(scenario(setup))) == 1
