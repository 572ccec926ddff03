"""`rotator run`."""

import os
import sys
from threading import Event

import typer

from rotator.cli.exits import Exit
from rotator.cli.options import DEFAULT_CONFIG, Config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run")(run)


def run(config: Config = DEFAULT_CONFIG) -> None:
    """Runs the daemon until it is told to stop.

    It prints logs on standard error, and the audit on standard output unless the configuration names a file. A Vault
    that is sealed or unreachable at the start is waited for.

    \b
    Signals:
      SIGTERM, SIGINT   finish the current step and stop; a second one stops at once
      SIGHUP            read the configuration again; a wrong one is refused, and the old one stays in force
      SIGUSR1           rotate now: the targets that were asked for and still wait, else every target
      SIGUSR2           log the state of each target

    \b
    Examples:
      rotator run --config /etc/rotator/config.yaml
      ROTATOR_CONFIG=config.yaml rotator run

    \b
    Exit codes:
      0    stopped in time
      2    the configuration cannot be used, or the address of the HTTP endpoint is taken
      3    Vault is there and cannot be used: wrong mount, no rights
      4    a step was still running when daemon.stop_within had passed
      130  stopped at once by a second signal
    """
    from rotator.daemon.composition import Composition  # noqa: PLC0415 - takes a second
    from rotator.daemon.service import Service  # noqa: PLC0415
    from rotator.daemon.signals import Signals  # noqa: PLC0415

    stop = Event()
    with Composition(config, os.environ, stop) as composition:
        code = Service(composition, Signals(), stop).run()
    if code == Exit.OVERDUE:
        # The step that still runs would hold up a normal end for as long as it likes.
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)
