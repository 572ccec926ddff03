"""`rotator test-notification`."""

from typing import Annotated

import typer

from rotator.cli.completion import route_names
from rotator.cli.options import DEFAULT_CONFIG, Config, Output, OutputOption


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("test-notification")(send_test)


def send_test(
    routes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ROUTE",
            help="Names of `notifications`; default all of them.",
            show_default=False,
            autocompletion=route_names,
        ),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Sends a test message by the routes of `notifications`, and says whether their services took it.

    It needs neither Vault nor the daemon.

    \b
    Examples:
      rotator test-notification
      rotator test-notification on-call --output json

    \b
    Exit codes:
      0  every service took its message
      1  a service did not take it
      2  wrong usage, or an invalid configuration
    """
    from rotator.cli.notify import send_tests  # noqa: PLC0415 - takes half a second

    raise typer.Exit(send_tests(config, routes or [], output))
