"""Names and types of the tree: a name is declared once, and a fixture says what it returns."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "rotator", ROOT / "simulator" / "rotator_simulator")
TESTS = ROOT / "tests"
EXAMPLE = TESTS / "conformance" / "example"  # a provider's folder, with the modules that each provider has


def declared(module: ast.Module) -> Iterator[str]:
    """Yields the types that a module declares: classes and aliases, without the underscore of private ones."""
    yield from (node.name.lstrip("_") for node in ast.walk(module) if isinstance(node, ast.ClassDef))
    for node in module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name.lstrip("_")
            case ast.Assign(targets=[ast.Name(id=name)]) if name.lstrip("_")[:1].isupper() and not name.isupper():
                if len(name.lstrip("_")) > 1:  # a type variable
                    yield name.lstrip("_")


def test_a_type_name_is_declared_once_in_the_tree() -> None:
    places = defaultdict(list)
    for folder in (*SOURCES, TESTS):
        for file in sorted(folder.rglob("*.py")):
            for name in declared(ast.parse(file.read_text())):
                places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_a_module_of_the_tests_has_a_name_of_its_own() -> None:
    places = defaultdict(list)
    for folder in (*SOURCES, TESTS):
        for file in sorted(folder.rglob("*.py")):
            if file.parent != EXAMPLE:
                places[file.stem].append(file)
    ours = {name: files for name, files in places.items() if any(TESTS in file.parents for file in files)}
    shared = {name: files for name, files in ours.items() if len(files) > 1}
    assert shared.keys() == {"__init__", "__main__", "conftest"}


def _makes_a_fixture(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).startswith("pytest.fixture")


def test_a_fixture_says_what_it_returns() -> None:
    for file in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and any(map(_makes_a_fixture, node.decorator_list)):
                assert node.returns is not None, f"{file.relative_to(ROOT)}: {node.name}"
