"""What removed targets left behind: what can still be carried out, and what nobody can end.

An orphan is what no process ends by itself: a person has to.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from rotator.core.age_limit import AgeLimit
from rotator.core.model import Attempt, Credential, Ending, Policy, Strategy, Target, TargetState
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every

_NEVER = Every(timedelta(days=36500))
_NO_POLICIES: Mapping[str, Policy] = MappingProxyType({})


class OrphanKind(StrEnum):
    """What is left behind, as the label of a metric."""

    PUBLISHED = "published"  # devices may use it, and nobody rotates it
    LEDGER = "ledger"  # it was replaced, and its account is not configured
    ATTEMPT = "attempt"  # an open attempt of a removed target, whose account is not configured
    RENAMED = "renamed"  # under the former name of a target: the rename was cut, and nobody works on it
    CHECK = "check"  # a check has left it at an account that is not configured


@dataclass(frozen=True, slots=True)
class Orphan:
    """A credential that nobody ends."""

    target: str  # empty for what a check has left
    kind: OrphanKind
    credential: Credential


def is_empty(state: TargetState) -> bool:
    """True if nothing is left of a target."""
    nothing_open = state.published is None and state.attempt is None and not state.ended and not state.owed
    return nothing_open and not state.ledger and not state.former_paths


def with_rules(state: TargetState, target: Target) -> TargetState:
    """Keeps the rules by which what the target leaves behind ends if it is removed later."""
    policy = target.policy
    kept = replace(state, overlap=policy.overlap, quarantine=policy.quarantine, usage=policy.usage)
    return replace(kept, policy=policy.name, labels=target.labels)


def has_rules(state: TargetState, target: Target) -> bool:
    """True if those are the rules that a state document keeps."""
    policy = target.policy
    kept = (state.policy, state.labels, state.overlap, state.quarantine, state.usage)
    return kept == (policy.name, target.labels, policy.overlap, policy.quarantine, policy.usage)


def left_over(
    state: TargetState, policies: Mapping[str, Policy] = _NO_POLICIES, age_limit: AgeLimit | None = None
) -> Target | None:
    """Returns the target that a state document stands for, rebuilt to carry out what is left; None: nothing is.

    If a rename of it was cut, it is held until that is finished.

    Args:
        policies: those that are configured: the blackouts and the limit of the one that the target had still hold.
        age_limit: of the whole configuration, if that policy is gone.
    """
    if is_empty(state):
        return None
    attempt = state.attempt
    strategy = attempt.strategy if attempt is not None else Strategy.REPLACE
    kept = (state.overlap, state.quarantine, PasswordRules())
    had = policies.get(state.policy)
    blackouts, limit = (had.blackouts, had.age_limit) if had is not None else ((), age_limit)
    policy = Policy(
        state.policy or "removed", _NEVER, None, *kept, blackouts=blackouts, usage=state.usage, age_limit=limit
    )
    names = _standing(attempt) if strategy is Strategy.ALTERNATING and attempt is not None else ()
    account = _account(state)
    return Target(state.target, account, strategy, names, state.path, policy, removed=True, labels=state.labels)


def _account(state: TargetState) -> str:
    known = [each.account for each in _credentials(state)] + [owed.call.account for owed in state.owed]
    return known[0] if known else ""


def _credentials(state: TargetState) -> list[Credential]:
    known = [state.attempt.staged] if state.attempt is not None else []
    known += [state.published] if state.published is not None else []
    return known + [entry.credential for entry in state.ledger] + [ended.credential for ended in state.ended]


def _standing(attempt: Attempt) -> tuple[str, ...]:
    """Returns the usernames of both standing credentials: neither is deleted when the attempt ends."""
    both = (attempt.staged, attempt.predecessor)
    return tuple(credential.username for credential in both if credential is not None)


def orphans(state: TargetState, accounts: Collection[str], *, configured: bool) -> Iterator[Orphan]:
    """Yields what nobody ends of one target.

    Args:
        accounts: the configured provider accounts.
        configured: the target is in the configuration.
    """
    if state.renamed_to:  # if it is configured again, that is a hold of its own
        yield from (Orphan(state.target, OrphanKind.RENAMED, each) for each in _credentials(state) if not configured)
        return
    if not configured and state.published is not None:
        yield Orphan(state.target, OrphanKind.PUBLISHED, state.published)
    attempt = state.attempt
    if not configured and attempt is not None and attempt.staged.account not in accounts:
        yield Orphan(state.target, OrphanKind.ATTEMPT, attempt.staged)
    for entry in state.ledger:
        if entry.credential.account not in accounts and entry.ending is not Ending.FORGET:
            yield Orphan(state.target, OrphanKind.LEDGER, entry.credential)
