"""Every attempt ends: by itself where nothing was carried out or nothing is left, and never with a password lost."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.answers import Answer, Refusal, Refused, Unknown
from rotator.core.attempts import is_published
from rotator.core.holding import HoldReason
from rotator.core.model import Credential, Ending, Proof, Purpose, Target
from rotator.testing import CHOSEN, Crash, FakeFault, FakeProvider

HOUR = timedelta(hours=1)


def rotated(target: Target) -> EngineHarness:
    """A target that was rotated once at `fake`, which then died. A second account, `other`, has the same usernames."""
    harness = EngineHarness(target)
    harness.others["other"] = FakeProvider(account="other")
    for provider in (harness.provider, harness.others["other"]):
        for username in target.usernames:
            provider.add(username)
    harness.until_rotated(harness.engine())
    harness.settle(harness.engine(), 10 * DAY)
    harness.provider.dead = True
    return harness


def crash_at(harness: EngineHarness, boundary: str) -> None:
    """A process rotates and dies there; the next one may begin once its claim has ended."""

    def watch(passed: str) -> None:
        if passed == boundary:
            raise Crash(passed)

    engine = harness.engine()
    harness.request(engine)
    harness.cut_at(0, watch)
    assert harness.crash(lambda: engine.look(harness.target)) == boundary
    harness.cut_at(0)
    assert harness.state.attempt is not None


@pytest.mark.parametrize("target", [REPLACE, IN_PLACE, ALTERNATING], ids=lambda target: target.strategy.value)
def test_a_target_leaves_a_provider_that_died_before_anything_was_sent(target):
    """Finding 4: the attempt stayed open for ever, and in four days the new provider was never called."""
    harness = rotated(target)
    engine = harness.engine()
    harness.request(engine)
    harness.settle(engine, HOUR)
    attempt = harness.state.attempt
    # In place nothing is begun while the present password cannot be proved.
    assert attempt is None if target is IN_PLACE else attempt is not None and not attempt.uncertain
    tried = len(harness.provider.calls)
    harness.target = replace(target, account="other")
    harness.request(engine, compromised=True)
    engine.look(harness.target)
    assert harness.state.published.account == "other"
    assert harness.others["other"].accepts(harness.consumer.username, harness.consumer.password)
    assert {entry.credential.account for entry in harness.state.ledger} == {"fake"}
    assert set(harness.provider.calls[tried:]) <= {"disable"}  # of what was replaced
    # What the dead account still has to end holds nothing up.
    harness.request(engine)
    harness.settle(engine, DAY)
    assert harness.state.counts.succeeded == 3


@pytest.mark.parametrize("target", [REPLACE, IN_PLACE], ids=lambda target: target.strategy.value)
def test_a_target_leaves_an_account_that_left_the_configuration(target):
    harness = rotated(target)
    harness.request(harness.engine())
    harness.engine().look(harness.target)
    harness.unconfigured.add("fake")
    harness.target = replace(target, account="other")
    harness.engine().look(harness.target)
    assert harness.state.published.account == "other"
    assert harness.state.attempt is None
    assert [(entry.credential.account, entry.ending) for entry in harness.state.ledger] == [("fake", Ending.DELETE)]


def test_what_may_have_been_carried_out_keeps_the_attempt_open_although_the_target_moved():
    harness = rotated(REPLACE)
    harness.provider.dead = False
    harness.provider.faults["create"] = [FakeFault.LOST_AFTER]
    engine = harness.engine()
    harness.request(engine)
    engine.look(harness.target)
    harness.unconfigured.add("fake")
    harness.target = replace(REPLACE, account="other")
    look = harness.engine().look(harness.target)
    assert look.hold.reason is HoldReason.ACCOUNT_MISSING
    assert "rotator abandon office" in look.message
    assert harness.state.attempt.staged.account == "fake"


def test_a_crash_between_a_call_and_its_record_is_not_taken_for_a_call_that_was_never_made():
    harness = rotated(IN_PLACE)
    harness.provider.dead = False
    crash_at(harness, "after set_password")
    harness.target = replace(IN_PLACE, account="other")
    harness.settle(harness.engine(), HOUR)
    assert harness.state.counts.succeeded == 2  # the attempt went on where it was
    assert harness.published_works


def test_an_undo_that_was_never_sent_ends_when_its_account_leaves_the_configuration():
    harness = rotated(REPLACE)
    harness.provider.dead = False
    engine = harness.engine()
    harness.request(engine)
    engine.look(harness.target)
    harness.provider.dead = True
    harness.request(engine, Purpose.UNDO)
    engine.look(harness.target)
    assert harness.state.attempt.purpose is Purpose.UNDO
    ledger = harness.state.ledger
    harness.unconfigured.add("fake")
    harness.target = replace(REPLACE, account="other")
    harness.engine().look(harness.target)
    assert (harness.state.attempt, harness.state.request, harness.state.ledger) == (None, None, ledger)


def test_an_attempt_whose_credential_is_published_closes_without_its_account():
    harness = rotated(REPLACE)
    harness.provider.dead = False
    crash_at(harness, "after write consumer")
    assert is_published(harness.state.attempt, harness.consumer)
    harness.unconfigured.add("fake")
    harness.target = replace(REPLACE, account="other")
    harness.settle(harness.engine(), HOUR)
    assert harness.state.attempt is None
    assert harness.state.counts.succeeded == 2


def lost_then(harness: EngineHarness) -> None:
    """An adopted credential, whose password is unknown: the first answer is lost, after the password was set."""
    harness.provider.faults["set_password"] = [FakeFault.LOST_AFTER]
    harness.engine().look(harness.target)
    assert harness.state.attempt.uncertain


def test_a_password_refused_after_a_lost_answer_is_kept_and_another_one_follows():
    """Finding 4: the refused password was sent 775 times in four days, and mending the policy changed nothing."""
    # A log-in would settle which password is in force; here none can be tried.
    harness = EngineHarness(IN_PLACE, replace(CHOSEN, proof=Proof("the listing", tries_password=False)))
    harness.provider.add("office")
    lost_then(harness)
    refused = harness.state.attempt.staged.password
    harness.provider.faults["set_password"] = [FakeFault.REFUSED]
    engine = harness.engine()
    harness.clock.advance(timedelta(minutes=1))
    engine.look(harness.target)
    assert harness.state.attempt is None
    (entry,) = harness.state.ledger
    assert (entry.credential.password, entry.credential.id, entry.ending) == (refused, None, Ending.FORGET)
    assert harness.provider.accepts("office", entry.credential.password)  # Vault still holds what is in force
    harness.until_rotated(engine)
    assert harness.published_works
    assert harness.consumer.password != refused
    harness.settle(engine, 10 * DAY)
    assert harness.state.ledger == ()


def test_another_password_follows_where_the_provider_takes_neither_the_staged_nor_the_old_one():
    """The old password was refused once in ten minutes for ever, and no other one was tried."""
    harness = EngineHarness(IN_PLACE)
    harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 2 * HOUR)
    sets, tried = harness.provider.set_password, [harness.consumer.password]

    def set_a_third(credential: Credential) -> Answer[Credential]:
        if credential.password not in tried:
            tried.append(credential.password)
            return Unknown("lost") if len(tried) == 2 else sets(credential)
        return Refused(Refusal.INVALID, "a rule")

    harness.provider.set_password = set_a_third
    harness.request(engine)
    harness.until_rotated(engine)
    assert harness.published_works
    assert harness.state.counts.succeeded == 2


def test_a_credential_that_was_deleted_and_created_again_by_hand_is_found_again():
    """Finding 4: the attempt was retried on a dead id for ever."""
    harness = EngineHarness(IN_PLACE)
    harness.provider.add("office")
    lost_then(harness)
    harness.provider.credentials.clear()
    engine = harness.engine()
    harness.settle(engine, HOUR)
    assert harness.state.attempt is None
    assert [entry.ending for entry in harness.state.ledger] == [Ending.FORGET]  # or was it the key of another account?
    assert "no credential 'office'" in harness.state.last_error
    made_again = harness.provider.add("office")
    harness.until_rotated(engine)
    assert harness.state.published.id == made_again.id
    assert harness.published_works


def test_the_published_credential_deleted_and_created_again_during_an_attempt_is_found_again():
    harness = EngineHarness(IN_PLACE)
    harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.provider.faults["set_password"] = [FakeFault.LOST_AFTER]
    harness.request(engine)
    engine.look(harness.target)
    harness.provider.credentials.clear()
    made_again = harness.provider.add("office")
    harness.until_rotated(engine)
    assert harness.state.published.id == made_again.id
    assert harness.published_works


def test_processes_with_different_configurations_do_not_end_each_others_attempts_in_a_tight_loop():
    """While a reload rolls through the replicas, each finds that the other's attempt fits no more."""
    harness = rotated(REPLACE)
    harness.others["other"].dead = True
    moved = replace(harness.target, account="other")
    engines = [(harness.engine(), target) for target in (harness.target, moved)]
    harness.request(engines[0][0])
    harness.audit.records.clear()
    versions = [harness.store.states["office"].version]
    for _ in range(3):
        for _ in range(60):
            for engine, target in engines:
                engine.look(target)
            harness.clock.advance(timedelta(minutes=1))
        versions.append(harness.store.states["office"].version)
    writes = [after - before for before, after in pairwise(versions)]
    assert writes[2] < 60
    assert harness.state.failures > 2
    assert "has moved from" in harness.state.last_error
    harness.provider.dead = harness.others["other"].dead = False
    harness.target = moved
    harness.settle(engines[1][0], 2 * HOUR)
    assert harness.state.published.account == "other"
    assert harness.state.outgrown == 0
