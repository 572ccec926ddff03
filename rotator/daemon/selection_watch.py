"""Keeps the targets of selections: picks up what an account has now, and reports what it no longer shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event

import structlog

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.left_over import left_over
from rotator.core.model import Target, TargetState
from rotator.core.selection import Found, Known, ListedCredential, Selection, judge, usernames_of
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.looks import Looks
from rotator.daemon.share import Share
from rotator.fields.text import is_name
from rotator.observe.selections import SelectionFigures
from rotator.ports import Provider, StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 1.0  # seconds between two checks whether it is time
_LISTED_EVERY = 600.0  # seconds between two listings of an account


@dataclass(slots=True)
class _Account:
    """What is known of an account from its last listing."""

    ours: frozenset[str] = frozenset()  # usernames that a rotation made: a random one is never another's
    gone: tuple[str, ...] = ()
    undecided: frozenset[str] = frozenset()
    failing: bool = False


class SelectionWatch:
    """Lists the accounts that have selections. One thread."""

    def __init__(self, composition: Composition, looks: Looks, share: Share) -> None:
        self._composition, self._looks, self._share = composition, looks, share
        self._listed_at: float | None = None
        self._components: Components | None = None  # those that were listed for
        self._accounts: dict[str, _Account] = {}

    def watch(self, stop: Event) -> None:
        """Keeps the targets right until `stop` is set."""
        while not stop.wait(_INTERVAL):
            self.update()

    def update(self) -> None:
        """Lists each account that has selections, if it is time or if the configuration is another one."""
        with self._looks.using() as components:
            if components is not None and not self._looks.stopping:
                self._update(components)

    def _update(self, components: Components) -> None:
        now = self._composition.clock.monotonic()
        reloaded = components is not self._components
        if not reloaded and self._listed_at is not None and now - self._listed_at < _LISTED_EVERY:
            return
        self._components, self._listed_at = components, now
        by_account: dict[str, list[Selection]] = {}
        for each in components.settings.core_selections:
            by_account.setdefault(each.account, []).append(each)
        self._composition.selections.keep(by_account)
        new = [target for account, some in by_account.items() for target in self._list(components, account, some)]
        if new:
            self._add(components, new)

    def _list(self, components: Components, account: str, selections: list[Selection]) -> tuple[Target, ...]:
        """Returns the targets that one account adds; none if it could not be listed, which changes nothing."""
        listed: dict[str, ListedCredential] = {}
        answer = self._read_listing(components.providers[account], listed)
        before = self._accounts.setdefault(account, _Account())
        if not isinstance(answer, Done):
            if not before.failing:
                _log.warning("account not listed; its targets stay as they are", account=account, error=answer.message)
            before.failing = True
            return ()
        before.failing = False
        removed = self._named_by_removed(components, account)
        if removed is None:
            return ()
        known = Known(
            [target for target in components.targets if target.account == account],
            self._seen,
            lambda name: self._read(components, name),
            is_name,
            removed | before.ours,
            before.undecided,
        )
        found = judge(selections, listed.values(), known)
        before.undecided = frozenset(found.undecided)
        before.ours |= {username.casefold() for username in found.ours}
        self._report(account, before, found, self._number(components, account))
        return found.new

    def _read_listing(self, provider: Provider, listed: dict[str, ListedCredential]) -> Answer[None]:
        """Reads the whole listing, which may take many calls: each goes on where the one before ended."""
        while True:
            answer = provider.each(lambda entry: listed.__setitem__(entry.id, entry))
            reading = isinstance(answer, Retry) and answer.why is Wait.READING
            if not reading or self._looks.stopping:
                return answer

    def _report(self, account: str, before: _Account, found: Found, selected: int) -> None:
        news = set(found.gone) - set(before.gone)
        if news:
            _log.warning(
                "no longer listed at the account", account=account, targets=sorted(news)[:20], number=len(news)
            )
        before.gone = found.gone
        if found.unnamable:
            names = found.unnamable[:20]
            _log.warning("usernames that cannot be names of targets", account=account, usernames=names)
        figures = SelectionFigures(
            self._composition.clock.now(), selected + len(found.new), found.gone, found.unnamable, len(found.undecided)
        )
        self._composition.selections.set(account, figures)

    def _number(self, components: Components, account: str) -> int:
        one_by_one = {target.name for target in components.settings.targets}
        here = (target for target in components.targets if target.account == account)
        return sum(target.name not in one_by_one for target in here)

    def _seen(self, name: str) -> TargetState | None:
        seen = self._composition.fleet.get(name)
        return seen.state if seen is not None else None

    def _read(self, components: Components, name: str) -> TargetState | None:
        """Reads a document anew: what a rotation has just created is in it before it is at the provider."""
        try:
            return components.store.read_state(name).state
        except StoreError:
            return None

    def _named_by_removed(self, components: Components, account: str) -> frozenset[str] | None:
        """Returns the usernames that removed targets left behind; None if Vault does not tell."""
        try:
            states = [components.store.read_state(name).state for name in components.former_names.all()]
        except StoreError as error:
            _log.warning("selections wait for Vault", account=account, error=str(error))
            return None
        return frozenset(username for state in states if left_over(state) for username in usernames_of(state))

    def _add(self, components: Components, new: Iterable[Target]) -> None:
        """Puts the targets into force, between two looks."""
        added = components.with_targets(new)

        def put() -> None:
            if self._looks.components is components:  # otherwise a reload came first, and the account is listed again
                self._looks.components = added

        self._looks.unless_stopping(put)
        if self._looks.components is added:
            self._components = added
            _log.info("selected", targets=len(added.targets) - len(components.targets))
            self._share.update()
