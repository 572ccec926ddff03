"""Rules on names: a word means one thing in the whole tree."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "rotator", ROOT / "simulator" / "rotator_simulator")


def declared(module: ast.Module) -> Iterator[str]:
    """The types that a module declares: classes and aliases, without the underscore of private ones."""
    for node in module.body:
        match node:
            case ast.ClassDef(name=name):
                yield name.lstrip("_")
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name.lstrip("_")
            case ast.Assign(targets=[ast.Name(id=name)]) if name.lstrip("_")[:1].isupper() and not name.isupper():
                if len(name.lstrip("_")) > 1:  # a type variable
                    yield name.lstrip("_")


def test_a_type_name_is_declared_once_in_the_tree() -> None:
    places = defaultdict(list)
    for folder in SOURCES:
        for file in sorted(folder.rglob("*.py")):
            for name in declared(ast.parse(file.read_text())):
                places[name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
