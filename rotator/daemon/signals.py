"""The handling of signals. A handler only queues a request; the main thread takes it from the queue and acts.

SIGTERM and SIGINT stop after the current step; a second one stops at once. SIGHUP reloads the configuration, SIGUSR1
rotates what the configuration names for it, SIGUSR2 logs a summary and the targets that need somebody.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Event
from types import FrameType

AT_ONCE = 130  # exit code of a stop that was requested twice


class SignalRequest(Enum):
    """The request that a signal stands for."""

    STOP = "stop"
    RELOAD = "reload"
    ROTATE = "rotate"
    REPORT = "report"


_MEANING = {
    signal.SIGTERM: SignalRequest.STOP,
    signal.SIGINT: SignalRequest.STOP,
    signal.SIGHUP: SignalRequest.RELOAD,
    signal.SIGUSR1: SignalRequest.ROTATE,
    signal.SIGUSR2: SignalRequest.REPORT,
}


@contextmanager
def handled(by: Callable[[signal.Signals], None], numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Handles signals inside the block, and restores the previous handlers afterwards. Main thread only.

    A SIGINT that the parent ignores, as in the background of a script, stays ignored: that Ctrl-C is not for us.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        by(signal.Signals(number))

    left_alone = {signal.SIGINT} if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else set()
    former = {number: signal.signal(number, handle) for number in numbers if number not in left_alone}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def interruptible(stop: Event, again: Callable[[], object]) -> AbstractContextManager[None]:
    """Sets `stop` at the first SIGINT or SIGTERM inside the block, and calls `again` at each further one."""

    def handle(_number: signal.Signals) -> None:
        if stop.is_set():
            again()
        stop.set()

    return handled(handle, (signal.SIGINT, signal.SIGTERM))


class Signals:
    """The queue of requests from signals."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[SignalRequest, str]] = SimpleQueue()
        self._stops = 0

    def ask(self, asked: SignalRequest, by: str) -> None:
        """Puts a request into the queue, as a signal does."""
        self._queue.put((asked, by))

    def wait(self, seconds: float) -> tuple[SignalRequest, str] | None:
        """Returns the next request and the name of its signal; None if none comes within `seconds`."""
        try:
            return self._queue.get(timeout=seconds)
        except Empty:
            return None

    def installed(self) -> AbstractContextManager[None]:
        """Queues the signals that arrive inside the block. Main thread only."""
        return handled(self._handle, _MEANING)

    def _handle(self, number: signal.Signals) -> None:
        asked = _MEANING[number]
        if asked is SignalRequest.STOP:
            self._stops += 1
            if self._stops > 1:
                os._exit(AT_ONCE)
        self._queue.put((asked, number.name))
