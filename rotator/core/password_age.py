"""Which passwords of a target the provider accepts, since when, and when the oldest reaches its limit. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rotator.core.model import Credential, Ending, LedgerEntry, Target, TargetState


@dataclass(frozen=True, slots=True)
class AcceptedPassword:
    """A password that the provider accepts, as far as is known."""

    counted_from: datetime  # when it was made or, if that is unknown, first seen
    made_at: datetime | None  # None: somebody else made it
    credential: Credential | None  # None: the configured one, which was never rotated
    replaced: LedgerEntry | None = None  # its entry, if it was replaced


@dataclass(frozen=True, slots=True)
class AgeDeadline:
    """When the oldest accepted password of a target reaches its limit."""

    warns_at: datetime
    at: datetime


def accepted_passwords(target: Target, state: TargetState) -> Iterator[AcceptedPassword]:
    """Yields what is published, what was replaced and is not refused yet, and what an attempt has brought into force.

    What was replaced counts until rotator has it on record as disabled, even if the provider was told to end it.
    """
    published, attempt = state.published, state.attempt
    if published is not None:
        since = published.made_at or published.seen_at or state.first_seen
        if since is not None:
            yield AcceptedPassword(since, published.made_at, published)
    elif state.first_seen is not None and uses_unrotated(target, state):
        yield AcceptedPassword(state.first_seen, None, None)
    if attempt is not None and attempt.staged.made_at is not None:
        yield AcceptedPassword(attempt.staged.made_at, attempt.staged.made_at, attempt.staged)
    for entry in state.ledger:
        old = entry.credential
        if entry.ending is not Ending.FORGET and not entry.cut_off:
            # What a lost call may have created has neither, and is hardly older than its entry.
            yield AcceptedPassword(old.made_at or old.seen_at or entry.replaced_at, old.made_at, old, entry)


def deadline(target: Target, state: TargetState) -> AgeDeadline | None:
    """Returns when the oldest accepted password reaches its limit; None without a limit, or without a password."""
    limit = target.policy.age_limit
    if limit is None:
        return None
    since = min((each.counted_from for each in accepted_passwords(target, state)), default=None)
    if since is None:
        return None
    return AgeDeadline(since + limit.max_age - limit.warn_before, since + limit.max_age)


def uses_unrotated(target: Target, state: TargetState) -> bool:
    """True if devices use a configured credential that was never rotated."""
    return bool(target.usernames) and not target.new and not target.removed and state.retired_at is None
