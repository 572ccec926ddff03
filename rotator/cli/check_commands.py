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
    """Says whether the configuration is right.

    What is wrong is named line by line. Environment variables and files that it refers to have to be there. It
    connects to nothing.

    \b
    Examples:
      rotator check-config --config config.yaml
      rotator check-config -c config.yaml --output json

    \b
    Exit codes:
      0  it can be used; there may be warnings
      2  it cannot be used
    """
    from rotator.cli.configuration import show_check  # noqa: PLC0415 - takes half a second

    raise typer.Exit(show_check(config, output))


def verify_audit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="The audit's files, the oldest first.", exists=True, dir_okay=False, readable=True
        ),
    ],
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="HASH", help="The hash that the first record follows, where older files are not here."
        ),
    ] = "",
    anchor: Annotated[
        str,
        typer.Option(
            "--anchor",
            metavar="HASH",
            help="A hash that was noted elsewhere (/status shows the newest): without it, a cut end cannot be found.",
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
      0  every record is as it was written
      1  something is wrong
      2  wrong usage, or a file that cannot be read
    """
    from rotator.cli.audit import show_verification  # noqa: PLC0415

    raise typer.Exit(show_verification(files, after, anchor, output))
