"""The whole life for each kind and strategy, and the tables that are written from it."""

import pytest
from kinds import ALL
from life import lived
from tables import GUIDE, LIFECYCLE, README, REMEDY, guide, lifecycle, readme

LIVES = [(row.kind, strategy) for row in ALL.values() for strategy in row.strategies]


@pytest.mark.parametrize(("kind", "strategy"), LIVES)
def test_the_whole_life_keeps_every_promise(kind, strategy):
    assert all(lived(kind, strategy).values())


@pytest.mark.parametrize(
    ("path", "made"), [(LIFECYCLE, lifecycle), (GUIDE, guide), (README, readme)], ids=["lives", "sizes", "strategies"]
)
def test_the_committed_tables_are_what_happens(path, made, write_tables):
    found = made()
    if write_tables:
        path.write_text(found)
    assert path.read_text() == found, REMEDY
