"""The listing of an account against the documents of the targets: what does not fit. Pure.

`compare` takes one reading of an account's listing and the state documents of every target, and returns each
discrepancy. Work in progress is not one: documents that were read before and after the listing are believed if both
readings agree, and whatever either of them names is known. A reading of the documents after the listing has the staged
credential of whatever was created before the listing showed it. Only what was created and deleted between the two
readings, as an emergency may, is named by neither: before anyone acts on an orphan, it is looked up once more.

`compare(...).of(DiscrepancyKind.FOREIGN)` has the credentials that could be taken up, each with its `listed` entry.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from rotator.core.discrepancies import (
    AccountListing,
    Discrepancy,
    DiscrepancyKind,
    Reason,
    TargetDocuments,
    discrepancy,
    discrepancy_of_listed,
)
from rotator.core.model import Credential, Ending, Strategy
from rotator.core.naming import is_scratch, made_from, username_stem
from rotator.core.selection import ListedCredential
from rotator.core.target_discrepancies import ListingIndex, TargetComparison, known_by, used_by


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a listing and the documents say together."""

    discrepancies: tuple[Discrepancy, ...]
    listed: int  # credentials of the account
    known: int  # of them, that a document or the configuration names

    def of(self, *kinds: DiscrepancyKind) -> tuple[Discrepancy, ...]:
        """Returns the discrepancies of some kinds. Those of `FOREIGN` have what could be taken up as targets."""
        return tuple(each for each in self.discrepancies if each.kind in kinds)

    @property
    def counts(self) -> Mapping[DiscrepancyKind, int]:
        """The number of discrepancies of every kind."""
        return {kind: len(self.of(kind)) for kind in DiscrepancyKind}


def compare(listing: AccountListing, documents: Iterable[TargetDocuments], now: datetime) -> Reconciliation:
    """Compares a listing with the documents of all targets, whatever their account: what any of them names is known.

    Args:
        documents: of every target; one that is missing here makes what it names look foreign or orphaned.
        now: by Vault's clock: while a claim lasts, somebody is at work.
    """
    entries = tuple({entry.id: entry for entry in listing.entries}.values())
    read = tuple(documents)
    every = tuple(each for each in read if not any(state.renamed_to for state in each.states))
    index = ListingIndex(listing, entries)
    found: list[Discrepancy] = []
    known: set[str] = set()
    for each in every:
        found += TargetComparison(listing, index, each, now).judge()
    for each in read:  # after an interrupted rename, the old document still has everything
        known.update(entry.id for credential in known_by(each) for entry in index.find(credential))
    found += _of_two_targets(listing, index, every)
    makers = _Makers(listing, every)
    found += [makers.judge(entry) for entry in entries if entry.id not in known and not makers.at_work_on(entry)]
    found += _listed_twice(listing, entries)
    order = {kind: number for number, kind in enumerate(DiscrepancyKind)}
    found.sort(key=lambda each: (order[each.kind], each.username, each.id or "", each.targets))
    return Reconciliation(tuple(found), len(entries), len(known))


def _of_two_targets(
    listing: AccountListing, index: ListingIndex, documents: Iterable[TargetDocuments]
) -> Iterator[Discrepancy]:
    """Yields each credential that two targets use, or that one uses and another is going to end."""
    owners: defaultdict[Hashable, dict[str, Credential]] = defaultdict(dict)
    for each in documents:
        state = each.states[-1]
        ends = [entry.credential for entry in state.ledger if entry.ending is not Ending.FORGET]
        for credential in (*used_by(each.target, state), *ends):
            listed = index.find(credential)
            if listed or index.is_here(credential):
                key = listed[0].id if listed else (credential.id, credential.username.casefold(), credential.attempt)
                owners[key].setdefault(each.target.name, credential)
    for named in owners.values():
        if len(named) > 1:
            credential = next(iter(named.values()))
            yield discrepancy(listing, Reason.TWO_TARGETS, credential, index.find(credential), tuple(named))


def _listed_twice(listing: AccountListing, entries: Iterable[ListedCredential]) -> Iterator[Discrepancy]:
    """Yields each username that several credentials have. Some providers do not tell letter cases apart."""
    by_name: defaultdict[str, list[ListedCredential]] = defaultdict(list)
    for entry in entries:
        by_name[entry.username.casefold()].append(entry)
    for same in by_name.values():
        if len(same) > 1:
            yield discrepancy_of_listed(listing, Reason.USERNAME_TWICE, same)


class _Makers:
    """Judges entries that no document names: whether rotator may have made them."""

    def __init__(self, listing: AccountListing, documents: Iterable[TargetDocuments]) -> None:
        self._listing = listing
        self._by_stem: defaultdict[str, list[str]] = defaultdict(list)
        self._by_name: dict[str, str] = {}  # the configured usernames of targets that use another one by now
        for each in documents:
            target = each.target
            if target.account not in listing.accounts or target.strategy is not Strategy.REPLACE:
                continue
            for stem in {username_stem(target.usernames, target.name), *_stems_in(each)} - {""}:
                self._by_stem[stem].append(target.name)
            self._by_name |= {username.casefold(): target.name for username in target.usernames}

    def at_work_on(self, entry: ListedCredential) -> bool:
        """True if a check of the account has made it, and runs."""
        return self._listing.checking and self._is_written_down(entry)

    def judge(self, entry: ListedCredential) -> Discrepancy:
        """Returns what an entry is that no document names."""
        reason, targets = self._reason(entry)
        return discrepancy_of_listed(self._listing, reason, [entry], targets)

    def _reason(self, entry: ListedCredential) -> tuple[Reason, tuple[str, ...]]:
        if self._is_written_down(entry):
            return Reason.SCRATCH, ()
        if is_scratch(entry.username):
            return Reason.LOST_SCRATCH, ()
        if entry.attempt is not None:
            return Reason.BY_ATTEMPT, ()
        makers = self._by_stem.get(made_from(entry.username) or "")
        if makers:
            return Reason.BY_NAME, tuple(makers)
        selected = next((each for each in self._listing.selections if each.selects(entry)), None)
        if selected is not None:
            return Reason.SELECTED, (selected.target(entry.username).name,)
        owner = self._by_name.get(entry.username.casefold())
        return (Reason.REPLACED_NAME, (owner,)) if owner is not None else (Reason.UNNAMED, ())

    def _is_written_down(self, entry: ListedCredential) -> bool:
        return any(
            entry.id == one.id or entry.username == one.username or (one.attempt and entry.attempt == one.attempt)
            for one in self._listing.scratch
        )


def _stems_in(documents: TargetDocuments) -> Iterator[str]:
    """Yields the beginning of each username that was made for a target: it may have had another configured one."""
    for credential in known_by(documents):
        stem = made_from(credential.username) if credential.attempt is not None else None
        if stem is not None:
            yield stem
