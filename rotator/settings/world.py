"""What the checks look at: a configuration whose parts are right by themselves, and what the providers can do."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.core.model import Capabilities, Strategy
from rotator.settings.accounts import Account
from rotator.settings.models import Configuration, Policy, Target
from rotator.settings.problems import Loc


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place. Neither text repeats a value that could be a secret."""

    loc: Loc
    what: str
    remedy: str = ""
    fatal: bool = True  # False: a warning


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one type of provider account."""

    capabilities: Capabilities
    longest_call: timedelta  # the bound within which every call to it ends


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is known of all types, by the name that `type` takes in the configuration."""

    kinds: Mapping[str, Kind]
    unsupported: Callable[[Strategy, Capabilities], str | None]  # why it cannot be done; None where it can


@dataclass(frozen=True, slots=True)
class Use:
    """One target together with what it refers to, where all of that is there."""

    loc: Loc
    target: Target
    account: Account
    kind: Kind
    policy: Policy
    policy_loc: Loc  # of the target where the policy is the default that nobody wrote

    @property
    def overlaps(self) -> bool:
        """True where old and new are both accepted for a while."""
        return self.target.strategy is not Strategy.IN_PLACE

    def policy_key(self, key: str) -> Loc:
        """Where a key of the policy stands."""
        return (*self.policy_loc, key) if self.policy_loc[0] == "policies" else self.policy_loc

    @property
    def propagation(self) -> timedelta:
        """How long after a change the provider may answer from the old state."""
        own = self.account.propagation
        return own if own is not None else self.kind.capabilities.propagation


@dataclass(frozen=True, slots=True)
class World:
    """All that a check may rest on."""

    configuration: Configuration
    facts: ProviderFacts

    def targets(self) -> Iterator[tuple[Loc, Target]]:
        """Every target and where it stands."""
        for position, target in enumerate(self.configuration.targets):
            yield ("targets", position), target

    def password_uses(self) -> Iterator[Use]:
        """Those whose passwords are made here, and not by the provider."""
        return (use for use in self.uses() if not use.kind.capabilities.generates_password)

    def uses(self) -> Iterator[Use]:
        """Every target whose provider and policy are there."""
        for loc, target in self.targets():
            account = self.configuration.providers.get(target.provider)
            policy = self.configuration.policy(target.policy)
            if account is not None and policy is not None:
                written = target.policy in self.configuration.policies
                policy_loc: Loc = ("policies", target.policy) if written else loc
                yield Use(loc, target, account, self.facts.kinds[account.type], policy, policy_loc)
