"""Asks a person at a terminal to agree to what a command has announced."""

import signal
import sys

import typer

from rotator.cli.exits import CommandError, Exit, Interrupted


def confirm(name: str, question: str) -> None:
    """Returns if the person agrees.

    Raises:
        CommandError: nobody agreed, or there is no terminal to ask at.
        Interrupted: Ctrl-C was pressed.
    """
    if not sys.stdin.isatty():
        raise CommandError(f"{name}: nothing was changed; add --yes to agree to it without a terminal", Exit.USAGE)
    # What stops a command while it works would only be noted here, and the question would go on.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        agreed = typer.confirm(question, default=False, err=True)
    except typer.Abort:
        typer.echo(err=True)  # what follows is no part of the question
        raise Interrupted from None
    finally:
        signal.signal(signal.SIGINT, handler)
    if not agreed:
        raise CommandError(f"{name}: nothing was changed")
