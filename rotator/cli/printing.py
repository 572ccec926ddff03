"""Prints results on standard output and messages on standard error."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from rotator.observe.controls import visible

_WIDEST_NAME = 24  # columns that a name gets even if the table is too wide for the terminal
_MOST_NAMED = 5
_UNBOUNDED = 10_000  # columns
_BESIDE_ROWS = 8  # lines of a screen

FEWEST_ROWS = 10
"""So many are shown on any screen."""


def safe(text: str) -> str:
    """Returns the text with control characters escaped: text from Vault must not control a terminal."""
    return visible(text)


def few(names: Sequence[str]) -> str:
    """Returns the first five names of a list, and whether there are more."""
    return ", ".join(names[:_MOST_NAMED]) + ", …" * (len(names) > _MOST_NAMED)


def cell(text: str) -> str:
    """Returns the text of a table cell: escaped like `safe`, with line breaks kept."""
    return "\n".join(safe(line) for line in text.split("\n"))


def console(stream: TextIO) -> Console:
    """Returns a console that prints text as it is, without markup or highlighting."""
    # A pipe has no width; 100 columns keep most table rows on one line.
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 100
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)


def screenful(lines_of_a_row: int) -> int | None:
    """Returns how many rows fit on the screen; None if standard output is no terminal, so that a pipe gets all."""
    if not sys.stdout.isatty():
        return None
    return max((console(sys.stdout).height - _BESIDE_ROWS) // lines_of_a_row, FEWEST_ROWS)


def say(text: str) -> None:
    """Prints a message on standard error, with its line breaks."""
    _write(sys.stderr, f"rotator: {cell(text)}")


def _write(stream: TextIO, text: str) -> None:
    """Wraps lines between words on a terminal, but not in a pipe or a file."""
    if stream.isatty():
        console(stream).print(text)
    else:
        stream.write(text + "\n")


def print_json(document: Mapping[str, Any]) -> None:
    """Prints a result as JSON on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def print_lines(*lines: str) -> None:
    """Prints a result as text on standard output."""
    for line in lines:
        _write(sys.stdout, safe(line))


def table(*headings: str, times: str = "") -> Table:
    """Returns a table with a rule under its head. Narrow columns fold; nothing is truncated.

    Args:
        times: the heading of the column of times, which never folds.
    """
    columns = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in headings:
        columns.add_column(heading, overflow="fold", no_wrap=heading == times)
    return columns


def print_table(content: Table) -> None:
    """Prints a table on standard output. In a narrow one the names in the first column fold last: people copy them."""
    screen = console(sys.stdout)
    options = screen.options.update(max_width=_UNBOUNDED)
    if content.__rich_measure__(screen, options).maximum > screen.width:
        names = content.columns[0]
        longest = max(Measurement.get(screen, options, each).maximum for each in (names.header, *names.cells))
        names.width = min(longest, _WIDEST_NAME)
    screen.print(content)
