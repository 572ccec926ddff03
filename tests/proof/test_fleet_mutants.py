"""Broken rules among people and wrong clocks: the judge of the years of a fleet has to catch each of them."""

from collections.abc import Callable

import pytest
from fleet_years import run_fleet

from rotator.core import clocks, retirement

YEARS = 0.4


def retired_without_a_proof_of_what_is_published(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retirement, "before_retirement", lambda facts, entry: None)


def one_clock_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clocks.Clocks, "earliest", property(lambda self: self.local))
    patch.setattr(clocks.Clocks, "latest", property(lambda self: self.local))


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], tuple[int, set[str]]] = {
    retired_without_a_proof_of_what_is_published: (2, {"last"}),
    one_clock_is_enough: (1, {"overlap", "rotations"}),
}
"""By mutant: a seed that catches it, and the rules that it breaks."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_rule_is_caught_within_months(mutant, count_run):
    seed, rules = MUTANTS[mutant]
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        run = run_fleet(seed, YEARS)
    count_run("fleet", "years", "broken rules, to be caught")
    assert run.broken is not None
    assert run.broken.rule in rules
