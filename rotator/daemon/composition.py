"""The composition root: the one place that creates real clocks, connections and adapters, and wires them together."""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event
from typing import Self

from rotator import __version__
from rotator.core.model import Target, TargetState
from rotator.core.processes import Role
from rotator.core.selection import remembered
from rotator.core.waves import with_canaries
from rotator.daemon.accounts import AccountAssembly, pacing
from rotator.daemon.audit_receivers import begin_audit
from rotator.daemon.audit_watch import send_audit, write_audit
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.daemon.components import AssembledAccount, Components
from rotator.daemon.hooks import hooks_by_name
from rotator.daemon.notification_routes import senders
from rotator.daemon.usage_sources import usage_sources
from rotator.daemon.vault_login import VaultLogin, configured_login
from rotator.daemon.watches import start_watch
from rotator.engine import Engine, FleetDocuments, FormerNames, KnownEvidence, Limits, PauseBook, Presence, Waves
from rotator.observe.fleet import KnownFleet
from rotator.observe.logs import configure
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from rotator.observe.selections import Selections
from rotator.ports import StoreDenied
from rotator.settings import ON_DISK, ConfigError, ConfigProblem, Draft, Settings, load
from rotator.settings.usage import http_sources
from rotator.settings.vault import EmbeddedVaultSettings, RemoteVaultSettings
from rotator.vault.answers import Caller
from rotator.vault.audit_store import VaultAuditStore
from rotator.vault.client import VaultClient
from rotator.vault.embedded import EmbeddedVault as Server
from rotator.vault.logins import ServerSetup
from rotator.vault.store import VaultStore

StateListener = Callable[[Target, TargetState], None]


class Composition:
    """Everything that lives as long as the process. A context manager that stops the embedded Vault on exit."""

    def __init__(
        self,
        config: Path,
        environ: Mapping[str, str],
        stop: Event,
        *,
        read_only: bool = False,
        gets_only: bool = False,
        quiet: bool = False,
        prints_file: bool = False,
        draft: Draft = ON_DISK,
    ) -> None:
        """Reads the configuration and sets up logging and the audit.

        Args:
            stop: is set when the process must stop; it ends every sleep.
            read_only: write nothing, neither to a provider nor to Vault.
            gets_only: write nothing to a provider.
            quiet: for a command that prints its own result: log only warnings and errors, write an audit without a
                file to standard error instead of standard output (at a terminal only what Vault has not taken), and
                use the embedded Vault of a running daemon.
            prints_file: with `quiet`, for a result whose bytes count: write to standard error of the audit only what
                Vault has not taken, also where that is no terminal.
            draft: what stands in for files of the configuration that are not written yet.

        Raises:
            ConfigError: the configuration is invalid.
            AuditError: the audit has no usable destination.
        """
        self._config, self._environ, self._stop, self._draft = config, environ, stop, draft
        self._read_only, self._gets_only, self._quiet = read_only, read_only or gets_only, quiet
        self.clock = SystemClock(stop)
        self.randomness = SystemRandomness()
        self.redactor = Redactor()
        self.settings = self._load()
        level = self.settings.log.level.value
        configure(
            "warning" if quiet and level == "info" else level,
            self.settings.log.format.value,
            self.redactor,
            self.clock,
        )
        self.fleet = KnownFleet(self.clock)
        self.selections = Selections()
        self.metrics = Metrics(self.clock, __version__, self.fleet, target_series=self.settings.daemon.target_series)
        nonce = self.randomness.text("abcdefghjkmnpqrstuvwxyz23456789", 6)
        self.holder = f"{socket.gethostname()}-{os.getpid()}-{nonce}"  # a pod's name and pid recur, the nonce does not
        self._exit = ExitStack()
        made = (self.settings.audit, self.clock, self.randomness, self.redactor)
        self.audit = begin_audit(*made, self._exit, read_only=read_only, quiet=quiet, prints_file=prints_file)
        self.asked_by = f"uid:{os.getuid()}"  # who asks for what this process does, until Vault says more
        self.metrics.follow_selections(self.selections.all)
        self.metrics.follow_audit(lambda: self.audit.status)
        self._ended = Event()
        self._server: Server | None = None

    def __enter__(self) -> Self:
        vault = self.settings.vault
        if isinstance(vault, EmbeddedVaultSettings):
            self._server = self._started(vault)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._exit.close()

    def embedded_runs(self) -> bool:
        """Returns False if this process started an embedded Vault that has ended by itself."""
        return self._server is None or self._server.running()

    def renew_embedded_logins(self) -> None:
        """Keeps the logins of an embedded Vault that this process started. Raises EmbeddedError."""
        if self._server is not None:
            self._server.renew_logins()

    @property
    def embedded(self) -> Server:
        """The embedded Vault. Raises LookupError if the configuration has none."""
        if self._server is None:
            raise LookupError("no embedded Vault is configured")
        return self._server

    def reload(self) -> Settings:
        """Reads the configuration file again. Raises ConfigError, also if the embedded Vault would change."""
        settings, old = self._load(), self.settings.vault
        if settings.vault != old and EmbeddedVaultSettings in (type(settings.vault), type(old)):
            what = "a reload cannot change an embedded Vault, or switch between it and another Vault"
            raise ConfigError([ConfigProblem(str(self._config), None, None, "vault", what, "restart rotator")])
        return settings

    def _load(self) -> Settings:
        settings = load(self._config, self._environ, self._draft)
        if settings.daemon.http.token is not None:
            self.redactor.add(settings.daemon.http.token.value)
        self.redactor.add(*settings.audit.secrets)
        for source in http_sources(settings.usage_sources).values():
            self.redactor.add(*source.secrets)
        urls = (route.url for route in settings.notifications.values())
        self.redactor.add(*(url.value for url in urls if url is not None))
        return settings

    def changes_that_need_a_restart(self, new: Settings) -> tuple[str, ...]:
        """Returns the changed sections of `new` that a reload does not apply."""
        old = self.settings
        fixed = {
            "daemon.http.listen": old.daemon.http.listen != new.daemon.http.listen,
            "daemon.http.probes": old.daemon.http.probes != new.daemon.http.probes,
            "daemon.http.tls": old.daemon.http.tls != new.daemon.http.tls,
            "daemon.workers": old.daemon.workers != new.daemon.workers,
            "daemon.poll": old.daemon.poll != new.daemon.poll,
            "daemon.target_series": old.daemon.target_series != new.daemon.target_series,
            "log": old.log != new.log,
            "audit": old.audit != new.audit,
        }
        return tuple(name for name, differs in fixed.items() if differs)

    def assemble(self, settings: Settings, *, seen: StateListener) -> Components:
        """Builds everything that depends on the configuration. Connects only to Vault, and only to read secrets and the
        names of the documents there.

        Raises:
            StoreError: a secret in Vault cannot be read, or Vault's CA file is unusable.
            ConfigError: a secret in Vault, an account's CA file or the URL of a notification is unusable.
        """
        with ExitStack() as undo:
            client = self._client(settings)
            undo.callback(client.close)
            store = VaultStore(client, settings.vault.mount, settings.vault.state_prefix)
            accounts = self._account_assembly().connect(settings, store, undo)
            targets = with_canaries(self._targets(settings, store))
            by_name = {target.name: target for target in targets}
            store.expect_publishing(target.path for target in targets)
            documents = self._fleet_documents(settings, store, accounts, targets)
            presence = Presence(store, self.clock, self.holder, Role.COMMAND if self._quiet else Role.DAEMON)
            engine = self._engine(settings, store, accounts, documents, presence, seen, undo)
            return Components(
                settings,
                targets,
                by_name,
                client,
                store,
                VaultAuditStore(client, settings.vault.mount, settings.vault.state_prefix, self.randomness),
                {name: account.provider for name, account in accounts.items()},
                {name: account.pacer for name, account in accounts.items()},
                {name: account.evidence_key for name, account in accounts.items()},
                {name: account.life for name, account in accounts.items()},
                engine,
                documents.former_names,
                presence,
                documents.waves,
                documents.pauses,
                {} if self._quiet else senders(settings, self._config, self._environ, self.clock, self.randomness),
                undo.pop_all(),
            )

    def _account_assembly(self) -> AccountAssembly:
        return AccountAssembly(
            self._config,
            self.holder,
            self.clock,
            self.randomness,
            self.redactor,
            self.metrics,
            read_only=self._read_only,
            gets_only=self._gets_only,
        )

    def _fleet_documents(
        self,
        settings: Settings,
        store: VaultStore,
        accounts: Mapping[str, AssembledAccount],
        targets: tuple[Target, ...],
    ) -> FleetDocuments:
        evidence_keys = {name: account.evidence_key for name, account in accounts.items()}
        required = [name for name, account in settings.providers.items() if account.require_checked]
        return FleetDocuments(
            FormerNames(store, frozenset(target.name for target in targets)),
            Waves(store, self.clock, {name: account.key for name, account in accounts.items()}, targets),
            PauseBook(store, self.clock),
            KnownEvidence(store, self.clock, evidence_keys, required),
        )

    def _engine(
        self,
        settings: Settings,
        store: VaultStore,
        accounts: Mapping[str, AssembledAccount],
        documents: FleetDocuments,
        presence: Presence,
        seen: StateListener,
        undo: ExitStack,
    ) -> Engine:
        return Engine(
            store=store,
            providers={name: account.provider for name, account in accounts.items()},
            clock=self.clock,
            randomness=self.randomness,
            audit=self.audit,
            holder=self.holder,
            limits=_limits(settings),
            observe=seen,
            stopping=self._stop.is_set,
            documents=documents,
            pacing=pacing(accounts),
            is_dead=presence.is_dead,
            usage_sources=usage_sources(settings, self._config, store, self.clock, self.metrics, undo),
            hooks=hooks_by_name(settings, self._config, self._environ, store.read_key, self.clock, self.redactor, undo),
        )

    def check(self, components: Components) -> None:
        """Checks that Vault is usable, and writes the audit there from now on. Raises StoreError."""
        components.store.check()
        if self._read_only:
            return
        first = self.audit.store is None
        self.audit.attach(components.audit_store, self._start_facts(components.client))
        if first:
            start_watch("audit-writer", lambda ended: write_audit(self.audit, ended), self._ended)
            for outlet in self.audit.remote:
                start_watch(f"audit-{outlet.kind}", partial(send_audit, self.audit, outlet), self._ended)

    def tell_in_force(self, components: Components) -> None:
        """Sets the metrics that say what the configuration in force asks for."""
        self.metrics.expect(len(components.targets))
        self.metrics.expect_notifications(components.settings.notifications)
        self.metrics.reconciles_every(components.settings.daemon.reconcile)

    def _start_facts(self, client: VaultClient) -> dict[str, str]:
        """Returns who this process is, for its first record, and notes who asks for what it does."""
        try:
            caller = client.caller()
        except StoreDenied:  # the policy does not allow the token to look itself up
            caller = Caller("", "", "")
        if caller.name:
            self.asked_by = f"vault:{caller.name}" + (f" (entity {caller.entity})" if caller.entity else "")
        known = {"vault_name": caller.name, "vault_entity": caller.entity, "vault_accessor": caller.accessor}
        role = Role.COMMAND if self._quiet else Role.DAEMON
        facts = {"process": self.holder, "role": role.value, "user": f"uid:{os.getuid()}", "version": __version__}
        return facts | {name: value for name, value in known.items() if value}

    def _targets(self, settings: Settings, store: VaultStore) -> tuple[Target, ...]:
        """Returns what is configured one by one, and what selections have found before, by the state documents."""
        targets = settings.core_targets()
        if not settings.selections:
            return targets
        names = {target.name for target in targets}
        return (*targets, *remembered(settings.core_selections, store.list_states(), names))

    def _started(self, vault: EmbeddedVaultSettings) -> Server:
        setup = ServerSetup(mount=vault.mount, state_prefix=vault.state_prefix)
        server = Server(vault.embedded.data_dir, self.clock, setup, vault.embedded.port)
        return server if self._quiet and server.attach() else self._exit.enter_context(server)

    def _client(self, settings: Settings) -> VaultClient:
        vault = settings.vault
        if isinstance(vault, RemoteVaultSettings):
            login = configured_login(vault)
        else:
            assert self._server is not None  # noqa: S101  # entered before
            login = VaultLogin(self._server.connection, self._server.rotator_login())
        self.redactor.add(*login.secrets)
        return VaultClient(
            login.connection, login.method, clock=self.clock, randomness=self.randomness, meter=self.metrics
        )


def _limits(settings: Settings) -> Limits:
    daemon = settings.daemon
    return Limits(
        claim=daemon.claim,
        backoff=daemon.backoff.core(),
        circuit_failures=daemon.circuit.failures,
        circuit_open_for=daemon.circuit.open_for,
        retirements_per_minute=daemon.retirements_per_minute,
    )
