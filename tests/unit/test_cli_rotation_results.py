"""What the table of results says of what was replaced."""

from dataclasses import replace
from datetime import timedelta

from core_facts import DAY, NEW, NOW, TARGET

from rotator.cli.options import Output
from rotator.cli.request_runner import Result, RotationReport
from rotator.cli.rotation_results import print_results
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
