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
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="Copies of the audit, instead of what Vault has.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
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
