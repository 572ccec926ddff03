"""The exit codes, and the message and code for each kind of error."""

import sys
import traceback
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotator.settings import ConfigProblem

_PACKAGE = Path(__file__).parents[1]


class Exit(IntEnum):
    """The exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    VAULT = 3
    OVERDUE = 4
    BUG = 5
    STOPPED = 130


MEANING = {
    Exit.DONE: "done",
    Exit.FAILED: "something failed or was impossible",
    Exit.USAGE: "wrong usage, or an invalid configuration",
    Exit.VAULT: "Vault is unusable: unreachable, sealed, missing rights, not KV version 2",
    Exit.OVERDUE: "run: a step was still running after daemon.stop_within",
    Exit.BUG: "an unexpected error: a bug in rotator",
    Exit.STOPPED: "stopped by Ctrl-C or a signal",
}
"""The meanings of the exit codes in `rotator --help` and docs/cli.md."""


class CommandError(Exception):
    """A command cannot be carried out; `text` says why, `code` is the exit code."""

    def __init__(self, text: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.code = code


class Interrupted(Exception):
    """Ctrl-C or SIGTERM arrived before there was a result."""


@dataclass(frozen=True, slots=True)
class CommandFailure:
    """Why a command ended without its result."""

    code: Exit
    message: str
    problems: "tuple[ConfigProblem, ...]" = ()  # of an invalid configuration

    @property
    def words(self) -> str:
        """What a person is told."""
        if not self.problems:
            return self.message
        return "\n".join((f"{self.message}:", *(f"  {problem}" for problem in self.problems)))

    @property
    def document(self) -> dict[str, Any]:
        """What a program is told in place of the result. Its keys are stable."""
        problems = [asdict(problem) for problem in self.problems]
        error = {"code": self.code.value, "meaning": MEANING[self.code], "message": self.message, "problems": problems}
        return {"error": error}


def failure_of(error: Exception) -> CommandFailure:
    """Returns what is said of an error that ended a command, and logs one that is a bug."""
    # Imported here because `rotator --help` does not need them.
    from rotator.daemon.http import ListenError  # noqa: PLC0415
    from rotator.observe.audit import AuditError  # noqa: PLC0415
    from rotator.ports import StoreError  # noqa: PLC0415
    from rotator.settings import ConfigError  # noqa: PLC0415

    match error:
        case Interrupted():
            return CommandFailure(Exit.STOPPED, "stopped")
        case CommandError():
            return CommandFailure(error.code, str(error))
        case ConfigError():
            return CommandFailure(Exit.USAGE, "the configuration is invalid", error.problems)
        case ListenError() | AuditError():
            return CommandFailure(Exit.USAGE, str(error))
        case StoreError():
            return CommandFailure(Exit.VAULT, f"Vault is unusable: {error}")
        case _:
            return CommandFailure(Exit.BUG, _bug(error))


def _bug(error: Exception) -> str:
    """Returns one line for a person. The traceback goes to the log, redacted, and never to a terminal."""
    what = f"unexpected error ({type(error).__name__} in {_place(error)}): this is a bug in rotator"
    if sys.stderr.isatty():
        return f"{what}; add 2>rotator.log to write the traceback to a file"
    _log_bug(error)
    return f"{what}; the log line above has the traceback"


def _log_bug(error: Exception) -> None:
    import structlog  # noqa: PLC0415

    if not structlog.is_configured():
        from rotator.daemon.clock import SystemClock  # noqa: PLC0415
        from rotator.observe.logs import configure  # noqa: PLC0415
        from rotator.observe.redact import Redactor  # noqa: PLC0415

        configure("info", "json", Redactor(), SystemClock(Event()))
    structlog.stdlib.get_logger("rotator.cli").critical("BUG", exc_info=error)


def _place(error: Exception) -> str:
    """Returns the innermost line of our code in the traceback, without the source text, which may contain anything."""
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_PACKAGE)
    ]
    if not ours:
        return "a library"
    return f"rotator/{Path(ours[-1].filename).relative_to(_PACKAGE)}:{ours[-1].lineno}"
