"""`rotator status` and `rotator plan`."""

import typer

from rotator.cli.options import DEFAULT_CONFIG, Config, Labels, Names, Output, OutputOption, chosen


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
    app.command("plan")(plan)


def status(
    targets: Names = None,
    label: Labels = None,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows what is published, what was replaced, and what is due next.

    Only reads Vault: changes nothing and calls no provider. Passwords are never shown. Without names it shows every
    target, and the state documents of targets that are no longer in the configuration.

    \b
    Examples:
      rotator status
      rotator status office-phone
      rotator status 'lobby-*' --label site=berlin
      rotator status --output json | jq '.targets[] | select(.state != "idle")'

    \b
    Exit codes:
      0  done, whatever the states are
      2  wrong usage, an unknown target, or an invalid configuration
      3  Vault is unusable
    """
    from rotator.cli.show_status import show_status  # noqa: PLC0415 - takes a second

    show_status(config, chosen(targets, label), output)


def plan(
    targets: Names = None,
    label: Labels = None,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows what rotator would do now and next, without doing it.

    Reads Vault and lists credentials at providers; any other request is blocked before it is sent. Each step assumes
    that every earlier call succeeds.

    \b
    Examples:
      rotator plan
      rotator plan office-phone --output json

    \b
    Exit codes:
      0  done
      1  a provider did not answer
      2  wrong usage, an unknown target, or an invalid configuration
      3  Vault is unusable
    """
    from rotator.cli.show_plan import show_plan  # noqa: PLC0415 - takes a second

    raise typer.Exit(show_plan(config, chosen(targets, label), output))
