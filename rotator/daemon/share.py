"""The targets that this process looks at: its share of the configured ones, and of what removed ones left behind."""

from collections.abc import Iterable
from threading import Event, Lock

import structlog

from rotator.core.processes import RENEWED_EVERY, Role, owner
from rotator.daemon.components import Components
from rotator.daemon.looks import Looks
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.snapshot import Snapshot
from rotator.engine import Presence
from rotator.ports import Clock, StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 1.0  # seconds between two checks of who lives
_LISTED_EVERY = 600.0  # seconds between two listings of the state documents, for removed targets


class Share:
    """Divides the targets among the living daemons. One thread calls `update`; `concerning_others` is for any."""

    def __init__(self, looks: Looks, scheduler: Scheduler, snapshot: Snapshot, clock: Clock, holder: str) -> None:
        self._looks, self._scheduler, self._snapshot = looks, scheduler, snapshot
        self._clock, self.holder = clock, holder
        self._lock = Lock()  # a reload and the thread may both update
        self._components: Components | None = None  # those that everything below is of
        self._presence: Presence | None = None
        self._left_over: tuple[str, ...] = ()
        self._listed_at: float | None = None
        self._renewed_at: float | None = None
        self._daemons: tuple[str, ...] = ()
        self._failing = False

    def watch(self, stop: Event) -> None:
        """Keeps the share right until `stop` is set."""
        while not stop.wait(_INTERVAL):
            self.update()

    def update(self) -> None:
        """Says that this process lives, and takes up or drops the targets that follow from who else does."""
        components = self._looks.components
        if components is None or self._looks.stopping:
            return
        with self._lock:
            news = self._renew(components)
            news = self._list(components) or news
            if news:
                self._divide(components)

    def concerning_others(self, names: Iterable[str]) -> list[str]:
        """Returns those of the targets that another process wants to know of: its own, or any if a command waits."""
        if self._presence is None or not self._presence.others():
            return []
        commands, daemons = self._presence.living(Role.COMMAND), self._daemons
        return sorted(name for name in names if commands or owner(name, daemons) != self.holder)

    def is_own(self, name: str) -> bool:
        """True if this process looks at the target, as far as it knows who lives."""
        return not self._daemons or owner(name, self._daemons) == self.holder

    def leave(self) -> None:
        """Says that this process ends, so that the others need not wait until it counts as dead."""
        with self._lock:  # an `update` that has begun must not renew the entry afterwards
            try:
                if self._presence is not None:
                    self._presence.leave()
            except StoreError as error:
                _log.warning("the others take over in some seconds, not at once", error=str(error))

    def _renew(self, components: Components) -> bool:
        """Renews the entry of this process if it is time; returns True if other daemons live than before."""
        now = self._clock.monotonic()
        presence = components.presence
        if self._components is not components:
            self._renewed_at = None  # as far as this presence knows, nobody lives
        if self._renewed_at is None or now - self._renewed_at >= RENEWED_EVERY.total_seconds():
            try:
                presence.renew()
            except StoreError as error:
                if not self._failing:
                    _log.warning("cannot tell who lives; the targets stay divided as they are", error=str(error))
                self._failing = True
                self._daemons = self._daemons or (self.holder,)
                return False
            self._presence, self._renewed_at, self._failing = presence, now, False
        # Not without this process, whose own entry may be late.
        daemons = tuple(sorted({*presence.living(Role.DAEMON), self.holder}))
        news, self._daemons = daemons != self._daemons, daemons
        return news

    def _list(self, components: Components) -> bool:
        """Lists the targets that are not configured any more if it is time; returns True if the names are others."""
        now = self._clock.monotonic()
        reloaded, self._components = self._components is not components, components
        if self._listed_at is not None and not reloaded and now - self._listed_at < _LISTED_EVERY:
            return False
        former, self._listed_at = self._left_over, now
        try:
            self._left_over = components.former_names.all()
        except StoreError as error:
            _log.warning("removed targets not listed", error=str(error))
        return reloaded or former != self._left_over

    def _divide(self, components: Components) -> None:
        names = [*components.by_name, *(name for name in self._left_over if name not in components.by_name)]
        own = [name for name in names if owner(name, self._daemons) == self.holder]
        self._snapshot.keep_only(own, self.is_own)
        self._snapshot.sweep_takes(self._scheduler.hold(own))
        _log.info("targets divided", own=len(own), of=len(names), daemons=len(self._daemons))
