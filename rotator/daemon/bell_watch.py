"""Listens to the bell: a request is seen within seconds, at the cost of one read for any number of targets."""

from threading import Event

import structlog

from rotator.daemon.looks import Looks
from rotator.daemon.scheduler import Scheduler
from rotator.ports import StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 2.0  # seconds between two reads


class BellWatch:
    """Looks at once at each target for which the bell rings."""

    def __init__(self, looks: Looks, scheduler: Scheduler) -> None:
        self._looks, self._scheduler = looks, scheduler
        self._heard = 0  # the number of the last ring
        self._failing = False

    def watch(self, stop: Event) -> None:
        """Listens until `stop` is set."""
        self.listen()
        while not stop.wait(_INTERVAL):
            self.listen()

    def listen(self) -> None:
        """Reads the bell once. If that fails, the poll still finds every request."""
        components = self._looks.components
        if components is None:
            return
        try:
            bell = components.store.read_bell()
        except StoreError as error:
            if not self._failing:
                _log.warning("the bell cannot be read; requests wait for the poll", error=str(error))
            self._failing = True
            return
        self._failing = False
        self._scheduler.look_now(sorted(bell.rung_since(self._heard)))
        self._heard = bell.number
