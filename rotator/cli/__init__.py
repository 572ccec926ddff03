"""The `rotator` command: one module for each group of commands. A command imports what it needs when it runs."""

import signal


def main() -> None:
    """Runs the command and exits with its code. No traceback reaches a terminal."""
    former = signal.getsignal(signal.SIGINT)
    if former is signal.default_int_handler:  # and is not ignored, as in the background of a script
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun: it ends as any other program does
    from rotator.cli.app import run  # noqa: PLC0415 - a second, in which Ctrl-C would be a traceback

    signal.signal(signal.SIGINT, former)
    run()


__all__ = ["main"]
