"""Adds targets to a file that a configuration includes: CSV, JSON lines or YAML, by the file's ending."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rotator.settings.lists import LABEL

TargetRow = Mapping[str, Any]
"""A target in the form that a file gives it."""

_COLUMNS = ("name", "provider", "strategy", "username", "usernames", "new", "path", "policy")


def appended(ending: str, text: str, rows: Sequence[TargetRow]) -> str:
    """Returns a file's text with more targets.

    Args:
        ending: of the file's name, such as `.csv`; one of `FORMS`.
        text: what it contains until now; empty for a new file.
        rows: have values without line breaks.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    before, lines = FORMS[ending](text, rows)
    return before + "".join(f"{line}\n" for line in lines)


def without_targets(ending: str) -> str:
    """Returns the text of a file without any."""
    return {".csv": "name\n", ".yaml": "targets: []\n", ".yml": "targets: []\n"}.get(ending, "")


def _json_lines(text: str, rows: Sequence[TargetRow]) -> tuple[str, list[str]]:
    return text, [json.dumps(row, ensure_ascii=False) for row in rows]


def _yaml(text: str, rows: Sequence[TargetRow]) -> tuple[str, list[str]]:
    """JSON is YAML. The file ends with its targets, or the result does not load."""
    return text or "targets:\n", [f"  - {json.dumps(row, ensure_ascii=False)}" for row in rows]


def _csv(text: str, rows: Sequence[TargetRow]) -> tuple[str, list[str]]:
    cells = [_cells(row) for row in rows]
    old = list(csv.reader(io.StringIO(text, newline="")))
    header = old[0] if old else []
    used = {column for row in cells for column in row}
    more = [column for column in _COLUMNS if column in used] + sorted(used - set(_COLUMNS))
    wider = header + [column for column in more if column not in header]
    if wider != header:
        filled = [line + [""] * (len(wider) - len(header)) for line in old[1:] if line]
        text = "".join(f"{_line(line)}\n" for line in (wider, *filled))
    return text, [_line([row.get(column, "") for column in wider]) for row in cells]


def _cells(row: TargetRow) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in row.items():
        if value is None:
            continue
        if key == "labels":
            cells |= {f"{LABEL}{label}": text for label, text in value.items()}
        elif key == "credential":
            cells |= {name: _cell(part) for name, part in value.items()}
        else:
            cells[key] = _cell(value)
    return cells


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return value if isinstance(value, str) else " ".join(value)


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


FORMS: Mapping[str, Callable[[str, Sequence[TargetRow]], tuple[str, list[str]]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".yaml": _yaml,
    ".yml": _yaml,
}
"""The endings of files that targets can be added to."""
