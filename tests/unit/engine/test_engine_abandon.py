"""Giving an attempt up by hand: whatever its phase, wherever its account, nothing is lost and devices keep working."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.abandonment import Abandonment, AbandonmentImpossible
from rotator.core.audit_words import AuditVerb
from rotator.core.holding import Hold, HoldReason
from rotator.core.ledger import LATE_COMMIT
from rotator.core.model import Ending, Phase, Purpose, Verification
from rotator.core.origin import Origin
from rotator.testing import GENERATED, Crash, FakeFault

STRATEGIES = pytest.mark.parametrize(
    "target", [REPLACE, IN_PLACE, ALTERNATING], ids=lambda target: str(target.strategy.value)
)
UNKNOWN, REFUSED, CUT_OFF = [FakeFault.LOST_AFTER], [FakeFault.REFUSED], [FakeFault.UNREACHABLE]


def just_verified(harness: EngineHarness) -> None:
    """What is published was proved a moment ago, so that `in-place` may replace it at once."""
    versioned = harness.store.states[harness.target.name]
    state = replace(versioned.state, verification=Verification(harness.clock.now(), accepted=True))
    harness.store.states[harness.target.name] = replace(versioned, state=state)


def opened(target=REPLACE, faults=UNKNOWN, slow: int = 0, **flags: bool) -> EngineHarness:
    """What is published was rotated once; the next attempt is open."""
    harness = EngineHarness(target)
    for username in target.usernames:
        harness.provider.add(username)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 10 * DAY)
    just_verified(harness)
    for verb in ("create", "set_password"):
        harness.provider.faults[verb] = list(faults)
    harness.provider.slow_to_accept = slow
    harness.request(engine, **flags)
    engine.look(harness.target)
    assert harness.state.attempt is not None
    harness.provider.slow_to_accept = 0
    harness.provider.faults.clear()
    return harness


def give_up(harness: EngineHarness) -> Abandonment | AbandonmentImpossible | Hold:
    attempt = harness.state.attempt
    assert attempt is not None
    return harness.engine().abandon(harness.target, attempt.id, Origin("somebody", "because"))


@STRATEGIES
@pytest.mark.parametrize("slow", [0, 9], ids=["unknown", "applied"])
def test_what_is_published_stays_in_force_and_nothing_stays_behind(target, slow):
    harness = opened(target, [] if slow else UNKNOWN, slow)
    assert harness.state.attempt.phase is (Phase.APPLIED if slow else Phase.STAGED)
    before = harness.consumer
    done = give_up(harness)
    assert isinstance(done, Abandonment)
    assert harness.state.attempt is None
    assert harness.state.claim is None
    assert harness.consumer == before
    assert harness.published_works
    assert harness.state.request is None
    harness.settle(harness.engine(), 10 * DAY)
    assert harness.state.ledger == ()
    assert harness.published_works
    assert [stored.enabled for stored in harness.provider.credentials.values()].count(True) == 1
    assert harness.state.counts.succeeded == 1


def test_the_audit_tells_who_gave_it_up_and_why():
    harness = opened(IN_PLACE)
    attempt = harness.state.attempt
    done = give_up(harness)
    *_, restored, abandoned = harness.audit.records
    assert (restored.verb, abandoned.verb) == (AuditVerb.RESTORE, AuditVerb.ABANDON)
    for record in (restored, abandoned):
        assert record.facts["attempt"] == attempt.id
        assert (record.facts["requested_by"], record.facts["reason"]) == ("somebody", "because")
    assert abandoned.facts["detail"] == done.consequence
    assert restored.facts["credential"] == attempt.predecessor.id
    (announced,) = (one for one in harness.audit.intended if one.verb is AuditVerb.ABANDON)
    assert announced.facts == {name: value for name, value in abandoned.facts.items() if name != "detail"}


def test_in_place_at_a_dead_provider_keeps_both_passwords_and_a_rotation_follows():
    harness = opened(IN_PLACE)
    staged = harness.state.attempt.staged.password
    harness.provider.dead = True
    give_up(harness)
    (entry,) = harness.state.ledger
    assert (entry.credential.password, entry.ending) == (staged, Ending.FORGET)
    assert entry.quarantine == IN_PLACE.policy.quarantine
    assert harness.provider.accepts("office", staged)  # Vault holds it
    harness.provider.dead = False
    harness.until_rotated(harness.engine())  # since the published password may not be in force
    assert harness.published_works


def test_a_password_that_was_taken_back_is_kept_only_while_a_late_call_may_bring_it():
    harness = opened(IN_PLACE)
    give_up(harness)
    (entry,) = harness.state.ledger
    assert entry.quarantine == LATE_COMMIT


@STRATEGIES
def test_an_account_that_left_the_configuration_holds_no_attempt(target):
    harness = opened(target)
    harness.unconfigured.add("fake")
    harness.others["other"] = type(harness.provider)(account="other")
    for username in target.usernames:
        harness.others["other"].add(username)
    harness.target = replace(target, account="other")
    engine = harness.engine()
    assert engine.look(harness.target).hold.reason is HoldReason.ACCOUNT_MISSING
    left = harness.state.attempt.staged.username
    give_up(harness)
    assert [entry.credential.username for entry in harness.state.ledger] == [left]
    harness.request(engine)
    harness.until_rotated(engine)
    assert harness.state.published.account == "other"


def test_what_a_generating_provider_may_have_made_twice_is_looked_for():
    harness = EngineHarness(replace(REPLACE, usernames=()), GENERATED)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.provider.slow_to_accept = 99
    harness.provider.faults["create"] = [FakeFault.LOST_BEFORE]
    harness.request(engine)
    harness.settle(engine, timedelta(minutes=1))
    harness.provider.slow_to_accept = 0
    assert harness.state.attempt.staged.id is not None
    give_up(harness)
    left = [entry.credential.id is None for entry in harness.state.ledger]
    assert left == [False, True]
    harness.settle(harness.engine(), 10 * DAY)
    assert len(harness.provider.credentials) == 1
    assert harness.published_works


def test_an_undo_that_is_given_up_disables_its_credential_again():
    harness = EngineHarness(REPLACE)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.request(engine)
    harness.settle(engine, 2 * DAY)
    harness.provider.faults["enable"] = UNKNOWN.copy()
    harness.request(engine, Purpose.UNDO)
    engine.look(harness.target)
    assert harness.state.attempt.purpose is Purpose.UNDO
    assert "disables it again" in give_up(harness).consequence
    harness.settle(harness.engine(), timedelta(hours=1))
    assert [stored.enabled for stored in harness.provider.credentials.values()].count(True) == 1
    assert harness.published_works


@pytest.mark.parametrize(("compromised", "again"), [(True, True), (False, False)])
def test_only_what_is_compromised_is_asked_for_again(compromised, again):
    harness = opened(REPLACE, CUT_OFF, compromised=compromised)
    assert "Nothing was carried out at fake" in give_up(harness).consequence
    assert harness.state.ledger == ()
    request = harness.state.request
    assert (request is not None and request.compromised) is again


def test_what_is_published_already_is_not_given_up():
    harness = EngineHarness(REPLACE)
    engine = harness.engine()
    harness.until_rotated(engine)

    def watch(passed: str) -> None:
        if passed == "after write consumer":
            raise Crash(passed)

    harness.request(engine)
    harness.cut_at(0, watch)
    assert harness.crash(lambda: engine.look(harness.target)) is not None
    harness.cut_at(0)
    attempt = harness.state.attempt.id
    other = harness.engine()
    held = other.abandon(harness.target, attempt, Origin("somebody", "because"))
    assert isinstance(held, Hold)  # the dead process's claim is respected
    harness.clock.advance(2 * harness.limits.claim)
    assert "published already" in other.abandon(harness.target, attempt, Origin("somebody", "because")).reason
    harness.settle(other, timedelta(minutes=5))
    assert harness.state.attempt is None
    assert "ended by itself" in other.abandon(harness.target, attempt, Origin("somebody", "because")).reason


@STRATEGIES
def test_a_crash_while_it_is_given_up_loses_nothing(target):
    for number in range(1, 12):
        harness = opened(target)
        harness.cut_at(number)
        cut = harness.crash(lambda: give_up(harness))  # noqa: B023 - called at once
        harness.cut_at(0)
        harness.clock.advance(2 * harness.limits.claim)
        if harness.state.attempt is not None:
            in_vault = [entry.credential.password for entry in harness.state.ledger]
            in_vault += [harness.state.attempt.staged.password, harness.consumer.password]
            assert harness.provider.credentials[harness.state.published.id].password in in_vault
            harness.settle(harness.engine(), DAY)
        assert harness.published_works
        if cut is None:
            return
    raise AssertionError("it never ended")
