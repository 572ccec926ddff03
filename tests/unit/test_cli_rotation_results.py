"""What the table of results says of what was replaced."""

from dataclasses import replace
from datetime import timedelta

from core_facts import DAY, NEW, NOW, TARGET

from rotator.cli.options import Output
from rotator.cli.request_runner import Result, RotationReport
from rotator.cli.rotation_results import MOST_ROWS, print_results
from rotator.core.model import Ending, LedgerEntry, TargetState


def test_what_waits_to_be_disabled_is_not_said_to_be_accepted_for_no_time(capsys):
    def replaced(name: str, left: timedelta) -> LedgerEntry:
        return LedgerEntry(replace(NEW, username=name), Ending.DELETE, NOW - DAY, NOW + left, DAY)

    ledger = replaced("early", timedelta(minutes=5)), replaced("late", -timedelta(minutes=5))
    print_results(
        [RotationReport(TARGET, Result.ROTATED, "", state=TargetState(TARGET.name, ledger=ledger))], NOW, Output.TABLE
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert "early: accepted for 5 min, late: to be disabled" in printed


def test_what_is_the_same_for_many_is_said_once(capsys):
    """After Ctrl-C a hundred lines said that the request stays in Vault, and hid what came of the rest."""

    def left(number: int, message: str) -> RotationReport:
        return RotationReport(replace(TARGET, name=f"t{number:04}"), Result.INTERRUPTED, message)

    reports = [left(number, "the request stays") for number in range(1200)]
    print_results([left(9000, "no answer"), left(9001, "no answer"), *reports], NOW, Output.TABLE)
    assert capsys.readouterr().err.splitlines() == [
        "rotator: t9000, t9001: no answer",
        "rotator: 1,200 targets: t0000, t0001, t0002, t0003, t0004, …: the request stays",
    ]


def test_of_more_than_are_shown_no_message_is_said_that_is_about_none_of_those(capsys):
    reports = [
        RotationReport(replace(TARGET, name=f"t{number:04}"), Result.FAILED, f"why {number}")
        for number in range(MOST_ROWS + 20)
    ]
    print_results(reports, NOW, Output.TABLE)
    said = capsys.readouterr().err.splitlines()
    assert (len(said), said[-1]) == (MOST_ROWS, f"rotator: t{MOST_ROWS - 1:04}: why {MOST_ROWS - 1}")
