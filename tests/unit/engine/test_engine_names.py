"""Names that are wrong: what is configured but not there, and letters whose case a provider does not tell apart."""

from dataclasses import replace

from engine_harness import ALTERNATING, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.engine import Outcome

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
