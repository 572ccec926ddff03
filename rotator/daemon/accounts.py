"""Connects the provider accounts of a configuration, each with the pace that it shares."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rotator.daemon.components import AssembledAccount
from rotator.engine import Pacing
from rotator.observe.metrics import Metrics
from rotator.observe.redact import Redactor
from rotator.ports import Randomness, Timer
from rotator.providers.http.client import Http
from rotator.providers.http.directory import Directories
from rotator.providers.http.rate_limit import Pacer, Pacers, ReadOnlyBook
from rotator.providers.options import AccountOptions
from rotator.providers.registry import KINDS
from rotator.settings import ConfigError, ConfigProblem, Settings
from rotator.vault.store import VaultStore


@dataclass(frozen=True, slots=True)
class AccountAssembly:
    """Connects accounts for one process."""

    config: Path  # named in errors
    holder: str
    clock: Timer
    randomness: Randomness
    redactor: Redactor
    metrics: Metrics
    read_only: bool  # it writes nothing to Vault, not even the pace
    gets_only: bool  # it writes nothing to a provider

    def connect(self, settings: Settings, store: VaultStore, undo: ExitStack) -> dict[str, AssembledAccount]:
        """Returns every account by its name in the configuration. Reads their secrets, and calls no provider.

        Raises:
            StoreError: a secret in Vault cannot be read.
            ConfigError: a secret in Vault or an account's CA file is unusable.
        """
        book = ReadOnlyBook(store) if self.read_only else store
        pacers = Pacers(lambda limit, account: Pacer(limit, self.clock, book, account, self.holder))
        directories = Directories()
        return {
            name: self._account(name, account, store, pacers, directories, undo)
            for name, account in settings.providers.items()
        }

    def _account(
        self,
        name: str,
        account: AccountOptions,
        store: VaultStore,
        pacers: Pacers,
        directories: Directories,
        undo: ExitStack,
    ) -> AssembledAccount:
        options = account.with_secrets(store.read_key)
        self.redactor.add(*options.secrets, *(options.proxy.secrets if options.proxy is not None else ()))
        try:
            key, connection = options.account_key, options.http(name, read_only=self.gets_only)
            pacer = pacers.of(options.pace_key or key, connection.rate_limit)
            http = Http(connection, self.clock, self.metrics, pacer=pacer, directories=directories)
            undo.callback(http.close)
            provider = KINDS[options.type](options, http, self.randomness)
            shared = not options.pace_key
            return AssembledAccount(provider, key, pacer, shared, f"{options.type}-{key}", options.key)
        except ValueError as error:  # found only now that the secrets are known; its text contains no value
            problem = ConfigProblem(str(self.config), None, None, f"providers.{name}", str(error), "")
        raise ConfigError([problem])


def pacing(accounts: Mapping[str, AssembledAccount]) -> Pacing:
    """Returns what the engine knows of the pace that these accounts share with other processes."""
    return Pacing(
        {name: account.key for name, account in accounts.items()},
        lambda name: timedelta(seconds=accounts[name].pacer.delay()),
        lambda name, wait: accounts[name].tell_open(wait),
    )
