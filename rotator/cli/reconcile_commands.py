"""`rotator reconcile`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.completion import account_names
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import (
    DEFAULT_CONFIG,
    ByOption,
    Config,
    Output,
    OutputOption,
    ReasonOption,
    TicketOption,
    Why,
    YesOption,
)
from rotator.core.discrepancies import DiscrepancyKind


class Repairable(Enum):
    """What `--repair` repairs."""

    ORPHANED = "orphaned"


_Accounts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ACCOUNT",
        help="Names of provider accounts, or patterns such as 'vobiz-*'. Default: all.",
        show_default=False,
        autocompletion=account_names,
    ),
]
_Only = Annotated[
    list[DiscrepancyKind] | None,
    typer.Option("--only", help="Only findings of this kind; may be repeated.", show_default=False),
]
_ReconciledRepair = Annotated[
    Repairable | None,
    typer.Option(
        "--repair",
        help="Retire the orphans that the audit says were created for a target: each gets an overlap and a "
        "quarantine like a replaced credential. It asks before.",
        show_default=False,
    ),
]
_ReconciledAudit = Annotated[
    list[Path] | None,
    typer.Option(
        "--audit",
        metavar="FILE",
        help="With --repair: a copy of the audit, for what an older backup of Vault lacks; may be repeated.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    accounts: _Accounts = None,
    only: _Only = None,
    repair: _ReconciledRepair = None,
    audit: _ReconciledAudit = None,
    yes: YesOption = False,
    reason: ReasonOption = "orphaned",
    by: ByOption = "",
    ticket: TicketOption = "",
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compares what each account has with what the documents in Vault say, and shows what does not fit.

    \b
    Findings:
      missing        a document names it, and the provider does not have it
      changed        enabled, id, username or shown password differ from what the documents say
      orphaned       made by rotator, and no target owns it, or only a removed one
      duplicate      one username twice, or one credential of two targets
      foreign        at the provider, and nothing says that it is ours
      never_rotated  of a target, and rotator did not make what is in use

    It reads the whole listing of each account, and every state document, and changes neither. What a rotation is doing
    at the moment is no finding. Each finding says what ends it. Where the listing is not certain to be whole, nothing
    counts as missing. How many of each kind there are is kept in Vault, for the metrics of the daemons,
    which compare each account by themselves once in `daemon.reconcile`.

    --repair orphaned puts what this installation certainly created for a target into that target's ledger. Nothing is
    sent to the provider: whoever looks at the target disables it after the overlap and deletes it after the quarantine,
    once what is published is proved, and not while devices or trunks use it.

    \b
    Examples:
      rotator reconcile
      rotator reconcile 'vobiz-*' --only orphaned --only missing
      rotator reconcile vobiz-prod --output json
      rotator reconcile vobiz-prod --repair orphaned --reason "Vault restored"

    \b
    Exit codes:
      0    everything fits, as far as --only asks, or is being retired now
      1    there are findings, or an account or a document could not be read, or the answer was no
      2    wrong usage, an unknown account, no terminal to ask at, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.reconcile import ReconcileOptions, reconcile_accounts  # noqa: PLC0415 - takes half a second

    if audit and repair is None:
        raise CommandError("--audit is for --repair", Exit.USAGE)
    kinds, why = tuple(only or DiscrepancyKind), Why(reason, by, ticket)
    options = ReconcileOptions(tuple(accounts or ()), kinds, why, repair is not None, tuple(audit or ()), yes)
    raise typer.Exit(reconcile_accounts(config, options, output))
