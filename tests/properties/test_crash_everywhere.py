"""Every run is cut at every boundary between two effects; a new process starts from what Vault and provider hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.model import Purpose
from rotator.testing import CHOSEN, GENERATED

SETUPS = {
    "replace": (REPLACE, CHOSEN),
    "alternating": (ALTERNATING, CHOSEN),
    "in-place": (IN_PLACE, CHOSEN),
    "generated": (REPLACE, GENERATED),
    "replace, tried": (REPLACE, replace(CHOSEN, tries_ended=timedelta(minutes=10))),
    "in-place, tried": (IN_PLACE, replace(CHOSEN, tries_ended=timedelta(minutes=10))),
}


class BoundaryCheck:
    """What must hold at every boundary (design, section 6)."""

    def __init__(self, harness: EngineHarness, *, overlapping: bool) -> None:
        self.harness, self.overlapping = harness, overlapping
        self.staged: dict[str, object] = {}

    def __call__(self, label: str) -> None:
        harness = self.harness
        accepts = harness.provider.accepts
        consumer = harness.store.consumers.get(harness.target.path)
        state = harness.store.states[harness.target.name].state if harness.store.states else None
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
        state = self.harness.state
        assert state.ledger, f"{label} without a ledger"


def prepared_harness(setup: str, scenario: str) -> EngineHarness:
    target, capabilities = SETUPS[setup]
    harness = EngineHarness(replace(target), capabilities)
    if not capabilities.generates_password:
        harness.provider.add(target.usernames[0])
    engine = harness.engine()
    if scenario != "first":
        engine.look(harness.target)
        harness.settle(engine, 2 * DAY)
        harness.request(engine)
        engine.look(harness.target)
    if scenario == "undo":
        harness.request(engine, Purpose.UNDO)
    elif scenario == "undo from quarantine":
        harness.settle(engine, DAY + timedelta(minutes=1))
        harness.request(engine, Purpose.UNDO)
    elif scenario == "compromised":
        harness.request(engine, compromised=True)
    elif scenario == "retirement":
        harness.clock.advance(9 * DAY)
    elif scenario == "rotation":
        harness.settle(engine, 2 * DAY)
        harness.request(engine)
    return harness


SCENARIOS = ["first", "rotation", "undo", "undo from quarantine", "compromised", "retirement"]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("setup", SETUPS)
def test_a_cut_at_any_boundary_loses_nothing(setup, scenario):
    cut = 0
    while True:
        cut += 1
        harness = prepared_harness(setup, scenario)
        watch = BoundaryCheck(harness, overlapping=not setup.startswith("in-place"))
        harness.cut_at(cut, watch)
        engine = harness.engine()
        where = harness.crash(lambda: engine.look(harness.target))  # noqa: B023
        harness.cut_at(0, watch)
        recovering = harness.engine()
        harness.settle(recovering, 10 * DAY)
        state = harness.state
        assert harness.published_works, where
        assert state.attempt is None, where
        assert state.ledger == (), where
        named = {state.published.id, state.standby.id if state.standby else None}
        assert set(harness.provider.credentials) <= named, f"an orphan is left after {where}"
        assert sum(held.enabled for held in harness.provider.credentials.values()) == 1, where
        if where is None:
            break
    assert cut >= 3
