"""The `rotator` command: one module for each group of commands. What a command needs is imported when it runs."""

from rotator.cli.app import main

__all__ = ["main"]
