"""The table of defaults in the runbook is that of the code."""

import re
from pathlib import Path

from rotator.fields.times import duration_text
from rotator.providers.registry import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
KEYS = ("propagation", "registration", "digest_cache")


def row(kind: str) -> list[str]:
    model = KINDS[kind].options_model
    fields = [model.model_fields.get(key) for key in KEYS]
    shows = "yes" if "usage" in vars(KINDS[kind]) else "no"
    return [f"`{kind}`", *("-" if field is None else duration_text(field.default) for field in fields), shows]


def test_the_table_of_defaults_is_that_of_the_code():
    text = re.search(r"<!-- grace defaults -->\n(.+?)<!-- end", PAGE.read_text(), re.DOTALL)[1]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.strip().split("\n")[2:]]
    assert rows == [row(kind) for kind in KINDS]
