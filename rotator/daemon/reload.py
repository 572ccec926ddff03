"""The reload of the configuration while the daemon runs."""

from datetime import timedelta

import structlog

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.evidence_warning import warn_of_strategies
from rotator.daemon.looks import Looks
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.share import Share
from rotator.daemon.snapshot import Snapshot
from rotator.observe.health import Health
from rotator.ports import StoreError
from rotator.settings import ConfigError, Settings

_log = structlog.stdlib.get_logger("rotator.daemon")


class Reload:
    """Puts a new configuration into force, between two looks."""

    def __init__(
        self,
        composition: Composition,
        looks: Looks,
        scheduler: Scheduler,
        share: Share,
        snapshot: Snapshot,
        health: Health,
    ) -> None:
        self._composition, self._looks, self._scheduler, self._share = composition, looks, scheduler, share
        self._snapshot, self._health = snapshot, health

    def reload(self, again_in: timedelta) -> bool:
        """Reads the configuration again. One at a time.

        If it is invalid, logs why; the old one stays in force until it is corrected. Returns False if it is valid but
        Vault cannot be used with it now: the caller tries again after `again_in`.
        """
        if self._looks.stopping:
            return True
        try:
            settings = self._composition.reload()
            components = self._checked(settings)
        except ConfigError as error:
            self.record(ok=False)
            _log.error("configuration not reloaded; the old one stays in force", error=str(error))
            return True
        except StoreError as error:
            self.record(ok=False)
            seconds = again_in.total_seconds()
            _log.error("configuration not reloaded yet; the old one stays in force", error=str(error), again_in=seconds)
            return False
        if not self._replace(components):
            components.close()
            return True
        self.record(ok=True)
        for key in self._composition.changes_that_need_a_restart(settings):
            _log.warning("this change takes effect only after a restart", key=key)
        warn_of_strategies(components)
        _log.info("configuration reloaded", targets=len(components.targets))
        return True

    def _checked(self, settings: Settings) -> Components:
        components = self._composition.assemble(settings, seen=self._snapshot.update_state)
        try:
            self._composition.check(components)
        except StoreError:
            components.close()
            raise
        return components

    def record(self, *, ok: bool) -> None:
        """Records that a configuration was loaded or refused."""
        self._composition.metrics.config_loaded(ok=ok)
        self._composition.audit.record(
            AuditVerb.LOAD_CONFIGURATION, "", AuditOutcome.DONE if ok else AuditOutcome.REFUSED
        )
        if ok:
            self._health.configuration_loaded()

    def _replace(self, components: Components) -> bool:
        """Replaces the components once the running looks have ended; returns False if the process is stopping."""
        old = self._looks.components
        assert old is not None  # noqa: S101  # the daemon obeys signals once it has reached Vault
        if not self._looks.unless_stopping(self._scheduler.pause):
            return False
        self._looks.wait(old.settings.daemon.stop_within)

        def replace() -> None:
            self._looks.components = components
            components.engine.throttles.places.follow(self._scheduler.look_now)
            self._composition.tell_in_force(components)
            self._looks.close(old)

        if not self._looks.unless_stopping(replace):
            return False
        changed = [name for name, target in components.by_name.items() if old.by_name.get(name) != target]
        self._share.update()
        self._scheduler.look_at_all()
        self._scheduler.look_now(changed)
        self._scheduler.resume()
        return True
