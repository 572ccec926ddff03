"""Logs on standard error: a JSON object on each line, or lines for a person. The libraries log through it, too.

Nothing else writes to standard error, not even the traceback of a thread that died. Each line is redacted first, no
traceback shows local variables, and loggers that would print URLs stay at WARNING at any level.
"""

import logging
import os
import sys
import threading
from collections.abc import MutableMapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, TextIO, TypeAlias, get_args

import structlog

from rotator.core.holding import Hold
from rotator.observe.controls import visible
from rotator.observe.redact import Redactor
from rotator.observe.target_words import BLOCKED
from rotator.ports import Clock

Format: TypeAlias = Literal["auto", "json", "console"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LOUD = ("apscheduler", "hvac", "werkzeug")  # at WARNING unless the level is DEBUG
URLS = ("httpcore", "httpx", "oauthlib", "requests", "requests_oauthlib", "urllib3")
"""They log URLs or requests: never below WARNING."""
_FIRST = ("timestamp", "level", "logger", "event")
_log = structlog.stdlib.get_logger(__name__)
_runs = structlog.stdlib.get_logger("rotator.run")
_LogEvent: TypeAlias = MutableMapping[str, Any]
_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: str, form: str, redactor: Redactor, clock: Clock, stream: TextIO | None = None) -> None:
    """Sends all logging of the process, structlog's and the standard library's, to `stream`. May be called again.

    Args:
        level: one of `Level`.
        form: one of `Format`; `auto` is `console` on a terminal and `json` elsewhere.
        redactor: removes known secrets from every line.
        clock: stamps the lines.
        stream: None means standard error; standard output is for the results of commands.

    Raises:
        ValueError: `level` or `form` is unknown.
    """
    _check("level", level, get_args(Level))
    _check("format", form, get_args(Format))
    target = sys.stderr if stream is None else stream
    _configure_structlog(clock)
    handler = _LineHandler(target)
    handler.setFormatter(_formatter(form, target, redactor, clock))
    root = logging.getLogger()
    for old in root.handlers[:]:  # also those of libraries, which would print unredacted lines
        root.removeHandler(old)
    root.addHandler(handler)
    _set_levels(logging.getLevelNamesMapping()[level.upper()])
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def log_run(
    target: str,
    outcome: str,
    verbs: Sequence[str],
    *,
    attempt: str | None = None,
    credential: str | None = None,
    seconds: float = 0.0,
    next_look: datetime | None = None,
    error: str = "",
    repeated: bool = False,
) -> None:
    """Logs the one line of each run of a target: INFO if it did something, WARNING if it failed, DEBUG otherwise.

    Args:
        verbs: the steps carried out, in order.
        attempt: the attempt that is open or was just closed.
        credential: the id of the credential involved.
        error: the reason for a failure, without values.
        repeated: the same reason was logged before and has not ended; the line is DEBUG.
    """
    facts = {
        "target": target,
        "outcome": outcome,
        "verbs": list(verbs),
        "attempt": attempt,
        "credential": credential,
        "seconds": round(seconds, 3),
        "next_look": next_look.isoformat() if next_look is not None else None,
    }
    if error:
        (_runs.debug if repeated else _runs.warning)("run", **facts, error=error)
    else:
        (_runs.info if verbs else _runs.debug)("run", **facts)


def log_blocked(target: str, before: Hold | None, now: Hold | None) -> None:
    """Logs once that a target waits for a person, with the reason, which names the remedy; and once that it goes on.

    Args:
        before: what the look before ended with.
    """
    was, reason = _blocked(before), _blocked(now)
    if now is not None and reason not in (None, was):
        _runs.warning("blocked", target=target, reason=reason, detail=now.message)
    elif reason is None and was is not None:
        _runs.info("no longer blocked", target=target, reason=was)


def _blocked(hold: Hold | None) -> str | None:
    return BLOCKED.get(hold.reason, hold.reason.name.lower()) if hold is not None and hold.reason.end.blocks else None


class _LineHandler(logging.StreamHandler[TextIO]):
    """A handler whose errors never print the record, which is not redacted yet."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's signature
        """Writes that a line was lost, with only the type of the error. Gives up if that fails, too."""
        error = sys.exc_info()[0]
        name = error.__name__ if error is not None else "error"
        try:
            self.stream.write(f'{{"level":"error","event":"a log line was lost","cause":"{name}"}}\n')
            self.stream.flush()
        except (OSError, ValueError):
            pass


def _check(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"log {what} {value!r} is unknown: use one of {', '.join(allowed)}")


def _configure_structlog(clock: Clock) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(clock),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a reload may change the level
    )


def _shared(clock: Clock) -> list[structlog.types.Processor]:
    def stamp(_logger: Any, _name: str, event: _LogEvent) -> _LogEvent:
        event["timestamp"] = clock.now().isoformat(timespec="milliseconds")
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        stamp,
    ]


def _formatter(form: str, stream: TextIO, redactor: Redactor, clock: Clock) -> logging.Formatter:
    def redact(_logger: Any, _name: str, event: _LogEvent) -> _LogEvent:
        cleaned: _LogEvent = redactor.nested(dict(event))
        return cleaned

    terminal = stream.isatty()
    as_json = form == "json" or (form == "auto" and not terminal)
    console = structlog.dev.ConsoleRenderer(
        colors=terminal and "NO_COLOR" not in os.environ,
        exception_formatter=structlog.dev.plain_traceback,  # the rich one prints local variables
    )
    last: list[structlog.types.Processor] = (
        [_ordered, structlog.processors.JSONRenderer()] if as_json else [_printable, console]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(clock),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact,
            *last,
        ],
    )


def _ordered(_logger: Any, _name: str, event: _LogEvent) -> _LogEvent:
    """Puts the common keys first."""
    return {key: event[key] for key in _FIRST if key in event} | {k: v for k, v in event.items() if k not in _FIRST}


def _printable(_logger: Any, _name: str, event: _LogEvent) -> _LogEvent:
    """Makes control characters visible: a remote message must not control an operator's terminal."""
    for key, value in event.items():
        if isinstance(value, str):
            line = visible(value, keep="\t\n")
            event[key] = line if key in ("exception", "stack") else line.replace("\n", "\\n")
    return event


def _set_levels(level: int) -> None:
    logging.getLogger().setLevel(level)
    warning = max(level, logging.WARNING)
    for name in LOUD:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else warning)
    for name in URLS:
        logging.getLogger(name).setLevel(warning)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)  # its text contains no secret
        return
    _log.critical("uncaught error: this is a bug in rotator", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    info: _ExcInfo = (args.exc_type, args.exc_value, args.exc_traceback)
    name = args.thread.name if args.thread is not None else "unknown"
    _log.critical("uncaught error in a thread: this is a bug in rotator", thread=name, exc_info=info)
