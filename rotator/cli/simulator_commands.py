"""`rotator demo` and `rotator sandbox`: the simulator, a separate distribution, provides them as entry points."""

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points

import typer

from rotator.cli.exits import CommandError

_SUMMARIES = {
    "demo": "Rotates passwords at simulated providers (needs the simulator).",
    "sandbox": "Serves simulated providers to try rotator by hand (needs the simulator).",
}
_HELP = """{summary}

The simulator is not installed. The page simulator/README.md of a checkout says how to install it.

\b
Exit codes:
  1  the simulator is not installed
"""


def register(app: typer.Typer) -> None:
    """Adds the commands; if the simulator is not installed, commands that say what to install."""
    for name, summary in _SUMMARIES.items():
        command = _installed(name)
        if command is not None:
            app.command(name)(command)
        else:
            options = {"ignore_unknown_options": True, "allow_extra_args": True}
            app.command(name, help=_HELP.format(summary=summary), context_settings=options)(_refuse)


def _installed(name: str) -> Callable[..., None] | None:
    for entry in entry_points(group="rotator.commands", name=name):
        with suppress(ImportError, AttributeError):  # a simulator of another version must not stop `rotator run`
            command: Callable[..., None] = entry.load()
            return command
    return None


def _refuse(context: typer.Context) -> None:
    raise CommandError(
        f"rotator {context.info_name} needs the simulator; simulator/README.md of a checkout says how to install it"
    )
