"""`rotator rotate`, `rotator undo`, `rotator adopt`, `rotator abandon` and `rotator verify`."""

from pathlib import Path
from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import (
    DEFAULT_CONFIG,
    ByOption,
    ChosenLabels,
    Config,
    HereOption,
    Names,
    NoWaitOption,
    Output,
    OutputOption,
    ReasonOption,
    TargetName,
    TicketOption,
    Why,
    YesOption,
    chosen,
)

_RotatedEverything = Annotated[bool, typer.Option("--all", help="Every target in the configuration.")]
_Compromised = Annotated[
    bool,
    typer.Option(
        "--compromised",
        help="The old password has leaked: disable it as soon as the new one is published, without an overlap, and "
        "delete it without a quarantine. Devices are cut off until they read Vault again.",
    ),
]
_TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Overwrite a consumer document that somebody else wrote."),
]
_DespitePause = Annotated[
    bool,
    typer.Option(
        "--despite-pause", help="Rotate what is paused, or in a blackout, as well. --compromised always does."
    ),
]

_AtOnce = Annotated[bool, typer.Option("--rotate", help="Rotate at once, so the password in use need not be known.")]
_UsedUsername = Annotated[
    str | None,
    typer.Option(
        "--username",
        metavar="NAME",
        help="The credential in use, if no consumer document names it.",
        show_default=False,
    ),
]
_PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="PATH",
        help="A file with its password, if no consumer document has it.",
        show_default=False,
    ),
]
_PasswordFromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read its password from standard input; needs --yes.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("rotate")(rotate)
    app.command("undo")(undo)
    app.command("adopt")(adopt)
    app.command("abandon")(abandon)
    app.command("verify")(verify)


def rotate(
    targets: Names = None,
    label: ChosenLabels = None,
    config: Config = DEFAULT_CONFIG,
    everything: _RotatedEverything = False,
    compromised: _Compromised = False,
    reason: ReasonOption = "on demand",
    by: ByOption = "",
    ticket: TicketOption = "",
    take_over: _TakeOver = False,
    despite_pause: _DespitePause = False,
    no_wait: NoWaitOption = False,
    here: HereOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Rotates targets now, regardless of their schedule.

    Each request is written to Vault first. If a daemon lives, it carries the requests out at its pace, and this command
    shows its progress and reports the results; otherwise, or with --here, this command carries them out. Ctrl-C ends
    the command, not the work: what was requested stays in Vault, and a daemon carries it out.

    \b
    Examples:
      rotator rotate office-phone
      rotator rotate office-phone lobby-phone --reason "ticket 4711"
      rotator rotate office-phone --compromised --reason "seen in a log"
      rotator rotate 'lobby-*' --label site=berlin
      rotator rotate --all --output json
      rotator rotate --all --no-wait

    \b
    Exit codes:
      0    every target was rotated, or requested with --no-wait
      1    a target was not rotated, or is paused; the output says what happens next
      2    wrong usage, an unknown target, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C; the requests stay in Vault
    """
    choice = chosen(targets, label)
    if bool(choice) is everything:
        text = (
            "--all and target names or labels exclude each other"
            if everything
            else "no target given: name targets, or use --label or --all"
        )
        raise CommandError(f"{text} (rotator status lists the targets)", Exit.USAGE)
    _check_how(no_wait=no_wait, here=here)
    from rotator.cli.rotate import HowToAct, RotateOptions, rotate_now  # noqa: PLC0415 - takes a second

    how = HowToAct(wait=not no_wait, here=here)
    wanted = RotateOptions(
        choice,
        Why(reason, by, ticket),
        compromised=compromised,
        take_over=take_over,
        despite_pause=despite_pause,
        how=how,
    )
    raise typer.Exit(rotate_now(config, wanted, output))


def _check_how(*, no_wait: bool, here: bool) -> None:
    if no_wait and here:
        raise CommandError("--no-wait leaves it to a daemon, --here does not: use one of them", Exit.USAGE)


def undo(
    target: TargetName,
    config: Config = DEFAULT_CONFIG,
    reason: ReasonOption = "on demand",
    by: ByOption = "",
    ticket: TicketOption = "",
    no_wait: NoWaitOption = False,
    here: HereOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Publishes the last replaced credential again.

    The credential that replaced it is then retired instead. An undo is possible until the replaced credential's
    quarantine ends and it is deleted; if the provider cannot re-enable a disabled credential, only until it is
    disabled. `rotator status` shows the time.

    \b
    Examples:
      rotator undo office-phone
      rotator undo office-phone --reason "the new one does not register"
      rotator undo office-phone --no-wait

    \b
    Exit codes:
      0    undone, or requested with --no-wait
      1    the undo was impossible or failed; the message says why
      2    wrong usage, an unknown target, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C; the request stays in Vault
    """
    _check_how(no_wait=no_wait, here=here)
    from rotator.cli.rotate import HowToAct, undo_now  # noqa: PLC0415

    raise typer.Exit(undo_now(config, target, Why(reason, by, ticket), output, HowToAct(wait=not no_wait, here=here)))


def adopt(
    target: TargetName,
    config: Config = DEFAULT_CONFIG,
    rotate_at_once: _AtOnce = False,
    username: _UsedUsername = None,
    password_file: _PasswordFile = None,
    password_stdin: _PasswordFromInput = False,
    yes: YesOption = False,
    reason: ReasonOption = "on demand",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Takes up the credential that is in use, without rotating it.

    For a target whose state document was lost, whose consumer document somebody else wrote, or whose
    credential is older than rotator. What the consumer document names is looked up at the provider and proved, and is
    then the published credential; without a document, what --username and --password-file name. The schedule goes on
    from the time in the document; if that is unknown, a rotation is due soon.

    Says what it will do, and asks before it does it.

    \b
    Examples:
      rotator adopt office-phone
      rotator adopt office-phone --reason "its state was lost" --yes
      rotator adopt lobby-phone --username lobby01 --password-file /run/secrets/lobby-password
      rotator adopt lobby-phone --username lobby01 --rotate

    \b
    Exit codes:
      0    it was taken up, and rotated if that was asked for
      1    nothing can be taken up, it is not accepted, the rotation failed, or the answer was no; the message says why
      2    wrong usage, an unknown target, no terminal to ask at, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.adopt import AdoptOptions, adopt_now  # noqa: PLC0415

    options = AdoptOptions(
        target, Why(reason, by, ticket), username, password_file, password_stdin, rotate_at_once, yes
    )
    raise typer.Exit(adopt_now(config, options, output))


def abandon(
    target: TargetName,
    config: Config = DEFAULT_CONFIG,
    yes: YesOption = False,
    reason: ReasonOption = "on demand",
    by: ByOption = "",
    ticket: TicketOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Gives up an attempt that cannot end by itself, or withdraws a request.

    For a provider that is gone for good, or one that neither accepts nor refuses the new password. The command first
    says what devices keep using, and what becomes of whatever the attempt may have left at the provider. With
    `in-place` it sets the old password again if that is known and the account is configured. No password that may be
    in force is lost: the ledger keeps it for a while. A rotation that is due, or that replaces a compromised password,
    begins anew.

    If no attempt is open, a request that waits is taken back before anything begins.

    \b
    Examples:
      rotator abandon office-phone
      rotator abandon office-phone --yes --reason "the provider has closed"

    \b
    Exit codes:
      0    abandoned, or withdrawn
      1    no attempt is open and no request waits, another process did not let go of it, or the answer was no; nothing
           was changed
      2    wrong usage, an unknown target, no terminal to ask at, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.abandon import abandon_now  # noqa: PLC0415

    raise typer.Exit(abandon_now(config, target, Why(reason, by, ticket), output, confirmed=yes))


def verify(
    targets: Names = None,
    label: ChosenLabels = None,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Proves now that the providers accept what is published.

    Without names it proves every target. The result is stored in Vault, as that of the daemon's own proofs: a refusal
    holds every retirement, and the daemon repairs what it finds changed at the provider. A proof that only reads the
    provider's listing back tries no password, and says so.

    \b
    Examples:
      rotator verify
      rotator verify office-phone
      rotator verify --output json | jq '.targets[] | select(.result != "accepted")'

    \b
    Exit codes:
      0    everything that is published is accepted
      1    a provider does not accept what is published
      2    a provider could not be asked; also wrong usage, an unknown target, or an invalid configuration
      3    Vault is unusable
      130  stopped by Ctrl-C
    """
    from rotator.cli.verify import verify_now  # noqa: PLC0415

    raise typer.Exit(verify_now(config, chosen(targets, label), output))
