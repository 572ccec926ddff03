"""`rotator rename` and `rotator retire`."""

from typing import Annotated

import typer

from rotator.cli.completion import target_names
from rotator.cli.options import (
    DEFAULT_CONFIG,
    ByOption,
    Config,
    Output,
    OutputOption,
    ReasonOption,
    TargetName,
    TicketOption,
    Why,
    YesOption,
)

_Published = Annotated[
    bool,
    typer.Option(
        "--published",
        help="End what is published as well: its document in Vault is withdrawn at once, the credential is "
        "disabled after the overlap and deleted after the quarantine.",
    ),
]
_Now = Annotated[bool, typer.Option("--now", help="Leave out overlap and quarantine. By default both are kept.")]
_DespiteUse = Annotated[
    bool,
    typer.Option(
        "--despite-use",
        help="End what is past its overlap, although the usage check found devices that use it, or nobody could "
        "say. The quarantine is kept: until it is over, rotator undo can bring it back.",
    ),
]
_RetiredForget = Annotated[
    bool,
    typer.Option(
        "--forget",
        help="Give up what cannot be reached, because its account is not in the configuration; what is accepted "
        "although everything was tried to end it; and what a removed target has published. Each of these "
        "credentials may stay accepted; they are named before.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("rename")(rename)
    app.command("retire")(retire)


def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The name until now.", show_default=False)],
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW", help="The name in the configuration.", show_default=False, autocompletion=target_names
        ),
    ],
    config: Config = DEFAULT_CONFIG,
    reason: ReasonOption = "renamed",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Moves everything that is known of a target to its new name.

    Change the name in the configuration first: it has NEW and no longer OLD. Until this command has run, the daemon
    waits: it never begins anew at the path of a target that it knows under another name.

    The command can be repeated: if it was cut, it finishes what is left.

    \b
    Examples:
      rotator rename office-phone reception

    \b
    Exit codes:
      0    renamed
      1    it was impossible; the message says why
      2    wrong usage, or the configuration still has OLD or lacks NEW
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.removal import rename_target  # noqa: PLC0415 - takes a second

    raise typer.Exit(rename_target(config, old, new, Why(reason, by, ticket), output))


def retire(
    target: TargetName,
    config: Config = DEFAULT_CONFIG,
    published: _Published = False,
    now: _Now = False,
    despite_use: _DespiteUse = False,
    forget: _RetiredForget = False,
    yes: YesOption = False,
    reason: ReasonOption = "retired",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Ends what is left of a target, and with --published the target itself.

    For a target that was removed from the configuration, or is about to be; and for what a target has replaced.
    Without options it carries out what is due now, which the daemon does as well, tries at once what has failed, and
    shows what is left and when it ends. Nothing new is published.

    \b
    Examples:
      rotator retire office-phone
      rotator retire office-phone --published --reason "office closed"
      rotator retire office-phone --published --now --yes
      rotator retire office-phone --despite-use --reason "the phone is lost"
      rotator retire office-phone --forget

    \b
    Exit codes:
      0    done, or under way: the output says when the rest ends
      1    something is left that does not end by itself, or the answer was no; the message says why
      2    wrong usage, an unknown target, no terminal to ask at, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.removal import RetireOptions, retire_target  # noqa: PLC0415

    why = Why(reason, by, ticket)
    wanted = RetireOptions(target, why, published, now, despite_use, forget, yes)
    raise typer.Exit(retire_target(config, wanted, output))
