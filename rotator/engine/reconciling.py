"""Reads the documents of all targets and the listing of an account, and compares them; no target is changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.discrepancies import AccountListing, DiscrepancyKind, Reason, TargetDocuments
from rotator.core.evidence import FoundCredentials
from rotator.core.left_over import left_over
from rotator.core.model import Strategy, Target, TargetState
from rotator.core.reconciliation import Reconciliation, compare
from rotator.core.selection import ListedCredential, Selection
from rotator.engine.conflicts import repeat_on_conflict
from rotator.engine.former_names import FormerNames
from rotator.engine.presence import Presence
from rotator.engine.provider_caller import message_of
from rotator.ports import Clock, Provider, Store, StoreCorrupt, StoreDeleted


@dataclass(frozen=True, slots=True)
class ReconciledAccount:
    """What came of one listing."""

    accounts: tuple[str, ...]  # the names in the configuration that mean it
    result: Reconciliation
    problem: str = ""  # why it is not certain that everything was listed; empty: it is
    unread: tuple[str, ...] = ()  # targets whose documents cannot be read: what they name may be called somebody else's


@dataclass(slots=True)
class _ReadDocuments:
    """The documents of all targets, as they were read."""

    by_name: dict[str, TargetDocuments] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)  # the names, also of documents of which nothing is left
    unread: dict[str, None] = field(default_factory=dict)


class Reconciler:
    """Compares accounts with the documents: `read_documents` first, then `reconcile` for each listing."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        providers: Mapping[str, Provider],
        listings: Mapping[str, str],
        targets: Sequence[Target],
        selections: Sequence[Selection],
        former_names: FormerNames,
        presence: Presence,
        read_each: Callable[[Callable[[str], None], Sequence[str]], object],
        known: Callable[[str], TargetState | None] = lambda _: None,
    ) -> None:
        """Prepares without a request.

        Args:
            listings: by an account's name in the configuration, a key that all names with the same listing share: the
                one of its evidence document.
            read_each: calls a function with each name, perhaps on several threads.
            known: returns the document of a target as this process knows it from before; None: it is read. What does
                not fit is read in any case.
        """
        self._store, self._clock, self._providers, self._listings = store, clock, providers, listings
        self._targets = {target.name: target for target in targets}
        self._selections, self._former_names, self._presence = selections, former_names, presence
        self._read_each, self._known = read_each, known
        self._documents = _ReadDocuments()

    def same_listing(self, account: str) -> tuple[str, ...]:
        """Returns the names in the configuration that have the same listing as this one, in their order."""
        return tuple(name for name in self._providers if self._listings[name] == self._listings[account])

    def names(self) -> tuple[str, ...]:
        """Returns the names of all targets that a document may stand under. Raises StoreError."""
        return tuple(dict.fromkeys((*self._targets, *self._former_names.all())))

    def read_documents(self, names: Sequence[str], read: Callable[[], None] = lambda: None) -> None:
        """Reads the state documents with these names. Raises StoreError.

        Args:
            read: is called after each.
        """

        def take(name: str) -> None:
            self._read(name)
            read()

        self._read_each(take, names)

    def reconcile(self, account: str, reading: Callable[[str], None] = lambda _: None) -> ReconciledAccount:
        """Reads the listing of an account, compares it, and looks again at what does not fit. Raises StoreError.

        Args:
            reading: is told how far a long listing has been read.
        """
        accounts, key = self.same_listing(account), self._listings[account]
        before = self._store.read_evidence(key)  # first: one that cannot be read costs the account no request
        entries: dict[str, ListedCredential] = {}
        answer = self._list(self._providers[account], entries, reading)
        known = before, self._store.read_evidence(key)  # what either names is known, as with the targets' documents
        self._presence.look()
        living = self._presence.living()
        listing = AccountListing(
            {name: self._providers[name].identity for name in accounts},
            tuple(entries.values()),
            whole=isinstance(answer, Done),
            disables=self._providers[account].capabilities.disables,
            scratch=tuple(dict.fromkeys(one.credential for each in known for one in each.scratch)),
            checking=any(each.holder in living for each in known),
            selections=tuple(one for one in self._selections if one.account in accounts),
        )
        first = self._compared(listing)
        # Also documents that were not there before the listing was read: it may show what their targets have created.
        new = [name for name in self.names() if name not in self._documents.looked_at]
        self.read_documents([*new, *self._concerned(accounts, first)])
        problem = "" if isinstance(answer, Done) else message_of(answer)
        return ReconciledAccount(accounts, self._compared(listing), problem, tuple(self._documents.unread))

    def keep(self, found: ReconciledAccount, retired: int = 0) -> None:
        """Keeps how much was found of each kind in Vault, where daemons read it for their metrics. Raises StoreError.

        What is not certain, or found while a check works on the account's document, is not kept.

        Args:
            retired: how many of the orphans are being retired.
        """
        if found.problem or found.unread:
            return
        key, counts = self._listings[found.accounts[0]], dict(found.result.counts)
        counts[DiscrepancyKind.ORPHANED] -= retired
        kept = tuple(FoundCredentials(kind, number) for kind, number in counts.items())

        def write() -> None:
            known = self._store.read_evidence(key)
            if known.holder not in self._presence.living():
                now = self._store.now() or self._clock.now()
                changed = replace(known, version=known.version + 1, reconciled_at=now, reconciled=kept)
                self._store.write_evidence(key, changed)

        repeat_on_conflict(write, self._clock)

    def _list(
        self, provider: Provider, entries: dict[str, ListedCredential], reading: Callable[[str], None]
    ) -> Answer[None]:
        """Reads the whole listing, which may take many calls: each goes on where the one before ended."""
        while True:
            answer = provider.each(lambda entry: entries.__setitem__(entry.id, entry))
            if not isinstance(answer, Retry) or answer.why is not Wait.READING:
                return answer
            reading(answer.message)

    def _compared(self, listing: AccountListing) -> Reconciliation:
        now = self._store.now() or self._clock.now()
        return compare(listing, self._documents.by_name.values(), now)

    def _concerned(self, accounts: Iterable[str], result: Reconciliation) -> list[str]:
        """Returns the targets whose documents may say more by now."""
        doubtful = [each for each in result.discrepancies if each.kind is not DiscrepancyKind.NEVER_ROTATED]
        names = dict.fromkeys(name for each in doubtful for name in each.targets)
        if any(each.reason is Reason.BY_ATTEMPT for each in doubtful):  # of whichever target
            makers = (one for one in self._targets.values() if one.strategy is Strategy.REPLACE)
            names |= dict.fromkeys(one.name for one in makers if one.account in accounts)
        return [name for name in names if name in self._documents.by_name]

    def _read(self, name: str) -> None:
        state = None if name in self._documents.looked_at else self._known(name)
        self._documents.looked_at.add(name)
        state = state or self._state(name)
        if state is None:  # what it named is not known
            self._documents.unread[name] = None
            return
        target = self._targets.get(name) or left_over(state)
        before = self._documents.by_name.get(name)
        if before is not None:
            self._documents.by_name[name] = replace(before, states=(*before.states, state))
        elif target is not None:
            self._documents.by_name[name] = TargetDocuments(target, (state,))

    def _state(self, name: str) -> TargetState | None:
        try:
            read = self._store.read_state(name)
        except (StoreCorrupt, StoreDeleted):
            return None
        return None if read.deleted else read.state
