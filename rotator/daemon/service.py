"""The daemon's life: start, look at targets, obey signals, reload, stop inside a bound."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any

import structlog

from rotator import __version__
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.clock_jump import ClockReading
from rotator.core.model import Purpose, Request, Target
from rotator.daemon.board import Board
from rotator.daemon.http import StatusServer
from rotator.daemon.root import Parts, Root
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.signals import Asked, Signals
from rotator.engine import Outcome
from rotator.observe.health import Health
from rotator.ports import StoreError, StoreUnavailable
from rotator.settings import ConfigError

_log = structlog.stdlib.get_logger("rotator.daemon")
_BUG_AGAIN = timedelta(minutes=1)  # after an unexpected error in one look
_HEART = 5.0  # seconds between two comparisons of the clocks
_VAULT_AGAIN = 5.0  # seconds between two tries to reach Vault at start

# Exit codes: stopped in time; the embedded Vault ended; a step was still running when the bound had passed.
STOPPED, FAILED, OVERDUE = 0, 3, 4


class Service:
    """Runs until it is asked to stop. One instance a process."""

    def __init__(self, root: Root, signals: Signals, stop: Event) -> None:
        """Wires the service; `run` starts it. `stop` is the event that ends every sleep of the root's clock."""
        self._root, self._signals, self._stop = root, signals, stop
        self._lock = Lock()  # of what runs, what it runs with, and whether more may begin
        self._reloading = Lock()
        self._board = Board(root)
        self._running: set[str] = set()
        self._code = STOPPED
        self._made: Parts | None = None
        self.health = Health(root.clock)
        daemon = root.settings.daemon
        self._scheduler = Scheduler(
            look=self._look,
            beat=self._beat,
            missed=root.metrics.missed_run,
            clock=root.clock,
            randomness=root.randomness,
            workers=daemon.workers,
            poll=daemon.poll,
        )
        self.http = StatusServer(daemon.listen.host, daemon.listen.port, root.metrics.render, self.health, self._status)

    def run(self) -> int:
        """Runs until a signal asks to stop; returns the exit code.

        Raises:
            ListenError: the address of the HTTP endpoint is taken.
            StoreError: Vault is there and cannot be used: wrong mount, no rights.
            ConfigError: a secret that lies in Vault cannot be used.
        """
        with self._signals.installed():
            self.http.start()
            _log.info("listening", host=self._root.settings.daemon.listen.host, port=self.http.port)
            try:
                self._configured(ok=True)
                if self._wait_for_vault():
                    self._begin()
                    self._obey()
            finally:
                code = self._end()
        return code

    @property
    def _parts(self) -> Parts:
        assert self._made is not None  # noqa: S101  # Vault was waited for
        return self._made

    def _status(self) -> Mapping[str, Any]:
        return self._board.document(self._made)

    def _begin(self) -> None:
        Thread(target=self._watch_clock, name="clock-watch", daemon=True).start()
        self._scheduler.set_targets(self._parts.targets)
        self._scheduler.start()
        _log.info("started", version=__version__, holder=self._root.holder, targets=len(self._parts.targets))

    def _wait_for_vault(self) -> bool:
        """True once Vault answers; False where a stop came first. Sealed or unreachable is waited for.

        What else signals ask for meanwhile is kept, and carried out afterwards.
        """
        kept: list[tuple[Asked, str]] = []
        while not self._stop.is_set():
            try:
                self._made = self._made or self._root.assemble(self._root.settings, seen=self._board.seen)
                self._made.store.check()
            except StoreUnavailable as error:
                self.health.vault_failed(str(error))
                self.health.beat()
                _log.warning("waiting for Vault", error=str(error))
                asked = self._signals.wait(_VAULT_AGAIN)
                if asked is not None and asked[0] is Asked.STOP:
                    return False
                kept += [asked] if asked is not None else []
            else:
                self.health.vault_reached()
                for what, by in kept:
                    self._signals.ask(what, by)
                return True
        return False

    def _obey(self) -> None:
        while True:
            asked = self._signals.wait(1.0)
            if asked is None:
                continue
            what, by = asked
            if what is Asked.STOP:
                _log.info("stopping", by=by)
                return
            Thread(target=self._carry_out, args=(what, by), name=what.value, daemon=True).start()

    def _carry_out(self, what: Asked, by: str) -> None:
        if what is Asked.RELOAD:
            self.reload()
        elif what is Asked.ROTATE:
            self.rotate_now(by)
        else:
            self._report()

    def _end(self) -> int:
        """Stops in order: no new look, the running ones to the end of their step, the endpoint last."""
        with self._lock:
            self._stop.set()
            self._scheduler.stop()
        settings = self._made.settings if self._made is not None else self._root.settings
        in_time = self._wait_for_looks(settings.daemon.stop_within)
        self.http.stop()
        if self._made is not None:
            self._made.close()
        if not in_time:
            _log.error("a step was still running when stop_within had passed", targets=sorted(self._running))
            return OVERDUE
        _log.info("stopped")
        return self._code

    def _wait_for_looks(self, within: timedelta) -> bool:
        waited = Event()
        for _ in range(int(within.total_seconds() / 0.05) + 1):
            with self._lock:
                if not self._running:
                    return True
            waited.wait(0.05)
        return False

    # Looks

    def _look(self, target: Target) -> datetime | None:
        with self._lock:  # in one, so that neither a stop nor a reload overlooks a look that has just begun
            if self._stop.is_set():
                return None
            self._running.add(target.name)
            engine = self._parts.engine
        self.health.look_started(target.name)
        try:
            look = engine.look(target)
        except Exception as error:  # noqa: BLE001
            # A fault in rotator itself must not end the other targets' looks. The traceback shows no local variables,
            # and what the redactor knows is cut out of the error's text, as out of every line.
            _log.exception("BUG", target=target.name, kind=type(error).__name__)
            return self._root.clock.now() + _BUG_AGAIN
        finally:
            self.health.look_finished(target.name)
            with self._lock:
                self._running.discard(target.name)
        if look.outcome is Outcome.VAULT:
            self.health.vault_failed(look.message)
        else:
            self.health.vault_reached()
        self._board.looked(target, look)
        return look.next_look

    def _beat(self) -> None:
        self.health.beat()
        if not self._stop.is_set() and not self._root.embedded_runs():
            _log.error("the embedded Vault ended by itself; stopping, so that a restart brings it back")
            self._code = FAILED
            self._signals.ask(Asked.STOP, "embedded Vault ended")
        open_accounts = set(self._parts.engine.throttles.open_circuits())
        for account in self._parts.capabilities:
            self._root.metrics.circuit(account, is_open=account in open_accounts)
        self._root.metrics.vault_token_expires(self._parts.client.token_expires_at())

    def _watch_clock(self) -> None:
        """On a thread of its own, since a clock that was set back stalls every timer that goes by it."""
        clock = self._root.clock
        last = ClockReading(clock.now(), clock.monotonic())
        while not self._stop.wait(_HEART):
            reading = ClockReading(clock.now(), clock.monotonic())
            jump = reading.jump_since(last)
            last = reading
            if jump:
                self._root.metrics.clock_jumped(forward=jump > timedelta())
                self._root.audit.record(AuditVerb.CLOCK_JUMP, "", AuditOutcome.NOTICED, seconds=jump.total_seconds())
                _log.error("the wall clock was set", seconds=jump.total_seconds())
                self._scheduler.after_jump()

    # What signals ask for

    def rotate_now(self, by: str) -> None:
        """Rotates the targets that were asked for and are still waiting, or else every target.

        Nothing is rotated where no such target is found, and Vault does not say it of all.
        """
        parts = self._parts
        with ThreadPoolExecutor(parts.settings.daemon.workers) as pool:
            asked = dict(pool.map(self._asked_for, parts.targets))
            waiting = [name for name, is_asked in asked.items() if is_asked]
            if not waiting and None in asked.values():
                _log.error("nothing is rotated: Vault does not say which targets were asked for; signal again", by=by)
                return
            if not waiting:
                pool.map(lambda target: self._request(target, by), parts.targets)
        self._scheduler.look_now(waiting or [target.name for target in parts.targets])
        _log.info("rotating now", by=by, targets=len(waiting) or len(parts.targets), requested=bool(waiting))

    def _asked_for(self, target: Target) -> tuple[str, bool | None]:
        """Whether somebody asked to rotate it; None where Vault does not say."""
        try:
            return target.name, self._parts.store.read_state(target.name).state.request is not None
        except StoreError as error:
            _log.warning("request not read", target=target.name, error=str(error))
            return target.name, None

    def _request(self, target: Target, by: str) -> None:
        request = Request(Purpose.ROTATE, by, f"signal {by}", self._root.clock.now())
        try:
            self._parts.engine.request(target, request)
        except StoreError as error:
            _log.error("request not written", target=target.name, error=str(error))

    def reload(self) -> bool:
        """Reads the configuration again. What is wrong is said, and the old one stays in force."""
        with self._reloading:
            if self._stop.is_set():
                return False
            try:
                settings = self._root.reload()
                parts = self._root.assemble(settings, seen=self._board.seen)
                parts.store.check()
            except (ConfigError, StoreError) as error:
                self._configured(ok=False)
                _log.error("configuration not reloaded; the old one stays in force", error=str(error))
                return False
            if not self._swapped(parts):
                parts.close()
                return False
        self._configured(ok=True)
        for key in self._root.fixed_differences(settings):
            _log.warning("this change takes effect at the next start only", key=key)
        _log.info("configuration reloaded", targets=len(parts.targets))
        return True

    def _swapped(self, parts: Parts) -> bool:
        """Goes on with `parts` once the looks that run have ended; False where the process is to stop."""
        old = self._parts
        if not self._unless_stopping(self._scheduler.pause):
            return False
        self._wait_for_looks(old.settings.daemon.stop_within)

        def swap() -> None:
            self._made = parts
            self._board.forget_all_but({target.name for target in parts.targets})
            self._scheduler.set_targets(parts.targets)
            self._scheduler.resume()
            if not self._running:  # else a look still uses the old connections, which then end with the process
                old.close()

        return self._unless_stopping(swap)

    def _unless_stopping(self, act: Callable[[], None]) -> bool:
        with self._lock:
            if self._stop.is_set():
                return False
            act()
        return True

    def _configured(self, *, ok: bool) -> None:
        self._root.metrics.config_loaded(ok=ok)
        outcome = AuditOutcome.DONE if ok else AuditOutcome.REFUSED
        self._root.audit.record(AuditVerb.LOAD_CONFIGURATION, "", outcome)
        if ok:
            self.health.configuration_loaded()

    def _report(self) -> None:
        for row in self._status()["targets"]:
            _log.info("state", **row)
