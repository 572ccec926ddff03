"""Policies in the configuration: schedules, windows, grace periods and password rules."""

from datetime import timedelta

from pydantic import Field, model_validator

from rotator.core.age_limit import AgeLimit, fitting_interval
from rotator.core.model import FirstRotations, Policy
from rotator.core.passwords import LONGEST, PasswordRules
from rotator.core.schedule import Cron, Every, Schedule, Window
from rotator.fields.section import Count, Section
from rotator.fields.text import invalid
from rotator.fields.times import CanaryWait, CronText, Duration, Grace, TimeZone, VerifyInterval, WindowLength
from rotator.settings.blackout_models import BlackoutSettings
from rotator.settings.hooks import PolicyHooksSettings
from rotator.settings.usage import UsageSettings

_RULES, _FIRST = PasswordRules(), FirstRotations()
_USUAL = timedelta(days=90)


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

    length: Count = Field(default=_RULES.length, ge=1, le=LONGEST)
    """The number of characters; default 20, the most that every provider and most phones are known to accept."""
    lower: Count = Field(default=_RULES.lower, ge=0, le=LONGEST)
    """The minimum number of lower-case letters; default 1."""
    upper: Count = Field(default=_RULES.upper, ge=0, le=LONGEST)
    """The minimum number of upper-case letters; default 1."""
    digits: Count = Field(default=_RULES.digits, ge=0, le=LONGEST)
    """The minimum number of digits; default 1."""
    symbol: Count = Field(default=_RULES.symbol, ge=0, le=LONGEST)
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


class FirstSettings(Section):
    """How a fleet begins. What is asked for by a command or a signal does not wait for any of this."""

    per_day: Count = Field(default=_FIRST.per_day, ge=1, le=1_000_000)
    """How many rotations at one account may fall due in a day because targets are new, or because their policy was
    changed; default 1000. A tenth of them may be due at once; the rest is spread."""
    canary: Count = Field(default=_FIRST.canary, ge=0, le=1000)
    """So many targets of an account and policy are rotated first; default 0. The others wait until all of these are
    rotated and, after `wait`, verified. If one of them fails, no other target begins until it was repaired."""
    wait: CanaryWait = _FIRST.wait
    """How long to wait after the rotations of the canaries, before they are verified; default 1h, at least 5m."""

    def core(self) -> FirstRotations:
        """Returns it as the core defines it."""
        return FirstRotations(self.per_day, self.canary, self.wait)


class DevicesSettings(Section):
    """What the devices are like that live on an overlap. `check-config` compares it with the overlap."""

    read_every: Duration = timedelta(hours=1)
    """The longest time until a device has read Vault again: that of its agent, or of your provisioning; default 1h."""
    longest_call: Grace = timedelta(hours=4)
    """How long a call may last that begins with the old credential; default 4h."""


class LimitSettings(Section):
    """How old a password may become, counted until the provider refuses it: with its overlap."""

    max_age: Duration = Field(examples=["90d"])
    """The greatest age. A configuration whose policies do not keep it is refused."""
    warn_before: Duration | None = None
    """How long before it an alert warns; default a tenth of it, at most 7d. A policy without `every` and `cron` rotates
    so much earlier than it would have to."""

    def core(self) -> AgeLimit:
        """Returns the limit as the core defines it."""
        return AgeLimit.of(self.max_age, self.warn_before)


class PolicySettings(Section):
    """The schedule, the grace periods and the password rules of targets. `every` and `cron` exclude each other; without
    either, passwords are rotated as rarely as `limits` allow, or every 90 days."""

    every: Duration | None = None
    """The age at which a password is replaced; default 90d, or with `limits` the longest that they allow. A rotation is
    due up to a tenth earlier, to spread a fleet."""
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

    devices: DevicesSettings = Field(default_factory=DevicesSettings)
    """What the devices are like, for a warning if the overlap is too short for them."""
    usage: UsageSettings | None = Field(default=None, examples=["{ask: [provider]}"])
    """The usage check at the end of an overlap; default none: an overlap ends by the clock alone."""
    hooks: PolicyHooksSettings = Field(default_factory=PolicyHooksSettings, examples=["{after_rotation: [reload-pbx]}"])
    """What is run before and after a rotation or a retirement: names from `hooks`; default nothing."""
    first: FirstSettings = Field(default_factory=FirstSettings)
    """How a fleet begins: a budget for each day, and targets that are tried first."""
    blackouts: tuple[BlackoutSettings, ...] = ()
    """Times at which nothing is changed by schedule, such as the freeze at the end of a year; default none. What came
    due meanwhile is spread after them. Emergencies, undos, repairs of what the provider refuses and `rotate
    --despite-pause` pass."""
    limits: LimitSettings | None = None
    """How old a password may become: stricter than the `limits` of the whole configuration, which apply otherwise."""

    @model_validator(mode="after")
    def _one_schedule(self) -> "PolicySettings":
        if self.every is not None and self.cron is not None:
            raise invalid("every and cron exclude each other", "keep one of the two")
        if self.cron is None and "timezone" in self.model_fields_set:
            raise invalid("timezone has no effect without cron", "remove it, or move it into the window")
        return self

    def schedule(self) -> Schedule:
        """Returns the schedule as the core defines it."""
        if self.cron is not None:
            return Cron(self.cron, self.timezone)
        return Every(self.every or self._fitting() or _USUAL)

    def _fitting(self) -> timedelta | None:
        if self.limits is None:
            return None
        window, limit = self._window(), self.limits.core()
        return fitting_interval(window, self.overlap, limit.max_age - limit.warn_before)

    def _window(self) -> Window | None:
        return self.window.core() if self.window is not None else None

    def core(self, name: str) -> Policy:
        """Returns the policy as the core defines it."""
        return Policy(
            name=name,
            schedule=self.schedule(),
            window=self._window(),
            overlap=self.overlap,
            quarantine=self.quarantine,
            password=self.password.core(),
            verify=self.verify,
            first=self.first.core(),
            usage=self.usage.core() if self.usage is not None else None,
            hooks=self.hooks.core(),
            blackouts=tuple(each for settings in self.blackouts for each in settings.core()),
            age_limit=self.limits.core() if self.limits is not None else None,
        )
