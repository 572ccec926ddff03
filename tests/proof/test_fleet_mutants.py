"""Broken rules among people and wrong clocks: the judge of the years of a fleet has to catch each of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fleet_events import draw_events
from fleet_years import FleetRun, run_fleet

from rotator.core import abandonment, attempt_ends, clocks, holds, moves, retirement, verification
from rotator.engine import engine

YEARS, TARGETS, CROWDED = 0.4, 24, 10


def crowded_months(seed: int) -> FleetRun:
    """A few targets, to which more happens than to a fleet: it costs less, and is as telling."""
    names = [f"phone{number:02d}" for number in range(TARGETS)]
    drawn = draw_events(seed, YEARS * CROWDED, names)
    return run_fleet(seed, YEARS, TARGETS, [replace(event, after=event.after / CROWDED) for event in drawn])


def one_clock_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clocks.Clocks, "earliest", property(lambda self: self.local))
    patch.setattr(clocks.Clocks, "latest", property(lambda self: self.local))


def an_overlap_runs_while_the_document_still_hands_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(moves, "_from_now", lambda entry, now: entry)


def an_abandoned_attempt_leaves_no_entry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempt_ends, "ledger_after", lambda ledger, *args, **kwargs: ledger)


def a_proof_does_not_age(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retirement, "before_retirement", lambda facts, entry: None)


def any_key_is_right(patch: pytest.MonkeyPatch) -> None:
    for module in (abandonment, engine, holds, retirement, verification):
        patch.setattr(module, "has_other_identity", lambda facts, credential: False)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], tuple[int, set[str]]] = {
    one_clock_is_enough: (1, {"overlap", "rotations"}),
    an_overlap_runs_while_the_document_still_hands_out: (1, {"overlap"}),
    an_abandoned_attempt_leaves_no_entry: (2, {"orphan"}),
    a_proof_does_not_age: (1, {"last"}),
    any_key_is_right: (4, {"orphan"}),
}
"""By mutant: a seed that catches it, and the rules that it breaks."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_rule_is_caught_within_months(mutant, count_run):
    seed, rules = MUTANTS[mutant]
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        run = crowded_months(seed)
    count_run("fleet", "years", "broken rules, to be caught")
    assert run.broken is not None
    assert run.broken.rule in rules
