"""Measures `rotator`: `.venv/bin/python tests/bench --help`."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from growth import measure_growth, measure_requests
from replicas import FEW, USUAL, measure_replicas
from rich.console import Console
from rich.table import Table
from speed import Size, measure_speed

SECTIONS = ("speed", "replicas", "growth", "requests")
_SMOKE = Size(in_place=8, replace=4, credentials=40, workers=4, rounds=1, latencies=(0.0,), others=False)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contestant runs; the medians count")
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--rotations", type=int, default=1000, help="in place; replacements are three tenths of that")
    parser.add_argument("--latency", type=float, nargs="*", default=[0, 50], help="of the provider, in ms")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1_000, 10_000], help="of growing fleets")
    parser.add_argument("--smoke", action="store_true", help="everything once and small: that it works, not how fast")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}: name some of {', '.join(SECTIONS)}")
    sections = given.sections or SECTIONS
    latencies = tuple(milliseconds / 1000 for milliseconds in given.latency)
    size = Size(given.rotations, given.rotations * 3 // 10, 3000, given.workers, given.rounds, latencies)
    size, sizes = (_SMOKE, [20]) if given.smoke else (size, given.sizes)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="rotator-bench-") as folder:
        # As an installation has it: modules are compiled once, at the first start.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/pycache"
        for section in sections:
            where = Path(folder) / section
            where.mkdir()
            if section == "speed":
                result |= measure_speed(where, size, _say)
            elif section == "replicas":
                most, workers = (2, (FEW,)) if given.smoke else (3, (FEW, USUAL))
                result |= measure_replicas(where, size.in_place, most, workers, _say)
            elif section == "growth":
                result |= measure_growth(where, sizes, _say)
            else:
                result |= measure_requests(sizes, _say)
    if given.output == "json":
        print(json.dumps(result, indent=2))
    else:
        for title, rows in result.items():
            _print(title, rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{kind} {number:g}" for kind, number in value.items())
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
