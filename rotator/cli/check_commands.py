"""`rotator check-config` and `rotator verify-audit`."""

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.options import DEFAULT_CONFIG, Config, Output, OutputOption


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("check-config")(check_config)
    app.command("verify-audit")(verify_audit)


def check_config(config: Config = DEFAULT_CONFIG, output: OutputOption = Output.TABLE) -> None:
    """Checks the configuration and prints every mistake with its line, key and remedy.

    Environment variables and files that it refers to must exist. No connection is opened.

    \b
    Examples:
      rotator check-config --config config.yaml
      rotator check-config -c config.yaml --output json

    \b
    Exit codes:
      0  the configuration is valid; there may be warnings
      2  the configuration is invalid
    """
    from rotator.cli.check_config import show_check  # noqa: PLC0415 - takes half a second

    raise typer.Exit(show_check(config, output))


def verify_audit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="The audit files, oldest first.", exists=True, dir_okay=False, readable=True
        ),
    ],
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="HASH", help="The hash of the record before the first one, if older files are left out."
        ),
    ] = "",
    anchor: Annotated[
        str,
        typer.Option(
            "--anchor",
            metavar="HASH",
            help="A hash kept elsewhere (/status shows the newest). Without it, a truncated file goes unnoticed.",
        ),
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Finds audit records that were changed, removed or added.

    \b
    Examples:
      rotator verify-audit /var/log/rotator/audit.jsonl
      rotator verify-audit audit.jsonl.1 audit.jsonl --anchor 5f2c...

    \b
    Exit codes:
      0  every record is unchanged
      1  a record was changed, removed or added
      2  wrong usage, or a file cannot be read
    """
    from rotator.cli.verify_audit import show_verification  # noqa: PLC0415

    raise typer.Exit(show_verification(files, after, anchor, output))
