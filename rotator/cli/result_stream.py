"""Standard output of a command, which knows whether the result has begun: then nothing else may follow it there."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO, TypeVar, cast

from rotator.cli.exits import CommandError

T = TypeVar("T")


class ResultStream:
    """A text stream. What cannot be written is given up at once, and not tried again when the process ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.has_begun = stream, False
        # With PYTHONUNBUFFERED, as in the image, what a signal cuts a write off from is lost: a buffer keeps it.
        self._at_once = isinstance(getattr(stream, "buffer", None), io.RawIOBase)
        if self._at_once:
            self._stream = _buffered(stream)

    def write(self, text: str) -> int:
        """Writes a part of the result.

        Raises:
            BrokenPipeError: nobody reads it any more.
            CommandError: it cannot be written, such as to a full disk.
        """
        self.has_begun = self.has_begun or bool(text)
        written = self._or_give_up(lambda: self._stream.write(text))
        if self._at_once:
            self.flush()
        return written

    def flush(self) -> None:
        """Waits until all is written. Raises as `write` does."""
        self._or_give_up(self._stream.flush)

    def give_up(self) -> None:
        """Drops what is not written yet, so that the end of the process waits for no reader."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _or_give_up(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except OSError as error:
            self.give_up()
            if isinstance(error, BrokenPipeError):
                raise
            raise CommandError(f"standard output cannot be written: {error.strerror}") from None


def _buffered(stream: TextIO) -> TextIO:
    return open(stream.fileno(), "w", encoding=stream.encoding, errors=stream.errors, closefd=False)


@contextmanager
def results() -> Iterator[None]:
    """Makes standard output a `ResultStream` inside the block, unless it is closed."""
    if sys.stdout is None:
        yield
        return
    with redirect_stdout(cast("TextIO", ResultStream(sys.stdout))):
        yield


def result_stream() -> ResultStream | None:
    """Returns standard output; None if it is closed."""
    return sys.stdout if isinstance(sys.stdout, ResultStream) else None
