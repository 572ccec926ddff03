"""Rules on imports that the contracts of import-linter in pyproject.toml cannot express."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
PURE = {
    "base64",
    "binascii",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "fnmatch",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "itertools",
    "json",
    "math",
    "re",
    "string",
    "types",
    "typing",
    "zoneinfo",
}


def nodes(folder: Path) -> Iterator[ast.AST]:
    for file in sorted(folder.rglob("*.py")):
        yield from ast.walk(ast.parse(file.read_text()))


def imported(folder: Path) -> set[str]:
    """The names of the top-level packages that the modules in `folder` import."""
    names: set[str] = set()
    for node in nodes(folder):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "a relative import"
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_core_imports_only_what_is_pure() -> None:
    assert imported(ROOT / "rotator" / "core") <= PURE | {"cronsim", "rotator"}


def test_the_core_asks_no_clock() -> None:
    attributes = [node for node in nodes(ROOT / "rotator" / "core") if isinstance(node, ast.Attribute)]
    of_datetime = {node.attr for node in attributes if ast.unparse(node.value) in ("datetime", "date")}
    assert not of_datetime & {"now", "today", "utcnow"}


def test_each_third_party_library_has_a_contract_that_names_its_importers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    protected = {name for contract in contracts for name in contract.get("protected_modules", ())}
    own = {"_typeshed", "rotator", "rotator_simulator"}
    third_party = imported(ROOT / "rotator") | imported(ROOT / "simulator")
    assert third_party - set(sys.stdlib_module_names) - own == protected
