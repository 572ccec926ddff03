"""The configuration in the form that the program uses: everything resolved, checked, and with its warnings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rotator.core.model import Policy as CorePolicy
from rotator.core.model import Target as CoreTarget
from rotator.settings.accounts import Account
from rotator.settings.models import DEFAULT_POLICY, AuditLog, Configuration, Daemon, Log
from rotator.settings.problems import Problem
from rotator.settings.vault import EmbeddedVault, RemoteVault


@dataclass(frozen=True, slots=True)
class Settings:
    """A configuration that can be used. `load` makes it."""

    file: Path
    configuration: Configuration
    warnings: tuple[Problem, ...]

    @property
    def vault(self) -> RemoteVault | EmbeddedVault:
        """Where the documents are kept."""
        return self.configuration.vault

    @property
    def providers(self) -> Mapping[str, Account]:
        """The provider accounts by name; the class of each says of which type it is."""
        return self.configuration.providers

    @property
    def daemon(self) -> Daemon:
        """How the daemon runs."""
        return self.configuration.daemon

    @property
    def log(self) -> Log:
        """What is logged, and how."""
        return self.configuration.log

    @property
    def audit(self) -> AuditLog:
        """Where the audit goes."""
        return self.configuration.audit

    def core_policies(self) -> Mapping[str, CorePolicy]:
        """The policies as the core knows them, by name; `default` is always among them."""
        names = {**self.configuration.policies, DEFAULT_POLICY: None}
        found = {name: self.configuration.policy(name) for name in names}
        return {name: policy.core(name) for name, policy in found.items() if policy is not None}

    def core_targets(self) -> tuple[CoreTarget, ...]:
        """The targets as the core knows them, in the order of the file."""
        policies = self.core_policies()
        return tuple(target.core(policies[target.policy]) for target in self.configuration.targets)
