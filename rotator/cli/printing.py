"""How results and messages are printed: results on standard output, everything else on standard error."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from rotator.observe.controls import visible

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def safe(text: str) -> str:
    """The text with control characters shown, not obeyed: what stands in Vault must not rewrite a terminal."""
    return visible(text)


def cell(text: str) -> str:
    """A table's cell: the same, but line breaks are kept."""
    return "\n".join(safe(line) for line in text.split("\n"))


def console(stream: TextIO) -> Console:
    """A console that takes every text as it is: no markup, no guessing what a number is."""
    # A pipe has no width; 100 keeps a table's rows in one line without being endless.
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 100
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width)


def say(text: str) -> None:
    """A message on standard error. Line breaks in it are kept."""
    _write(sys.stderr, f"rotator: {cell(text)}")


def _write(stream: TextIO, text: str) -> None:
    """A terminal gets lines that break between words; a pipe or a file gets each line as long as it is."""
    if stream.isatty():
        console(stream).print(text)
    else:
        stream.write(text + "\n")


def print_json(document: Mapping[str, Any]) -> None:
    """A result as JSON on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def print_lines(*lines: str) -> None:
    """A result as text on standard output."""
    for line in lines:
        _write(sys.stdout, safe(line))


def table(*headings: str, times: str = "") -> Table:
    """A table without lines but one under its head. Columns shrink and fold; nothing is cut off.

    Args:
        times: the heading of the column with times, which are not torn apart.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold", no_wrap=heading == times)
    return made


def print_table(made: Table) -> None:
    """A table on standard output."""
    console(sys.stdout).print(made)


def length_text(length: timedelta) -> str:
    """A length of time in its largest unit and the next one: `3 d 4 h`, `12 min`, `5 s`. Never negative."""
    rest, parts = max(round(length.total_seconds()), 0), []
    for unit, seconds in _UNITS:
        if rest >= seconds:
            parts.append(f"{rest // seconds} {unit}")
            rest %= seconds
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def counted(number: int, what: str) -> str:
    """`1 target`, `2 targets`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def relative(moment: datetime, now: datetime) -> str:
    """`in 3 d 4 h` or `5 min ago`."""
    if moment >= now:
        return f"in {length_text(moment - now)}"
    return f"{length_text(now - moment)} ago"


def local(moment: datetime, now: datetime) -> str:
    """The local time; to the second, and without the date, where it is near."""
    near = abs(moment - now) < timedelta(hours=1)
    return moment.astimezone().strftime("%H:%M:%S" if near else "%Y-%m-%d %H:%M")


def when(moment: datetime, now: datetime) -> str:
    """Both, on one line: `in 3 d 4 h (2026-01-05 12:00)`."""
    return f"{relative(moment, now)} ({local(moment, now)})"
