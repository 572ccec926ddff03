"""`rotator status` and `rotator plan`."""

from typing import Annotated

import typer

from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import DEFAULT_CONFIG, ChosenLabels, Config, Names, Output, OutputOption, chosen

_State = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        "-s",
        metavar="WORD",
        help="Only targets of which this is true: a word from above.",
        show_default=False,
    ),
]
_ShownAccount = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="NAME", help="Only targets at this provider account.", show_default=False),
]
_DueBefore = Annotated[
    str | None,
    typer.Option(
        "--due-before",
        metavar="WHEN",
        help="Only targets that are due before a day (2026-01-31), a moment, or a time from now (7d).",
        show_default=False,
    ),
]
_Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="BY", help="Sort by name, due, age or need.", show_default=False),
]
_Limit = Annotated[
    int | None, typer.Option("--limit", min=0, metavar="ROWS", help="Show no more rows.", show_default=False)
]
_ShownEverything = Annotated[bool, typer.Option("--all", help="Show every row, whatever the screen takes.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
    app.command("plan")(plan)


def status(
    targets: Names = None,
    label: ChosenLabels = None,
    state: _State = None,
    account: _ShownAccount = None,
    due_before: _DueBefore = None,
    sort: _Sort = None,
    limit: _Limit = None,
    everything: _ShownEverything = False,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows what is published, what was replaced, and what is due next.

    Only reads Vault: changes nothing and calls no provider. Passwords are never shown. Without names it shows every
    target, and the state documents of targets that are no longer in the configuration. A terminal shows as many rows as
    it has room for, first those that somebody has to look after, and says how many there are.

    \b
    Words for --state, of which one has to be true:
      never_rotated, idle, paused, rotating, failing, blocked,
      retired                                                     the state in the table
      due, requested, open, held, retiring                        what goes on
      overdue, age_limit_near, over_age_limit, first_rotation_late, paused_long, devices_out,
      refused, keeps_failing, attempt_stays_open, retirement_overdue, replaced_in_use,
      hook_fails, ended_still_accepted, unverified,
      in_the_future                                               what alerts tell of
      orphan                                                      left of removed targets

    \b
    Examples:
      rotator status
      rotator status office-phone
      rotator status 'lobby-*' --label site=berlin
      rotator status --state failing --state blocked
      rotator status --account vobiz-prod --due-before 7d --sort due --limit 50
      rotator status --output json | jq '.targets[] | select(.state != "idle")'

    \b
    Exit codes:
      0  done, whatever the states are
      2  wrong usage, an unknown target, or an invalid configuration
      3  Vault is unusable
    """
    _check_rows(limit, everything=everything)
    from rotator.cli.show_status import StatusOptions, order_of, show_status  # noqa: PLC0415 - takes a second

    wanted = StatusOptions(
        chosen(targets, label), tuple(state or ()), tuple(account or ()), due_before, order_of(sort), limit, everything
    )
    show_status(config, wanted, output)


def plan(
    targets: Names = None,
    label: ChosenLabels = None,
    limit: _Limit = None,
    everything: _ShownEverything = False,
    config: Config = DEFAULT_CONFIG,
    output: OutputOption = Output.TABLE,
) -> None:
    """Shows what rotator would do now and next, without doing it.

    Reads Vault and lists credentials at providers; any other request is blocked before it is sent. Each step assumes
    that every earlier call succeeds. Nothing is written, but an embedded Vault that is not there yet is made, empty.
    A terminal shows as many targets as it has room for, first those for which a provider did not answer, then what acts
    soonest, and says how many there are.

    \b
    Examples:
      rotator plan
      rotator plan office-phone --output json
      rotator plan --label site=berlin --limit 50

    \b
    Exit codes:
      0  done
      1  a provider did not answer
      2  wrong usage, an unknown target, or an invalid configuration
      3  Vault is unusable
    """
    _check_rows(limit, everything=everything)
    from rotator.cli.show_plan import PlanOptions, show_plan  # noqa: PLC0415 - takes a second

    raise typer.Exit(show_plan(config, PlanOptions(chosen(targets, label), limit, everything), output))


def _check_rows(limit: int | None, *, everything: bool) -> None:
    if everything and limit is not None:
        raise CommandError("--all and --limit exclude each other", Exit.USAGE)
