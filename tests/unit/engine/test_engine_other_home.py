"""A target that moves to another account, another strategy or both: with the real adapters, and what is left behind."""

from dataclasses import replace

import pytest
from engine_harness import DAY
from simulated_accounts import SETUPS, Setup, SimulatedHarness

from rotator.core.left_over import OrphanKind, left_over, orphans
from rotator.core.model import Ending, Strategy
from rotator.engine import Engine

# An Apinizer credential that is created has the grants of the one that it replaces: in another project it has none.
MOVES = [
    setup
    for setup in SETUPS
    if setup.strategy is not Strategy.IN_PLACE and (setup.kind, setup.strategy) != ("apinizer", Strategy.REPLACE)
]
PAIRS = [setup for setup in MOVES if setup.strategy is Strategy.ALTERNATING]
CHANGES = [
    (setup, strategy)
    for setup in SETUPS
    for strategy in Strategy
    if setup.kind in ("vobiz", "apinizer") and strategy is not setup.strategy
]


def rotated(setup: Setup, accounts: tuple[str, ...] = ("one", "two")) -> SimulatedHarness:
    """A target that has published at its first account and waits for nothing."""
    world = SimulatedHarness(setup, accounts)
    world.until_rotated(world.engine())
    world.settle(world.engine(), 10 * DAY)
    assert accepted(world)
    return world


def accepted(world: SimulatedHarness) -> bool:
    document = world.consumer
    return any(each.accepts(document.username, document.password) for each in world.accounts.values())


def enabled(world: SimulatedHarness, account: str) -> list[str]:
    home = world.accounts[account]
    held = home.stored_credentials().items()
    return sorted(each.username for identity, each in held if each.enabled and identity not in home.bystanders)


def rotate(world: SimulatedHarness) -> Engine:
    engine = world.engine()
    world.request(engine)
    world.until_rotated(engine)
    return engine


@pytest.mark.parametrize("setup", MOVES, ids=str)
def test_another_account_publishes_there_and_the_old_one_retires_what_it_has(setup):
    world = rotated(setup)
    before = enabled(world, "one")
    world.target = replace(world.target, account="two")
    engine = rotate(world)
    assert world.state.published.account == "two"
    assert accepted(world)
    assert enabled(world, "one") == before, "still in its overlap"
    world.settle(engine, 10 * DAY)
    assert enabled(world, "one") == []
    assert world.state.ledger == ()
    assert accepted(world)


def moved(setup: Setup) -> SimulatedHarness:
    """A target of two accounts: one of the pair at the first account is in its overlap, and so is the other."""
    world = rotated(setup)
    rotate(world)
    world.accounts["two"].add(world.target.usernames[1])  # by hand, as the procedure says
    world.target = replace(world.target, account="two")
    rotate(world)
    return world


@pytest.mark.parametrize("setup", PAIRS, ids=str)
def test_what_is_published_is_not_taken_for_one_of_the_old_account_with_the_same_username(setup):
    # Apinizer knows credentials by their usernames, so both have the same id as well.
    world = moved(setup)
    first = world.state.published
    rotate(world)
    assert [each.credential for each in world.state.ledger if each.credential.account == "two"] == [first]
    assert accepted(world)
    world.settle(world.engine(), 10 * DAY)
    assert enabled(world, "one") == []
    assert enabled(world, "two") == [world.consumer.username]
    assert world.state.ledger == ()


@pytest.mark.parametrize("setup", PAIRS, ids=str)
def test_a_take_over_from_the_old_account_forgets_nothing_of_the_new_one(setup):
    world = moved(setup)
    handed_out = next(each.credential for each in world.state.ledger if each.ending is Ending.STAND_BY)
    world.store.consumers[world.target.path] = replace(
        world.consumer,
        version=world.consumer.version + 1,
        username=handed_out.username,
        password=handed_out.password,
        credential_id=handed_out.id,
    )
    published = world.state.published
    assert published.account == "two"
    engine = world.engine()
    world.request(engine, take_over=True)
    world.until_rotated(engine)
    assert [each.credential for each in world.state.ledger if each.credential.account == "two"] == [published]
    world.settle(world.engine(), 10 * DAY)
    assert enabled(world, "one") == []
    assert enabled(world, "two") == [world.consumer.username]


# Both accounts of the simulation answer for one realm of Endpoints, so the registrar cannot tell them apart.
IN_PLACE = [setup for setup in SETUPS if setup.strategy is Strategy.IN_PLACE and setup.kind != "vobiz-endpoint"]


@pytest.mark.parametrize("setup", IN_PLACE, ids=str)
def test_the_one_credential_of_the_old_account_ends_even_if_only_a_password_can_end_it(setup):
    world = rotated(setup)
    old = world.consumer
    world.target = replace(world.target, account="two")
    engine = rotate(world)
    assert world.accounts["one"].accepts(old.username, old.password), "still in its overlap"
    world.settle(engine, 10 * DAY)
    assert not world.accounts["one"].accepts(old.username, old.password)
    assert accepted(world)
    assert world.state.ledger == ()


@pytest.mark.parametrize("setup", MOVES, ids=str)
def test_what_an_account_has_that_is_removed_too_early_is_an_orphan_until_it_is_back(setup):
    world = rotated(setup)
    world.target = replace(world.target, account="two")
    rotate(world)
    old = world.accounts.pop("one")
    world.settle(world.engine(), 10 * DAY)
    assert [each.kind for each in orphans(world.state, world.accounts, configured=True)] == [OrphanKind.LEDGER]
    assert accepted(world)
    world.request(engine := world.engine())
    world.until_rotated(engine)
    assert accepted(world), "what is left at an account that is gone holds up nothing"
    world.accounts["one"] = old
    world.settle(world.engine(), 10 * DAY)
    assert list(orphans(world.state, world.accounts, configured=True)) == []
    assert enabled(world, "one") == []


@pytest.mark.parametrize(("setup", "strategy"), CHANGES, ids=lambda each: getattr(each, "value", str(each)))
def test_another_strategy_leaves_one_accepted_credential_and_nothing_undone(setup, strategy):
    world = rotated(setup, ("one",))
    target = setup.target(strategy=strategy)
    if strategy is Strategy.IN_PLACE:
        target = replace(target, usernames=(world.state.published.username,))
    if strategy is Strategy.ALTERNATING:
        # One of the two is what devices use now; the other may not be there yet.
        target = replace(target, usernames=(world.state.published.username, "officeb"))
    world.target = target
    engine = rotate(world)
    assert accepted(world)
    world.settle(engine, 10 * DAY)
    assert accepted(world)
    assert enabled(world, "one") == [world.consumer.username]
    assert world.state.ledger == ()
    rotate(world)
    assert accepted(world), "and it goes on"


@pytest.mark.parametrize("setup", MOVES, ids=str)
def test_a_target_removed_during_its_move_still_ends_both(setup):
    world = rotated(setup)
    world.target = replace(world.target, account="two")
    rotate(world)
    target = left_over(world.state)
    assert target is not None
    engine = world.engine()
    for _ in range(24 * 10):
        engine.look(target)
        world.clock.advance(DAY / 24)
    assert enabled(world, "one") == []
    assert world.state.ledger == ()
    assert accepted(world)
