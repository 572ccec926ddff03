"""`rotator demo` and `rotator sandbox`: rotating at simulated providers."""

import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from rotator.cli.exits import Exit, Interrupted, Refused
from rotator.cli.printing import console, print_lines, safe
from rotator.daemon.signals import interruptible

if TYPE_CHECKING:
    from rotator_simulator.demo.timeline import Line

_SHORTEST, _LONGEST = 35, 3600
_Duration = Annotated[
    int,
    typer.Option(
        "--duration", min=_SHORTEST, max=_LONGEST, metavar="SECONDS", help="How long the devices are watched."
    ),
]
_Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="TCP port of the simulated APIs on 127.0.0.1; 0: any.")
]
_SipPort = Annotated[
    int, typer.Option("--sip-port", min=0, max=65535, help="UDP port of the SIP registrar on 127.0.0.1; 0: any.")
]
_Vault = Annotated[
    bool, typer.Option("--vault/--no-vault", help="Serve an OpenBao in memory, too; or have rotator bring its own.")
]
_Dir = Annotated[
    Path, typer.Option("--dir", metavar="PATH", help="Where the configuration and its secrets are written.")
]
_STYLES = {"good": "green", "waits": "yellow", "bad": "bold red", "scene": "bold cyan"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("demo")(demo)
    app.command("sandbox")(sandbox)


def demo(duration: _Duration = 40) -> None:
    """Shows rotator at work: real daemon, real OpenBao, simulated providers and devices. Needs no network.

    Seconds stand for days. Simulated phones and API clients read Vault and log in all the time, while their passwords
    are replaced, at each provider by each of its strategies: on schedule, by a signal, during a call, with an answer
    that is lost, in an emergency, and back by an undo. It ends with figures that were measured, not assumed.

    \b
    Examples:
      rotator demo
      rotator demo --duration 120

    \b
    Exit codes:
      0    no device was cut off, no credential left over, no secret found in any output
      1    one of these happened; the lines marked WRONG say which
      130  stopped by Ctrl-C
    """
    from rotator.daemon.clock import SystemClock, SystemRandomness  # noqa: PLC0415 - takes a second
    from rotator_simulator.demo.report import summary, verdict  # noqa: PLC0415
    from rotator_simulator.demo.run import Demo, DemoError, Production  # noqa: PLC0415

    stop = Event()
    performance = Demo(Production(seconds=duration), SystemClock(stop), SystemRandomness(), stop, _show)
    try:
        with interruptible(stop, _stop_at_once):
            figures = performance.run()
    except DemoError as error:
        raise Refused(str(error)) from None
    if figures is None:
        raise Interrupted
    print_lines("", *summary(figures))
    if verdict(figures):
        raise typer.Exit(Exit.FAILED)


def sandbox(
    port: _Port = 8400, sip_port: _SipPort = 5060, vault: _Vault = True, directory: _Dir = Path("rotator-sandbox")
) -> None:
    """Serves the simulated providers, a SIP registrar and an OpenBao in memory, to try rotator by hand.

    Writes a configuration that works with them, and says what to type next. Everything is on 127.0.0.1, and gone when
    it ends.

    \b
    Examples:
      rotator sandbox
      rotator sandbox --port 0 --sip-port 0 --dir /tmp/sandbox

    \b
    Exit codes:
      0  ended by Ctrl-C
      1  a port is taken, or the directory cannot be written
    """
    from rotator.daemon.clock import SystemClock, SystemRandomness  # noqa: PLC0415 - takes a second
    from rotator_simulator.sandbox import Workshop, WorkshopError  # noqa: PLC0415

    stop = Event()
    workshop = Workshop(
        SystemClock(stop), SystemRandomness(), directory, vault=vault, http_port=port, sip_port=sip_port
    )
    try:
        with interruptible(stop, _stop_at_once), workshop:
            print_lines(*workshop.instructions())
            sys.stdout.flush()
            stop.wait()
    except WorkshopError as error:
        raise Refused(str(error)) from None


def _show(line: "Line") -> None:
    # Colours only at a terminal, and not where NO_COLOR is set: rich sees to both.
    style = _STYLES.get(line.tone.value)
    console(sys.stdout).print(safe(str(line)), style=style, soft_wrap=True)


def _stop_at_once() -> None:
    raise Interrupted  # and not the end of the process, so that processes and folders are still removed
