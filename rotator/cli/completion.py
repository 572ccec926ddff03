"""Completes the names of targets and accounts at a shell's prompt."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rotator.settings import Settings


def target_names(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the configured targets whose names begin so; none if the configuration cannot be loaded.

    A prompt is no place for an error: the command itself tells what is wrong. What selections have found is not known
    without Vault, and is left out.
    """
    settings = _settings(context)
    names = (target.name for target in settings.targets) if settings is not None else ()
    return [name for name in names if name.startswith(incomplete)]


def account_names(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the configured provider accounts whose names begin so; none if the configuration cannot be loaded."""
    settings = _settings(context)
    names = settings.providers if settings is not None else ()
    return [name for name in names if name.startswith(incomplete)]


def route_names(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the routes of `notifications` whose names begin so; none if the configuration cannot be loaded."""
    settings = _settings(context)
    names = settings.notifications if settings is not None else ()
    return [name for name in names if name.startswith(incomplete)]


def _settings(context: typer.Context) -> "Settings | None":
    from rotator.settings import ConfigError, load  # noqa: PLC0415 - not for --help

    path = context.params.get("config")
    if not isinstance(path, Path):
        return None
    try:
        return load(path, os.environ)
    except ConfigError:
        return None
