"""The command line: its groups of commands, `--version`, and the one place that handles every error."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer

from rotator import __version__
from rotator.cli.check_commands import register as check_commands
from rotator.cli.compliance_commands import register as compliance_commands
from rotator.cli.daemon_commands import register as daemon_commands
from rotator.cli.embedded_commands import register as embedded_commands
from rotator.cli.error_document import answer, stop_at_once
from rotator.cli.exits import MEANING, CommandError, CommandFailure, Exit, Interrupted, failure_of
from rotator.cli.import_commands import register as import_commands
from rotator.cli.memory_protection import protect_memory
from rotator.cli.notification_commands import register as notification_commands
from rotator.cli.pause_commands import register as pause_commands
from rotator.cli.printing import say
from rotator.cli.reconcile_commands import register as reconcile_commands
from rotator.cli.report_commands import register as report_commands
from rotator.cli.result_stream import result_stream, results
from rotator.cli.rotation_commands import register as rotation_commands
from rotator.cli.setup_commands import register as setup_commands
from rotator.cli.simulator_commands import register as simulator_commands
from rotator.cli.target_commands import register as target_commands

_EXITS = "\n".join(f"{code.value:>5}  {meaning}" for code, meaning in MEANING.items())
_EPILOG = f"\b\nExit codes:\n{_EXITS}"
_GROUPS = (
    setup_commands,
    daemon_commands,
    rotation_commands,
    target_commands,
    import_commands,
    pause_commands,
    report_commands,
    compliance_commands,
    check_commands,
    notification_commands,
    reconcile_commands,
    embedded_commands,
    simulator_commands,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rotator {__version__}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Rotates SIP and API passwords without losing one, and without cutting off a device.

    \b
    Begin with:
      rotator demo                    watch it work with simulated providers
      rotator init                    write a first configuration
      rotator check-config -c FILE    check the configuration
      rotator plan -c FILE            see what it would do now and next
      rotator run -c FILE             run it unattended
    """


def build() -> typer.Typer:
    """The application with every command."""
    app = typer.Typer(
        name="rotator",
        rich_markup_mode=None,  # names and messages may hold brackets
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback(epilog=_EPILOG)(_root)
    for register in _GROUPS:
        register(app)
    return app


def run() -> None:
    """Runs the command and exits with its code. No traceback reaches a terminal."""
    with results(), _interrupted_once():
        try:
            _run()
        except KeyboardInterrupt:
            _interrupted()


def _run() -> None:
    try:
        protect_memory()  # before the command reads a secret
        typer.main.get_command(build())(prog_name="rotator")
    except SystemExit as end:
        _say_what_typer_has_not(end)
        _finish()
        raise
    except Exception as error:  # noqa: BLE001 - the last resort
        _fail(error)


def _finish() -> None:
    """Waits for whoever reads the result: when the interpreter ends, Ctrl-C would be a traceback."""
    stream = result_stream()
    try:
        if stream is not None:
            stream.flush()
    except BrokenPipeError:
        sys.exit(Exit.FAILED)
    except CommandError as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    failure = failure_of(error)
    say(failure.words)
    answer(failure)
    sys.exit(failure.code)


def _interrupted() -> NoReturn:
    """Ends after Ctrl-C. Perhaps it was pressed since nobody reads the result any more: nothing waits for that."""
    stream = result_stream()
    if stream is None or not stream.has_begun:
        _fail(Interrupted())
    stream.give_up()
    say("stopped; the result on standard output may lack its end")
    sys.exit(Exit.STOPPED)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Lets only the first Ctrl-C inside the block be a KeyboardInterrupt: at another one the process ends at once."""

    def again(_number: int, _frame: FrameType | None) -> None:
        stop_at_once()

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, again)
        signal.default_int_handler(number, frame)

    former = signal.getsignal(signal.SIGINT)
    if former is not signal.default_int_handler:  # it is ignored, as in the background of a script
        yield
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def _say_what_typer_has_not(end: SystemExit) -> None:
    """Typer tells a person, and no program, that a command line is wrong; and nobody that Ctrl-C has ended it."""
    reason = end.__context__
    if isinstance(reason, typer.TyperException):
        answer(CommandFailure(Exit.USAGE, reason.format_message()))
    elif isinstance(reason, typer.Exit) and isinstance(reason.__cause__, KeyboardInterrupt):
        _interrupted()
