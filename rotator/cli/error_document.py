"""Tells a program why a command ended without its result: with `--output json`, in place of that."""

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from rotator.cli.exits import CommandError, CommandFailure, Exit
from rotator.cli.result_stream import ResultStream, result_stream

_SHOW_CURSOR = "\x1b[?25h"  # a live display hides it


def answer(failure: CommandFailure) -> None:
    """Prints the document on standard output, if JSON was asked for: whoever parses it finds one document there."""
    stream = result_stream()
    if stream is None:
        return
    with suppress(BrokenPipeError, CommandError):  # the reader went away, or the disk is full: the exit code is left
        if _is_wanted(stream):
            stream.write(_document(failure))
        stream.flush()


def stop_at_once() -> NoReturn:
    """Ends the process, from a signal handler: no lock is taken that it may hold, and no buffer is flushed."""
    failure, stream = CommandFailure(Exit.STOPPED, "stopped at once"), result_stream()
    for descriptor, text in (
        (2, _SHOW_CURSOR * os.isatty(2) + f"\nrotator: {failure.words}\n"),
        (1, _document(failure) if stream is not None and _is_wanted(stream) else ""),
    ):
        try:
            os.write(descriptor, text.encode())
        except OSError:  # nobody reads it
            continue
    os._exit(failure.code)


def asks_for_json(words: Sequence[str]) -> bool:
    """True if a command line has `--output json`, also if the rest of it cannot be understood."""
    value = ""
    for position, word in enumerate(words):
        if word == "--":
            break
        if word == "--output" or re.fullmatch(r"-[a-z]*o", word):
            value = "".join(words[position + 1 : position + 2])
        elif given := re.fullmatch(r"(?:--output=|-[a-z]*?o)(.+)", word):
            value = given[1]
    return value == "json"


def _is_wanted(stream: ResultStream) -> bool:
    return asks_for_json(sys.argv[1:]) and not stream.has_begun


def _document(failure: CommandFailure) -> str:
    return json.dumps(failure.document, indent=2) + "\n"
