"""`rotator status` and `rotator plan`."""

import typer

from rotator.cli.options import DEFAULT_CONFIG, Config, Names, Output, OutputOption


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
    app.command("plan")(plan)


def status(targets: Names = None, config: Config = DEFAULT_CONFIG, output: OutputOption = Output.TABLE) -> None:
    """Shows what is published, replaced, and due next.

    It reads Vault, changes nothing, and asks no provider. Passwords are never shown. Without names: every target, and
    state documents of targets that are not in the configuration any more.

    \b
    Examples:
      rotator status
      rotator status office-phone
      rotator status --output json | jq '.targets[] | select(.state != "idle")'

    \b
    Exit codes:
      0  done, whatever the states are
      2  wrong usage, an unknown target, or a configuration that cannot be used
      3  Vault cannot be used
    """
    from rotator.cli.status import show_status  # noqa: PLC0415 - takes a second

    show_status(config, targets, output)


def plan(targets: Names = None, config: Config = DEFAULT_CONFIG, output: OutputOption = Output.TABLE) -> None:
    """Shows what would be done now and next, and does not do it.

    It reads Vault, and asks providers only to list credentials: every other request is refused before it is sent.
    What would follow a step is shown as if every call succeeded.

    \b
    Examples:
      rotator plan
      rotator plan office-phone --output json

    \b
    Exit codes:
      0  done
      1  a provider that had to be asked did not answer
      2  wrong usage, an unknown target, or a configuration that cannot be used
      3  Vault cannot be used
    """
    from rotator.cli.plan import show_plan  # noqa: PLC0415 - takes a second

    raise typer.Exit(show_plan(config, targets, output))
