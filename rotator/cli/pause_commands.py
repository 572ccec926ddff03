"""`rotator pause` and `rotator resume`."""

from typing import Annotated

import typer

from rotator.cli.options import (
    DEFAULT_CONFIG,
    ByOption,
    Config,
    Names,
    Output,
    OutputOption,
    ReasonOption,
    TicketOption,
    Why,
)

_PausedAccount = Annotated[
    str,
    typer.Option("--account", "-a", metavar="NAME", help="Every target of this provider account.", show_default=False),
]
_PausedLabels = Annotated[
    list[str] | None,
    typer.Option(
        "--label", "-l", metavar="KEY=VALUE", help="Every target with this label. With several: with all of them."
    ),
]
_WholeFleet = Annotated[bool, typer.Option("--all", help="The whole fleet.")]

_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for everybody who meets the pause.")]
_Until = Annotated[
    str,
    typer.Option(
        "--until",
        metavar="TIME",
        help="Its end: a day (its beginning) or a moment, in local time unless it says otherwise, or a time from "
        "now, such as 2d.",
    ),
]
_Hold = Annotated[
    str,
    typer.Option(
        "--hold",
        metavar="WHAT",
        help="changes: neither rotations nor retirements. rotations: what was replaced before is still retired.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)


def pause(
    reason: _Reason,
    until: _Until,
    targets: Names = None,
    account: _PausedAccount = "",
    label: _PausedLabels = None,
    everything: _WholeFleet = False,
    hold: _Hold = "changes",
    config: Config = DEFAULT_CONFIG,
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Holds what is changed by schedule, until a time.

    While a pause lasts, no rotation begins by schedule, no credential is disabled or deleted, and nothing is repaired,
    since somebody may be working there by hand; what is published is still verified, and an open attempt is finished:
    devices may be out until it ends. `rotator rotate` refuses a paused target unless it has --despite-pause;
    --compromised and `rotator undo` pass by themselves. What a provider was told to end by itself (Telnyx) ends on
    time. For a planned change freeze use a blackout of the policy: it lets repairs pass.

    Labels, an account and the whole fleet are paused as they are then: targets that come later are paused as well. To
    give a pause another end or reason, pause the same again. When it ends, what has come due is spread as the first
    rotations of a fleet are.

    \b
    Examples:
      rotator pause office-phone --reason "PBX is being replaced" --until 2d
      rotator pause --account vobiz-prod --reason "incident at the provider" --until 2026-02-01T08:00
      rotator pause --label site=berlin --hold rotations --reason "office moves" --until 1d --ticket CHG-7
      rotator pause --all --reason "Vault is being moved" --until 4h --by alice

    \b
    Exit codes:
      0    paused
      1    too much is paused already
      2    wrong usage, an unknown target or account, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.pause import PauseOptions, pause_now  # noqa: PLC0415 - takes a second

    wanted = PauseOptions(tuple(targets or ()), account, tuple(label or ()), everything)
    raise typer.Exit(pause_now(config, wanted, until, hold, Why(reason, by, ticket), output))


def resume(
    targets: Names = None,
    account: _PausedAccount = "",
    label: _PausedLabels = None,
    everything: _WholeFleet = False,
    config: Config = DEFAULT_CONFIG,
    reason: ReasonOption = "on demand",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Ends a pause before its time.

    It ends what was paused with the same arguments; of targets that were paused by name, those that are named. If
    another pause still holds a target, the command says which. A blackout is ended in the configuration.

    \b
    Examples:
      rotator resume office-phone
      rotator resume --account vobiz-prod --reason "the incident is over"
      rotator resume --all

    \b
    Exit codes:
      0    no pause with these arguments is left, and no other one holds these targets
      1    nothing was paused with these arguments, or another pause still holds one of the targets
      2    wrong usage, an unknown target or account, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.pause import PauseOptions, resume_now  # noqa: PLC0415

    wanted = PauseOptions(tuple(targets or ()), account, tuple(label or ()), everything)
    raise typer.Exit(resume_now(config, wanted, Why(reason, by, ticket), output))
