"""The formats of a report for files: JSON, CSV, and a page for people. Pure."""

import csv
import io
import json
import re
from collections.abc import Iterator
from html import escape

from rotator.observe.report import VERDICT, Column, Kind, Report, ReportTable, Verdict, urgency

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


_STYLE = """
:root { color-scheme: light dark; --ink: #1a1d21; --paper: #fff; --quiet: #5b6470; --line: #d5dae0; --head: #f1f3f5;
  --bad: #b3261e; --warn: #8a5a00; --good: #1e6b3a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #15181b; --quiet: #9aa4af; --line: #343a41;
  --head: #20252a; --bad: #ff8a80; --warn: #f2c14e; --good: #7bd69a; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 90rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.verdict { font-size: 1.1rem; font-weight: 600; margin: 1rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .45rem; border-bottom: 1px solid var(--line); }
thead { display: table-header-group; } thead th { background: var(--head); vertical-align: bottom; }
tr { break-inside: avoid; } td { overflow-wrap: anywhere; min-width: 7em; } td:first-child { min-width: 10em; }
td.n, td.m { white-space: nowrap; min-width: 0; } .n { text-align: right; }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere; }
.over { color: var(--bad); font-weight: 600; } .near, .unknown { color: var(--warn); } .within { color: var(--good); }
li { margin: .25rem 0; }
@page { size: A4 landscape; margin: 14mm; }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --quiet: #444; --line: #bbb; --head: #eee;
  --bad: #a00; --warn: #640; --good: #050; }
  body { font-size: 9.5pt; margin: 0; padding: 0; max-width: none; } table { font-size: 7.5pt; }
  .scroll { overflow: visible; } h2 { break-after: avoid; }
  th, td { padding: 2pt 4pt; } thead th { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""
_MARKED = {"over": "over", "near": "near", "age unknown": "unknown", "no record": "unknown", "within": "within"}


def as_html(report: Report) -> str:
    """Returns the report as one file, without scripts, and with nothing to load."""
    return "".join(f"{line}\n" for line in _page(report))


def _page(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{escape(report.title)}</h1>"
    yield _list({name.replace("_", " "): value for name, value in report.about.items() if value is not None})
    yield "<p>All times are in UTC.</p>"
    if any(VERDICT in table.columns for table in report.tables):
        yield _verdict(report)
    yield _list({name.replace("_", " "): str(number) for name, number in report.summary.items()})
    if report.answers:
        yield "<h2>What this answers</h2>\n<ul>"
        for each in report.answers:
            yield f"<li><strong>{_prose(each.what)}</strong><br>{_prose(each.answered_by)}</li>"
        yield "</ul>"
    if report.notes:
        yield "<h2>What this cannot say</h2>\n<ul>"
        yield from (f"<li>{_prose(note)}</li>" for note in report.notes)
        yield "</ul>"
    for table in report.tables:
        yield from _table(table)
    yield "<h2>The audit</h2>"
    yield _list({name.replace("_", " "): str(value) for name, value in report.audit.items() if value is not None})
    yield "</main>\n</body>\n</html>"


def _verdict(report: Report) -> str:
    css, said = "within", "No password is over its limit."
    if report.is_over:
        css, said = "over", f"{report.summary[Verdict.OVER]} over the limit."
    elif report.summary.keys() & {Verdict.UNKNOWN, Verdict.NO_LIMIT, Verdict.NO_RECORD}:
        css, said = "unknown", "No password is known to be over a limit; not all can be judged."
    return f'<p class="verdict {css}">{said}</p>'


def _prose(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _list(entries: dict[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries.items())
    return f"<dl>{rows}</dl>"


def _table(table: ReportTable) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        yield f"<p>{escape(table.empty)}</p>"
        return
    heads = "".join(f'<th scope="col"{_class(column)}>{escape(column.heading)}</th>' for column in table.columns)
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in sorted(table.rows, key=urgency):
        cells = (_cell(column, row[column.key]) for column in table.columns)
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody>\n</table>\n</div>"


def _class(column: Column) -> str:
    if column.kind in (Kind.DURATION, Kind.NUMBER):
        return ' class="n"'
    return ' class="m"' if column.kind is Kind.MOMENT else ""


def _cell(column: Column, value: object) -> str:
    css = f' class="{_MARKED[str(value)]}"' if column.key == "verdict" and value in _MARKED else _class(column)
    return f"<td{css}>{escape(shown(column, value))}</td>"
