"""Targets, each with the provider account and the policy that it names."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rotator.core.model import Capabilities, Strategy
from rotator.providers.options import AccountOptions
from rotator.settings.models import Settings
from rotator.settings.policy_models import PolicySettings
from rotator.settings.problems import Loc
from rotator.settings.target_models import TargetSettings


@dataclass(frozen=True, slots=True)
class LinkedTarget:
    """One target with its account and its policy, both of which exist."""

    loc: Loc
    target: TargetSettings
    account: AccountOptions
    policy: PolicySettings
    policy_loc: Loc  # the target's place if the file does not declare the policy `default`
    capabilities: Capabilities  # of the account's kind of credential

    @property
    def overlaps(self) -> bool:
        """True if old and new are both accepted for a while."""
        return self.target.strategy is not Strategy.IN_PLACE

    def policy_key(self, key: str) -> Loc:
        """Returns the place of a key of the policy."""
        return (*self.policy_loc, key) if self.policy_loc[0] == "policies" else self.policy_loc


class CheckedSettings:
    """The settings as the checks see them: what several of them need is computed once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def targets(self) -> Iterator[tuple[Loc, TargetSettings]]:
        """Every target and its place."""
        return ((("targets", position), target) for position, target in enumerate(self.settings.targets))

    @cached_property
    def linked(self) -> tuple[LinkedTarget, ...]:
        """Every target whose provider and policy exist."""
        settings = self.settings
        capabilities = {name: account.capabilities for name, account in settings.providers.items()}
        policies = {name: settings.policy(name) for name in {target.policy for target in settings.targets}}
        linked = []
        for loc, target in self.targets:
            account, policy = settings.providers.get(target.provider), policies[target.policy]
            if account is not None and policy is not None:
                policy_loc: Loc = ("policies", target.policy) if target.policy in settings.policies else loc
                can = capabilities[target.provider]
                linked.append(LinkedTarget(loc, target, account, policy, policy_loc, can))
        return tuple(linked)

    @cached_property
    def kinds(self) -> tuple[LinkedTarget, ...]:
        """The first target of each account, policy and strategy: what holds for it holds for all of its kind."""
        first: dict[tuple[str, str, Strategy], LinkedTarget] = {}
        for linked in self.linked:
            target = linked.target
            first.setdefault((target.provider, target.policy, target.strategy), linked)
        return tuple(first.values())
