"""`rotator init`."""

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output, OutputOption

_FirstDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Where the files are written.", show_default=False)
]
_FirstProvider = Annotated[
    str | None, typer.Option("--provider", metavar="TYPE", help="The type of the provider account, such as vobiz.")
]
_FirstAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="A name for the account; default its type.")
]
_FirstStrategy = Annotated[
    str | None,
    typer.Option("--strategy", metavar="NAME", help="replace, alternating or in-place; default the first possible."),
]
_FirstUsername = Annotated[
    str | None,
    typer.Option("--username", metavar="NAME", help="The username of the first target; two for alternating."),
]
_FirstTarget = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="The first target's name; default the username.")
]
_FirstPath = Annotated[
    str | None, typer.Option("--path", metavar="PATH", help="Its document in Vault; default sip/ and the name.")
]
_FirstVault = Annotated[
    str | None,
    typer.Option(
        "--vault", metavar="URL", help="Vault's address, or 'embedded' for one that rotator runs; default embedded."
    ),
]
_Login = Annotated[
    str | None, typer.Option("--login", metavar="METHOD", help="The login to Vault; default token_file.")
]
_MaxAge = Annotated[
    str | None, typer.Option("--max-age", metavar="LENGTH", help="The greatest age of a password; default 90d.")
]
_FirstWindow = Annotated[
    str | None,
    typer.Option("--window", metavar="CRON", help="When rotations may begin, such as '0 2 * * *'; default always."),
]
_FirstWindowLength = Annotated[
    str | None, typer.Option("--window-length", metavar="LENGTH", help="How long that lasts; default 4h.")
]
_Timezone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="The time zone of --window; default UTC.")
]
_FirstKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any other key, below account., vault., policy., limits. or target.; a secret as env:NAME, file:PATH "
        "or vault:PATH#KEY.",
        show_default=False,
    ),
]
_TargetsFolder = Annotated[
    str | None,
    typer.Option(
        "--targets-folder",
        metavar="NAME",
        help="Put targets into files of this folder, which the configuration includes: for many of them.",
        show_default=False,
    ),
]
_New = Annotated[
    bool, typer.Option("--new", help="The account does not have the username yet: the first rotation creates it.")
]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")]
_Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("init")(init)


def init(
    directory: _FirstDirectory = Path(),
    provider: _FirstProvider = None,
    account: _FirstAccount = None,
    strategy: _FirstStrategy = None,
    username: _FirstUsername = None,
    target: _FirstTarget = None,
    path: _FirstPath = None,
    vault: _FirstVault = None,
    login: _Login = None,
    max_age: _MaxAge = None,
    window: _FirstWindow = None,
    window_length: _FirstWindowLength = None,
    timezone: _Timezone = None,
    settings: _FirstKeys = None,
    targets_folder: _TargetsFolder = None,
    new: _New = False,
    yes: _Yes = False,
    force: _Force = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Writes a first configuration: asks at a terminal, or takes options.

    It writes config.yaml and, with a Vault of your own, vault-policy.hcl: the rights that rotator needs there. Keys are
    referred to and never written. What is written loads: all that check-config may miss afterwards are variables and
    files of keys that are not there yet, and they are named.

    \b
    Examples:
      rotator init
      rotator init /etc/rotator --targets-folder targets.d
      rotator init --yes --provider vobiz --set account.auth_id=MA_XXXXXXXX --username officephone01
      rotator init --yes --provider telnyx --set account.connection_id=1494404757140276705 \\
        --vault https://vault:8200 --login kubernetes --set vault.auth.role=rotator --target lobby

    \b
    Exit codes:
      0    written
      1    a file is there already, or cannot be written
      2    an answer is missing or wrong; every one is named, and nothing was written
      130  stopped by Ctrl-C; nothing was written
    """
    from rotator.cli.init import InitOptions, write_first  # noqa: PLC0415 - takes half a second

    given = {
        "--provider": provider,
        "--account": account,
        "--strategy": strategy,
        "--username": username,
        "--target": target,
        "--path": path,
        "--vault": vault,
        "--login": login,
        "--max-age": max_age,
        "--window": window,
        "--window-length": window_length,
        "--timezone": timezone,
        "--targets-folder": targets_folder,
    }
    for each in settings or ():
        key, separator, value = each.partition("=")
        if not separator or not value:
            raise CommandError("--set is written as KEY=VALUE, such as account.auth_id=MA_XXXXXXXX", Exit.USAGE)
        given[f"--set {key}"] = value
    answers = {option: value for option, value in given.items() if value is not None}
    raise typer.Exit(write_first(InitOptions(directory, answers, new, yes, force), output))
