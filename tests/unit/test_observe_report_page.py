"""The report's page for people: what it says at first sight is true, and what is worst stands first."""

import re
from datetime import UTC, datetime

import pytest

from rotator.observe.period_report import emergencies_table
from rotator.observe.report import Report, ReportTable, Requirement, Verdict, counted_verdicts, present_table
from rotator.observe.report_formats import as_html


def passwords(*verdicts: Verdict) -> ReportTable:
    """A row for each verdict, each of a target of its own."""
    table = present_table((), {}, datetime(2026, 1, 5, tzinfo=UTC))  # its columns
    nothing = {column.key: None for column in table.columns}
    rows = [nothing | {"target": f"phone-{number}", "verdict": each.value} for number, each in enumerate(verdicts)]
    return ReportTable(table.key, table.title, table.columns, rows, table.empty)


def page(table: ReportTable, **other) -> str:
    summary = counted_verdicts(table.rows) if table.key == "passwords" else {"emergencies": 0}
    texts = {"answers": (), "notes": ()} | other
    return as_html(Report("Ages", {"made_at": "2026-01-05T12:00:00Z"}, summary, **texts, tables=(table,), audit={}))


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
