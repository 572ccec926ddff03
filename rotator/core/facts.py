"""What is known of a target at one moment: all that a decision may rest on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.core.backoff import waits
from rotator.core.model import (
    Attempt,
    Capabilities,
    ConsumerDocument,
    Credential,
    LedgerEntry,
    Phase,
    Strategy,
    Target,
    TargetState,
)


def key(wanted: Credential) -> str:
    """Names a look-up: by id, else by username, else by the attempt that made it."""
    return f"{wanted.account}/{wanted.id or wanted.username or wanted.attempt}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Gathered by the engine, judged by `decide`."""

    target: Target
    capabilities: Mapping[str, Capabilities]  # by provider account
    state: TargetState
    consumer: ConsumerDocument
    claimed: bool  # this process holds the claim, and for longer than any one effect can take
    taken: timedelta  # for how much longer the claim of another process is respected
    now: datetime
    found: Mapping[str, tuple[Credential, ...]] = field(default_factory=dict)  # look-ups of this look, by `key`
    closed: Mapping[str, datetime] = field(default_factory=dict)  # accounts whose circuit is open, and until when
    retirements_left: int = 1  # how many the cap for this minute still allows
    doubted: frozenset[str] = frozenset()  # accounts where too many passwords were set in place and not proved

    @property
    def undisturbed(self) -> bool:
        """True where the consumer document is what was last published, or does not exist and nothing was published."""
        if self.state.published is None:
            return not self.consumer.exists
        return self.consumer.names(self.state.published)

    def backing_off(self) -> bool:
        """True while the back-off of the target lasts. A request to act now has already cleared it."""
        return waits(self.state.not_before, self.now)

    def protected(self, credential: Credential) -> bool:
        """True where a credential must not be touched: it is published, or about to be, or handed out to devices."""
        attempt = self.state.attempt
        kept = (self.state.published, attempt.staged if attempt else None)
        return any(other is not None and same(other, credential) for other in kept) or self.consumer.concerns(
            credential
        )


def same(one: Credential, other: Credential) -> bool:
    """True where both are the same credential at the provider, whatever their passwords."""
    if one.account != other.account:
        return False
    if one.id is not None and other.id is not None:
        return one.id == other.id
    if one.username and other.username:
        return one.username == other.username
    # Of a lost create only the attempt is known; what a listing then shows for it may be more than one credential.
    return one.id is None and other.id is None and one.attempt is not None and one.attempt == other.attempt


def entry_of(state: TargetState, credential: Credential) -> LedgerEntry | None:
    """The ledger's entry for `credential`, if there is one."""
    return next((entry for entry in state.ledger if same(entry.credential, credential)), None)


def unproved_in_place(attempt: Attempt | None) -> bool:
    """True where the provider may have a password in place of the published one, and was not seen to accept it."""
    if attempt is None or attempt.strategy is not Strategy.IN_PLACE:
        return False
    return attempt.phase is Phase.APPLIED or (attempt.phase is Phase.STAGED and attempt.uncertain)
