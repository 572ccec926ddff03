"""Prints what an import would do, and what it did."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rotator.cli.import_adoption import AdoptedRow, AdoptionResult
from rotator.cli.printing import cell, print_lines, print_table, safe, table
from rotator.settings.import_plan import ImportRow, RowVerdict

_MOST_ROWS = 50  # with more of them, only those are shown that somebody has to look at
_MOST_WRONG = 100
_WORDS = {RowVerdict.NEW: "new", RowVerdict.CONFIGURED: "configured already", RowVerdict.CONFLICT: "in conflict"}


def print_plan(rows: Sequence[ImportRow], account: str) -> None:
    """Prints a table of the rows, or of those in conflict if there are many, and a sum."""
    conflicts = [row for row in rows if row.verdict is RowVerdict.CONFLICT]
    shown = rows if len(rows) <= _MOST_ROWS else conflicts[:_MOST_WRONG]
    if shown:
        lines = table("Target", "Username", "Path", "Line", "Result")
        for row in shown:
            target = row.target
            where = "" if row.line is None else str(row.line)
            said = _WORDS[row.verdict] + (f": {_why(row)}" if _why(row) else "")
            names = ", ".join(target.credential.names)
            lines.add_row(*(cell(text) for text in (target.name, names, target.path, where, said)))
        print_table(lines)
    if len(rows) > _MOST_ROWS:
        _print_rest(len(conflicts))
    numbers = Counter(row.verdict for row in rows)
    parts = [f"{numbers[verdict]:,} {word}" for verdict, word in _WORDS.items() if numbers[verdict]]
    print_lines("", f"{account}: {', '.join(parts) or 'nothing to import'}")


def _print_rest(wrong: int) -> None:
    if wrong > _MOST_WRONG:
        print_lines(f"… and {wrong - _MOST_WRONG:,} more: --output json has them")


def _why(row: ImportRow) -> str:
    if row.verdict is RowVerdict.NEW:
        known = ["its password is given"] * (row.password is not None)
        return ", ".join([*known, *["its document is there"] * row.has_document])
    if row.configured_as:
        return f"as {row.configured_as}"
    return "; ".join(part for part in (row.why, row.remedy) if part)


def print_adopted(adopted: Sequence[AdoptedRow]) -> None:
    """Prints what failed, a sum, and why the rest was not tried."""
    failed = [each for each in adopted if each.result is AdoptionResult.FAILED]
    if failed:
        lines = table("Target", "Not taken up because")
        for each in failed[:_MOST_WRONG]:
            lines.add_row(safe(each.name), cell(each.message))
        print_table(lines)
        _print_rest(len(failed))
        print_lines("")
    numbers = Counter(each.result for each in adopted)
    print_lines(", ".join(f"{number:,} {result}" for result, number in numbers.items()))
    print_lines(*sorted({each.message for each in adopted if each.result is AdoptionResult.LEFT}))


def import_document(
    rows: Sequence[ImportRow], adopted: Sequence[AdoptedRow], file: Path, *, written: bool
) -> dict[str, Any]:
    """Returns the result as data with stable keys."""
    return {
        "file": str(file),
        "written": written,
        "rows": [
            {
                "line": row.line,
                "name": row.name,
                "usernames": list(row.target.credential.names),
                "path": row.target.path,
                "result": row.verdict.value,
                "why": row.why,
                "remedy": row.remedy,
                "password_given": row.password is not None,
                "document_exists": row.has_document,
            }
            for row in rows
        ],
        "adopted": [{"name": each.name, "result": each.result.value, "message": each.message} for each in adopted],
    }
