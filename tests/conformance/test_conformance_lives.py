"""The whole life for each kind and strategy, and the tables that are written from it."""

import pytest
from kinds import ROWS
from life import lived
from tables import GUIDE, LIFECYCLE, REMEDY, guide, lifecycle, lines_of_code, sizes

LIVES = [(row.kind, strategy) for row in ROWS for strategy in row.strategies]


@pytest.mark.parametrize(("kind", "strategy"), LIVES)
def test_the_whole_life_keeps_every_promise(kind, strategy):
    assert all(lived(kind, strategy).values())


@pytest.mark.parametrize(("path", "made"), [(LIFECYCLE, lifecycle), (GUIDE, guide)], ids=["lives", "sizes"])
def test_the_committed_tables_are_what_happens(path, made, write_tables):
    found = made()
    if write_tables:
        path.write_text(found)
    assert path.read_text() == found, REMEDY


def test_a_kind_at_a_known_provider_is_short():
    counted = {kind: sum(found) for kind, found in sizes().items()}
    assert min(counted.values()) < 300
    assert all(min(found) > 0 for found in sizes().values())


def test_lines_of_code_are_neither_blank_nor_prose():
    prose = '"""Prose\n\nover lines."""\n\n# a comment\n'
    code = 'x = (\n    1  # one\n)\n\ndef f():\n    """Prose."""\n    return x\n'
    assert lines_of_code(prose + code) == 5
