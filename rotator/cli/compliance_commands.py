"""`rotator report` and `rotator verify-report`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import (
    DEFAULT_CONFIG,
    READABLE_FILES,
    ChosenLabels,
    Config,
    Names,
    Output,
    OutputOption,
    chosen,
)


class ReportFormat(Enum):
    """The format of a report."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


class ReportStandard(Enum):
    """The standard that a report names the requirements of."""

    PCI = "pci"
    SOC2 = "soc2"
    ISO27001 = "iso27001"


class ReportEvents(Enum):
    """What a report lists instead of ages."""

    EMERGENCY = "emergency"


_AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DAY", help="How it was at the end of a day (UTC).", show_default=False),
]
_First = Annotated[
    str | None,
    typer.Option("--from", metavar="DAY", help="The first day of a period (UTC).", show_default=False),
]
_Last = Annotated[
    str | None,
    typer.Option("--to", metavar="DAY", help="Its last day; default today.", show_default=False),
]
_Events = Annotated[
    ReportEvents | None,
    typer.Option("--events", help="Only who asked for emergency changes in the period.", show_default=False),
]
_Standard = Annotated[
    ReportStandard | None,
    typer.Option("--standard", help="Say which requirements it answers.", show_default=False),
]
_ReportedAudit = Annotated[
    list[Path] | None,
    typer.Option(
        "--audit",
        metavar="FILE",
        help="A copy of the audit to read besides Vault. May be given several times.",
        **READABLE_FILES,
    ),
]
_FromLog = Annotated[
    bool, typer.Option("--from-log", help="The files of --audit are logs: look for records between other lines.")
]
_NoRecord = Annotated[
    bool, typer.Option("--no-record", help="Write nothing to Vault: the audit does not have the report's hash.")
]
_ReportedOutput = Annotated[
    ReportFormat,
    typer.Option("--output", "-o", help="A table for people, JSON with stable keys, CSV, or a page to print."),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("report")(report)
    app.command("verify-report")(verify_report)


def report(
    targets: Names = None,
    label: ChosenLabels = None,
    as_of: _AsOf = None,
    first: _First = None,
    last: _Last = None,
    events: _Events = None,
    standard: _Standard = None,
    audit: _ReportedAudit = None,
    from_log: _FromLog = False,
    no_record: _NoRecord = False,
    config: Config = DEFAULT_CONFIG,
    output: _ReportedOutput = ReportFormat.TABLE,
) -> None:
    """Shows how old each accepted password is, and whether that is within its limit (`limits`).

    Without a day it reads the documents in Vault: what is accepted now, replaced passwords that are not refused yet
    included; which pause or blackout holds a target now, until when and why; and, if no target is chosen, how old the
    accounts' own keys are. With --as-of, or --from and --to, it reads the audit: the greatest age that any password of
    a target had while it was accepted, and who asked for emergency changes. What the audit does not have is said, never
    filled in. No provider is called.

    The SHA-256 of a report as JSON, CSV or HTML goes into the audit: `rotator verify-report FILE` shows that a file is
    what was reported.

    \b
    Examples:
      rotator report
      rotator report --output html --standard pci > report.html
      rotator report --from 2026-07-01 --to 2026-09-30 --output csv > q3.csv
      rotator report --from 2026-08-14 --to 2026-08-14 --events emergency
      rotator report 'lobby-*' --as-of 2026-06-30

    \b
    Exit codes:
      0  nothing is, or was, accepted beyond its limit, and no account's key is too old or has expired
      1  something is, or was; or the audit has no record of a target in the period, and nothing shows it
      2  wrong usage, an unknown target, or an invalid configuration
      3  Vault is unusable, or did not take the record of the report
    """
    from rotator.cli.report import ReportOptions, show_report  # noqa: PLC0415 - takes a second

    if as_of is not None and (first is not None or last is not None):
        raise CommandError("--as-of and --from exclude each other", Exit.USAGE)
    if last is not None and first is None:
        raise CommandError("--to needs --from", Exit.USAGE)
    if as_of is None and first is None and (events is not None or audit):
        raise CommandError("--events and --audit need a period: --from DAY, or --as-of DAY", Exit.USAGE)
    options = ReportOptions(
        chosen(targets, label),
        as_of or first,
        as_of or last,
        is_moment=as_of is not None,
        only_emergencies=events is not None,
        standard=standard.value if standard is not None else None,
        files=tuple(audit or ()),
        from_log=from_log,
        record=not no_record,
    )
    raise typer.Exit(show_report(config, options, output.value))


def verify_report(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A report as JSON, CSV or HTML.", exists=True, dir_okay=False, readable=True
        ),
    ],
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows whether a file is a report that rotator made: the audit has its SHA-256.

    Says when it was made, by whom and for which period, and whether the audit itself is as it was written
    (`rotator verify-audit` says more).

    \b
    Examples:
      rotator verify-report q3.csv

    \b
    Exit codes:
      0  it is, and the audit is whole
      1  it is not, or the audit was changed
      2  wrong usage, or an invalid configuration
      3  Vault is unusable
    """
    from rotator.cli.verify_report import show_report_verification  # noqa: PLC0415

    raise typer.Exit(show_report_verification(config, file, output))
