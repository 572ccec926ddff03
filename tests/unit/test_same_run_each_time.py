"""The default run of the tests is the same each time, on every machine and in any order."""

import ast
from pathlib import Path

import pytest
from hypothesis import settings

pytestmark = pytest.mark.unmeasured

TESTS = Path(__file__).parents[1]
FILES = sorted(TESTS.rglob("*.py"))


def test_hypothesis_draws_the_same_examples_and_remembers_none(long_run):
    if long_run:
        pytest.skip("a long run explores")
    assert settings().derandomize
    assert settings().database is None
    assert settings().deadline is None


def test_no_test_has_a_profile_of_its_own():
    """What `settings(...)` of a test does not name comes from the profile in conftest.py."""
    own = {"derandomize", "database"}
    found = [
        f"{file.name}:{call.lineno}"
        for file in FILES
        if file != TESTS / "conftest.py"
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and {keyword.arg for keyword in call.keywords} & own
    ]
    assert found == []


def test_what_a_test_draws_by_itself_has_a_seed():
    """`random.Random(SEED)` may be called, and nothing else of the module `random`."""
    found = [
        f"{file.name}:{call.lineno}"
        for file in FILES
        if file != TESTS / "conftest.py"
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and _is_of_random(call.func) and not (_name(call.func) == "Random" and call.args)
    ]
    assert found == []


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_of_random(called: ast.expr) -> bool:
    qualified = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "random"
    return qualified or _name(called) == "Random"
