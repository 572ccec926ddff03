"""`rotator demo` and `rotator sandbox`, which `rotator` finds by the entry points of this distribution."""

import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from rotator.cli.exits import CommandError, Exit, Interrupted
from rotator.cli.printing import console, print_lines, safe

if TYPE_CHECKING:
    from rotator_simulator.demo.timeline import TimelineEntry

_SHORTEST, _LONGEST = 35, 3600
_DurationOption = Annotated[
    int,
    typer.Option("--duration", min=_SHORTEST, max=_LONGEST, metavar="SECONDS", help="How long to watch the devices."),
]
_PortOption = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, help="TCP port of the simulated APIs on 127.0.0.1; 0 takes a free one."),
]
_SipPortOption = Annotated[
    int,
    typer.Option(
        "--sip-port", min=0, max=65535, help="UDP and TCP port of the SIP registrar on 127.0.0.1; 0 takes a free one."
    ),
]
_SipsPortOption = Annotated[
    int,
    typer.Option("--sips-port", min=0, max=65535, help="Its TLS port on 127.0.0.1; 0 takes a free one."),
]
_VaultOption = Annotated[
    bool, typer.Option("--vault/--no-vault", help="Serve OpenBao as well, or let rotator run start its own.")
]
_DirOption = Annotated[
    Path, typer.Option("--dir", metavar="PATH", help="The directory for the configuration and its secrets.")
]


def demo(duration: _DurationOption = 40) -> None:
    """Rotates passwords at simulated providers while simulated devices log in. Needs no network.

    The daemon and OpenBao are real, and seconds stand for days. Simulated phones and API clients read Vault and log in
    all the time. Their passwords are rotated with every strategy of each provider: on schedule, on a signal, during a
    call, with a lost answer, in an emergency, after somebody deleted a credential, and back by an undo. It ends with a
    summary of the measurements.

    \b
    Examples:
      rotator demo
      rotator demo --duration 120

    \b
    Exit codes:
      0    no device was cut off, no credential was left over, no output contained a secret
      1    one of these failed; the lines marked WRONG say which
      130  stopped by Ctrl-C
    """
    from rotator.daemon.clock import SystemClock, SystemRandomness  # noqa: PLC0415 - takes a second
    from rotator.daemon.signals import interruptible  # noqa: PLC0415
    from rotator_simulator.demo.report import failures, summary  # noqa: PLC0415
    from rotator_simulator.demo.run import Demo, DemoError, DemoOptions  # noqa: PLC0415

    stop = Event()
    run = Demo(DemoOptions(seconds=duration), SystemClock(stop), SystemRandomness(), stop, _show)
    try:
        with interruptible(stop, _stop_at_once):
            measured = run.run()
    except DemoError as error:
        raise CommandError(str(error)) from None
    if measured is None:
        raise Interrupted
    print_lines("", *summary(measured))
    if failures(measured):
        raise typer.Exit(Exit.FAILED)


def sandbox(
    port: _PortOption = 8400,
    sip_port: _SipPortOption = 5060,
    sips_port: _SipsPortOption = 5061,
    vault: _VaultOption = True,  # noqa: FBT002 - Typer's form
    directory: _DirOption = Path("rotator-sandbox"),
) -> None:
    """Serves simulated providers, a SIP registrar and OpenBao, to try rotator by hand.

    Writes a configuration for them and prints commands to try. Everything listens on 127.0.0.1 and disappears at the
    end, except the directory with the configuration.

    \b
    Examples:
      rotator sandbox
      rotator sandbox --port 0 --sip-port 0 --sips-port 0 --dir /tmp/sandbox

    \b
    Exit codes:
      0  ended by Ctrl-C
      1  a port is in use, or the directory is unusable
    """
    from rotator.daemon.clock import SystemClock, SystemRandomness  # noqa: PLC0415 - takes a second
    from rotator.daemon.signals import interruptible  # noqa: PLC0415
    from rotator_simulator.sandbox import Sandbox, SandboxError  # noqa: PLC0415

    stop = Event()
    ports = {"http_port": port, "sip_port": sip_port, "sips_port": sips_port}
    served = Sandbox(SystemClock(stop), SystemRandomness(), directory, vault=vault, **ports)
    try:
        with interruptible(stop, _stop_at_once), served:
            print_lines(*served.instructions())
            sys.stdout.flush()
            stop.wait()
    except SandboxError as error:
        raise CommandError(str(error)) from None


def _show(entry: "TimelineEntry") -> None:
    # Rich leaves out the colours if this is not a terminal, or if NO_COLOR is set.
    console(sys.stdout).print(safe(str(entry)), style=entry.style.value, soft_wrap=True)


def _stop_at_once() -> None:
    raise Interrupted  # does not end this process: child processes and directories must still be removed
