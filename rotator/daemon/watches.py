"""The threads that watch something as long as the daemon runs."""

from collections.abc import Callable
from threading import Event, Thread

import structlog

_log = structlog.stdlib.get_logger("rotator.daemon")


def start_watch(name: str, watch: Callable[[Event], None], stop: Event, pause_after_a_bug: float = 5.0) -> Thread:
    """Starts a thread in which `watch` runs until `stop` is set, and returns it.

    A bug must not end it: nobody would hear a request any more, or the other daemons would take this one for dead.
    It is logged, and the watch begins anew after so many seconds.
    """

    def keep_watching() -> None:
        while not stop.is_set():
            try:
                watch(stop)
            except Exception as error:  # noqa: BLE001
                _log.exception("BUG", watch=name, kind=type(error).__name__)
                stop.wait(pause_after_a_bug)

    thread = Thread(target=keep_watching, name=name, daemon=True)
    thread.start()
    return thread
