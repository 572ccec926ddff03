"""Faults that the proof has found in the protocol, each by itself, so that it says at once what is broken again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY
from faulted_lifecycles import REST
from invariants import InvariantChecker
from simulated_accounts import SETUPS, RequestFault, SimulatedHarness
from tidied_away import published_is_tidied_away, staged_is_tidied_away

from rotator.core.ledger import LATE_COMMIT
from rotator.core.model import Strategy

IN_PLACE = SETUPS[2]
SETS_IN_PLACE = [setup for setup in SETUPS if setup.strategy is Strategy.IN_PLACE]
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


# Two accounts' Endpoints share one realm here, and at Apinizer somebody has to grant what the predecessor could do.
CAN_MOVE = [setup for setup in SETUPS if setup.kind != "vobiz-endpoint" and str(setup) != "apinizer replace"]


@pytest.mark.parametrize("setup", CAN_MOVE, ids=str)
def test_a_target_leaves_a_provider_that_died(setup):
    """Nothing was ever sent, but the attempt kept the target: 0 calls at the new provider in four days."""
    harness = SimulatedHarness(setup, accounts=("one", "two"))
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, REST)
    harness.provider.transport.plan = lambda _: RequestFault.UNREACHABLE
    harness.request(engine)
    harness.settle(engine, timedelta(hours=1))
    assert harness.state.counts.succeeded == 1
    harness.target = replace(harness.target, account="two")
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    assert harness.state.published.account == "two"
    assert harness.accounts["two"].accepts(harness.consumer.username, harness.consumer.password)


@pytest.mark.parametrize("setup", SETS_IN_PLACE, ids=str)
def test_a_password_that_is_refused_after_an_unknown_answer_is_followed_by_another(setup):
    """The old password is unknown: the refused one was sent 775 times in four days, and nothing else was."""
    harness = SimulatedHarness(setup)
    engine = harness.engine()
    faults = [RequestFault.LOST_REQUEST] * 6
    harness.provider.transport.plan = lambda request: (
        None if request.method == "GET" else faults.pop() if faults else RequestFault.REFUSED
    )
    engine.look(harness.target)
    first = harness.state.attempt.staged.password
    harness.settle(engine, DAY)
    assert first in [entry.credential.password for entry in harness.state.ledger]
    assert harness.state.counts.succeeded == 0
    harness.clear_faults()
    harness.until_rotated(engine)
    assert harness.published_works
    assert harness.consumer.password != first


@pytest.mark.parametrize("setup", SETS_IN_PLACE, ids=str)
def test_a_credential_that_was_created_again_by_hand_is_found_under_its_new_id(setup):
    """A listing confirms that the credential is gone: the dead id was asked for ever."""
    harness = SimulatedHarness(setup)
    engine = harness.engine()
    faults = [RequestFault.LOST_REQUEST] * 6
    harness.provider.transport.plan = lambda request: None if request.method == "GET" or not faults else faults.pop()
    engine.look(harness.target)
    assert harness.state.attempt.uncertain
    harness.clear_faults()
    username = harness.target.usernames[0]
    (old,) = (
        one for one in harness.provider.account.credentials(harness.provider.record_kind) if one.username == username
    )
    harness.provider.account.delete(harness.provider.record_kind, old.id)
    harness.settle(engine, timedelta(hours=1))
    assert harness.state.attempt is None
    harness.provider.add(username)
    harness.until_rotated(engine)
    assert harness.published_works


DELETES = [setup for setup in SETUPS if setup.strategy is Strategy.REPLACE and setup.kind != "telnyx"]


@pytest.mark.parametrize("setup", DELETES, ids=str)
def test_a_key_that_may_delete_but_not_disable_leaves_nothing_behind(setup):
    """What it replaces is accepted for its overlap and quarantine, and is deleted then, without being disabled."""
    harness = SimulatedHarness(setup)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, REST)
    before = harness.consumer
    harness.request(engine)
    harness.until_rotated(engine)
    harness.provider.transport.plan = lambda request: RequestFault.FORBIDDEN if request.method == "PUT" else None
    policy = harness.target.policy
    harness.settle(engine, policy.overlap + policy.quarantine - MINUTE, most=5_000)
    assert harness.provider.accepts(before.username, before.password)  # it may be needed again
    harness.settle(engine, 2 * DAY, most=5_000)
    assert not harness.provider.accepts(before.username, before.password)
    assert harness.state.ledger == ()
    ends = [(record.verb, record.outcome) for record in harness.audit.records if record.verb in ("disable", "delete")]
    assert ends[-2:] == [("disable", "refused"), ("delete", "done")]
