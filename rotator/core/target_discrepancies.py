"""What one target's documents say, and what an account's listing shows of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from rotator.core.discrepancies import AccountListing, Discrepancy, Reason, TargetDocuments, discrepancy
from rotator.core.model import Credential, Ending, LedgerEntry, Strategy, Target, TargetState, is_same_name
from rotator.core.selection import ListedCredential

T = TypeVar("T")


class ListingIndex:
    """The entries of a listing, by what a document knows of them."""

    def __init__(self, listing: AccountListing, entries: Iterable[ListedCredential]) -> None:
        self._accounts = listing.accounts
        self._by_id: dict[str, ListedCredential] = {}
        self._by_name: defaultdict[str, list[ListedCredential]] = defaultdict(list)
        self._by_attempt: defaultdict[str, list[ListedCredential]] = defaultdict(list)
        for entry in entries:
            self._by_id[entry.id] = entry
            self._by_name[entry.username.casefold()].append(entry)
            if entry.attempt is not None:
                self._by_attempt[entry.attempt].append(entry)

    def is_here(self, credential: Credential) -> bool:
        """True if the credential is one of this account, by the configuration's name and by the provider's."""
        identity = self._accounts.get(credential.account)
        return identity is not None and not (credential.identity and identity and credential.identity != identity)

    def find(self, credential: Credential) -> Sequence[ListedCredential]:
        """Returns the entries that the credential may be; with another id only if none has its own."""
        one = self._by_id.get(credential.id) if credential.id is not None else None
        if one is not None and (self.is_here(credential) or self._is_known_by(credential, one)):
            return [one]
        if not self.is_here(credential):
            return []
        if credential.username:
            return self._by_name.get(credential.username.casefold(), [])
        return self._by_attempt.get(credential.attempt or "", [])

    def _is_known_by(self, credential: Credential, entry: ListedCredential) -> bool:
        """True if a credential of another name in the configuration is the one with this id.

        An account may have been renamed there, and a sub-account's credentials may be listed at its main account. If
        the username is the id, another account may have the same.
        """
        return entry.id != entry.username or credential.identity in set(self._accounts.values()) - {""}


def known_by(documents: TargetDocuments) -> Iterator[Credential]:
    """Yields whatever a target's configuration and documents name."""
    target = documents.target
    for state in documents.states:
        yield from used_by(target, state)
        attempt = state.attempt
        named = [attempt.predecessor, attempt.handed_out] if attempt is not None else []
        yield from (one for one in named if one is not None)
        yield from (entry.credential for entry in state.ledger)
        yield from (ended.credential for ended in state.ended)


def used_by(target: Target, state: TargetState) -> Iterator[Credential]:
    """Yields what a target uses, or is going to: no other one may."""
    attempt = state.attempt
    named = [state.published, state.standby, attempt.staged if attempt is not None else None]
    yield from (one for one in named if one is not None)
    if state.published is None or target.strategy is not Strategy.REPLACE:
        yield from (Credential(target.account, username) for username in target.usernames)


def _agreed(states: Sequence[TargetState], part: Callable[[TargetState], T]) -> T | None:
    """Returns a part of the documents if all readings have the same; None: it changed meanwhile."""
    last = part(states[-1])
    return last if all(part(state) == last for state in states) else None


class TargetComparison:
    """Compares what one target's documents say."""

    def __init__(self, listing: AccountListing, index: ListingIndex, documents: TargetDocuments, now: datetime) -> None:
        self._listing, self._index = listing, index
        self._target, self._states, self._state = documents.target, documents.states, documents.states[-1]
        claims = (state.claim for state in self._states)
        self._at_work = any(claim is not None and claim.until > now for claim in claims)

    def judge(self) -> Iterator[Discrepancy]:
        """Yields everything about it."""
        removed = self._target.removed or self._state.retired_at is not None
        if self._target.account in self._listing.accounts and not removed:
            yield from self._never_rotated()
        if self._at_work:
            return
        # The counts tell an undo apart, after which the same is published as before.
        published, _ = _agreed(self._states, lambda state: (state.published, state.counts)) or (None, None)
        if published is not None and self._index.is_here(published):
            yield from self._published(published, removed=removed)
        standby = _agreed(self._states, lambda state: state.standby)
        if standby is not None and self._index.is_here(standby) and not self._changing:
            yield from self._standby(standby)
        for entry in self._state.ledger if not self._changing else ():  # an undo may be enabling it
            kept = all(entry in state.ledger for state in self._states)
            if kept and entry.ending is not Ending.FORGET and self._index.is_here(entry.credential):
                yield from self._replaced(entry)

    @property
    def _changing(self) -> bool:
        return any(state.attempt is not None for state in self._states)

    def _never_rotated(self) -> Iterator[Discrepancy]:
        target, published = self._target, self._state.published
        first = published or Credential(target.account, target.usernames[0] if target.usernames else "")
        if published is not None:
            if published.attempt is None:
                yield self._of(Reason.ADOPTED, published, self._index.find(published))
            return
        yield self._of(Reason.NOTHING_PUBLISHED, first, self._index.find(first))
        if self._listing.whole and not (target.new or self._changing):
            for username in target.usernames:
                wanted = Credential(target.account, username)
                if not self._index.find(wanted):
                    yield self._of(Reason.CONFIGURED_GONE, wanted)

    def _published(self, published: Credential, *, removed: bool) -> Iterator[Discrepancy]:
        found = self._index.find(published)
        if not found:
            if self._listing.whole:
                yield self._of(Reason.REMOVED_GONE if removed else Reason.PUBLISHED_GONE, published)
            return
        if removed:
            yield self._of(Reason.OF_REMOVED, published, found)
            return
        entry = found[0]
        if published.id is not None and entry.id != published.id:
            yield self._of(Reason.RECREATED, published, found)
        elif not is_same_name(entry.username, published.username):
            yield self._of(Reason.RENAMED, published, found)
        if not entry.enabled:
            yield self._of(Reason.DISABLED, published, found)
        both = published.password is not None and entry.password is not None
        if both and entry.password != published.password and not self._changing:
            yield self._of(Reason.OTHER_PASSWORD, published, found)

    def _standby(self, standby: Credential) -> Iterator[Discrepancy]:
        found = self._index.find(standby)
        if not found:
            if self._listing.whole:
                yield self._of(Reason.STANDBY_GONE, standby)
        elif any(self._index.find(entry.credential) == found for entry in self._state.ledger):
            return  # its entry says more
        elif found[0].enabled and not standby.enabled and self._listing.disables:
            yield self._of(Reason.STANDBY_ENABLED, standby, found)

    def _replaced(self, entry: LedgerEntry) -> Iterator[Discrepancy]:
        found = self._index.find(entry.credential)
        if not found:
            if self._listing.whole and entry.credential.id is not None:
                yield self._of(Reason.REPLACED_GONE, entry.credential)
        elif entry.disabled and found[0].enabled and self._listing.disables:
            yield self._of(Reason.REPLACED_ENABLED, entry.credential, found)
        elif not entry.cut_off and not found[0].enabled and entry.expires_at is None and not entry.uncertain:
            yield self._of(Reason.REPLACED_DISABLED, entry.credential, found)

    def _of(self, reason: Reason, credential: Credential, listed: Sequence[ListedCredential] = ()) -> Discrepancy:
        return discrepancy(self._listing, reason, credential, listed, (self._target.name,))
