"""The report's page for people: what it says at first sight is true, and what is worst stands first."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from core_facts import DAY, HOUR, NEW, NOW, TARGET

from rotator.core.blackouts import Blackout
from rotator.core.clocks import Clocks
from rotator.core.model import TargetState
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.observe.period_report import emergencies_table
from rotator.observe.report import (
    Report,
    ReportTable,
    Requirement,
    Verdict,
    counted_verdicts,
    exceptions,
    present_table,
)
from rotator.observe.report_formats import as_csv, as_html, as_json


def passwords(*verdicts: Verdict) -> ReportTable:
    """A row for each verdict, each of a target of its own."""
    table = present_table((), {}, Pauses(), Clocks(NOW, NOW))  # its columns
    nothing = {column.key: None for column in table.columns}
    rows = [nothing | {"target": f"phone-{number}", "verdict": each.value} for number, each in enumerate(verdicts)]
    return ReportTable(table.key, table.title, table.columns, rows, table.empty)


def report(table: ReportTable, **other) -> Report:
    summary = counted_verdicts(table.rows) if table.key == "passwords" else {"emergencies": 0}
    texts = {"answers": (), "notes": ()} | other
    return Report("Ages", {"made_at": "2026-01-05T12:00:00Z"}, summary, **texts, tables=(table,), audit={})


def page(table: ReportTable, **other) -> str:
    return as_html(report(table, **other))


@pytest.mark.parametrize(
    ("verdicts", "css", "said"),
    [
        ([Verdict.WITHIN, Verdict.NEAR], "within", "No password is over its limit."),
        ([Verdict.WITHIN, Verdict.NOTHING], "within", "No password is over its limit."),
        ([Verdict.WITHIN, Verdict.OVER, Verdict.UNKNOWN], "over", "1 over the limit."),
        (
            [Verdict.WITHIN, Verdict.UNKNOWN],
            "unknown",
            "No password is known to be over a limit; not all can be judged.",
        ),
        ([Verdict.NO_LIMIT], "unknown", "No password is known to be over a limit; not all can be judged."),
        ([Verdict.NO_RECORD], "unknown", "No password is known to be over a limit; not all can be judged."),
    ],
)
def test_the_page_begins_with_a_verdict_that_says_no_more_than_is_known(verdicts, css, said):
    (found,) = re.findall(r'<p class="verdict (\w+)">(.*?)</p>', page(passwords(*verdicts)))
    assert found == (css, said)


def test_a_page_of_emergencies_alone_judges_no_ages():
    assert 'class="verdict' not in page(emergencies_table(()))


def test_what_is_over_its_limit_is_first():
    shown = page(passwords(Verdict.WITHIN, Verdict.UNKNOWN, Verdict.NO_LIMIT, Verdict.OVER))
    assert re.findall(r"<td>phone-(\d)</td>", shown) == ["3", "1", "2", "0"]


def test_commands_are_set_as_such_and_nothing_in_them_is_markup():
    answers = (Requirement("all `<b>`", "see `rotator plan`"),)
    shown = page(passwords(Verdict.WITHIN), answers=answers, notes=("set `limits`", "one ` alone"))
    for part in (
        "all <code>&lt;b&gt;</code>",
        "see <code>rotator plan</code>",
        "set <code>limits</code>",
        "one ` alone",
    ):
        assert part in shown


def test_the_page_says_which_times_it_has():
    assert "All times are in UTC." in page(passwords(Verdict.WITHIN))


FREEZE = Blackout(NOW - HOUR, NOW + 2 * DAY, "end of year")
PAUSE = Pause(Scope(targets=("lobby",)), NOW - HOUR, NOW + DAY, Origin("vault:alice", "=PBX is <replaced>", "CHG-7"))
LOBBY = replace(TARGET, name="lobby")
HELD_BY_ALICE = f"paused by vault:alice (CHG-7) until {PAUSE.until:%Y-%m-%d %H:%M} UTC: =PBX is <replaced>"
HELD_BY_CALENDAR = f"blackout of policy {TARGET.policy.name} until {FREEZE.end:%Y-%m-%d %H:%M} UTC: end of year"


def held(*, blackout: bool = False) -> ReportTable:
    """One target that a person has paused, also held by a calendar or not, and one that nothing else holds."""
    policy = replace(TARGET.policy, blackouts=(FREEZE,) if blackout else ())
    found = [(replace(each, policy=policy), TargetState(each.name, published=NEW)) for each in (LOBBY, TARGET)]
    return present_table(found, {}, Pauses(1, (PAUSE,)), Clocks(NOW, NOW))


def test_an_exception_has_its_kind_its_end_and_who_said_why():
    table = held()
    paused, free = table.rows
    assert (paused["exception"], paused["exception_until"]) == ("paused", f"{PAUSE.until:%Y-%m-%dT%H:%M:%SZ}")
    assert paused["exception_reason"] == HELD_BY_ALICE
    assert (free["exception"], free["exception_until"], free["exception_reason"]) == (None, None, None)
    assert exceptions(table) == 1


def test_what_a_pause_and_a_calendar_hold_has_both_and_the_later_end():
    table = held(blackout=True)
    both, calendar = table.rows
    assert (both["exception"], both["exception_until"]) == ("blackout, paused", f"{FREEZE.end:%Y-%m-%dT%H:%M:%SZ}")
    assert both["exception_reason"] == f"{HELD_BY_CALENDAR}; {HELD_BY_ALICE}"
    assert (calendar["exception"], calendar["exception_reason"]) == ("blackout", HELD_BY_CALENDAR)
    assert exceptions(table) == 2


def test_a_target_without_any_password_has_its_exception_too():
    table = present_table([(LOBBY, TargetState("lobby"))], {}, Pauses(1, (PAUSE,)), Clocks(NOW, NOW))
    assert [row["exception"] for row in table.rows] == ["paused"]


def test_a_pause_that_has_ended_by_both_clocks_is_no_exception():
    found = [(LOBBY, TargetState("lobby", published=NEW))]
    for now, vault, expected in ((2 * DAY, 2 * DAY, None), (2 * DAY, HOUR, "paused")):
        table = present_table(found, {}, Pauses(1, (PAUSE,)), Clocks(NOW + now, NOW + vault))
        assert [row["exception"] for row in table.rows] == [expected]


def test_every_format_for_files_has_the_exceptions():
    made = report(held())
    (first, _) = json.loads(as_json(made))["passwords"]
    assert (first["exception"], first["exception_reason"]) == ("paused", HELD_BY_ALICE)
    (row, other) = csv.DictReader(io.StringIO(as_csv(made)))
    assert (row["exception"], row["exception_until"]) == ("paused", first["exception_until"])
    assert (row["exception_reason"], other["exception_reason"]) == (HELD_BY_ALICE, "")
    shown = as_html(made)
    assert "<td>paused</td>" in shown
    assert HELD_BY_ALICE.replace("<", "&lt;").replace(">", "&gt;") in shown
    assert f"{PAUSE.until:%Y-%m-%d %H:%M:%S}</td>" in shown
