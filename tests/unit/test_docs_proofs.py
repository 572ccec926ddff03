"""The pages that name tests as proof: each of those tests exists, and each threat has one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs" / "security.md").read_text()
TESTS = {file.name: file for file in (ROOT / "tests").rglob("test_*.py")}


def test_no_two_files_of_tests_have_one_name():
    assert len(TESTS) == len(list((ROOT / "tests").rglob("test_*.py")))


@pytest.mark.parametrize("page", ["docs/security.md", "docs/guarantees.md"])
def test_every_file_of_tests_that_a_page_names_exists(page):
    named = re.findall(r"`(?:[\w/]+/)?(test_[\w*]+\.py)[`:]", (ROOT / page).read_text())
    assert len(named) > 20
    assert [name for name in named if not list((ROOT / "tests").rglob(name))] == []


def test_every_test_of_the_threat_model_exists():
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", SECURITY)
    assert len(named) > 40
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in TESTS[file].read_text()] == []


def test_every_threat_has_what_stands_against_it_a_test_and_what_is_left():
    rows = re.findall(r"^\| (?!threat|-)(.+) \|$", SECURITY.split("\n## Threats\n")[1], re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        threat, against, tests, left = row.split(" | ")
        assert threat
        assert against
        assert left
        assert all(re.fullmatch(r"`test_\w+\.py::test_\w+`", one) for one in tests.split(", ")), threat
