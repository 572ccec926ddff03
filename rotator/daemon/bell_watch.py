"""Listens to the bell, and rings it: what concerns another process is heard in seconds, at the cost of one read."""

from threading import Event

import structlog

from rotator.core.bell import Ringing
from rotator.daemon.components import Components
from rotator.daemon.looks import Looks
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.share import Share
from rotator.daemon.wheel import Urgency
from rotator.engine import ring_bell
from rotator.observe.health import Health
from rotator.ports import Clock, StoreError, StoreUnavailable

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 2.0  # seconds between two reads
_WHILE_ASKED = 0.5  # likewise, after somebody asked for something: a command rings many times for a fleet
_URGENCIES = {Urgency.EMERGENCY: (Ringing.EMERGENCY,), Urgency.DUE: (Ringing.ASKED, Ringing.CHANGED)}


class BellWatch:
    """Looks at once at each target for which the bell rings, and rings it for what this process wrote."""

    def __init__(
        self, looks: Looks, scheduler: Scheduler, share: Share, health: Health, clock: Clock, holder: str
    ) -> None:
        self._looks, self._scheduler, self._share = looks, scheduler, share
        self._health, self._clock, self._holder = health, clock, holder
        self._heard: int | None = None  # the number of the last ring; None before the first look at any target
        self._failing = False

    def watch(self, stop: Event) -> None:
        """Listens until `stop` is set."""
        asked = self.listen()
        while not stop.wait(_WHILE_ASKED if asked else _INTERVAL):
            asked = self.listen()

    def listen(self) -> bool:
        """Reads the bell once, and rings it if there is something to tell. True: somebody has asked for something."""
        components, asked = self._looks.components, False
        if components is None:
            return asked
        try:
            asked = self._hear(components)
            changed = self._share.concerning_others(self._looks.take_changed())
            if changed:
                ring_bell(components.store, self._clock, self._holder, changed, Ringing.CHANGED)
        except StoreError as error:
            if not self._failing:
                _log.warning("no bell; what others ask for or change waits for the sweep", error=str(error))
                self._failing = True
            self._heard = self._heard or 0
            if isinstance(error, StoreUnavailable):
                self._health.vault_failed(str(error))
        else:
            self._failing = False
            self._health.vault_reached()
        return asked

    def _hear(self, components: Components) -> bool:
        bell, heard = components.store.read_bell(), self._heard
        components.pauses.follow(rung=bell.number != heard)
        for urgency, kinds in _URGENCIES.items():
            names = bell.rung_since(heard or 0, kinds, but_by=self._holder)
            self._scheduler.look_now(sorted(names), urgency)
        if heard is not None and bell.has_lost_since(heard):
            self._scheduler.look_at_all()
        self._heard = bell.number
        return bool(bell.rung_since(heard or 0, (Ringing.EMERGENCY, Ringing.ASKED), but_by=self._holder))
