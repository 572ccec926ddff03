"""What is built from one configuration."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

from rotator.core.account_key import AccountKey
from rotator.core.model import Capabilities, Target, TargetState
from rotator.core.waves import with_canaries
from rotator.daemon.notification_sender import NotificationSender
from rotator.engine import Engine, FormerNames, PauseBook, Presence, Reconciler, Waves
from rotator.ports import Clock, Provider
from rotator.providers.http.rate_limit import Pacer
from rotator.settings import Settings
from rotator.vault.audit_store import VaultAuditStore
from rotator.vault.client import VaultClient
from rotator.vault.store import VaultStore


@dataclass(frozen=True, slots=True)
class AssembledAccount:
    """One entry under `providers`, with what it shares with others."""

    provider: Provider
    key: str  # see `AccountOptions.account_key`
    pacer: Pacer
    has_own_pace: bool  # False: it uses the pace of the account whose key administers it
    evidence_key: str  # of one kind of credential there
    life: AccountKey  # of its own key

    def tell_open(self, wait: timedelta) -> None:
        """Tells the other processes that its circuit is open; not where other accounts would rest for it as well."""
        if self.has_own_pace:
            self.pacer.shut(wait)


@dataclass(frozen=True, slots=True)
class Components:
    """Everything that is built from one configuration; a reload builds it again."""

    settings: Settings
    targets: tuple[Target, ...]
    by_name: Mapping[str, Target]
    client: VaultClient
    store: VaultStore
    audit_store: VaultAuditStore
    providers: Mapping[str, Provider]
    paces: Mapping[str, Pacer]  # by the account's name in the configuration
    evidence_keys: Mapping[str, str]  # likewise: the name of its evidence document
    account_keys: Mapping[str, AccountKey]  # likewise: the life of its own key
    engine: Engine
    former_names: FormerNames
    presence: Presence
    waves: Waves
    pauses: PauseBook
    senders: Mapping[str, NotificationSender]  # by the name of the notification's route; none of a command
    connections: ExitStack

    def with_targets(self, new: Iterable[Target]) -> "Components":
        """Returns the same with further targets, which selections have found."""
        added = {target.name: target for target in new if target.name not in self.by_name}
        targets = with_canaries((*self.targets, *added.values()))
        by_name = {target.name: target for target in targets}
        self.former_names.configure(frozenset(by_name))
        self.waves.configure(targets)
        self.store.expect_publishing(target.path for target in targets)
        return replace(self, targets=targets, by_name=by_name)

    def reconciler(
        self,
        targets: Iterable[Target],
        clock: Clock,
        read_each: Callable[[Callable[[str], None], Sequence[str]], object],
        known: Callable[[str], TargetState | None] = lambda _: None,
    ) -> Reconciler:
        """Returns what compares the accounts with the documents of these targets. See `Reconciler`."""
        selections = self.settings.core_selections
        return Reconciler(
            self.store,
            clock,
            self.providers,
            self.evidence_keys,
            tuple(targets),
            selections,
            self.former_names,
            self.presence,
            read_each,
            known,
        )

    @property
    def capabilities(self) -> Mapping[str, Capabilities]:
        """The capabilities of each account's kind of credential."""
        return {name: provider.capabilities for name, provider in self.providers.items()}

    @property
    def kinds(self) -> Mapping[str, str]:
        """The type of each account, such as `vobiz`."""
        return {name: account.type for name, account in self.settings.providers.items()}

    def close(self) -> None:
        """Closes every connection."""
        self.connections.close()
