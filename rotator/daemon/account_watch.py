"""Keeps what is known of each account fresh: reads what checks have shown, and compares listings with documents."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event

import structlog

from rotator.core.model import TargetState
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.looks import Looks
from rotator.daemon.share import Share
from rotator.engine import Reconciler
from rotator.ports import StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 5.0  # seconds between two checks whether something is due
_AFTER_START = timedelta(minutes=10)  # a start has enough to do
_AGAIN, _DOUBLED = timedelta(hours=1), 8  # after a comparison that failed; doubled with each failure, so often at most
_APART_PASSES = 300.0  # seconds from the end of one to the next: reloads may come faster than it reads the documents
_APART = 0.05  # seconds between two state documents that are read: the sweep goes on meanwhile


class _BrokenOff(Exception):
    """The process stops, or has another configuration."""


class AccountWatch:
    """Reads the documents of all accounts, also of those that no target uses, and lists each of them once in a while.

    One daemon of all compares an account. It lists it once in `daemon.reconcile`, whoever did so last. One that could
    not be compared for certain is tried again after an hour, after two, and so on: each try reads all documents that
    are not in memory, before the listing. The account's pace counts for it as for everything else.
    """

    def __init__(self, composition: Composition, looks: Looks, share: Share) -> None:
        self._composition, self._looks, self._share = composition, looks, share
        self._started_at = composition.clock.monotonic()
        self._tried: dict[str, float] = {}  # by listing, when it was compared last by this process
        self._failed: dict[str, int] = {}  # by listing, so often in a row it was not compared for certain
        self._not_before = self._started_at

    def watch(self, stop: Event) -> None:
        """Keeps it fresh until `stop` is set."""
        while not stop.wait(_INTERVAL):
            self.update()

    def update(self) -> None:
        """Reads the documents that nobody has read in the last minute, and compares the accounts that are due."""
        with self._looks.using() as components:
            if components is None or self._looks.stopping:
                return
            components.engine.read_checks()
            due = self._due(components)
            if not due:
                return
            try:
                self._compare(components, due)
            except _BrokenOff:
                pass
            finally:
                self._not_before = self._composition.clock.monotonic() + _APART_PASSES

    def _due(self, components: Components) -> list[str]:
        """Returns an account of each listing that this process compares now."""
        every = components.settings.daemon.reconcile
        at = self._composition.clock.monotonic()
        if every is None or at < self._not_before or at - self._started_at < min(_AFTER_START, every).total_seconds():
            return []
        now = components.store.now() or self._composition.clock.now()
        known, shut = components.engine.checks, components.engine.throttles.open_circuits()
        due: dict[str, str] = {}  # an account, by listing
        for account, listing in components.evidence_keys.items():
            evidence, tried = known.get(account), self._tried.get(listing)
            doubled = min(max(self._failed.get(listing, 0) - 1, 0), _DOUBLED)
            rests = tried is not None and at - tried < min(_AGAIN * 2**doubled, every).total_seconds()
            if evidence is None or account in shut or rests or not self._share.is_own(listing):
                continue
            last = evidence.reconciled_at
            if last is None or abs(now - last) >= every:
                due.setdefault(listing, account)
        return list(due.values())

    def _compare(self, components: Components, accounts: Sequence[str]) -> None:
        reconciler = components.reconciler(
            components.targets, self._composition.clock, self._read_each(components), self._known
        )
        try:
            reconciler.read_documents(reconciler.names())  # once for all these accounts
        except StoreError as error:
            self._go_on(components)
            for account in accounts:
                self._note(components, account, reconciler.same_listing(account), str(error))
            return
        for account in accounts:
            self._compare_one(components, reconciler, account)

    def _compare_one(self, components: Components, reconciler: Reconciler, account: str) -> None:
        """What one account's documents or Vault's policy refuse keeps no other account from being compared."""
        try:
            found = reconciler.reconcile(account, lambda _: self._go_on(components))
            self._go_on(components)
            reconciler.keep(found)
        except StoreError as error:
            self._go_on(components)
            self._note(components, account, reconciler.same_listing(account), str(error))
            return
        doubt = found.problem or ("documents cannot be read" if found.unread else "")
        self._note(components, account, found.accounts, doubt)
        if not doubt:
            counts = {kind.value: number for kind, number in found.result.counts.items() if number}
            names = ", ".join(found.accounts)
            _log.info("account compared with the documents", account=names, listed=found.result.listed, **counts)

    def _note(self, components: Components, account: str, names: Sequence[str], doubt: str) -> None:
        """Notes that an account was tried, and why it was not compared for certain; an empty text: it was."""
        listing = components.evidence_keys[account]
        self._tried[listing] = self._composition.clock.monotonic()
        if not doubt:
            self._failed.pop(listing, None)
            return
        if listing not in self._failed:
            _log.warning("account not compared with the documents", account=", ".join(names), error=doubt)
        self._failed[listing] = self._failed.get(listing, 0) + 1

    def _known(self, name: str) -> TargetState | None:
        """Returns the document of a target that this process looks at, as it knows it."""
        seen = self._composition.fleet.get(name)
        return seen.state if seen is not None else None

    def _read_each(self, components: Components) -> Callable[[Callable[[str], None], Sequence[str]], None]:
        def read_each(read: Callable[[str], None], names: Sequence[str]) -> None:
            for name in names:
                self._go_on(components)
                read(name)
                if self._known(name) is None:  # it was read from Vault
                    self._composition.clock.sleep(_APART)

        return read_each

    def _go_on(self, components: Components) -> None:
        """Raises _BrokenOff if this is not to go on. What selections add meanwhile is compared the next time."""
        if self._looks.stopping or self._looks.components is None:
            raise _BrokenOff
        if self._looks.components.settings is not components.settings:
            raise _BrokenOff
