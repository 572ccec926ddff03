"""Hooks around whole lives, cut at every boundary: none of those before is left out, and none of those after.

What was done is done once, however often a hook fails; what a hook was told twice has the same key.
"""

from collections import Counter
from dataclasses import replace

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness

from rotator.core import advance, attempt_ends, continuation, hooks
from rotator.core.hook_rules import Hooks
from rotator.core.model import Strategy, TargetState
from rotator.testing import CHOSEN, GENERATED, FakeHook

HOOKED = replace(POLICY, hooks=Hooks(("asked",), ("told",), ("warned",), ("cleaned",)))
SETUPS = {
    "replace": (replace(REPLACE, policy=HOOKED), CHOSEN),
    "alternating": (replace(ALTERNATING, policy=HOOKED), CHOSEN),
    "in-place": (replace(IN_PLACE, policy=HOOKED), CHOSEN),
    "generated": (replace(REPLACE, policy=HOOKED), GENERATED),
}
BEFORE = {"create": "asked", "set_password": "asked", "disable": "warned", "delete": "warned"}


class Life:
    """A rotation and what follows of it; what a hook precedes is compared with the keys that it was told."""

    def __init__(self, setup: str) -> None:
        target, capabilities = SETUPS[setup]
        self.world = EngineHarness(target, capabilities)
        if not capabilities.generates_password:
            self.world.provider.add(target.usernames[0])
        self.world.hooks = {name: FakeHook() for name in ("asked", "told", "warned", "cleaned")}
        engine = self.world.engine()
        self.world.until_rotated(engine)
        self.world.settle(engine, 10 * DAY)
        self.before = Counter({name: len(hook.succeeded) for name, hook in self.world.hooks.items()})
        self.rotations = self.world.state.counts.succeeded
        self.old = self.world.consumer
        self.world.request(engine)

    def __call__(self, label: str) -> None:
        consumer = self.world.consumer
        staged = self.world.state.attempt.staged if self.world.state.attempt else None
        in_force = self.world.provider.accepts(consumer.username, consumer.password)
        put = staged is not None and self.world.provider.accepts(staged.username, staged.password)
        assert in_force or put, f"nothing in Vault is accepted, {label}"
        self.world.provider.pass_time(self.world.clock.now())
        if self.world.target.strategy is not Strategy.IN_PLACE and not self.ran("warned"):
            assert self.world.provider.accepts(self.old.username, self.old.password), f"ended without its hook, {label}"
        verb = label.removeprefix("before ").partition(" ")[0]
        if label.startswith("before ") and verb in BEFORE:
            assert self.ran(BEFORE[verb]), f"{label} without its hook"

    def ran(self, name: str) -> int:
        """How many different things the hook has been told of successfully since the life began."""
        return len(set(self.world.hooks[name].succeeded[self.before[name] :]))

    @property
    def changes(self) -> int:
        """How many calls have changed something at the provider."""
        return sum(verb in BEFORE for verb in self.world.provider.calls)

    def run(self) -> None:
        self.world.settle(self.world.engine(), 2 * DAY)

    def ends_well(self) -> None:
        self.world.cut_at(0, self)
        self.world.settle(self.world.engine(), 10 * DAY)
        state = self.world.state
        assert (state.attempt, state.ledger, state.owed) == (None, (), ())
        assert state.counts.succeeded - self.rotations == 1
        in_place = state.published.username == "office"
        assert [self.ran(name) for name in self.world.hooks] == [1, 1, *([0, 0] if in_place else [1, 1])]
        for hook in self.world.hooks.values():
            assert len({(facts["key"], facts["attempt"], facts["username"]) for facts in hook.told}) == len(
                {facts["key"] for facts in hook.told}
            )
        assert self.world.published_works


@pytest.mark.parametrize("setup", SETUPS)
def test_a_cut_at_any_boundary_leaves_no_hook_out(setup):
    cut = 0
    while True:
        cut += 1
        life = Life(setup)
        life.world.cut_at(cut, life)
        reached = life.world.crash(life.run)
        life.ends_well()
        if reached is None:
            break
    assert cut > 20, "the run has hardly any boundaries"


@pytest.mark.parametrize("hook", ["asked", "told", "warned", "cleaned"])
@pytest.mark.parametrize("setup", SETUPS)
def test_a_hook_that_fails_for_hours_holds_what_follows_and_undoes_nothing(setup, hook):
    life = Life(setup)
    life.world.hooks[hook].failures, changes = None, life.changes
    life.world.cut_at(0, life)
    life.run()
    assert life.world.published_works
    state = life.world.state
    assert state.counts.succeeded - life.rotations == (hook != "asked")
    assert (life.changes == changes) == (hook == "asked")
    life.world.hooks[hook].failures = 0
    life.ends_well()


def nothing_waits_for_the_first(patch) -> None:
    patch.setattr(continuation, "before_rotation", lambda facts: None)


def no_end_waits_for_its_hook(patch) -> None:
    patch.setattr(hooks, "before_retirement", lambda facts, entry: None)


def an_end_is_told_although_a_hook_comes_before(patch) -> None:
    patch.setattr(hooks, "precede_retirement", lambda policy, entry: False)


def what_follows_is_on_record_only_after_the_end(patch) -> None:
    patch.setattr(attempt_ends, "owed_after_rotation", lambda state, attempt, policy, now: state)


def a_cut_in_the_hook_counts_as_a_call(patch) -> None:
    after_claim = advance.after_claim

    def uncertain(state, claim) -> TargetState:
        after = after_claim(state, claim)
        return replace(after, attempt=after.attempt and replace(after.attempt, before=()))

    patch.setattr(advance, "after_claim", uncertain)


MUTANTS = [
    (nothing_waits_for_the_first, "in-place"),
    (no_end_waits_for_its_hook, "replace"),
    (an_end_is_told_although_a_hook_comes_before, "generated"),
    (what_follows_is_on_record_only_after_the_end, "replace"),
    (a_cut_in_the_hook_counts_as_a_call, "in-place"),
]


@pytest.mark.parametrize(("mutant", "setup"), MUTANTS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_protocol_that_is_broken_on_purpose_is_caught(mutant, setup, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"without its hook|\[1, 0, 1, 1\] == \[1, 1, 1, 1\]"):
        test_a_cut_at_any_boundary_leaves_no_hook_out(setup)
