"""A target that was retired, and that somebody takes back: it begins anew beside what still ends."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, REPLACE, EngineHarness

from rotator.core.model import Ending
from rotator.core.requesting import after_request_withdrawal
from rotator.testing import GENERATED, FakeFault

HOUR = timedelta(hours=1)


def retired(target=REPLACE, **how) -> EngineHarness:
    """A harness whose target has published something that somebody retired, in its overlap."""
    world = EngineHarness(target)
    for username in target.usernames:
        world.provider.add(username)
    world.until_rotated(world.engine())
    world.settle(world.engine(), 10 * DAY)
    world.retire(**how)
    world.engine().look(world.target)
    return world


def last_published(world) -> tuple[str, object]:
    (entry,) = (each for each in world.state.ledger if not each.cut_off and each.ending is not Ending.FORGET)
    return entry.credential.username, entry.credential.password


def test_it_begins_anew_when_somebody_asks():
    world = retired()
    world.settle(world.engine(), 10 * DAY)
    engine = world.engine()
    world.request(engine)
    world.until_rotated(engine)
    assert world.published_works
    assert world.state.retired_at is None


@pytest.mark.parametrize("names", [ALTERNATING.usernames, ALTERNATING.usernames[::-1]])
def test_a_pair_begins_anew_at_once_with_the_one_that_no_device_uses(names):
    """The years, seed 1486: it chose the one in its overlap, and waited for that to end."""
    world = retired(replace(ALTERNATING, usernames=names))
    stored = world.store.read_state("office")  # nothing goes by the order of the ledger
    world.store.write_state(replace(stored.state, ledger=stored.state.ledger[::-1]), stored.version)
    used = last_published(world)
    engine = world.engine()
    world.request(engine)
    world.until_rotated(engine)
    assert world.state.published.username != used[0]
    world.settle(engine, DAY - HOUR)
    assert world.provider.accepts(*used), "the rest of its overlap"
    assert world.published_works
    world.settle(engine, 2 * HOUR)
    assert not world.provider.accepts(*used)
    assert world.published_works


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING], ids=lambda target: target.strategy.value)
def test_what_was_retired_is_accepted_until_something_new_is_published(target):
    """The years, seed 1486: the overlap ended before the new one was there, and nothing was accepted any more."""
    world = retired(target)
    used = last_published(world)
    engine = world.engine()
    world.provider.faults.update({verb: [FakeFault.UNREACHABLE] * 999 for verb in ("create", "set_password")})
    world.request(engine)
    world.settle(engine, DAY + HOUR, most=1000)
    assert world.state.published is None
    assert world.provider.accepts(*used)
    world.provider.faults.clear()
    world.until_rotated(engine)
    world.settle(engine, 2 * HOUR)
    assert not world.provider.accepts(*used)
    assert world.published_works


def test_what_was_to_end_at_once_ends_although_nothing_new_is_published():
    world = retired(at_once=True)
    engine = world.engine()
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 999
    world.request(engine)
    world.settle(engine, DAY / 2)
    assert not any(held.enabled for held in world.provider.credentials.values())


def test_a_pair_of_which_devices_use_both_begins_anew_after_the_overlap_of_the_older_one():
    """By schedule: nothing is disabled before something is published, so it must not wait for that."""
    world = EngineHarness(ALTERNATING)
    for username in ALTERNATING.usernames:
        world.provider.add(username)
    engine = world.engine()
    world.until_rotated(engine)
    world.settle(engine, 2 * DAY)
    world.request(engine)
    world.until_rotated(engine)
    older, newer = world.state.ledger[-1].credential, world.consumer
    world.settle(engine, DAY / 2)
    world.retire()
    world.request(engine)
    now, stored = world.clock.now(), world.store.read_state("office")
    due = replace(after_request_withdrawal(stored.state), next_rotation=now, last_rotation=now - 90 * DAY)
    world.store.write_state(due, stored.version)
    world.settle(engine, DAY / 2 - HOUR)
    assert world.provider.accepts(older.username, older.password)
    assert world.provider.accepts(newer.username, newer.password)
    world.settle(engine, 2 * HOUR)
    assert world.state.published.username == older.username
    assert world.published_works
    assert world.provider.accepts(newer.username, newer.password), "the rest of its overlap"


def test_an_end_that_the_provider_was_told_is_lifted_until_something_new_is_published():
    world = EngineHarness(replace(REPLACE, usernames=()), GENERATED)
    world.until_rotated(world.engine())
    world.retire()
    engine = world.engine()
    world.settle(engine, HOUR)
    (entry,) = world.state.ledger
    assert entry.expires_at is not None
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 999
    world.request(engine)
    world.settle(engine, DAY + HOUR, most=1000)
    (entry,) = world.state.ledger
    assert entry.expires_at is None
    assert world.provider.accepts(entry.credential.username, entry.credential.password)
