"""Lists of targets as CSV and as JSON lines: each line is a target, and a problem's place is its line."""

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from rotator.fields.suggestions import suggest
from rotator.settings.document import Document
from rotator.settings.problems import Loc
from rotator.settings.yaml_events import SyntaxProblem, TextPosition

_TARGETS = "targets"
LABEL = "label."
COLUMNS: Mapping[str, str] = {
    "name": "the target's name",
    "provider": "the provider account",
    "strategy": "the strategy",
    "username": "the username of the credential",
    "usernames": "both usernames of `alternating`, with a space between them",
    "new": "`true` if the account does not have the usernames yet",
    "path": "the path in Vault",
    "policy": "the policy",
    "label.KEY": "the label KEY, such as `label.site`",
}
"""The columns of a CSV file, and what they contain."""

_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ListDocument(Document):
    """The targets of a list, in the form that a YAML file gives them, and the line of each."""

    lines: Sequence[int] = field(repr=False)

    def places(self, wanted: Collection[Loc]) -> Mapping[Loc, TextPosition]:
        """Returns the position of each of `wanted`: the beginning of the target's line."""
        return {loc: (self.lines[loc[1]], 1) for loc in wanted if len(loc) > 1 and isinstance(loc[1], int)}


def parse_csv(text: str) -> ListDocument:
    """Reads targets from CSV with a header; `COLUMNS` describes it. An empty cell counts as left out.

    Raises:
        SyntaxProblem: the text is not CSV, or the header has an unknown column.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Any] = []
    lines: list[int] = []
    try:
        header = next(reader, None)
        if not header:
            raise SyntaxProblem((1, 1), (), "has no header", "begin it with a line such as name,username,path")
        setters = [_setter(column, header) for column in header]
        before = reader.line_num
        for cells in reader:
            if cells:
                rows.append(_row(cells, setters, before + 1))
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error:
        pass
    else:
        return ListDocument({_TARGETS: rows}, lines)
    # Not in the handler: csv's error may quote the text.
    raise SyntaxProblem((max(reader.line_num, 1), 1), (), "this is not CSV", "check the quotes in this line")


CellSetter = Callable[[dict[str, Any], str], None]
"""Puts a cell into a target."""


def cell_setter(column: str) -> CellSetter | None:
    """Returns what puts a cell of the column into a target; None if there is no such column."""
    if column.startswith(LABEL) and len(column) > len(LABEL):
        key = column.removeprefix(LABEL)
        return lambda row, cell: row.setdefault("labels", {}).__setitem__(key, cell)
    match column:
        case "username":
            return lambda row, cell: row.setdefault("credential", {}).__setitem__("username", cell)
        case "usernames":
            return lambda row, cell: row.setdefault("credential", {}).__setitem__("usernames", cell.split())
        case "new":
            return lambda row, cell: row.setdefault("credential", {}).__setitem__("new", _FLAGS.get(cell, cell))
        case "name" | "provider" | "strategy" | "path" | "policy":
            return lambda row, cell: row.__setitem__(column, cell)
    return None


def _setter(column: str, header: Sequence[str]) -> CellSetter:
    if header.count(column) > 1:
        raise _wrong_header("has a column twice", "keep one of the two")
    setter = cell_setter(column)
    if setter is not None:
        return setter
    if len(header) == 1 and (";" in column or "\t" in column):
        raise _wrong_header("has no commas", "separate the columns with commas")
    raise _wrong_header("has an unknown column", suggest(column, COLUMNS, "columns"))


def _wrong_header(what: str, remedy: str) -> SyntaxProblem:
    return SyntaxProblem((1, 1), (), f"the header {what}", remedy)


def _row(cells: Sequence[str], setters: Sequence[CellSetter], line: int) -> dict[str, Any]:
    if len(cells) != len(setters):
        what = f"has {len(cells)} cells, and the header {len(setters)}"
        raise SyntaxProblem((line, 1), (), what, "leave a cell empty rather than out, and quote a cell with a comma")
    row: dict[str, Any] = {}
    for put, cell in zip(setters, cells, strict=True):
        if stripped := cell.strip():
            put(row, stripped)
    return row


def parse_jsonl(text: str) -> ListDocument:
    """Reads targets from JSON lines: one object a line, with the keys of a target. Empty lines are skipped.

    Raises:
        SyntaxProblem: a line is not a JSON object, or has a key twice.
    """
    rows: list[Any] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace():
            rows.append(json_object(line, number))
            lines.append(number)
    return ListDocument({_TARGETS: rows}, lines)


def json_object(line: str, number: int) -> Any:
    """Reads one line of JSON. Raises SyntaxProblem, which does not quote it."""
    try:
        return _DECODE(line)
    except _KeyTwiceError:
        what, remedy = "a key is there twice", "keep one of the two"
    except (ValueError, RecursionError):
        what, remedy = "this is not JSON", 'write one object a line, such as {"name": "office-phone"}'
    # Not in the handler: the decoder's error holds the text.
    raise SyntaxProblem((number, 1), (), what, remedy)


class _KeyTwiceError(Exception):
    pass


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _KeyTwiceError
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


_DECODE = json.JSONDecoder(object_pairs_hook=_without_twins, parse_constant=_no_constant).decode
