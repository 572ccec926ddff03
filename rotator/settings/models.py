"""The sections of the configuration file: keys, defaults, and reasons for the defaults."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache, cached_property

from pydantic import Field

from rotator.core.age_limit import AgeLimit
from rotator.core.backoff import Backoff
from rotator.core.model import Policy, Target
from rotator.core.selection import Selection
from rotator.engine import Limits
from rotator.fields.references import InVault
from rotator.fields.section import Count, Section
from rotator.fields.text import Name, TargetPattern
from rotator.fields.times import Duration, LeaseLength, ReconcileInterval
from rotator.providers.registry import AnyAccountOptions
from rotator.settings.audit import AuditSettings
from rotator.settings.hooks import AnyHookSettings, http_hooks
from rotator.settings.http import HttpSettings
from rotator.settings.notifications import NotificationRoute
from rotator.settings.policy_models import LimitSettings, PolicySettings
from rotator.settings.target_models import DEFAULT_POLICY, ListSettings
from rotator.settings.usage import UsageSourceSettings
from rotator.settings.vault import VaultSettings

_LIMITS = Limits()


class CircuitSettings(Section):
    """The circuit breaker of each provider account: one failing account must not break a fleet.

    A missing right (403) shuts the verb that it was asked for, and not the account.
    """

    failures: Count = Field(default=_LIMITS.circuit_failures, ge=1, le=1000)
    """The number of failures in a row that opens the circuit, which stops all traffic but emergencies; default 5."""
    open_for: Duration = _LIMITS.circuit_open_for
    """How long the circuit stays open before a single call probes the account; default 5m."""


class BackoffSettings(Section):
    """The back-off of a target after a failure. It doubles with each failure and is kept in Vault."""

    base: Duration = _LIMITS.backoff.base
    """The wait after the first failure; default 30s."""
    cap: Duration = _LIMITS.backoff.cap
    """The longest wait; default 1h."""

    def core(self) -> Backoff:
        """Returns the back-off as the core defines it."""
        return Backoff(self.base, self.cap)


class DaemonSettings(Section):
    """The daemon."""

    http: HttpSettings = Field(default_factory=HttpSettings)
    """The HTTP endpoint: pages for Prometheus and people, and probes."""
    workers: Count = Field(default=8, ge=1, le=64)
    """The number of targets that are worked on at the same time; default 8."""
    poll: Duration = timedelta(seconds=30)
    """How long the sweep takes for all targets; default 30s. It finds what nobody announced, such as a document that
    somebody changed by hand, and takes at least half a second for each target: 10,000 of them are looked at in 83
    minutes. What is due, and requests, wait for no sweep."""
    reconcile: ReconcileInterval = timedelta(days=1)
    """How often the whole listing of each account is compared with the documents, for metrics and alerts; default 1d,
    at least 1h, or `off`: only by `rotator reconcile`. One of all daemons does it, at the account's pace, from ten
    minutes after its start; whoever compared an account last counts."""
    claim: LeaseLength = _LIMITS.claim
    """How long a claim reserves a target for a process that no longer renews it; default 12s, at least 5s. Configure
    the same length for all processes."""
    stop_within: Duration = timedelta(seconds=45)
    """How long a stop may take; default 45s. The current step is finished first. Give the service manager a higher
    limit."""
    retirements_per_minute: Count = Field(default=_LIMITS.retirements_per_minute, ge=1, le=10000)
    """The maximum number of credentials disabled or deleted in one minute; default 10. It limits the damage of a wrong
    clock."""
    signal_rotates: tuple[TargetPattern, ...] = Field(default=("*",), examples=[["office-phone", "lobby-*"]])
    """The targets that SIGUSR1 rotates: names, or patterns with `*` and `?`; default every target. With an empty list
    the signal rotates nothing."""
    target_series: Count = Field(default=1000, ge=0, le=100_000)
    """The number of targets up to which each has metrics of its own; default 1000. Above it /metrics has only the sums
    over each account and policy, and the alerts say how many targets, not which."""
    circuit: CircuitSettings = Field(default_factory=CircuitSettings)
    """The circuit breaker of each provider account."""
    backoff: BackoffSettings = Field(default_factory=BackoffSettings)
    """The back-off of a target after a failure."""

    def rotates_on_signal(self, target: str) -> bool:
        """True if SIGUSR1 rotates the target with this name."""
        return any(fnmatchcase(target, pattern) for pattern in self.signal_rotates)


class LogLevel(Enum):
    """The minimum severity of a log line."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """The format of log lines."""

    JSON = "json"
    CONSOLE = "console"
    AUTO = "auto"


class LogSettings(Section):
    """The log."""

    level: LogLevel = LogLevel.INFO
    """The minimum severity; default info."""
    format: LogFormat = LogFormat.AUTO
    """`json` for collectors, `console` for people; default auto: console at a terminal, else json."""


class Settings(ListSettings):
    """The configuration of rotator. It refers to secrets and never contains one."""

    vault: VaultSettings
    """The Vault that stores all documents."""
    providers: dict[Name, AnyAccountOptions] = Field(min_length=1)
    """The provider accounts, each under a name of your choice. Documents in Vault refer to the name: do not change it
    lightly."""
    usage_sources: dict[Name, UsageSourceSettings] = Field(default_factory=dict)
    """What can be asked whether devices still use a replaced credential, beside the provider, each under a name of your
    choice: a Prometheus, an HTTP check, documents that devices write."""
    hooks: dict[Name, AnyHookSettings] = Field(default_factory=dict)
    """What policies may run before and after rotations and retirements, each under a name of your choice: a signed
    request, a command, an annotation in Kubernetes."""
    limits: LimitSettings | None = None
    """How old a password may become, whatever its policy. A policy can only be stricter."""
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    """The daemon."""
    log: LogSettings = Field(default_factory=LogSettings)
    """The log."""
    audit: AuditSettings = Field(default_factory=AuditSettings)
    """The audit."""
    notifications: dict[Name, NotificationRoute] = Field(default_factory=dict)
    """Who is told what needs attention, each under a name of your choice; default nobody. Prometheus' alerts say
    the same: this is for where there are none."""

    def policy(self, name: str) -> PolicySettings | None:
        """Returns the policy with that name, if it exists; `default` always does."""
        return self._policies.get(name)

    @property
    def keys_in_vault(self) -> Mapping[tuple[str, str, str], str]:
        """The documents in Vault that hold a key of ours, by the place in the configuration that names them."""
        places = {
            ("providers", name, key): path
            for name, account in self.providers.items()
            for key, path in account.paths_in_vault.items()
        }
        hooks = http_hooks(self.hooks).items()
        return places | {("hooks", name, "key"): hook.key.path for name, hook in hooks if isinstance(hook.key, InVault)}

    @property
    def age_limit(self) -> AgeLimit | None:
        """The limit of the whole configuration as the core defines it."""
        return self.limits.core() if self.limits is not None else None

    @cached_property
    def core_policies(self) -> Mapping[str, Policy]:
        """The policies as the core defines them, by name, always including `default`."""
        return {name: policy.core(name) for name, policy in self._policies.items()}

    @cached_property
    def _policies(self) -> Mapping[str, PolicySettings]:
        """The policies with the limits that apply to them."""
        policies = {DEFAULT_POLICY: PolicySettings(), **self.policies}
        return {
            name: policy.model_copy(update={"limits": policy.limits or self.limits})
            for name, policy in policies.items()
        }

    def core_targets(self) -> tuple[Target, ...]:
        """Returns the targets as the core defines them, in the order of the files."""
        return self._core_targets

    @cached_property
    def _core_targets(self) -> tuple[Target, ...]:
        return tuple(target.core(self._policy_at(target.policy, target.provider)) for target in self.targets)

    @cached_property
    def core_selections(self) -> tuple[Selection, ...]:
        """The selections as the core defines them, in the order of the files."""
        return tuple(each.core(self._policy_at(each.policy, each.provider)) for each in self.selections)

    @cached_property
    def _policy_at(self) -> Callable[[str, str], Policy]:
        """Returns a policy as it holds at an account. A hundred thousand targets share a few of them."""
        policies = self.core_policies

        @cache
        def policy_at(name: str, account: str) -> Policy:
            # A read-back tries no password, so it is not worth repeating.
            tries_password = self.providers[account].capabilities.proof.tries_password
            return policies[name] if tries_password else replace(policies[name], verify=None)

        return policy_at
