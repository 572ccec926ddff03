"""Targets in the configuration: one by one, as lists in further files, and as selections over an account."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from rotator.core.model import Policy, Strategy, Target
from rotator.core.selection import Selection
from rotator.fields.labels import LabelPairs, Labels
from rotator.fields.section import ROW_CONFIG, Row, Section
from rotator.fields.templates import NameTemplate, PathTemplate
from rotator.fields.text import IncludedPath, Name, UsernamePattern, VaultPath, Word
from rotator.settings.policy_models import PolicySettings

DEFAULT_POLICY = "default"


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW_CONFIG)
class CredentialSettings(Row):
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


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW_CONFIG)
class TargetSettings(Row):
    """One secret that devices use. Keys that `defaults` has may be left out."""

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
    labels: Labels = Field(default_factory=tuple)
    """Words to choose targets by, such as `{site: berlin}`: `rotator rotate --label site=berlin`."""

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
            labels=self.labels,
        )


class DefaultsSettings(Section):
    """What targets of this file, and of the files that it includes, need not say themselves."""

    provider: str | None = Field(default=None, examples=["vobiz-prod"])
    """The provider account."""
    strategy: Strategy | None = Field(default=None, examples=["in-place"])
    """The strategy."""
    path: PathTemplate | None = Field(default=None, examples=["sip/{name}"])
    """The path, with `{name}` or `{username}` in it."""
    policy: str | None = Field(default=None, examples=["quarterly"])
    """The policy."""
    labels: Labels = Field(default_factory=tuple, examples=[{"site": "berlin"}])
    """Labels, which are added to those of each target. A target's own label with the same key wins."""

    def over(self, outer: "DefaultsSettings") -> "DefaultsSettings":
        """Returns these defaults, and those of the including file where these say nothing."""
        return DefaultsSettings(
            provider=self.provider or outer.provider,
            strategy=self.strategy or outer.strategy,
            path=self.path or outer.path,
            policy=self.policy or outer.policy,
            labels=_merged(outer.labels, self.labels),
        )


def _merged(outer: LabelPairs, inner: LabelPairs) -> LabelPairs:
    return tuple(sorted({**dict(outer), **dict(inner)}.items()))


class SelectionSettings(Section):
    """Every credential of an account whose username matches is a target. New ones are picked up every ten minutes.

    Those that the account no longer shows are reported, and never ended. What a rotation creates is no target of its
    own.
    """

    provider: str = Field(examples=["vobiz-prod"])
    """The provider account, by its name under `providers`."""
    username: UsernamePattern = Field(examples=["agent-*"])
    """Which usernames are selected: a pattern with `*` and `?`, without regard to case. A credential that is disabled
    is not picked up, nor is one that a target names by itself."""
    description: str | None = Field(default=None, min_length=1, max_length=200, examples=["agent *"])
    """Which descriptions are selected, where the provider lists any (Telnyx: the name of a telephony credential);
    default: whatever it is."""
    name: NameTemplate = Field(examples=["agent-{username}"])
    """The name of each target, with `{username}` in it. Never change it."""
    path: PathTemplate = Field(examples=["sip/{username}"])
    """The path of each target's document, with `{name}` or `{username}` in it."""
    strategy: Strategy = Field(examples=["in-place"])
    """`replace` or `in-place`: `alternating` needs two usernames for each target."""
    policy: str = DEFAULT_POLICY
    """The policy, by its name under `policies`."""
    labels: Labels = Field(default_factory=tuple)
    """The labels of each target."""

    def core(self, policy: Policy) -> Selection:
        """Returns the selection as the core defines it."""
        return Selection(
            account=self.provider,
            username=self.username,
            description=self.description or "",
            name=self.name,
            path=self.path,
            strategy=self.strategy,
            policy=policy,
            labels=self.labels,
        )


class ListSettings(Section):
    """What every file may contain: the configuration itself, and the files that it includes."""

    include: tuple[IncludedPath, ...] = Field(default=(), examples=[["targets.d", "phones.csv"]])
    """Further files, or folders of them: YAML with `defaults`, `policies`, `targets` and `include`; targets as CSV or
    JSON lines. A relative path starts at the folder of the file that names it; a folder is read in the order of its
    names."""
    defaults: DefaultsSettings = Field(default_factory=DefaultsSettings)
    """What the targets of this file, and of the files that it includes, have in common."""
    policies: dict[Name, PolicySettings] = Field(default_factory=dict)
    """The schedules, grace periods and password rules, each under a name of your choice."""
    targets: tuple[TargetSettings, ...] = ()
    """The secrets to rotate on schedule."""
    selections: tuple[SelectionSettings, ...] = ()
    """Targets by what an account contains."""
