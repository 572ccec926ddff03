"""Prints how requests ended, and says what that means for the exit code."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from rotator.cli.exits import Exit
from rotator.cli.options import Output
from rotator.cli.printing import few, print_json, print_lines, print_table, safe, say, table
from rotator.cli.request_runner import Result, RotationReport
from rotator.core.model import Ending, LedgerEntry, TargetState
from rotator.observe.time_words import counted, length_text, relative

MOST_ROWS = 100
"""A table has no more rows, and shows first what went wrong; the JSON has everything."""


def exit_code(reports: Sequence[RotationReport], *, stopped: bool) -> Exit:
    """Returns the exit code of a command that ended so."""
    results = {report.result for report in reports}
    if Result.INTERRUPTED in results and stopped:
        return Exit.STOPPED
    if Result.VAULT in results:
        return Exit.VAULT
    return Exit.DONE if all(report.good for report in reports) else Exit.FAILED


def print_results(reports: Sequence[RotationReport], now: datetime, output: Output) -> None:
    """Prints the results on standard output, and the remarks on each on standard error."""
    if output is Output.JSON:
        print_json({"time": now.isoformat(), "targets": [_row(report) for report in reports]})
        return
    shown = reports
    if len(reports) > MOST_ROWS:
        shown = sorted(reports, key=lambda report: report.good)[:MOST_ROWS]  # stable: otherwise in order
    rows = table("Target", "Result", "Published", "Replaced", "Next rotation")
    for report in shown:
        rows.add_row(safe(report.target.name), report.result.value, *_cells(report.state, now))
    print_table(rows)
    if len(reports) > MOST_ROWS:
        results = Counter(report.result.value for report in reports)
        numbers = ", ".join(f"{number} {result}" for result, number in results.most_common())
        print_lines(f"{counted(len(reports), 'target')}: {numbers}; {MOST_ROWS} are shown, --output json has all")
    _say_messages(reports, {report.message for report in shown})


def _say_messages(reports: Sequence[RotationReport], wanted: Collection[str]) -> None:
    """Says each message once, with the targets that it is about: after Ctrl-C it may be the same for thousands."""
    about: dict[str, list[str]] = {}
    for report in reports:
        if report.message and report.message in wanted:
            about.setdefault(report.message, []).append(report.target.name)
    for message, names in about.items():
        number = f"{counted(len(names), 'target')}: " if few(names) != ", ".join(names) else ""
        say(f"{number}{few(names)}: {message}")


def _cells(state: TargetState | None, now: datetime) -> tuple[str, str, str]:
    if state is None:
        return "", "", ""
    published = state.published.username if state.published else "nothing yet"
    named = [entry for entry in state.ledger if entry.credential.username]
    replaced = [f"{entry.credential.username}: {_acceptance(entry, now)}" for entry in named]
    following = ""
    if state.next_rotation:
        following = relative(state.next_rotation, now) if state.next_rotation > now else "due"
    return safe(published), safe(", ".join(replaced)), following


def _acceptance(entry: LedgerEntry, now: datetime) -> str:
    if entry.ending is Ending.FORGET:
        return "its old password is refused"
    if entry.cut_off:
        return "disabled" if entry.disabled else "random password"
    left = entry.disable_at - now
    return f"accepted for {length_text(left)}" if left > timedelta() else "to be disabled"


def _row(report: RotationReport) -> dict[str, Any]:
    state = report.state
    published = state.published if state else None
    return {
        "name": report.target.name,
        "result": report.result.value,
        "message": report.message or None,
        "elsewhere": report.elsewhere,
        "seconds": round(report.seconds, 3),
        "published": {"id": published.id, "username": published.username, "attempt": published.attempt}
        if published
        else None,
        "open_attempt": state.attempt.id if state and state.attempt else None,
        "next_rotation": state.next_rotation.isoformat() if state and state.next_rotation else None,
        "next_try": state.not_before.isoformat() if state and state.not_before else None,
    }
