"""The looks at targets: the running ones, their components, and the stop that lets no further one begin."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Condition, Event

import structlog

from rotator.core.model import Target
from rotator.daemon.composition import Components
from rotator.daemon.snapshot import Snapshot
from rotator.engine import Outcome
from rotator.observe.health import Health
from rotator.ports import Clock

_log = structlog.stdlib.get_logger("rotator.daemon")
_PAUSE_AFTER_A_BUG = timedelta(minutes=1)


class Looks:
    """Looks at targets. Thread-safe: a stop or a reload also sees a look that has just begun."""

    def __init__(self, snapshot: Snapshot, health: Health, clock: Clock, stop: Event) -> None:
        self._snapshot, self._health, self._clock, self._stop = snapshot, health, clock, stop
        self._condition = Condition()  # guards the components, what runs, and whether more may begin
        self._running: set[str] = set()
        self.components: Components | None = None  # the current ones; None until Vault was reached

    def look(self, target: Target) -> datetime | None:
        """Looks at a target and returns when to look again; None: at the next poll."""
        with self._condition:
            if self._stop.is_set() or self.components is None:
                return None
            self._running.add(target.name)
            engine = self.components.engine
        self._health.look_started(target.name)
        try:
            look = engine.look(target)
        except Exception as error:  # noqa: BLE001
            # A bug in rotator must not end the looks at other targets. The traceback shows no local variables, and the
            # redactor removes known secrets from the error's text, as from every line.
            _log.exception("BUG", target=target.name, kind=type(error).__name__)
            return self._clock.now() + _PAUSE_AFTER_A_BUG
        finally:
            self._health.look_finished(target.name)
            with self._condition:
                self._running.discard(target.name)
                self._condition.notify_all()
        if look.outcome is Outcome.VAULT:
            self._health.vault_failed(look.message)
        else:
            self._health.vault_reached()
        self._snapshot.update_look(target, look)
        return look.next_look

    @property
    def stopping(self) -> bool:
        """True once `stop` was called: no further look begins."""
        return self._stop.is_set()

    def running(self) -> list[str]:
        """Returns the targets that are being looked at."""
        with self._condition:
            return sorted(self._running)

    def wait(self, within: timedelta) -> bool:
        """Waits until no look is running; returns False if one still is when the time is up."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._running, within.total_seconds())

    def unless_stopping(self, action: Callable[[], None]) -> bool:
        """Runs `action` while no look or stop can begin; returns False if the process is stopping."""
        with self._condition:
            if self._stop.is_set():
                return False
            action()
        return True

    def stop(self, action: Callable[[], None]) -> None:
        """Lets no further look begin and ends every sleep of the process; runs `action` in the same moment."""
        with self._condition:
            self._stop.set()
            action()
