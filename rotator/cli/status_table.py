"""The table of `rotator status`, the remarks below it, and the line with the numbers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rotator.cli.printing import FEWEST_ROWS, cell, print_lines, print_table, table
from rotator.observe.status_words import Json, StatusWords, clock_words, left_by_check_words, orphan_words

LINES_OF_A_ROW = 2
_MOST_NAMED = 5  # targets that a line about several names


def print_status(document: Json) -> None:
    """Prints the document for a person."""
    words = StatusWords(datetime.fromisoformat(document["time"]))
    summary = table("Target", "State", "Published", "Next rotation", "Replaced", times="Next rotation")
    for row in document["targets"]:
        summary.add_row(
            cell(f"{row['name']}\n{row['strategy']}"),
            row["state"],
            cell(words.published(row)),
            cell(words.next_rotation(row)),
            cell("\n".join(words.replaced(row))),
        )
    print_table(summary)
    print_lines(*clock_words(timedelta(seconds=document["clock_offset_seconds"] or 0)))
    everything = document["summary"]["matching"] == len(document["targets"])
    for row in document["targets"]:
        print_lines(*(f"{row['name']}: {line}" for line in words.remarks(row, everything=everything)))
    print_lines(*_pauses(document["targets"]))
    for orphan in document["orphans"]:
        print_lines(orphan_words(orphan))
    for left in document["left_by_checks"]:
        print_lines(left_by_check_words(left))
    print_lines(*_numbers(document["summary"], len(document["targets"])))


def _numbers(summary: Json, shown: int) -> list[str]:
    """Returns the last lines, if there is more than a person counts at a glance or rows are left out."""
    if summary["targets"] <= FEWEST_ROWS and summary["targets"] == shown:
        return []
    states = ", ".join(f"{number:,} {state}" for state, number in summary["states"].items())
    lines = ["", f"{summary['targets']:,} targets: {states}"]
    if summary["needs"]:
        needs = ", ".join(f"{number:,} {need}" for need, number in summary["needs"].items())
        lines.append(f"to be looked after: {needs}")
    if summary["matching"] > shown:
        lines.append(
            f"shown: {shown:,} of {summary['matching']:,}; more with --all or --limit, "
            "fewer with names, --label, --state, --account, --due-before"
        )
    elif summary["matching"] < summary["targets"]:
        lines.append(f"shown: {summary['matching']:,}, as asked for")
    return lines


def _pauses(rows: Sequence[Json]) -> list[str]:
    """Returns what holds the targets that are shown, each pause once: it may hold all of them."""
    held: dict[str, list[str]] = {}
    for row in rows:
        for pause in row["pauses"]:
            held.setdefault(pause["why"], []).append(row["name"])
    return [
        f"{', '.join(names) if len(names) <= _MOST_NAMED else f'{len(names):,} targets'}: {why}"
        for why, names in held.items()
    ]
