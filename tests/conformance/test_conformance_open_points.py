"""What the vendors' pages leave open, in its bad reading: no row is silent, and none has devices out for good."""

import pytest
from documentation_tables import READINGS, REMEDY, reading_lines, readings, table
from open_points import POINTS, OpenPoint


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.assumption}, {point.otherwise}")
def test_a_bad_reading_ends_well_and_the_committed_row_says_how(point: OpenPoint, write_tables):
    lines = reading_lines(point)
    if not write_tables:
        rows = table([], lines).splitlines()[2:]
        assert all(row in READINGS.read_text().splitlines() for row in rows), REMEDY


def test_the_committed_page_has_every_row_and_no_other(write_tables):
    if write_tables:
        READINGS.write_text(readings())
    rows = [line.split(" | ")[0].removeprefix("| ") for line in READINGS.read_text().splitlines() if line[:2] == "| "]
    assert list(dict.fromkeys(rows[2:])) == list(dict.fromkeys(point.assumption for point in POINTS)), REMEDY
