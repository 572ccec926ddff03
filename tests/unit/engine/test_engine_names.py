"""Names that are wrong: what is configured but not there, and letters whose case a provider does not tell apart."""

from dataclasses import replace

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness
from simulated_accounts import RequestFault, Setup, SimulatedHarness, apinizer, vobiz

from rotator.core.actions import Step
from rotator.core.model import Strategy, Target
from rotator.engine import Outcome
from rotator.testing import FakeFault

MISSPELT = replace(REPLACE, usernames=("Lobby01",), new=False)


def test_a_misspelt_username_creates_nothing_and_leaves_nothing_alive_unnoticed():
    """Finding 7: --compromised was "rotated", and the stolen pair was accepted thirty days later."""
    harness = EngineHarness(MISSPELT)
    stolen = harness.provider.add("lobby01")
    engine = harness.engine()
    harness.request(engine, compromised=True)
    look = engine.look(harness.target)
    assert look.outcome is Outcome.FAILED
    assert "no credential 'Lobby01'" in harness.state.last_error
    assert "new: true" in harness.state.last_error
    assert list(harness.provider.credentials) == [stolen.id]
    assert harness.state.published is None
    harness.target = replace(harness.target, usernames=("lobby01",))
    harness.request(engine, compromised=True)
    assert Step.DISABLE in harness.until_rotated(engine).steps
    assert not harness.provider.accepts("lobby01", stolen.password)


def test_what_is_said_to_be_new_is_created():
    harness = EngineHarness(replace(MISSPELT, new=True))
    harness.until_rotated(harness.engine())
    assert harness.published_works
    pair = EngineHarness(ALTERNATING)
    engine = pair.engine()
    pair.until_rotated(engine)
    pair.request(engine)
    pair.until_rotated(engine)
    assert {stored.username for stored in pair.provider.credentials.values()} == set(ALTERNATING.usernames)


def lives(target: Target, fault: FakeFault) -> EngineHarness:
    """A few rotations at a provider that stores names in lower case; the answer to each first create is lost."""
    harness = EngineHarness(target)
    harness.provider.folds_case = True
    engine = harness.engine()
    for _ in range(4):
        harness.provider.faults["create"] = [fault]
        harness.request(engine)
        harness.until_rotated(engine)
        assert harness.published_works
        assert harness.provider.credentials[harness.state.published.id].enabled
        harness.settle(engine, 10 * DAY)
        assert harness.published_works
    assert harness.state.ledger == ()
    assert [stored.enabled for stored in harness.provider.credentials.values()].count(True) == 1
    return harness


@pytest.mark.parametrize("fault", [FakeFault.LOST_AFTER, FakeFault.LOST_BEFORE])
def test_a_provider_that_folds_case_recognises_what_was_created(fault):
    """Finding 7: the create was never recognised, 409 for ever, and what it left stayed enabled."""
    harness = lives(replace(MISSPELT, new=True), fault)
    assert len(harness.provider.credentials) == 1
    pair = lives(replace(ALTERNATING, usernames=("OfficeA", "OfficeB")), fault)
    assert {stored.username for stored in pair.provider.credentials.values()} == {"officea", "officeb"}


def test_in_place_finds_its_credential_in_other_letters():
    harness = EngineHarness(replace(IN_PLACE, usernames=("Office",)))
    harness.provider.folds_case = True
    harness.provider.add("office")
    engine = harness.engine()
    for _ in range(2):
        harness.request(engine)
        harness.until_rotated(engine)
    assert harness.published_works
    assert len(harness.provider.credentials) == 1


PAIRS = (Setup("vobiz", Strategy.ALTERNATING, vobiz), Setup("apinizer", Strategy.ALTERNATING, apinizer))


def in_capitals(setup: Setup, *, folds: bool) -> SimulatedHarness:
    """The second of two usernames has capitals, and is not there yet."""
    harness = SimulatedHarness(setup)
    harness.provider.account.folds_case = folds
    harness.target = replace(harness.target, usernames=("office", "OfficeB"))
    return harness


@pytest.mark.parametrize("folds", [True, False])
@pytest.mark.parametrize("fault", [None, RequestFault.LOST_ANSWER, RequestFault.LOST_REQUEST])
@pytest.mark.parametrize("setup", PAIRS, ids=str)
def test_a_name_in_capitals_is_created_in_letters_that_every_provider_shows_again(setup, fault, folds):
    """With the real adapters, which compare exactly: the answer was lost, and then the name was taken for ever."""
    harness = in_capitals(setup, folds=folds)
    engine = harness.engine()
    lost = [fault]
    harness.provider.transport.plan = lambda request: lost.pop() if request.method == "POST" and lost else None
    for username in ("officeb", "office", "officeb"):
        harness.request(engine)
        harness.until_rotated(engine)
        assert harness.state.published.username == username
        assert harness.published_works
        harness.settle(engine, 10 * DAY)
    assert harness.state.ledger == ()
    there = {stored.username: stored.enabled for stored in harness.provider.stored_credentials().values()}
    assert there == {"bystander": True, "office": False, "officeb": True}


def test_what_people_create_again_in_other_letters_holds_no_emergency():
    """The years, seed 1019."""
    harness = in_capitals(PAIRS[0], folds=True)
    engine = harness.engine()
    for _ in range(2):
        harness.request(engine)
        harness.until_rotated(engine)
        harness.settle(engine, 10 * DAY)
    idle = harness.state.standby
    assert idle.username == "officeb"
    harness.provider.person_changes(idle.id, delete=True)
    harness.provider.add("OfficeB")
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    assert harness.state.published.username == "officeb"
    assert harness.published_works


@pytest.mark.parametrize("folds", [True, False])
def test_somebody_elses_username_in_other_letters_is_left_alone(folds):
    harness = in_capitals(PAIRS[0], folds=folds)
    harness.provider.add("officeb")
    before = harness.provider.stored_credentials()
    engine = harness.engine()
    harness.request(engine)
    assert engine.look(harness.target).outcome is Outcome.FAILED
    assert "one has 'officeb', and no 'OfficeB': configure it" in harness.state.last_error
    assert harness.provider.stored_credentials() == before
