"""The sections of the configuration file: keys, defaults, and reasons for the defaults."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from rotator.core.backoff import Backoff
from rotator.core.model import Policy, Strategy, Target
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Cron, Every, Schedule, Window
from rotator.engine import Limits
from rotator.fields.network import HostPort, Listen
from rotator.fields.section import Count, Section
from rotator.fields.text import FilePath, Name, TargetPattern, VaultPath, Word, invalid
from rotator.fields.times import CronText, Duration, Grace, LeaseLength, TimeZone, VerifyInterval, WindowLength
from rotator.providers.registry import AnyAccountOptions
from rotator.settings.vault import VaultSettings

DEFAULT_POLICY = "default"
_RULES, _LIMITS = PasswordRules(), Limits()


class WindowSettings(Section):
    """The times at which scheduled rotations may start. A rotation on demand does not wait for them."""

    cron: CronText
    """The times at which the window opens: a cron expression of five fields."""
    duration: WindowLength = Field(examples=["4h"])
    """How long the window stays open. Rotations are spread over it."""
    timezone: TimeZone = "UTC"
    """The time zone of `cron`; default UTC. Daylight saving changes are handled as in Debian's cron."""

    def core(self) -> Window:
        """Returns the window as the core defines it."""
        return Window(self.cron, self.duration, self.timezone)


class PasswordSettings(Section):
    """The rules for new passwords. Each is drawn uniformly from all passwords that meet them."""

    length: Count = Field(default=_RULES.length, ge=1, le=128)
    """The number of characters; default 20, the most that every provider and most phones are known to accept."""
    lower: Count = Field(default=_RULES.lower, ge=0, le=128)
    """The minimum number of lower-case letters; default 1."""
    upper: Count = Field(default=_RULES.upper, ge=0, le=128)
    """The minimum number of upper-case letters; default 1."""
    digits: Count = Field(default=_RULES.digits, ge=0, le=128)
    """The minimum number of digits; default 1."""
    symbol: Count = Field(default=_RULES.symbol, ge=0, le=128)
    """The minimum number of characters from `symbols`; default 1, since Vobiz's console requires one."""
    symbols: str = Field(default=_RULES.symbols, max_length=32, pattern=r"^[!-/:-@\[-`{-~]*$")
    """The symbols to draw from; empty for none. The default is safe in SIP digests, URLs, forms, INI and XML files."""

    def core(self) -> PasswordRules:
        """Returns the rules as the core defines them."""
        return PasswordRules(
            length=self.length,
            lower=self.lower,
            upper=self.upper,
            digits=self.digits,
            symbol=self.symbol,
            symbols=self.symbols,
        )


class PolicySettings(Section):
    """The schedule, the grace periods and the password rules of targets. `every` and `cron` exclude each other; without
    either, passwords are rotated every 90 days."""

    every: Duration | None = None
    """The maximum age of a password; default 90d. A rotation is due up to a tenth earlier, to spread a fleet."""
    cron: CronText | None = None
    """Rotate at the times of a cron expression instead of `every`."""
    timezone: TimeZone = "UTC"
    """The time zone of `cron`; default UTC."""
    window: WindowSettings | None = None
    """The times at which scheduled rotations may start; default at any time."""
    overlap: Grace = timedelta(hours=24)
    """How long the old and the new credential are both accepted; default 24h. It must be longer than the slowest device
    needs to read Vault again."""
    quarantine: Grace = timedelta(days=7)
    """How long the old credential stays disabled before it is deleted; default 7d. Until then it can be enabled
    again."""
    password: PasswordSettings = Field(default_factory=PasswordSettings)
    """The rules for new passwords."""
    verify: VerifyInterval = timedelta(hours=24)
    """How often the published password is tried between rotations; default 24h, up to a tenth earlier. `off` for never;
    an account whose proof is a read-back, which tries no password, is not verified either. Before a replaced credential
    is disabled or deleted, the published one is proved in any case."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "PolicySettings":
        if self.every is not None and self.cron is not None:
            raise invalid("every and cron exclude each other", "keep one of the two")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise invalid("timezone has no effect without cron", "remove it, or move it into the window")
        return self

    def schedule(self) -> Schedule:
        """Returns the schedule as the core defines it."""
        return Cron(self.cron, self.timezone) if self.cron is not None else Every(self.every or timedelta(days=90))

    def core(self, name: str) -> Policy:
        """Returns the policy as the core defines it."""
        return Policy(
            name=name,
            schedule=self.schedule(),
            window=self.window.core() if self.window is not None else None,
            overlap=self.overlap,
            quarantine=self.quarantine,
            password=self.password.core(),
            verify=self.verify,
        )


class CredentialSettings(Section):
    """The credential of a target at the provider: `username`, or `usernames` for `alternating`."""

    username: Word | None = Field(default=None, examples=["officephone01"])
    """The credential that devices use now. With `replace` it is the first one to be replaced."""
    usernames: tuple[Word, ...] | None = Field(default=None, examples=[["officephonea", "officephoneb"]])
    """The two permanent credentials of `alternating`, which take turns."""
    new: bool = False
    """The account does not have these usernames yet: the first rotation creates what it lacks. Default false: a
    username that the account does not have is taken for a mistake, and nothing is created. Without effect after the
    first rotation."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every configured username."""
        return ((self.username,) if self.username is not None else ()) + (self.usernames or ())


class TargetSettings(Section):
    """One secret that devices use."""

    name: Name = Field(examples=["office-phone"])
    """The name in commands, logs and metrics, and below the state prefix in Vault. Never change it."""
    provider: str = Field(examples=["vobiz-prod"])
    """The provider account, by its name under `providers`."""
    strategy: Strategy = Field(examples=["replace"])
    """`replace` creates a new credential with a new username each time; `alternating` switches between two permanent
    ones; `in-place` sets a new password on the only one, and devices are refused until they read Vault. There is no
    default: the strategy decides whether the username changes and whether there is an overlap."""
    credential: CredentialSettings = Field(default_factory=CredentialSettings, examples=["{username: officephone01}"])
    """The credential at the provider. Leave it out only if the provider generates the usernames."""
    path: VaultPath = Field(examples=["sip/office-phone"])
    """The document that devices read, below `vault.mount`. Only rotator may write it."""
    policy: str = DEFAULT_POLICY
    """The policy, by its name under `policies`; default `default`, which always exists."""

    def core(self, policy: Policy) -> Target:
        """Returns the target as the core defines it."""
        return Target(
            name=self.name,
            account=self.provider,
            strategy=self.strategy,
            usernames=self.credential.names,
            path=self.path,
            policy=policy,
            new=self.credential.new,
        )


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

    listen: Listen = HostPort("127.0.0.1", 9464)
    """The address of /metrics, /healthz, /readyz and /status, without authentication; default 127.0.0.1:9464. Use
    0.0.0.0:9464 in a container, since probes and Prometheus connect from outside. Port 0 takes any free port."""
    workers: Count = Field(default=8, ge=1, le=64)
    """The number of targets that are worked on at the same time; default 8."""
    poll: Duration = timedelta(seconds=30)
    """The interval between two looks at a target; default 30s. Requests from `rotator rotate --no-wait` are seen within
    seconds, whatever the interval."""
    claim: LeaseLength = _LIMITS.claim
    """How long a claim reserves a target for a process that no longer renews it; default 12s, at least 5s. After a
    crash, another process takes over when the claim ends. Configure the same length for all processes."""
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


class AuditSettings(Section):
    """The audit: one hash-chained JSON line for each effect, without secrets."""

    file: FilePath | None = None
    """An append-only file; default standard output, where each line is marked as audit."""


class Settings(Section):
    """The configuration of rotator. It refers to secrets and never contains one."""

    vault: VaultSettings
    """The Vault that stores all documents."""
    providers: dict[Name, AnyAccountOptions] = Field(min_length=1)
    """The provider accounts, each under a name of your choice. Documents in Vault refer to the name: do not change it
    lightly."""
    policies: dict[Name, PolicySettings] = Field(default_factory=dict)
    """The schedules, grace periods and password rules, each under a name of your choice."""
    targets: tuple[TargetSettings, ...] = Field(min_length=1)
    """The secrets to rotate on schedule."""
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    """The daemon."""
    log: LogSettings = Field(default_factory=LogSettings)
    """The log."""
    audit: AuditSettings = Field(default_factory=AuditSettings)
    """The audit."""

    def policy(self, name: str) -> PolicySettings | None:
        """Returns the policy with that name, if it exists; `default` always does."""
        return self.policies.get(name) or (PolicySettings() if name == DEFAULT_POLICY else None)

    def core_policies(self) -> Mapping[str, Policy]:
        """Returns the policies as the core defines them, by name, always including `default`."""
        policies = {DEFAULT_POLICY: PolicySettings(), **self.policies}
        return {name: policy.core(name) for name, policy in policies.items()}

    def core_targets(self) -> tuple[Target, ...]:
        """Returns the targets as the core defines them, in the order of the file."""
        policies = self.core_policies()
        return tuple(target.core(self._policy_at(policies[target.policy], target.provider)) for target in self.targets)

    def _policy_at(self, policy: Policy, account: str) -> Policy:
        """Returns the policy as it holds at an account: a read-back tries no password, so it is not worth repeating."""
        tries_password = self.providers[account].capabilities.proof.tries_password
        return policy if tries_password else replace(policy, verify=None)
