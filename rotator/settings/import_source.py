"""The source of an import: targets as CSV or JSON lines that somebody else's program has written.

Every mistake is collected with its line. Separators and the letter case of a header are whatever spreadsheets make of
them. Passwords are taken out of the rows at once, and no message repeats a cell.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rotator.core.secret import Secret
from rotator.fields.suggestions import suggest
from rotator.settings.files import SourceFile
from rotator.settings.lists import COLUMNS, CellSetter, ListDocument, cell_setter, json_object
from rotator.settings.problems import ConfigProblem
from rotator.settings.yaml_events import SyntaxProblem

_PASSWORD = "password"  # noqa: S105 - a column's name
_LONGEST_PASSWORD = 4096  # characters; more is not a password but the wrong file
_SEPARATORS = ",;\t"


@dataclass(slots=True)
class ImportSource:
    """What was read. The rows are in the form that a file of the configuration gives them, without passwords."""

    path: Path
    is_listing: bool = False  # of an account, which has no lines
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # of each row
    passwords: dict[int, Secret] = field(default_factory=dict)  # by the position of the row
    problems: list[ConfigProblem] = field(default_factory=list)

    @property
    def file(self) -> SourceFile:
        """The rows as a file of the configuration, for messages."""
        return SourceFile(self.path, ListDocument({"targets": self.rows}, self.lines), is_list=True)

    def add(self, row: dict[str, Any], line: int, password: str | None) -> None:
        """Adds a row."""
        if password:
            self.passwords[len(self.rows)] = Secret(password)
        self.rows.append(row)
        self.lines.append(line)

    def wrong(self, line: int, key: str, what: str, remedy: str) -> None:
        """Notes a mistake."""
        self.problems.append(ConfigProblem(str(self.path), line, None, key, what, remedy))


def read_source(path: Path, text: str) -> ImportSource:
    """Reads CSV, or JSON lines if the first character is a brace.

    Args:
        path: the name in messages.
    """
    source = ImportSource(path)
    if text.lstrip().startswith("{"):
        _read_json(source, text)
    elif text.strip():
        _read_csv(source, text)
    else:
        source.wrong(1, "", "is empty", "give a header such as name,username,path, and a line for each target")
    return source


def _read_json(source: ImportSource, text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            row = json_object(line, number)
        except SyntaxProblem as problem:
            source.wrong(number, "", problem.what, problem.remedy)
            continue
        if not isinstance(row, dict):
            source.wrong(number, "", "is not an object", 'write one object a line, such as {"name": "office-phone"}')
            continue
        password = row.pop(_PASSWORD, None)
        if password is not None and not _is_password(password):
            _wrong_password(source, number)
            continue
        source.add(row, number, password)


def _read_csv(source: ImportSource, text: str) -> None:
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader)]
        setters = _setters(source, header)
        before = reader.line_num
        for cells in reader:
            if any(cells):
                _take_row(source, header, setters, cells, before + 1)
            before = reader.line_num
    except csv.Error:  # its text may quote a cell
        source.wrong(max(reader.line_num, 1), "", "this is not CSV", "check the quotes in this line, and close them")


def _setters(source: ImportSource, header: Sequence[str]) -> Mapping[str, CellSetter]:
    """Returns the setter of each column. Without a header the first line has cells, so no message repeats one."""
    setters = {}
    for number, column in enumerate(header, start=1):
        setter, where = cell_setter(column), f"column {number}"
        if column in header[: number - 1]:
            source.wrong(1, where, "the header has this column twice", "keep one of the two")
        elif setter is not None:
            setters[column] = setter
        elif not column:
            source.wrong(1, where, "has no name in the header", "name it, or remove it")
        elif column != _PASSWORD:
            remedy = suggest(column, [*COLUMNS, _PASSWORD], "columns")
            source.wrong(1, where, "the header has an unknown name", remedy)
    return setters


def _take_row(
    source: ImportSource, header: Sequence[str], setters: Mapping[str, CellSetter], cells: Sequence[str], line: int
) -> None:
    if len(cells) != len(header):
        what = f"has {len(cells)} cells, and the header {len(header)}"
        source.wrong(line, "", what, "leave a cell empty rather than out, and quote a cell with a separator in it")
        return
    row: dict[str, Any] = {}
    password = ""
    for column, cell in zip(header, cells, strict=True):
        if column == _PASSWORD:
            password = cell
        elif column in setters and (stripped := cell.strip()):
            setters[column](row, stripped)
    if password and not _is_password(password):
        _wrong_password(source, line)
        return
    source.add(row, line, password)


def _is_password(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_PASSWORD and value.isprintable()


def _wrong_password(source: ImportSource, line: int) -> None:
    source.wrong(line, _PASSWORD, "is not one line of text", "write the password itself, or leave it out")
