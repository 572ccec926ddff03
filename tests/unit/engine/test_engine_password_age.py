"""How old a password is: it counts from when it was made, and an undo never makes it younger."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.adoption import KnownToOperator
from rotator.core.age_limit import AgeLimit
from rotator.core.model import Purpose, Target
from rotator.core.origin import Origin
from rotator.core.password_age import deadline
from rotator.core.schedule import Cron, Every
from rotator.core.secret import Secret
from rotator.observe.status import status_document
from rotator.observe.surroundings import Surroundings
from rotator.testing import CHOSEN, GENERATED, FakeFault

HOUR = timedelta(hours=1)


def rotated_twice(target: Target = REPLACE, apart: timedelta = 80 * DAY, **more) -> EngineHarness:
    """The first password is `apart` older than the second, which is published."""
    world = EngineHarness(target, **more)
    if target.strategy is not REPLACE.strategy:
        for username in target.usernames:
            world.provider.add(username)
    world.until_rotated(world.engine())
    world.clock.advance(apart)
    world.request(world.engine())
    world.until_rotated(world.engine())
    return world


def undo(world: EngineHarness) -> None:
    world.clock.advance(HOUR)
    world.request(world.engine(), Purpose.UNDO)
    world.settle(world.engine(), HOUR)
    assert world.state.counts.undone == 1


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
def test_an_undo_publishes_a_password_that_is_as_old_as_it_is(target):
    world = rotated_twice(target)
    second = world.state.published
    first = world.state.ledger[0].credential
    assert second.made_at - first.made_at == 80 * DAY
    undo(world)
    published = world.state.published
    assert (published.username, published.password) == (first.username, first.password)
    assert published.made_at == first.made_at
    assert world.state.published_since > world.state.last_rotation == second.made_at


@pytest.mark.parametrize(
    ("apart", "due"),
    [
        (30 * DAY, 60 * DAY),  # 90 days after the first password was made
        (80 * DAY, 45 * DAY),  # that would be in 10 days: half an interval after the last rotation
    ],
)
def test_after_an_undo_the_older_password_is_due_by_its_own_age_and_not_at_once(apart, due):
    world = rotated_twice(apart=apart)
    world.randomness.fraction = lambda: 0.0
    rotated = world.state.last_rotation
    undo(world)
    assert world.state.next_rotation == rotated + due
    draw_again = replace(world.target.policy, overlap=2 * DAY, schedule=Every(88 * DAY))
    world.target = replace(world.target, policy=draw_again)
    world.engine().look(world.target)
    assert world.state.next_rotation == max(rotated - apart + 88 * DAY, rotated + 44 * DAY)


def test_after_an_undo_a_named_time_is_kept():
    monthly = replace(REPLACE, policy=replace(REPLACE.policy, schedule=Cron("0 3 1 * *")))
    world = rotated_twice(monthly, apart=3 * DAY)
    before = world.state.next_rotation
    undo(world)
    assert world.state.next_rotation == before


def test_an_adopted_password_has_no_age_and_an_undo_counts_from_the_last_rotation():
    world = EngineHarness(IN_PLACE)
    world.provider.add("office")
    world.until_rotated(world.engine())
    (entry,) = world.state.ledger or (None,)
    assert entry is None, "the password of what is adopted is unknown, and cannot be published again"
    assert world.state.published.made_at == world.state.last_rotation
    old = replace(world.state.published, made_at=None)
    world.store.states["office"] = replace(world.store.states["office"], state=replace(world.state, published=old))
    world.request(world.engine())
    world.until_rotated(world.engine())
    rotated = world.state.last_rotation
    world.randomness.fraction = lambda: 0.0
    undo(world)
    assert (world.state.published.made_at, world.state.next_rotation) == (None, rotated + 90 * DAY)
    around = Surroundings("me", "1", {}, {"fake": CHOSEN})
    (row,) = status_document([world.target], {"office": world.state}, world.clock.now(), around)["targets"]
    assert (row["age_seconds"], row["published"]["made_at"]) == (None, None)
    assert row["published"]["since"] == world.state.published_since.isoformat()


def test_a_password_that_the_provider_generates_is_made_when_it_is_applied_or_by_a_lost_call_before():
    world = EngineHarness(capabilities=GENERATED)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    began = world.clock.now()
    world.until_rotated(world.engine())
    made = world.state.published.made_at
    assert made == began  # no later than the call whose answer was lost, however late it was found
    world.request(world.engine())
    asked = world.clock.now()
    world.until_rotated(world.engine())
    assert world.state.published.made_at >= asked
    undo(world)
    assert world.state.published.made_at == made


def test_a_password_that_waited_to_be_published_is_as_old_as_it_is():
    world = EngineHarness()
    began = world.clock.now()
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 3
    world.until_rotated(world.engine())
    assert world.state.last_rotation > world.state.published.made_at == began


@pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED])
def test_a_clock_that_is_behind_makes_no_password_older(capabilities):
    world = EngineHarness(capabilities=capabilities)
    world.store.ahead = 3 * DAY
    world.until_rotated(world.engine())
    assert world.state.published.made_at - world.clock.now() > 2 * DAY


def test_a_first_rotation_notes_since_when_the_old_password_is_known():
    world = EngineHarness()
    world.provider.add("office")
    began = world.clock.now()
    world.clock.advance(HOUR)
    world.provider.faults["create"] = [FakeFault.UNREACHABLE] * 3
    world.until_rotated(world.engine())
    (entry,) = world.state.ledger
    assert (entry.credential.made_at, entry.credential.seen_at) == (None, began + HOUR)
    assert world.state.first_seen == began + HOUR
    assert entry.replaced_at > began + HOUR


def test_what_was_adopted_counts_from_its_adoption_until_it_is_refused():
    world = EngineHarness()
    world.provider.add("office", password="known password")
    known = KnownToOperator("office", Secret("known password"))
    engine = world.engine()
    engine.adopt(world.target, known, engine.plan_adoption(world.target, known), Origin("tester", "because"))
    adopted = world.clock.now()
    assert (world.state.published.made_at, world.state.published.seen_at) == (None, adopted)
    world.clock.advance(10 * DAY)
    world.until_rotated(world.engine())
    assert world.state.ledger[0].credential.seen_at == adopted
    assert world.state.published.seen_at is None
    limited = replace(world.target, policy=replace(world.target.policy, age_limit=AgeLimit(90 * DAY, 7 * DAY)))
    assert deadline(limited, world.state).at == adopted + 90 * DAY
    world.settle(world.engine(), 2 * DAY)
    assert deadline(limited, world.state).at == world.state.published.made_at + 90 * DAY
