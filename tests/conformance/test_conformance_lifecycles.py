"""The whole lifecycle for each kind and strategy, and the tables that are written from it."""

import pytest
from documentation_tables import GUIDE, LIFECYCLE, README, REMEDY, guide, lifecycle, readme
from kinds import ALL
from lifecycle import lifecycle_steps

LIVES = [(description.kind, strategy) for description in ALL.values() for strategy in description.strategies]


@pytest.mark.parametrize(("kind", "strategy"), LIVES)
def test_the_whole_life_keeps_every_promise(kind, strategy):
    assert all(lifecycle_steps(kind, strategy).values())


@pytest.mark.parametrize(
    ("path", "made"), [(LIFECYCLE, lifecycle), (GUIDE, guide), (README, readme)], ids=["lives", "sizes", "strategies"]
)
def test_the_committed_tables_are_what_happens(path, made, write_tables):
    found = made()
    if write_tables:
        path.write_text(found)
    assert path.read_text() == found, REMEDY
