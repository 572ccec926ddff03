"""The `rotator` command: one module for each group of commands. A command imports what it needs when it runs."""

from rotator.cli.app import main

__all__ = ["main"]
