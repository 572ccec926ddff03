"""`rotator device-login`."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import DEFAULT_CONFIG, Config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("device-login")(device_login)


def device_login(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="The device, or a group of them.", show_default=False)
    ] = "",
    paths: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="PATH",
            help="What it may read, below the mount, such as sip/lobby or 'sip/*'.",
        ),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", metavar="DIR", help="Where its files are written.")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=3650, help="How long its secret id can log it in.")
    ] = 90,
    end: Annotated[bool, typer.Option("--end", help="End the login, and what was logged in with it.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Makes, renews, lists or ends the logins of devices at an embedded Vault.

    Each device, or group of devices, gets a login that reads only the documents it needs. The directory then has
    role-id, secret-id and ca.pem, for a Vault Agent. Run it again to renew the secret id or to change the paths.
    Without NAME it lists the logins.

    \b
    Examples:
      rotator device-login lobby --path sip/lobby -d /etc/lobby-agent
      rotator device-login agents --path 'sip/agent-*' --days 30 -d ./agents
      rotator device-login lobby --end
      rotator device-login

    \b
    Exit codes:
      0  done
      1  there is no such login, or the directory is unusable
      2  wrong usage, or the configuration has no embedded Vault
      3  the embedded Vault is unusable
    """
    from rotator.cli.device_login import end_login, list_logins, make_login  # noqa: PLC0415

    if name and not re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,62})", name):
        raise CommandError("NAME has small letters, digits, '-', '_' and '.', such as lobby", Exit.USAGE)
    bad = [path for path in paths or () if not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*(/?\*)?", path)]
    if bad:
        what = f"--path {bad[0]} is not a path below the mount, without a slash in front, such as sip/lobby or 'sip/*'"
        raise CommandError(what, Exit.USAGE)
    if not name:
        raise typer.Exit(list_logins(config))
    if end:
        raise typer.Exit(end_login(config, name))
    if not paths or directory is None:
        raise CommandError("a login needs --path and --directory", Exit.USAGE)
    raise typer.Exit(make_login(config, name, paths, timedelta(days=days), directory))
