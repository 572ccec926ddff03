"""Completes the names of targets at a shell's prompt."""

import os
from pathlib import Path

import typer


def target_names(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the configured targets whose names begin so; none if the configuration cannot be loaded.

    A prompt is no place for an error: the command itself tells what is wrong. What selections have found is not known
    without Vault, and is left out.
    """
    from rotator.settings import ConfigError, load  # noqa: PLC0415 - not for --help

    path = context.params.get("config")
    if not isinstance(path, Path):
        return []
    try:
        names = (target.name for target in load(path, os.environ).targets)
        return [name for name in names if name.startswith(incomplete)]
    except ConfigError:
        return []
