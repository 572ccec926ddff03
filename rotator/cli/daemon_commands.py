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
    """Runs the daemon until a signal stops it.

    Logs go to standard error, the audit to standard output unless the configuration names a file. If Vault is sealed
    or unreachable at the start, the daemon waits for it.

    \b
    Signals:
      SIGTERM, SIGINT   finish the current step and stop; a second one stops at once
      SIGHUP            reload the configuration; if it is invalid, the old one stays in force
      SIGUSR1           rotate now what daemon.signal_rotates names; signals within ten seconds are one
      SIGUSR2           log a summary, and the state of each target that needs somebody

    \b
    Examples:
      rotator run --config /etc/rotator/config.yaml
      ROTATOR_CONFIG=config.yaml rotator run

    \b
    Exit codes:
      0    stopped in time
      2    the configuration is invalid, or the HTTP endpoint's address is in use
      3    Vault answers but is unusable: wrong mount, missing rights
      4    a step was still running after daemon.stop_within
      130  stopped at once by a second signal
    """
    from rotator.daemon.composition import Composition  # noqa: PLC0415 - takes a second
    from rotator.daemon.service import Service  # noqa: PLC0415
    from rotator.daemon.signals import Signals  # noqa: PLC0415

    stop = Event()
    with Composition(config, os.environ, stop) as composition:
        code = Service(composition, Signals(), stop).run()
    if code == Exit.OVERDUE:
        # The step that is still running would delay a normal exit without limit.
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)
