"""A person deletes at the provider what rotator needs: the published credential, or the staged one."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from engine_harness import DAY
from faulted_lifecycles import REST
from simulated_accounts import Setup, SimulatedHarness

from rotator.core.answers import Done
from rotator.core.model import Credential
from rotator.engine import Engine

_STEP = timedelta(minutes=5)
_WATCHED = timedelta(hours=30)


def published_is_tidied_away(setup: Setup) -> Iterator[str]:
    """During the overlap. Nobody may be cut off from both, and in the end what is published works again."""
    harness, engine = _at_rest(setup)
    harness.request(engine)
    harness.until_rotated(engine)
    (entry,) = harness.state.ledger
    old = entry.credential
    harness.settle(engine, timedelta(hours=1))
    _tidy_away(harness, harness.state.published)
    for _ in range(_WATCHED // _STEP):
        harness.settle(engine, _STEP)
        lives = harness.provider.accepts(old.username, old.password)
        assert harness.published_works or lives, "the last credential that worked was ended"
    yield f"{setup}, published"
    _rests(harness, engine)


def staged_is_tidied_away(setup: Setup) -> Iterator[str]:
    """While Vault does not let rotator publish, for days. What is published works all the time."""
    harness, engine = _at_rest(setup)
    harness.provider.remove_trunks()  # one that names it would be pointed back, and the attempt given up
    old = harness.consumer
    harness.store.unpublishable.add(harness.target.path)
    # The right is taken away after it was checked, before the provider gets the password.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness.store, "check_publishable", lambda path: None)
        _staged_is_gone(harness, engine)
    harness.store.unpublishable.clear()
    for _ in range(_WATCHED // _STEP):
        harness.settle(engine, _STEP)
        assert harness.published_works, "a credential that was gone was published"
    assert harness.consumer.password != old.password, "it was not rotated"
    yield f"{setup}, staged"
    _rests(harness, engine)


def _staged_is_gone(harness: SimulatedHarness, engine: Engine) -> None:
    harness.request(engine)
    harness.settle(engine, DAY)
    attempt = harness.state.attempt
    assert attempt is not None, "it was published although Vault denied it"
    _tidy_away(harness, attempt.staged)
    harness.settle(engine, 4 * DAY, most=2000)


def _at_rest(setup: Setup) -> tuple[SimulatedHarness, Engine]:
    harness = SimulatedHarness(setup)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, REST)
    return harness, engine


def _tidy_away(harness: SimulatedHarness, credential: Credential | None) -> None:
    """Through the provider's API, as we would."""
    assert credential is not None
    assert isinstance(harness.provider.adapter(harness.clock, harness.randomness).delete(credential), Done)
    harness.clock.advance(timedelta(seconds=10))  # SIP follows the API late
    assert not harness.provider.accepts(credential.username, credential.password)


def _rests(harness: SimulatedHarness, engine: Engine) -> None:
    assert harness.published_works, "what is published stays refused"
    harness.settle(engine, REST)
    assert harness.published_works, "what is published was ended"
    assert harness.state.ledger == (), "something is never retired"
