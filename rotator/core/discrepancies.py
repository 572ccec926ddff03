"""The words and values of a comparison of an account's listing with the documents of the targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from rotator.core.model import Credential, Target, TargetState
from rotator.core.selection import ListedCredential, Selection


class DiscrepancyKind(Enum):
    """A kind of discrepancy, as the label of a metric and in the output of `rotator reconcile`."""

    MISSING = "missing"  # a document names it, and the provider does not have it
    CHANGED = "changed"  # enabled, id, username or password differ from the documents
    ORPHANED = "orphaned"  # made by rotator, and no target owns it, or only a removed one
    DUPLICATE = "duplicate"  # one username twice, or one credential of two targets
    FOREIGN = "foreign"  # at the provider, and nothing says that it is ours
    NEVER_ROTATED = "never_rotated"  # of a target whose credential in use was not made by rotator


class _OfAKind(Enum):
    kind: DiscrepancyKind

    def __new__(cls, kind: DiscrepancyKind, word: str) -> Self:
        member = object.__new__(cls)
        member._value_ = word
        member.kind = kind
        return member


class Reason(_OfAKind):
    """What exactly does not fit. Each is of one `kind`."""

    UNNAMED = DiscrepancyKind.FOREIGN, "unnamed"
    REPLACED_NAME = DiscrepancyKind.FOREIGN, "replaced_name"  # configured for a target that uses another by now
    BY_ATTEMPT = DiscrepancyKind.ORPHANED, "by_attempt"  # its name carries an attempt
    BY_NAME = DiscrepancyKind.ORPHANED, "by_name"  # its username has the form of those that are made for a target
    SCRATCH = DiscrepancyKind.ORPHANED, "scratch"  # of `check-provider`, whose document knows it
    LOST_SCRATCH = DiscrepancyKind.ORPHANED, "lost_scratch"  # likewise, and no document knows it
    OF_REMOVED = DiscrepancyKind.ORPHANED, "of_removed"  # published by a target that is not configured any more
    PUBLISHED_GONE = DiscrepancyKind.MISSING, "published_gone"
    STANDBY_GONE = DiscrepancyKind.MISSING, "standby_gone"
    REPLACED_GONE = DiscrepancyKind.MISSING, "replaced_gone"  # it waits in the ledger
    CONFIGURED_GONE = DiscrepancyKind.MISSING, "configured_gone"  # never taken up, and `new` is not set
    REMOVED_GONE = DiscrepancyKind.MISSING, "removed_gone"  # published by a target that is not configured any more
    DISABLED = DiscrepancyKind.CHANGED, "disabled"  # though it is published
    REPLACED_DISABLED = DiscrepancyKind.CHANGED, "replaced_disabled"  # during its overlap
    REPLACED_ENABLED = DiscrepancyKind.CHANGED, "replaced_enabled"  # though rotator disabled it
    STANDBY_ENABLED = DiscrepancyKind.CHANGED, "standby_enabled"  # likewise
    RECREATED = DiscrepancyKind.CHANGED, "recreated"  # the same username with another id
    RENAMED = DiscrepancyKind.CHANGED, "renamed"  # the same id with another username
    OTHER_PASSWORD = DiscrepancyKind.CHANGED, "other_password"
    USERNAME_TWICE = DiscrepancyKind.DUPLICATE, "username_twice"
    TWO_TARGETS = DiscrepancyKind.DUPLICATE, "two_targets"
    NOTHING_PUBLISHED = DiscrepancyKind.NEVER_ROTATED, "nothing_published"
    ADOPTED = DiscrepancyKind.NEVER_ROTATED, "adopted"
    SELECTED = DiscrepancyKind.NEVER_ROTATED, "selected"  # a selection finds it, and the daemon has not taken it up yet


@dataclass(frozen=True, slots=True)
class AccountListing:
    """One reading of an account's listing."""

    accounts: Mapping[str, str]
    """The names in the configuration that mean this listing, each with the account's identity (or an empty text)."""
    entries: Sequence[ListedCredential]
    whole: bool = True
    """False: it is not certain that this is everything, so nothing is missing."""
    disables: bool = True
    """The provider can disable this kind of credential; otherwise `enabled` says nothing about us."""
    scratch: Sequence[Credential] = ()
    """What `check-provider` has written down for this account."""
    checking: bool = False
    """A living process works on that scratch now."""
    selections: Sequence[Selection] = ()
    """Over these accounts, in the order of the configuration."""


@dataclass(frozen=True, slots=True)
class TargetDocuments:
    """The state document of one target, configured or left over, as read once or more; the latest reading is last."""

    target: Target
    states: Sequence[TargetState]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that does not fit."""

    reason: Reason
    account: str  # a name in the configuration
    username: str = ""  # as listed if it is listed, else as documented; empty: unknown
    id: str | None = None
    targets: tuple[str, ...] = ()  # whose documents or names it concerns
    listed: tuple[ListedCredential, ...] = ()  # the entries that it concerns

    @property
    def kind(self) -> DiscrepancyKind:
        """Its kind."""
        return self.reason.kind


def discrepancy(
    listing: AccountListing,
    reason: Reason,
    credential: Credential,
    listed: Sequence[ListedCredential] = (),
    targets: tuple[str, ...] = (),
) -> Discrepancy:
    """Returns a discrepancy with what is listed of the credential, or else with what is documented."""
    account = credential.account if credential.account in listing.accounts else _first_name(listing)
    shown = listed[0] if listed else credential
    return Discrepancy(reason, account, shown.username, shown.id, targets, tuple(listed))


def discrepancy_of_listed(
    listing: AccountListing, reason: Reason, listed: Sequence[ListedCredential], targets: tuple[str, ...] = ()
) -> Discrepancy:
    """Returns a discrepancy of entries that no document names."""
    return Discrepancy(reason, _first_name(listing), listed[0].username, listed[0].id, targets, tuple(listed))


def _first_name(listing: AccountListing) -> str:
    return next(iter(listing.accounts), "")
