"""`rotator report`: reads the documents in Vault, or the audit, prints the report, and puts its hash on record."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path

from rotator import __version__
from rotator.cli.choosing import select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice
from rotator.cli.printing import cell, print_lines, print_table, safe, say, table
from rotator.cli.read_audit import ReadAudit, read_audit
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.clocks import Clocks
from rotator.core.left_over import left_over
from rotator.core.model import Target, TargetState
from rotator.core.password_history import PasswordHistory
from rotator.core.pause_history import PastPause
from rotator.observe.period_report import emergencies_table, exceptions_table, oldest_table, too_old_table
from rotator.observe.report import (
    KEYS_OVER,
    Report,
    ReportTable,
    Requirement,
    Verdict,
    counted_verdicts,
    exceptions,
    keys_table,
    moment_text,
    present_table,
    urgency,
)
from rotator.observe.report_formats import as_csv, as_html, as_json, shown
from rotator.observe.report_standards import ANSWERED
from rotator.observe.time_words import counted
from rotator.ports import Store

_UNRECORDED = "the audit has no record of {}: nothing shows the age of what was accepted"
_MOST_ROWS = 20  # of a table at a terminal: the formats for files have all
_FORMATS = {"json": as_json, "csv": as_csv, "html": as_html}


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The arguments of `rotator report`."""

    choice: Choice = field(default_factory=Choice)
    first: str | None = None  # the first day; None: as it is now
    last: str | None = None
    is_moment: bool = False  # as it was at the end of a day
    only_emergencies: bool = False
    standard: str | None = None
    files: tuple[Path, ...] = ()
    from_log: bool = False
    record: bool = True


def show_report(config: Path, options: ReportOptions, output: str) -> Exit:
    """Prints the report and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config, read_only=not options.record, prints_file=output != "table") as context:
        report = _of_now(context, options) if options.first is None else _of_period(context, options)
        if output == "table":
            _print(report)
            return _code(report)
        text = _FORMATS[output](report)
        sys.stdout.write(text)
        if options.record and not _record(context, report, output, text):
            return Exit.VAULT
    return _code(report)


def _code(report: Report) -> Exit:
    """A control has failed if what it has to show is not shown, too."""
    return Exit.FAILED if report.is_over or report.unrecorded else Exit.DONE


def _record(context: CommandContext, report: Report, output: str, text: str) -> bool:
    """Puts the report's hash on record. Returns False if Vault did not take it."""
    composition = context.composition
    about = {**report.about, **report.summary}
    said = {name: value for name, value in about.items() if name in ("as_of", "from", "to", "chosen", "over")}
    facts = {"sha256": sha256(text.encode()).hexdigest(), "format": output, "requested_by": composition.asked_by}
    composition.audit.record(AuditVerb.REPORT, "", AuditOutcome.DONE, **facts, **said)
    if composition.audit.flush():
        return True
    say(f"the report is not on record: {composition.audit.status.problem}")
    return False


def _of_now(context: CommandContext, options: ReportOptions) -> Report:
    components, now = context.components, context.composition.clock.now()
    targets = select_targets(components.targets, options.choice)
    store = components.store
    states = context.read_each(lambda target: store.read_state(target.name).state, targets)
    found = list(zip(targets, states, strict=True))
    if not options.choice:
        found += _left_over(context)
    clocks = Clocks(now, store.now() or now)
    passwords = present_table(found, components.kinds, components.pauses.fresh(), clocks)
    summary = {"targets": len(targets), **counted_verdicts(passwords.rows)}
    summary["retirements_overdue"] = sum(
        {row["target"]: int(row["retirements_overdue"]) for row in passwords.rows}.values()
    )
    summary["exceptions"] = exceptions(passwords)
    tables: tuple[ReportTable, ...] = ()
    if not options.choice:
        tables = (keys_table(components.account_keys, components.kinds, now),)
        summary[KEYS_OVER] = sum(row["verdict"] == Verdict.OVER for row in tables[0].rows)
    notes = () if any(target.policy.age_limit for target in targets) else (_NO_LIMITS,)
    return Report(
        "Ages of the accepted passwords",
        _about(options, now) | {"as_of": moment_text(now)},
        summary,
        _answers(options),
        notes,
        (passwords, *tables),
        _own_chain(context),
    )


_NO_LIMITS = "the configuration has no limits: set `limits: {max_age: 90d}`, and every row has a verdict"


def _left_over(context: CommandContext) -> Iterator[tuple[Target, TargetState]]:
    """Yields what removed targets left behind: their passwords may be accepted, too."""
    components, settings = context.components, context.components.settings
    names = [name for name in components.store.list_states() if name not in components.by_name]
    for versioned in context.read_each(components.store.read_state, names):
        target = left_over(versioned.state, settings.core_policies, settings.age_limit)
        if target is not None and not _is_moved(components.store, versioned.state):
            yield target, versioned.state


def _is_moved(store: Store, state: TargetState) -> bool:
    """True if a rename was cut when the new name had everything already."""
    return bool(state.renamed_to) and store.read_state(state.renamed_to).state.renamed_from == state.target


def _of_period(context: CommandContext, options: ReportOptions) -> Report:
    now, components = context.composition.clock.now(), context.components
    targets = select_targets(components.targets, options.choice)
    begin, end = _period(options, now)
    limits = {target.name: target.policy.age_limit.max_age for target in components.targets if target.policy.age_limit}
    otherwise = components.settings.age_limit
    history = PasswordHistory(begin, end, limits, otherwise.max_age if otherwise is not None else None)
    read = read_audit(components.audit_store, history, options.files, from_log=options.from_log)
    if options.choice:
        history.keep_only({target.name for target in targets})
    emergencies = emergencies_table(history.emergencies)
    held = exceptions_table(_pauses(read, targets, begin, end, options), targets, begin, end)
    tables: tuple[ReportTable, ...] = (oldest_table(history, targets), too_old_table(history), emergencies, held)
    summary = {"targets": len(tables[0].rows), **counted_verdicts(tables[0].rows), "emergencies": len(emergencies.rows)}
    summary["exceptions"] = len(held.rows)
    about = _about(options, now) | {"from": moment_text(begin), "to": moment_text(end)}
    if options.is_moment:
        about["as_of"] = about.pop("from")
        del about["to"]
    if options.only_emergencies:
        tables = (emergencies,)
        summary = {"emergencies": len(emergencies.rows)}
    title = "Emergency changes" if options.only_emergencies else "Ages of the passwords that were accepted"
    of_now = _BLACKOUTS_OF_NOW if any(target.policy.blackouts for target in targets) else ""
    untold = summary.get(Verdict.NO_RECORD, 0)
    unrecorded = _UNRECORDED.format(counted(untold, "target")) if untold else ""
    notes = (*read.notes(begin), *(note for note in (unrecorded, of_now, "" if limits else _NO_LIMITS) if note))
    return Report(title, about, summary, _answers(options), notes, tables, read.position | _own_chain(context))


def _pauses(
    read: ReadAudit, targets: Sequence[Target], begin: datetime, end: datetime, options: ReportOptions
) -> list[PastPause]:
    """Returns the pauses of a period; if targets were chosen, without those of other targets."""
    names = frozenset(target.name for target in targets)
    every = read.pauses.within(begin, end)
    return [each for each in every if not options.choice or each.may_concern(names)]


_BLACKOUTS_OF_NOW = "the blackouts are those that the configuration has now"


def _own_chain(context: CommandContext) -> dict[str, str | int | None]:
    """Returns the chain of this process, which gets the record of the report."""
    return {"recorded_in_chain": context.composition.audit.status.position.chain}


def _about(options: ReportOptions, now: datetime) -> dict[str, str | None]:
    words = (*options.choice.names, *options.choice.labels)
    return {"made_at": moment_text(now), "by": f"rotator {__version__}", "chosen": " ".join(words) or None}


def _answers(options: ReportOptions) -> tuple[Requirement, ...]:
    return ANSWERED[options.standard] if options.standard is not None else ()


def _period(options: ReportOptions, now: datetime) -> tuple[datetime, datetime]:
    begin, end = _day(options.first or "", time.min), now
    if options.last is not None:
        end = min(_day(options.last, time.max), now)
    if begin > now:
        raise CommandError("this day is still to come: rotator plan shows what is due", Exit.USAGE)
    if options.is_moment:
        begin = end
    if begin > end:
        raise CommandError(f"the period ends before it begins: {options.first} to {options.last}", Exit.USAGE)
    return begin, end


def _day(text: str, part: time) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), part, UTC)
    except ValueError:
        raise CommandError(f"{text!r} is not a day: write it as 2026-01-31", Exit.USAGE) from None


def _print(report: Report) -> None:
    for each in report.tables:
        files = "json, csv or html" if each is report.tables[0] else "json or html"  # a CSV file has one table
        print_lines(f"{each.title}:", "")
        if not each.rows:
            print_lines(each.empty, "")
            continue
        first = sorted(each.rows, key=urgency)[:_MOST_ROWS]
        there = [column for column in each.columns if any(row[column.key] is not None for row in first)]
        columns = [column for column in there if not column.detail]
        rows = table(*(column.heading for column in columns))
        for row in first:
            rows.add_row(*(cell(shown(column, row[column.key])) for column in columns))
        print_table(rows)
        if len(each.rows) > len(first):
            print_lines(f"and {len(each.rows) - len(first):,} more: --output {files} has all")
        if len(columns) < len(there):
            left_out = ", ".join(column.heading.lower() for column in there if column.detail)
            print_lines(f"--output {files} also has: {left_out}")
        print_lines("")
    for answer in report.answers:
        print_lines(safe(f"{answer.what}: {answer.answered_by}"))
    print_lines(*(safe(f"note: {note}") for note in report.notes))
    print_lines(", ".join(f"{name.replace('_', ' ')}: {number}" for name, number in report.summary.items()))
