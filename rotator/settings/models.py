"""The configuration as it stands in the file: its sections, their keys, and the defaults with their reasons."""

from datetime import timedelta
from enum import Enum

from pydantic import Field, model_validator

from rotator.core.backoff import Backoff as CoreBackoff
from rotator.core.model import Policy as CorePolicy
from rotator.core.model import Strategy
from rotator.core.model import Target as CoreTarget
from rotator.core.passwords import SAFE_SYMBOLS, PasswordRules
from rotator.core.schedule import Cron, Every, Schedule
from rotator.core.schedule import Window as CoreWindow
from rotator.settings.accounts import ProviderAccount
from rotator.settings.section import Count, Section
from rotator.settings.times import CronText, Duration, Grace, TimeZone, WindowLength
from rotator.settings.values import FilePath, HostPort, Listen, Name, VaultPath, Word, wrong
from rotator.settings.vault import VaultSection

DEFAULT_POLICY = "default"


class Window(Section):
    """When scheduled rotations may start. A rotation on demand does not wait for it."""

    cron: CronText
    """When the window opens: a cron expression of five fields."""
    duration: WindowLength = Field(examples=["4h"])
    """How long it stays open. Rotations spread over it."""
    timezone: TimeZone = "UTC"
    """The time zone of `cron`; default UTC. Changes to and from summer time are followed as Debian's cron does."""

    def core(self) -> CoreWindow:
        """The window as the core knows it."""
        return CoreWindow(self.cron, self.duration, self.timezone)


class Password(Section):
    """How passwords are made. They are drawn uniformly from all that meet the rules."""

    length: Count = Field(default=20, ge=1, le=128)
    """How many characters; default 20, the most that every provider and most phones are known to take."""
    lower: Count = Field(default=1, ge=0, le=128)
    """At least so many lower-case letters; default 1."""
    upper: Count = Field(default=1, ge=0, le=128)
    """At least so many upper-case letters; default 1."""
    digits: Count = Field(default=1, ge=0, le=128)
    """At least so many digits; default 1."""
    symbol: Count = Field(default=1, ge=0, le=128)
    """At least so many of `symbols`; default 1, since Vobiz's console asks for one."""
    symbols: str = Field(default=SAFE_SYMBOLS, max_length=32, pattern=r"^[!-/:-@\[-`{-~]*$")
    """The symbols to draw from. The default is safe in SIP digests, URLs, forms, INI and XML files. Empty: none."""

    def core(self) -> PasswordRules:
        """The rules as the core knows them."""
        return PasswordRules(
            length=self.length,
            lower=self.lower,
            upper=self.upper,
            digits=self.digits,
            symbol=self.symbol,
            symbols=self.symbols,
        )


class Policy(Section):
    """How often, when and how carefully. `every` and `cron` exclude each other; without either it is every 90 days."""

    every: Duration | None = None
    """The greatest age of a password; default 90d. A rotation falls due up to a tenth earlier, so that a fleet
    spreads."""
    cron: CronText | None = None
    """Rotate at the times of a cron expression instead of `every`."""
    timezone: TimeZone = "UTC"
    """The time zone of `cron`; default UTC."""
    window: Window | None = None
    """When scheduled rotations may start; default at any time."""
    overlap: Grace = timedelta(hours=24)
    """How long old and new are both accepted; default 24h. Longer than the slowest device needs to read Vault again."""
    quarantine: Grace = timedelta(days=7)
    """How long the old credential stays disabled, and can be brought back, before it is deleted; default 7d."""
    password: Password = Field(default_factory=Password)
    """How passwords are made."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "Policy":
        if self.every is not None and self.cron is not None:
            raise wrong("every and cron exclude each other", "keep one of the two")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise wrong("timezone has no effect without cron", "remove it, or move it into the window")
        return self

    def schedule(self) -> Schedule:
        """The schedule as the core knows it."""
        return Cron(self.cron, self.timezone) if self.cron is not None else Every(self.every or timedelta(days=90))

    def core(self, name: str) -> CorePolicy:
        """The policy as the core knows it."""
        return CorePolicy(
            name=name,
            schedule=self.schedule(),
            window=self.window.core() if self.window is not None else None,
            overlap=self.overlap,
            quarantine=self.quarantine,
            password=self.password.core(),
        )


class Credential(Section):
    """Which credential at the provider a target is about: `username`, or `usernames` for `alternating`."""

    username: Word | None = Field(default=None, examples=["officephone01"])
    """The credential that devices use now. With `replace` it is the first to be replaced."""
    usernames: tuple[Word, ...] | None = Field(default=None, examples=[["officephonea", "officephoneb"]])
    """The two standing credentials of `alternating`; they take turns."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return ((self.username,) if self.username is not None else ()) + (self.usernames or ())


class Target(Section):
    """One named secret that devices use."""

    name: Name = Field(examples=["office-phone"])
    """Its name: in commands, logs and metrics, and below the state prefix in Vault. It stays the same for ever."""
    provider: str = Field(examples=["vobiz-prod"])
    """The provider account, by its name under `providers`."""
    strategy: Strategy = Field(examples=["replace"])
    """`replace` makes a new credential with a new username each time; `alternating` gives two standing ones turns;
    `in-place` sets a new password on the one, which cuts devices off until they read Vault. There is no default: what
    happens to the username, and whether there is an overlap, is for you to choose."""
    credential: Credential = Field(default_factory=Credential, examples=["{username: officephone01}"])
    """The credential at the provider. Left out only where the provider itself makes the usernames."""
    path: VaultPath = Field(examples=["sip/office-phone"])
    """The consumer document, below `vault.mount`: what devices read. Nobody but rotator may write it."""
    policy: str = DEFAULT_POLICY
    """The policy, by its name under `policies`; default `default`, which is there even where nobody wrote it."""

    def core(self, policy: CorePolicy) -> CoreTarget:
        """The target as the core knows it."""
        return CoreTarget(
            name=self.name,
            account=self.provider,
            strategy=self.strategy,
            usernames=self.credential.names,
            path=self.path,
            policy=policy,
        )


class Circuit(Section):
    """When an account is left alone because everything fails, so that one bad answer does not break a fleet."""

    failures: Count = Field(default=5, ge=1, le=1000)
    """After so many failures in a row; default 5."""
    open_for: Duration = timedelta(minutes=5)
    """For so long, then a single call probes; default 5m."""


class Backoff(Section):
    """How long a target waits after failures. The wait doubles with each failure and is kept in Vault."""

    base: Duration = timedelta(seconds=30)
    """After the first failure; default 30s."""
    cap: Duration = timedelta(hours=1)
    """Never longer than this; default 1h."""

    def core(self) -> CoreBackoff:
        """The back-off as the core knows it."""
        return CoreBackoff(self.base, self.cap)


class Daemon(Section):
    """How the daemon runs."""

    listen: Listen = HostPort("127.0.0.1", 9464)
    """Where /metrics, /healthz, /readyz and /status are served, without authentication; default 127.0.0.1:9464. In a
    container it has to be 0.0.0.0:9464, since probes and Prometheus come from outside; port 0 takes any free one."""
    workers: Count = Field(default=8, ge=1, le=64)
    """How many targets are worked on at the same time; default 8."""
    poll: Duration = timedelta(seconds=30)
    """How often each target is looked at; default 30s. A `rotator rotate` without a signal is seen at the next look."""
    claim: Duration = timedelta(seconds=60)
    """How long a process keeps a target to itself without renewing it; default 60s. After a crash another process goes
    on when it ends. It has to be longer than the longest call to a provider."""
    stop_within: Duration = timedelta(seconds=45)
    """How long a stop may take; default 45s. It lets the current step finish; set the service manager's limit above
    it."""
    retirements_per_minute: Count = Field(default=10, ge=1, le=10000)
    """The most credentials that are disabled or deleted in one minute; default 10. Bounds the harm of a wrong clock."""
    circuit: Circuit = Field(default_factory=Circuit)
    """When an account is left alone because everything fails."""
    backoff: Backoff = Field(default_factory=Backoff)
    """How long a target waits after failures."""


class LogLevel(Enum):
    """From which severity on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How lines are written."""

    JSON = "json"
    CONSOLE = "console"
    AUTO = "auto"


class Log(Section):
    """What is logged, and how."""

    level: LogLevel = LogLevel.INFO
    """The least severity; default info."""
    format: LogFormat = LogFormat.AUTO
    """`json` for collectors, `console` for people; default auto: console at a terminal, else json."""


class AuditLog(Section):
    """Where the audit goes: one JSON line for each effect, hash-chained, without values."""

    file: FilePath | None = None
    """A file that is only appended to; default standard output, marked as audit."""


class Configuration(Section):
    """The configuration of rotator. Secrets are never written into it but referenced."""

    vault: VaultSection
    """Where the documents are kept."""
    providers: dict[Name, ProviderAccount] = Field(min_length=1)
    """The provider accounts, each under a name of your choice. The name is kept in Vault: do not change it lightly."""
    policies: dict[Name, Policy] = Field(default_factory=dict)
    """How often, when and how carefully; each under a name of your choice."""
    targets: tuple[Target, ...] = Field(min_length=1)
    """The secrets that are kept young."""
    daemon: Daemon = Field(default_factory=Daemon)
    """How the daemon runs."""
    log: Log = Field(default_factory=Log)
    """What is logged, and how."""
    audit: AuditLog = Field(default_factory=AuditLog)
    """Where the audit goes."""

    def policy(self, name: str) -> Policy | None:
        """The policy of that name, if there is one; `default` always is."""
        return self.policies.get(name) or (Policy() if name == DEFAULT_POLICY else None)
