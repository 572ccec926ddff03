"""The looks at targets: the running ones, their components, and the stop that lets no further one begin."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from threading import Condition, Event

import structlog

from rotator.core.left_over import left_over
from rotator.core.model import Target, TargetState
from rotator.daemon.components import Components
from rotator.daemon.snapshot import Snapshot
from rotator.daemon.sweep import LEAST_APART
from rotator.daemon.wheel import Plan, Turn, Urgency
from rotator.engine import Look, Outcome
from rotator.observe.health import Health
from rotator.observe.target_words import BLOCKED
from rotator.ports import Clock, Store, StoreError, StoreUnavailable

_log = structlog.stdlib.get_logger("rotator.daemon")
_PAUSE_AFTER_A_BUG = timedelta(minutes=1)
_VAULT_AGAIN = 5.0  # seconds
_RETRY, _LONGEST_RETRY = timedelta(seconds=30), timedelta(hours=1)  # where Vault refuses what somebody has to fix


class Looks:
    """Looks at targets. Thread-safe: a stop or a reload also sees a look that has just begun."""

    def __init__(self, snapshot: Snapshot, health: Health, clock: Clock, stop: Event) -> None:
        self._snapshot, self._health, self._clock, self._stop = snapshot, health, clock, stop
        self._condition = Condition()  # guards the components, what runs, and whether more may begin
        self._running: set[str] = set()
        self._changed: set[str] = set()  # the targets whose documents were written since `take_changed`
        self._blocked: set[str] = set()  # the targets that somebody has to do something for
        self._vault_failed = False  # a look ended because Vault did not answer
        self._vault_down = False  # one worker asks it again and again; the others wait
        self._refused: dict[str, int] = {}  # by target: so often in a row Vault refused what a look asked
        self._used: list[ExitStack] = []  # the connections that `using` keeps open, once for each
        self._to_close: list[Components] = []  # what reloads have replaced, and the last `using` of it closes
        self.components: Components | None = None  # the current ones; None until Vault was reached

    def look(self, turn: Turn) -> Plan | None:
        """Looks at a target and returns when to look again; None: when the sweep comes by. Never raises.

        While Vault is down it waits until Vault answers again: a fleet that keeps trying would be its first burden.
        """
        name = turn.name
        with self._condition:
            self._condition.wait_for(lambda: not self._vault_down or self._stop.is_set())
            if self._stop.is_set() or self.components is None:
                return None
            self._running.add(name)
            components = self.components
        self._health.look_started(name)
        try:
            target = components.by_name.get(name) or self._left_over(components, name)
            return self._look(components, target, fresh=turn.fresh) if target is not None else None
        except Exception as error:  # noqa: BLE001
            # A bug in rotator must not end the looks at other targets. The traceback shows no local variables, and the
            # redactor removes known secrets from the error's text, as from every line.
            _log.exception("BUG", target=name, kind=type(error).__name__)
            return Plan(self._clock.now() + _PAUSE_AFTER_A_BUG, fresh=True)
        finally:
            self._health.look_finished(name)
            with self._condition:
                self._running.discard(name)
                self._condition.notify_all()
            if self._vault_failed:
                self._wait_for_vault(components)

    def _wait_for_vault(self, components: Components) -> None:
        """Asks Vault until it answers, unless another worker does. That is no look: no stop waits for it."""
        with self._condition:
            if self._vault_down or not self._vault_failed:
                return
            self._vault_down, self._vault_failed = True, False
        try:
            while not self._stop.is_set() and _is_unavailable(components.store):
                self._clock.sleep(_VAULT_AGAIN)
        except Exception as error:  # noqa: BLE001 - no worker ends by it
            _log.exception("BUG", kind=type(error).__name__)
        finally:
            with self._condition:
                self._vault_down = False
                self._condition.notify_all()

    def _look(self, components: Components, target: Target, *, fresh: bool) -> Plan | None:
        look = components.engine.look(target, fresh=fresh)
        if look.outcome is Outcome.VAULT:
            self._health.vault_failed(look.message)
            self._vault_failed = self._vault_failed or look.next_look is not None  # None: it answers, and refuses
        else:
            self._health.vault_reached()
        self._snapshot.update_look(target, look)
        if look.steps:
            with self._condition:
                self._changed.add(target.name)
        moment = self._following(target.name, look)
        fixed = self._may_be_fixed(target.name, look)
        if moment is None or (fixed is not None and fixed.moment < moment):
            return fixed
        return Plan(moment, Urgency.EMERGENCY if look.state is not None and _is_emergency(look.state) else Urgency.DUE)

    def _may_be_fixed(self, name: str, look: Look) -> Plan | None:
        """Returns when to see whether somebody has fixed what holds a target up, at the pace of another sweep."""
        with self._condition:
            if look.hold is None or look.hold.reason not in BLOCKED:
                self._blocked.discard(name)
                return None
            self._blocked.add(name)
            pause = max(_RETRY, LEAST_APART * len(self._blocked))
        return Plan(self._clock.now() + pause, Urgency.SWEEP, fresh=True)

    def _following(self, name: str, look: Look) -> datetime | None:
        if look.outcome is not Outcome.VAULT or look.next_look is not None:
            self._refused.pop(name, None)
            return look.next_look
        times = self._refused[name] = self._refused.get(name, 0) + 1
        return self._clock.now() + min(_RETRY * (1 << min(times - 1, 7)), _LONGEST_RETRY)

    def _left_over(self, components: Components, name: str) -> Target | None:
        """Returns what is left of a target that is not configured; None if nothing is, or if Vault does not tell."""
        try:
            settings = components.settings
            target = left_over(components.store.read_state(name).state, settings.core_policies, settings.age_limit)
        except StoreError as error:
            _log.warning("state of a removed target not read", target=name, error=str(error))
            return None
        if target is None:
            self._snapshot.forget(name)
        return target

    def take_changed(self) -> set[str]:
        """Returns the targets whose documents this process has written since the last call."""
        with self._condition:
            changed, self._changed = self._changed, set()
        return changed

    @property
    def stopping(self) -> bool:
        """True once `stop` was called: no further look begins."""
        return self._stop.is_set()

    def running(self) -> list[str]:
        """Returns the targets that are being looked at."""
        with self._condition:
            return sorted(self._running)

    @contextmanager
    def using(self) -> Iterator[Components | None]:
        """Gives the current components, and keeps their connections open over a reload.

        Neither a stop nor a reload waits for it.
        """
        with self._condition:
            components = self.components
            if components is not None:
                self._used.append(components.connections)
        try:
            yield components
        finally:
            for replaced in self._no_longer_used(components):
                replaced.close()

    def _no_longer_used(self, components: Components | None) -> list[Components]:
        """Ends one `using`, and returns the replaced components that nothing uses any more: they can be closed."""
        with self._condition:
            if components is not None:
                self._used.remove(components.connections)
            ended = [one for one in self._to_close if one.connections not in self._used]
            self._to_close = [one for one in self._to_close if one.connections in self._used]
        return ended

    def close(self, replaced: Components) -> None:
        """Closes components that a reload has replaced, at once or when nothing is `using` them any more.

        If a look still uses them, their connections end with the process.
        """
        with self._condition:
            if self._running:
                return
            if replaced.connections in self._used:
                self._to_close.append(replaced)
                return
        replaced.close()

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
            self._condition.notify_all()
            action()


def _is_unavailable(store: Store) -> bool:
    try:
        store.read_bell()
    except StoreError as error:
        return isinstance(error, StoreUnavailable)
    return False


def _is_emergency(state: TargetState) -> bool:
    asked = (state.request, state.attempt)
    return any(each is not None and each.compromised for each in asked)
