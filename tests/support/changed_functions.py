"""Functions with one token changed: mutmut says how, and this process gets one of them in place of the true one."""

import __future__

import ast
import difflib
import types
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import libcst
from mutmut.mutation.file_mutation import create_mutations, deep_replace

# Mutants are numbered within their function. The sample takes this one of each longer function, and of a module without
# such a function the second of each; of these, every second of a module, so that none is left out.
_USUAL, _OF_SHORT = 13, 2


@dataclass(frozen=True)
class ChangedFunction:
    """A function with one token changed."""

    path: Path
    function: str  # with its class, if it is a method
    number: int  # within the function, from 1
    before: str
    after: str
    lines: range  # of the file, that are changed: a statement, or what is before those in it
    all_lines: range  # of the function

    @property
    def module(self) -> str:
        """The name of the module."""
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    def __str__(self) -> str:
        diff = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), n=1, lineterm="")
        return "\n".join([f"# {self.module}.{self.function}, mutant {self.number}", *list(diff)[2:]])


def mutants_of(path: Path, *, every: bool) -> list[ChangedFunction]:
    """The mutants of a module: every one, or a sample, which is the same for the same code."""
    source = path.read_text()
    tree, mutations, _, _ = create_mutations(str(path), source)
    of_function = defaultdict(list)
    for mutation in mutations:
        of_function[mutation.contained_by_top_level_function].append(mutation)
    statements = dict(_functions(ast.parse(source).body))
    functions, found = list(_functions(tree.body)), []
    most = max((len(of_function[function]) for _, function in functions), default=0)
    sampled = _USUAL if most >= _USUAL else min(_OF_SHORT, most)
    for name, function in functions:
        plain = function.with_changes(decorators=[], leading_lines=[])
        before = tree.code_for_node(plain)
        for number, mutation in enumerate(of_function[function], 1):
            if every or number == sampled:
                changed: Any = deep_replace(plain, mutation.original_node, mutation.mutated_node)
                after = tree.code_for_node(changed)
                found.append(
                    ChangedFunction(path, name, number, before, after, *_lines(statements[name], before, after))
                )
    return found if every else found[::2]


def _functions(body: Any, of: str = "") -> Iterator[tuple[str, Any]]:
    """The functions of a module and the methods of its classes, by name; of the tree of libcst or that of ast."""
    for node in body:
        if isinstance(node, libcst.FunctionDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield of + (node.name.value if isinstance(node, libcst.FunctionDef) else node.name), node
        elif isinstance(node, libcst.ClassDef) and not of:
            yield from _functions(node.body.body, f"{node.name.value}.")
        elif isinstance(node, ast.ClassDef) and not of:
            yield from _functions(node.body, f"{node.name}.")


def _lines(function: ast.FunctionDef, before: str, after: str) -> tuple[range, range]:
    """The lines of the innermost statement that differs, or its head if it holds others; and those of the function."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    line = function.lineno + next((number for number, (old, new) in enumerate(pairs) if old != new), 0)
    around = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node.lineno <= line <= _end(node)]
    statement = max(around, key=lambda node: (node.lineno, -_end(node)))
    parts = [part.lineno for part in ast.walk(statement) if isinstance(part, ast.stmt) and part.lineno > line]
    whole = range(function.body[0].lineno, _end(function) + 1)
    return (whole if statement is function else range(statement.lineno, min([*parts, _end(statement) + 1]))), whole


def _end(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno


def put_in_place(mutant: ChangedFunction) -> None:
    """Changes the function in this process, for whoever has a reference to it."""
    module = import_module(mutant.module)
    owner, _, name = mutant.function.rpartition(".")
    holder = getattr(module, owner) if owner else module
    function = vars(holder)[name]
    function = getattr(function, "__func__", function)  # of a static method or one of the class
    names = {**vars(module), **(vars(holder) if owner else {})}  # what default values may refer to
    changed = _compiled(mutant.after, name, names, in_class=bool(owner))
    function.__defaults__, function.__kwdefaults__ = changed.__defaults__, changed.__kwdefaults__
    if len(changed.__code__.co_freevars) == len(function.__code__.co_freevars):
        function.__code__ = changed.__code__
    else:  # `super` or its class is no longer named in it
        replacement = types.FunctionType(changed.__code__, vars(module), name, changed.__defaults__, ())
        replacement.__kwdefaults__ = changed.__kwdefaults__
        setattr(holder, name, replacement)


def _compiled(source: str, name: str, names: dict[str, Any], *, in_class: bool) -> types.FunctionType:
    """The function of this source, among these names."""
    around: Any = ast.parse(f"def make():\n  global {name}\n  __class__ = None")
    [make] = around.body
    if not in_class:
        make.body.pop()  # that is for `super()`
    make.body += ast.parse(source).body
    exec(compile(around, "<mutant>", "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True), names)
    names["make"]()
    function: types.FunctionType = names[name]
    return function
