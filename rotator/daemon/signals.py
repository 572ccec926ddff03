"""What signals mean. Handlers only put a word into a queue; the main thread takes it out and acts.

SIGTERM and SIGINT stop after the current step; a second one stops at once. SIGHUP reloads the configuration, SIGUSR1
rotates now, SIGUSR2 logs the state.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from queue import Empty, SimpleQueue
from types import FrameType

AT_ONCE = 130  # exit code of a stop that was asked for twice


class Asked(Enum):
    """What a signal asks for."""

    STOP = "stop"
    RELOAD = "reload"
    ROTATE = "rotate"
    REPORT = "report"


_MEANING = {
    signal.SIGTERM: Asked.STOP,
    signal.SIGINT: Asked.STOP,
    signal.SIGHUP: Asked.RELOAD,
    signal.SIGUSR1: Asked.ROTATE,
    signal.SIGUSR2: Asked.REPORT,
}


class Signals:
    """The queue of what was asked for."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Asked, str]] = SimpleQueue()
        self._stops = 0

    def ask(self, asked: Asked, by: str) -> None:
        """Puts a wish into the queue, as a signal does."""
        self._queue.put((asked, by))

    def wait(self, seconds: float) -> tuple[Asked, str] | None:
        """The next wish and the name of its signal; None where none came within so many seconds."""
        try:
            return self._queue.get(timeout=seconds)
        except Empty:
            return None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handles signals inside the block and puts the former handlers back after it. Main thread only."""
        former = {number: signal.signal(number, self._handle) for number in _MEANING}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        asked = _MEANING[signal.Signals(number)]
        if asked is Asked.STOP:
            self._stops += 1
            if self._stops > 1:
                os._exit(AT_ONCE)
        self._queue.put((asked, signal.Signals(number).name))
