"""`audit.required`: each effect is announced to the audit before it is sent, and none that the audit refuses is."""

from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.model import Purpose, Target
from rotator.engine import Engine, Outcome
from rotator.ports import StoreUnavailable
from rotator.testing import CHOSEN, GENERATED

# By what the provider and Vault are asked for: the words of the audit that announce it.
ANNOUNCED = {
    "create": {"create"},
    "complete": {"complete"},
    "set_password": {"set_password", "restore", "reassert", "overwrite"},
    "enable": {"enable", "reassert", "lift_end"},
    "expire": {"expire"},
    "disable": {"disable"},
    "delete": {"delete"},
    "write consumer": {"publish", "move", "withdraw"},
}


def life(harness: EngineHarness, engine: Engine) -> None:
    """A first rotation, one that is asked for, an undo where one is possible, an emergency, and all that follows."""
    harness.settle(engine, timedelta(hours=1))
    for purpose, flags in (
        (Purpose.ROTATE, {}),
        (Purpose.UNDO, {}),
        (Purpose.ROTATE, {"compromised": True}),
        (Purpose.ROTATE, {}),
    ):
        harness.request(engine, purpose, **flags)
        harness.settle(engine, timedelta(hours=1))
    harness.settle(engine, 10 * DAY)


@pytest.mark.parametrize(
    ("target", "capabilities"), [(REPLACE, CHOSEN), (REPLACE, GENERATED), (ALTERNATING, CHOSEN), (IN_PLACE, CHOSEN)]
)
def test_every_effect_of_a_life_is_announced_before_it_is_sent(target: Target, capabilities) -> None:
    harness = EngineHarness(target, capabilities)
    if target is not REPLACE:
        for username in target.usernames:
            harness.provider.add(username)
    sent, known = [], 0

    def watch(label: str) -> None:
        nonlocal known
        effect = label.removeprefix("before ")
        if label.startswith("before ") and effect in ANNOUNCED:
            new, known = harness.audit.intended[known:], len(harness.audit.intended)
            assert {record.verb.value for record in new} & ANNOUNCED[effect], f"{effect} was not announced"
            sent.append(effect)

    harness.cut_at(0, watch)
    life(harness, harness.engine())
    assert "write consumer" in sent
    assert len(set(sent)) >= {REPLACE.strategy: 4, ALTERNATING.strategy: 3, IN_PLACE.strategy: 2}[target.strategy]


def test_nothing_is_sent_staged_or_asked_for_while_the_audit_refuses_and_all_of_it_follows() -> None:
    harness = EngineHarness()
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.request(engine)
    before, documents = list(harness.provider.calls), harness.store.consumers.copy()
    state, claimed = harness.state, harness.state.claim
    harness.audit.refuses = StoreUnavailable("audit.required holds this up")
    look = engine.look(harness.target)
    assert (look.outcome, look.message) == (Outcome.VAULT, "audit.required holds this up")
    with pytest.raises(StoreUnavailable):
        harness.request(engine)
    harness.clock.advance(2 * DAY)  # retirements are due as well
    engine.look(harness.target)
    changing = {verb for verb in ANNOUNCED if verb != "write consumer"}
    assert [call for call in harness.provider.calls[len(before) :] if call in changing] == []
    assert harness.store.consumers == documents
    assert (harness.state.attempt, harness.state.request, claimed) == (None, state.request, None)
    harness.audit.refuses = None
    harness.until_rotated(harness.engine())
    assert harness.published_works
