"""`rotator check-config`, `rotator check-provider` and `rotator verify-audit`."""

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import (
    DEFAULT_CONFIG,
    READABLE_FILES,
    AccountName,
    ByOption,
    Config,
    Output,
    OutputOption,
    ReasonOption,
    TicketOption,
    Why,
    YesOption,
)

_Write = Annotated[
    bool, typer.Option("--write", help="Also take a scratch credential through its whole life, and delete it.")
]
_Expendable = Annotated[
    str | None,
    typer.Option(
        "--expendable",
        metavar="ID",
        help="With --write, where rotator cannot create credentials: the id or username of one that nobody needs. "
        "Its password is changed, and set back only if the account shows it.",
        show_default=False,
    ),
]
_Transcript = Annotated[
    Path | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="Write what the requests and answers look like: paths, statuses, names and types, without any value. "
        "To send to the maintainers.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("check-config")(check_config)
    app.command("check-provider")(check_provider)
    app.command("verify-audit")(verify_audit)


def check_config(
    with_evidence: Annotated[
        bool,
        typer.Option("--with-evidence", help="Also read from Vault what check-provider has shown of the accounts."),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Checks the configuration and prints every mistake with its line, key and remedy.

    Environment variables and files that it refers to must exist. No connection is opened, except to Vault with
    --with-evidence.

    \b
    Examples:
      rotator check-config --config config.yaml
      rotator check-config -c config.yaml --with-evidence
      rotator check-config -c config.yaml --output json

    \b
    Exit codes:
      0  the configuration is valid; there may be warnings
      1  with --with-evidence: a strategy is disproved at its account
      2  the configuration is invalid
      3  with --with-evidence: Vault is unusable
    """
    from rotator.cli.check_config import show_check  # noqa: PLC0415 - takes half a second

    raise typer.Exit(show_check(config, output, with_evidence=with_evidence))


def check_provider(
    account: AccountName,
    write: _Write = False,
    expendable: _Expendable = None,
    transcript: _Transcript = None,
    yes: YesOption = False,
    reason: ReasonOption = "check",
    by: ByOption = "",
    ticket: TicketOption = "",
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tries at an account what rotations take for granted, and says what holds, what does not, and what was not shown.

    Without --write it only reads: the connection, the key, the clock, the listing, the targets' usernames, trunks,
    masked passwords. With --write it creates a credential, logs in with the right and with a wrong password, sets
    passwords, disables, enables, ends and deletes it. What it makes is written down in Vault first: if it is killed,
    the next check with --write cleans up. The results are kept in Vault. A rotation by a strategy that they disprove is
    held, and `plan` warns of what is unproved.

    \b
    Examples:
      rotator check-provider vobiz-prod
      rotator check-provider vobiz-prod --write
      rotator check-provider telnyx-trunk --write --expendable spare01 --yes
      rotator check-provider vobiz-prod --write --transcript shapes.json

    \b
    Exit codes:
      0  nothing that the targets' strategies need was disproved
      1  a strategy is disproved, nothing can be asked there, or something was left behind
      2  wrong usage, or an invalid configuration
      3  Vault is unusable
    """
    from rotator.cli.check_provider import CheckOptions, check_account  # noqa: PLC0415 - takes half a second

    if expendable is not None and not write:
        raise CommandError("--expendable is for --write", Exit.USAGE)
    options = CheckOptions(account, Why(reason, by, ticket), write, expendable, transcript, yes)
    raise typer.Exit(check_account(config, options, output))


def verify_audit(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="Copies of the audit, instead of what Vault has.",
            **READABLE_FILES,
        ),
    ] = None,
    from_log: Annotated[
        bool,
        typer.Option(
            "--from-log",
            help="The files have other lines as well, or text before the records: what kubectl logs prints, or rsyslog "
            "writes.",
        ),
    ] = False,
    part: Annotated[
        bool,
        typer.Option(
            "--part", help="The files are a part of a longer log: do not look for what came before and after."
        ),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Finds audit records that were changed, removed or forged, and says what is proved.

    Without FILE it reads what Vault has of all processes. The key is in Vault as well, and files are compared with what
    it has, so they too are verified with the configuration at hand.

    \b
    Examples:
      rotator verify-audit
      rotator verify-audit /var/log/rotator/audit.jsonl.1 /var/log/rotator/audit.jsonl
      kubectl logs deployment/rotator > pod.log; rotator verify-audit pod.log --from-log

    \b
    Exit codes:
      0  every record is as it was written, and none is missing
      1  a record was changed, removed or forged
      2  wrong usage, an invalid configuration, or a file cannot be read
      3  Vault is unusable
    """
    from rotator.cli.verify_audit import VerifyAuditOptions, show_verification  # noqa: PLC0415

    options = VerifyAuditOptions(tuple(files or ()), from_log, part)
    raise typer.Exit(show_verification(config, options, output))
