"""The formats of a report for files: JSON, CSV, and a page for people. Pure."""

import csv
import io
import json
from collections.abc import Iterator

from rotator.observe.markup import Child, Element, h, prose, written
from rotator.observe.report import KEYS_OVER, VERDICT, Column, Kind, Report, ReportTable, Verdict, urgency
from rotator.observe.style import STYLE_SOURCE

_DAY, _HOUR = 86_400, 3_600
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that a spreadsheet takes for a formula."""


def as_json(report: Report) -> str:
    """Returns the report as JSON."""
    return json.dumps(report.document, indent=2, allow_nan=False) + "\n"


def as_csv(report: Report) -> str:
    """Returns the first table as CSV, with the keys as its head."""
    text, table = io.StringIO(), report.tables[0]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.key for column in table.columns)
    for row in table.rows:
        writer.writerow(_harmless(row[column.key]) for column in table.columns)
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def shown(column: Column, value: object) -> str:
    """Returns a value as people read it; `-` for what is unknown."""
    if value is None:
        return "-"
    if column.kind is Kind.DURATION and isinstance(value, int | float):
        days, rest = divmod(int(value), _DAY)
        return f"{days} d {rest // _HOUR} h" if rest >= _HOUR else f"{days} d"
    if column.kind is Kind.MOMENT:
        return str(value).replace("T", " ").removesuffix("Z")
    return str(value)


_MARKED = {"over": "over", "near": "near", "age unknown": "unknown", "no record": "unknown", "within": "within"}


def as_html(report: Report) -> str:
    """Returns the report as one file, without scripts, and with nothing to load."""
    policy = h("meta", http_equiv="Content-Security-Policy", content=f"default-src 'none'; style-src {STYLE_SOURCE}")
    return written(report.title, [h("main", _page(report))], head=[policy])


def _page(report: Report) -> Iterator[Child]:
    yield h("h1", report.title)
    yield _list({name.replace("_", " "): value for name, value in report.about.items() if value is not None})
    yield h("p", "All times are in UTC.")
    if any(VERDICT in table.columns for table in report.tables):
        yield _verdict(report)
    yield _list({name.replace("_", " "): str(number) for name, number in report.summary.items()})
    if report.answers:
        answers = ((h("strong", prose(each.what)), h("br"), prose(each.answered_by)) for each in report.answers)
        yield h("h2", "What this answers"), h("ul", (h("li", answer) for answer in answers))
    if report.notes:
        yield h("h2", "What this cannot say"), h("ul", (h("li", prose(note)) for note in report.notes))
    for table in report.tables:
        yield from _table(table)
    yield h("h2", "The audit")
    yield _list({name.replace("_", " "): str(value) for name, value in report.audit.items() if value is not None})


def _verdict(report: Report) -> Element:
    css, said = "within", "No password is over its limit."
    if report.is_over:
        over = report.summary.get(Verdict.OVER, 0) + report.summary.get(KEYS_OVER, 0)
        css, said = "over", f"{over} over the limit."
    elif report.summary.keys() & {Verdict.UNKNOWN, Verdict.NO_LIMIT, Verdict.NO_RECORD}:
        css, said = "unknown", "No password is known to be over a limit; not all can be judged."
    return h("p", said, css=f"verdict {css}")


def _list(entries: dict[str, str]) -> Element:
    return h("dl", ((h("dt", name), h("dd", value)) for name, value in entries.items()))


def _table(table: ReportTable) -> Iterator[Element]:
    yield h("h2", table.title)
    if not table.rows:
        yield h("p", table.empty)
        return
    heads = (h("th", column.heading, scope="col", css=_class(column)) for column in table.columns)
    rows = (h("tr", (_cell(each, row[each.key]) for each in table.columns)) for row in sorted(table.rows, key=urgency))
    content = h("table", h("thead", h("tr", heads)), h("tbody", rows))
    yield h("div", content, css="scroll", tabindex=0, role="region", aria_label=table.title)


def _class(column: Column) -> str | None:
    if column.kind in (Kind.DURATION, Kind.NUMBER):
        return "n"
    return "m" if column.kind is Kind.MOMENT else None


def _cell(column: Column, value: object) -> Element:
    is_marked = column.key == "verdict" and value in _MARKED
    return h("td", shown(column, value), css=_MARKED[str(value)] if is_marked else _class(column))
