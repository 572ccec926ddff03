"""The daemon's life: start, wait for Vault, obey signals, stop in bounded time."""

import gc
from collections.abc import Mapping
from datetime import timedelta
from threading import Event, Lock, Thread

import structlog

from rotator import __version__
from rotator.core.clocks import Clocks
from rotator.core.evidence import AccountEvidence
from rotator.daemon.account_watch import AccountWatch
from rotator.daemon.audit_watch import remove_old
from rotator.daemon.bell_watch import BellWatch
from rotator.daemon.clock_watch import watch_clock
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.evidence_warning import warn_of_strategies
from rotator.daemon.http import Endpoint, Pages, Probes
from rotator.daemon.looks import Looks
from rotator.daemon.notification_watch import NotificationWatch
from rotator.daemon.reload import Reload
from rotator.daemon.rotate_now import RotationSignal, rotate_now
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.selection_watch import SelectionWatch
from rotator.daemon.share import Share
from rotator.daemon.signals import SignalRequest, Signals
from rotator.daemon.snapshot import Snapshot
from rotator.daemon.watches import start_watch
from rotator.daemon.web import Web
from rotator.observe.health import Health
from rotator.ports import StoreError, StoreUnavailable
from rotator.settings import Settings

_log = structlog.stdlib.get_logger("rotator.daemon")
_VAULT_INTERVAL = 5.0  # seconds between two attempts to reach Vault at the start
_RELOAD_AGAIN, _RELOAD_LATEST = timedelta(seconds=5), timedelta(minutes=5)  # if Vault does not let it into force
_REMOVAL_INTERVAL = 3600.0  # seconds
_LEAVE_WITHIN = 5.0  # seconds; Vault may be gone

# Exit codes: stopped in time; the embedded Vault ended; a step was still running after `stop_within`.
STOPPED, FAILED, OVERDUE = 0, 3, 4


class Service:
    """Runs until it is asked to stop. One instance per process."""

    def __init__(self, composition: Composition, signals: Signals, stop: Event) -> None:
        """Wires the service; `run` starts it. `stop` is the event that ends every sleep of the process."""
        self._composition, self._signals, self._stop = composition, signals, stop
        self._code = STOPPED
        self._latest_reload = object()  # the one that goes on; an earlier one ends
        self._one_at_a_time = Lock()  # a reload must not replace what a signal's requests are written with
        self._health = Health(composition.clock)
        self._snapshot = Snapshot(composition)
        self._looks = Looks(self._snapshot, self._health, composition.clock, stop)
        daemon = composition.settings.daemon
        self._scheduler = Scheduler(
            look=self._looks.look,
            heartbeat=self._heartbeat,
            missed=composition.metrics.missed_run,
            clock=composition.clock,
            workers=daemon.workers,
            poll=daemon.poll,
        )
        clock, holder = composition.clock, composition.holder
        self._share = Share(self._looks, self._scheduler, self._snapshot, clock, holder)
        self._bell = BellWatch(self._looks, self._scheduler, self._share, self._health, clock, holder)
        self._selections = SelectionWatch(composition, self._looks, self._share)
        self._accounts = AccountWatch(composition, self._looks, self._share)
        self._notifications = NotificationWatch(composition, self._looks, self._snapshot, self._share)
        composition.metrics.follow_paces(self._paces)
        composition.metrics.follow_keys(lambda: found.account_keys if (found := self._looks.components) else {})
        composition.metrics.follow_checks(self._checks)
        composition.metrics.follow_orphans(lambda: self._snapshot.orphans(self._looks.components))
        self._reload = Reload(composition, self._looks, self._scheduler, self._share, self._snapshot, self._health)
        pages = Pages(
            composition.metrics.render,
            lambda query: self._snapshot.document(self._looks.components, query),
            Web(composition, self._snapshot, lambda: self._looks.components),
            lambda: self._settings.daemon.http.required_token,
        )
        self._endpoint = Endpoint(daemon.http, pages, Probes(self._health), composition.clock)
        composition.metrics.follow_connections(self._endpoint.ended)

    def run(self) -> int:
        """Runs until a signal stops it; returns the exit code.

        Raises:
            ListenError: the HTTP endpoint's address is in use.
            StoreError: Vault answers but is unusable: wrong mount, missing rights.
            ConfigError: a secret in Vault is unusable.
        """
        with self._signals.installed():
            self._endpoint.start()
            host = self._composition.settings.daemon.http.listen.host
            _log.info("listening", host=host, port=self._endpoint.port, probes=self._endpoint.probe_port)
            try:
                self._reload.record(ok=True)
                if self._wait_for_vault():
                    self._begin()
                    self._obey()
            finally:
                code = self._end()
        return code

    @property
    def _settings(self) -> Settings:
        """The configuration in force."""
        components = self._looks.components
        return components.settings if components is not None else self._composition.settings

    @property
    def _components(self) -> Components:
        assert self._looks.components is not None  # noqa: S101  # Vault was waited for
        return self._looks.components

    def _wait_for_vault(self) -> bool:
        """Waits while Vault is sealed or unreachable; returns False if a stop comes first.

        Other signals that arrive meanwhile are obeyed afterwards.
        """
        postponed: list[tuple[SignalRequest, str]] = []
        looks = self._looks
        while not self._stop.is_set():
            try:
                looks.components = looks.components or self._composition.assemble(
                    self._composition.settings, seen=self._snapshot.update_state
                )
                self._composition.check(looks.components)
            except StoreUnavailable as error:
                self._health.vault_failed(str(error))
                self._health.beat()
                _log.warning("waiting for Vault", error=str(error))
                asked = self._signals.wait(_VAULT_INTERVAL)
                if asked is not None and asked[0] is SignalRequest.STOP:
                    return False
                postponed += [asked] if asked is not None else []
            else:
                self._health.vault_reached()
                for what, by in postponed:
                    self._signals.ask(what, by)
                return True
        return False

    def _begin(self) -> None:
        self._composition.tell_in_force(self._components)
        self._components.engine.throttles.places.follow(self._scheduler.look_now)
        self._share.update()
        self._bell.listen()  # before the first look: what was asked for earlier is found, what is from now on is heard
        start_watch("clock-watch", lambda stop: watch_clock(self._composition, self._scheduler, stop), self._stop)
        start_watch("bell-watch", self._bell.watch, self._stop)
        start_watch("share-watch", self._share.watch, self._stop)
        start_watch("selection-watch", self._selections.watch, self._stop)
        start_watch("account-watch", self._accounts.watch, self._stop)
        start_watch("audit-watch", self._tend_audit, self._stop)
        start_watch("notification-watch", self._notifications.watch, self._stop)
        self._scheduler.start()
        targets = len(self._components.targets)
        warn_of_strategies(self._components)
        _log.info("started", version=__version__, holder=self._composition.holder, targets=targets)

    def _obey(self) -> None:
        while True:
            asked = self._signals.wait(1.0)
            if asked is None:
                continue
            what, by = asked
            if what is SignalRequest.STOP:
                _log.info("stopping", by=by)
                return
            at = self._composition.clock.monotonic()
            Thread(target=self._carry_out, args=(what, by, at), name=what.value, daemon=True).start()

    def _carry_out(self, what: SignalRequest, by: str, at: float) -> None:
        if what is SignalRequest.REPORT:
            self._report()
            return
        if what is SignalRequest.RELOAD:
            self._reload_until_done()
            return
        with self._one_at_a_time:
            came = RotationSignal(by, at)
            rotate_now(self._components, self._scheduler, self._share, self._composition.clock, came)

    def _reload_until_done(self) -> None:
        """Reloads, again and again while Vault is what prevents it. A later SIGHUP takes over."""
        self._latest_reload = this = object()
        pause = _RELOAD_AGAIN
        while self._latest_reload is this:
            with self._one_at_a_time:
                if self._reload.reload(pause):
                    return
            if self._stop.wait(pause.total_seconds()):
                return
            pause = min(2 * pause, _RELOAD_LATEST)

    def _report(self) -> None:
        """Logs the sums, and the targets that somebody has to look after; a page of them at the most."""
        document = self._snapshot.in_need(self._components)
        _log.info("fleet", **document["summary"], more=document["next"] is not None)
        for row in document["targets"]:
            _log.info("state", **row)

    def _end(self) -> int:
        """Stops in order: no new looks; the running ones after their current step; the HTTP endpoint last."""
        gc.freeze()  # else the interpreter goes through every object of a large fleet again and again when it ends
        self._looks.stop(self._scheduler.stop)
        components = self._looks.components
        in_time = self._looks.wait(self._settings.daemon.stop_within)
        leaving = Thread(target=self._leave, name="leave", daemon=True)
        leaving.start()
        self._endpoint.stop()
        leaving.join(_LEAVE_WITHIN)
        if components is not None:
            components.close()
        if not in_time:
            _log.error("a step was still running after stop_within", targets=self._looks.running())
            return OVERDUE
        _log.info("stopped")
        return self._code

    def _tend_audit(self, stop: Event) -> None:
        """Removes what is older than `audit.keep` by both clocks, once an hour."""
        while not stop.wait(_REMOVAL_INTERVAL):
            components, now = self._components, self._composition.clock.now()
            earliest = Clocks(now, components.store.now() or now).earliest
            remove_old(self._composition.audit, components.audit_store, earliest, components.settings.audit.keep)

    def _leave(self) -> None:
        self._share.leave()
        self._composition.audit.finish(_LEAVE_WITHIN / 2)

    def _paces(self) -> Mapping[str, tuple[float, float]]:
        components = self._looks.components
        paces = components.paces if components is not None else {}
        return {name: (pacer.held_for(), pacer.share()) for name, pacer in paces.items()}

    def _checks(self) -> Mapping[str, AccountEvidence]:
        components = self._looks.components
        return components.engine.checks if components is not None else {}

    def _heartbeat(self) -> None:
        self._health.beat()
        if not self._stop.is_set() and not self._composition.embedded_runs():
            _log.error("the embedded Vault ended by itself; stopping, since only a restart brings it back")
            self._code = FAILED
            self._signals.ask(SignalRequest.STOP, "embedded Vault ended")
        try:
            self._composition.renew_embedded_logins()
        except StoreError as error:  # the ids go on for days
            _log.warning("the logins of the embedded Vault could not be renewed", error=str(error))
        open_accounts = set(self._components.engine.throttles.open_circuits())
        for account in self._components.capabilities:
            self._composition.metrics.circuit(account, is_open=account in open_accounts)
        vault_now = self._components.store.now()
        if vault_now is not None:
            self._composition.metrics.clocks(Clocks(self._composition.clock.now(), vault_now))
        self._composition.metrics.forbidden_verbs(self._components.engine.throttles.forbidden_verbs())
        self._composition.metrics.vault_token_expires(self._components.client.token_expires_at())
