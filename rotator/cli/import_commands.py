"""`rotator import`."""

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import (
    DEFAULT_CONFIG,
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

_ImportedSource = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="FILE",
        help="CSV with a header, or JSON lines; '-' for standard input; 'listing' for what the account has and "
        "nothing knows.",
        show_default=False,
    ),
]
_To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="The file to add targets to, which the configuration includes: .csv, .jsonl or .yaml. Default: one "
        "named after the account, in the first folder that the configuration includes.",
        show_default=False,
    ),
]
_ImportedUsername = Annotated[
    str, typer.Option("--username", metavar="PATTERN", help="Of a listing, only usernames like this.")
]
_Description = Annotated[
    str, typer.Option("--description", metavar="PATTERN", help="Of a listing, only descriptions like this.")
]
_ImportedName = Annotated[
    str, typer.Option("--name", metavar="TEMPLATE", help="The name of a target that has none in the source.")
]
_ImportedPath = Annotated[
    str | None,
    typer.Option(
        "--path",
        metavar="TEMPLATE",
        help="The path of a target that has none in the source, such as 'sip/{name}'.",
        show_default=False,
    ),
]
_ImportedStrategy = Annotated[
    str | None,
    typer.Option("--strategy", metavar="NAME", help="Likewise the strategy.", show_default=False),
]
_ImportedPolicy = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="Likewise the policy.", show_default=False)
]
_Label = Annotated[
    list[str] | None,
    typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label of every target.", show_default=False),
]
_Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take up what is in use as rotator adopt does, without rotating it: by the column password, by the "
        "document in Vault, or by what the account shows.",
    ),
]
_Rotate = Annotated[
    bool,
    typer.Option(
        "--rotate", help="Take up what is in use, known password or not, and request a rotation from the daemon."
    ),
]
_SkipConflicts = Annotated[
    bool, typer.Option("--skip-conflicts", help="Leave out the rows that are in conflict, and import the rest.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import")(import_)


def import_(
    account: AccountName,
    source: _ImportedSource,
    to: _To = None,
    username: _ImportedUsername = "*",
    description: _Description = "*",
    name: _ImportedName = "{username}",
    path: _ImportedPath = None,
    strategy: _ImportedStrategy = None,
    policy: _ImportedPolicy = None,
    label: _Label = None,
    adopt: _Adopt = False,
    rotate: _Rotate = False,
    skip_conflicts: _SkipConflicts = False,
    dry_run: _DryRun = False,
    yes: YesOption = False,
    config: Config = DEFAULT_CONFIG,
    reason: ReasonOption = "imported",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Brings the credentials of an account under rotation: writes a file of targets, and takes up what is in use.

    First it shows what it would do with each row: what is new, what is configured already, and what is in conflict
    with the configuration, with Vault or with the account. Nothing is written until all is right. It can be repeated:
    what is configured already is left as it is, and what was not taken up yet is taken up.

    Columns of CSV: name, username, usernames, path, policy, strategy, new, label.KEY, and password. Commas, semicolons
    and tabs separate. A file with passwords has to be readable by its owner only. Passwords go nowhere but into Vault.

    \b
    Examples:
      rotator import vobiz-prod --from listing --username 'agent*' --path 'sip/{name}' --strategy replace
      rotator import vobiz-prod --from phones.csv --dry-run
      rotator import vobiz-prod --from phones.csv --adopt --yes --reason "ticket 4711"
      gpg --decrypt phones.csv.gpg | rotator import vobiz-prod --from - --adopt --yes

    \b
    Exit codes:
      0    done, or nothing to do
      1    rows are in conflict and nothing was written, something was not taken up, or the answer was no
      2    wrong usage, no terminal to ask at, or mistakes in the source or the configuration; nothing was written
      3    Vault is unusable
      130  stopped by Ctrl-C; the same command goes on
    """
    from rotator.cli.import_targets import ImportOptions, import_targets  # noqa: PLC0415 - takes a second

    labels = dict(each.partition("=")[::2] for each in label or ())
    given = {"path": path, "strategy": strategy, "policy": policy, "labels": labels or None}
    defaults = {key: value for key, value in given.items() if value is not None}
    if source != "listing" and (username, description) != ("*", "*"):
        raise CommandError("--username and --description choose from a listing: --from listing", Exit.USAGE)
    why, patterns = Why(reason, by, ticket), (username, description)
    options = ImportOptions(
        account, source, why, defaults, name, patterns, to, skip_conflicts, adopt or rotate, rotate, dry_run, yes
    )
    raise typer.Exit(import_targets(config, options, output))
