"""Targets, each with the provider account and the policy that it names."""

from collections.abc import Iterator
from dataclasses import dataclass

from rotator.core.model import Capabilities, Strategy
from rotator.providers.options import AccountOptions
from rotator.settings.models import PolicySettings, Settings, TargetSettings
from rotator.settings.problems import Loc


@dataclass(frozen=True, slots=True)
class LinkedTarget:
    """One target with its account and its policy, both of which exist."""

    loc: Loc
    target: TargetSettings
    account: AccountOptions
    policy: PolicySettings
    policy_loc: Loc  # the target's place if the file does not declare the policy `default`

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of the account's kind of credential."""
        return self.account.capabilities

    @property
    def overlaps(self) -> bool:
        """True if old and new are both accepted for a while."""
        return self.target.strategy is not Strategy.IN_PLACE

    def policy_key(self, key: str) -> Loc:
        """Returns the place of a key of the policy."""
        return (*self.policy_loc, key) if self.policy_loc[0] == "policies" else self.policy_loc


def targets_of(settings: Settings) -> Iterator[tuple[Loc, TargetSettings]]:
    """Yields every target and its place."""
    for position, target in enumerate(settings.targets):
        yield ("targets", position), target


def linked_targets(settings: Settings) -> Iterator[LinkedTarget]:
    """Yields every target whose provider and policy exist."""
    for loc, target in targets_of(settings):
        account = settings.providers.get(target.provider)
        policy = settings.policy(target.policy)
        if account is not None and policy is not None:
            policy_loc: Loc = ("policies", target.policy) if target.policy in settings.policies else loc
            yield LinkedTarget(loc, target, account, policy, policy_loc)
