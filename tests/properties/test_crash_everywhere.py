"""Every run is cut at every boundary between two effects; a new process starts from what Vault and provider hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from world import ALTERNATING, DAY, IN_PLACE, REPLACE, World

from rotator.core.model import Purpose
from rotator.testing import CHOSEN, GENERATED

SETUPS = {
    "replace": (REPLACE, CHOSEN),
    "alternating": (ALTERNATING, CHOSEN),
    "in-place": (IN_PLACE, CHOSEN),
    "generated": (REPLACE, GENERATED),
}


class Watch:
    """What must hold at every boundary (design, section 6)."""

    def __init__(self, world: World, *, overlapping: bool) -> None:
        self.world, self.overlapping = world, overlapping
        self.staged: dict[str, object] = {}

    def __call__(self, label: str) -> None:
        world = self.world
        accepts = world.provider.accepts
        consumer = world.store.consumers.get(world.target.path)
        state = world.store.states[world.target.name].state if world.store.states else None
        attempt = state.attempt if state else None
        if consumer is not None:
            published = accepts(consumer.username, consumer.password)
            staged = attempt is not None and accepts(attempt.staged.username, attempt.staged.password)
            assert published or (staged and not self.overlapping), f"nothing in Vault is accepted, {label}"
        if attempt is not None and attempt.staged.password is not None:
            known = self.staged.setdefault(attempt.id, attempt.staged.password)
            assert known == attempt.staged.password, f"the staged password was replaced, {label}"
        if label.startswith(("before delete", "before disable")):
            self._nothing_in_use_is_retired(label)

    def _nothing_in_use_is_retired(self, label: str) -> None:
        state = self.world.state
        assert state.ledger, f"{label} without a ledger"


def prepared(setup: str, scenario: str) -> World:
    target, capabilities = SETUPS[setup]
    world = World(replace(target), capabilities)
    if capabilities is CHOSEN:
        world.provider.add(target.usernames[0])
    engine = world.engine()
    if scenario != "first":
        engine.look(world.target)
        world.settle(engine, 2 * DAY)
        world.request(engine)
        engine.look(world.target)
    if scenario == "undo":
        world.request(engine, Purpose.UNDO)
    elif scenario == "undo from quarantine":
        world.settle(engine, DAY + timedelta(minutes=1))
        world.request(engine, Purpose.UNDO)
    elif scenario == "compromised":
        world.request(engine, compromised=True)
    elif scenario == "retirement":
        world.clock.advance(9 * DAY)
    elif scenario == "rotation":
        world.settle(engine, 2 * DAY)
        world.request(engine)
    return world


SCENARIOS = ["first", "rotation", "undo", "undo from quarantine", "compromised", "retirement"]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("setup", SETUPS)
def test_a_cut_at_any_boundary_loses_nothing(setup, scenario):
    cut = 0
    while True:
        cut += 1
        world = prepared(setup, scenario)
        watch = Watch(world, overlapping=setup != "in-place")
        world.cut_at(cut, watch)
        engine = world.engine()
        where = world.crash(lambda: engine.look(world.target))  # noqa: B023
        world.cut_at(0, watch)
        recovering = world.engine()
        world.settle(recovering, 10 * DAY)
        state = world.state
        assert world.published_works, where
        assert state.attempt is None, where
        assert state.ledger == (), where
        named = {state.published.id, state.standby.id if state.standby else None}
        assert set(world.provider.credentials) <= named, f"an orphan is left after {where}"
        assert sum(held.enabled for held in world.provider.credentials.values()) == 1, where
        if where is None:
            break
    assert cut >= 3
