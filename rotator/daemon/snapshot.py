"""The latest state and look of each target: the source of metrics, `/status` and the one log line for each run."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from threading import Lock
from typing import Any

import structlog

from rotator import __version__
from rotator.core.left_over import Orphan, OrphanKind, orphans
from rotator.core.model import Credential, Target, TargetState
from rotator.core.pauses import Pauses
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.engine import Look, Outcome
from rotator.observe.account_status import account_rows
from rotator.observe.fleet import LOOKED_AT_WITHIN
from rotator.observe.logs import log_blocked, log_run
from rotator.observe.ordering import Order, sort_key
from rotator.observe.status import StatusPage, status_document, summary
from rotator.observe.status_query import PAGE, StatusQuery
from rotator.observe.surroundings import Surroundings
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import state_word

_log = structlog.stdlib.get_logger("rotator.daemon")
_FAILED = (Outcome.FAILED, Outcome.VAULT, Outcome.CONTENDED)


class Snapshot:
    """What the daemon knows of its targets. The threads of looks and of the HTTP endpoint use it."""

    def __init__(self, composition: Composition) -> None:
        self._composition, self._fleet = composition, composition.fleet
        self._lock = Lock()
        self._kept: frozenset[str] = frozenset()  # the share of this process: each process reports its own
        self._is_own: Callable[[str], bool] = self._kept.__contains__
        self._components: Components | None = None  # those that the next two were made for
        self._targets: tuple[Target, ...] = ()  # in the order of their names
        self._names: frozenset[str] = frozenset()
        self._orphans: dict[str, tuple[Orphan, ...]] = {}  # by target, of those that have some
        self._vault_errors: dict[str, str] = {}  # by target, of those whose last look ended by one

    def update_state(self, target: Target, state: TargetState) -> None:
        """Stores a state document that was read or written."""
        self._composition.redactor.learn(state)
        with self._lock:
            if target.name in self._kept:
                self._fleet.update(target, state)
                if self._components is not None:
                    self._find_orphans(state, self._components)

    def update_look(self, target: Target, look: Look) -> None:
        """Stores a look that has ended, and logs what it tried. That a target waits was logged when the try failed."""
        before = self._fleet.get(target.name)
        self._fleet.held(target.name, look.hold, look.freezes)
        log_blocked(target.name, before.hold if before is not None else None, look.hold)
        attempt = look.state.attempt if look.state else None
        published = look.state.published if look.state else None
        error = look.message if look.outcome in _FAILED and (look.steps or look.hold is None) else ""
        repeated = self._is_repeated(target.name, error if look.outcome is Outcome.VAULT else "")
        log_run(
            target.name,
            look.outcome.value,
            look.steps,
            attempt=attempt.id if attempt else (published.attempt if published else None),
            credential=published.id if published else None,
            seconds=look.seconds,
            next_look=look.next_look,
            error=error,
            repeated=repeated,
        )

    def _is_repeated(self, name: str, error: str) -> bool:
        """True if the look at some target ended with this error of Vault before, and has not succeeded since.

        A token that was revoked would otherwise be a warning for each target, again and again.
        """
        with self._lock:
            if error:
                known = error in self._vault_errors.values()
                self._vault_errors[name] = error
                return known
            ended = self._vault_errors.pop(name, None)
            if ended is not None and not self._vault_errors:
                _log.info("Vault takes the requests again")
            return False

    def keep_only(self, names: Iterable[str], is_own: Callable[[str], bool]) -> None:
        """Keeps only these targets from now on: those that this process looks at.

        Args:
            is_own: says of any name whether it is for this process, also of a record of what a check has left.
        """
        with self._lock:
            self._kept, self._is_own, self._components = frozenset(names), is_own, None
            self._fleet.forget(self._fleet.all().keys() - self._kept)
            self._vault_errors = {name: error for name, error in self._vault_errors.items() if name in self._kept}

    def sweep_takes(self, round_: timedelta) -> None:
        """Notes how long it may take until the sweep comes by at a target again."""
        self._fleet.looked_at_within = max(LOOKED_AT_WITHIN, 2 * round_)
        self._composition.metrics.sweep_takes(round_)

    def forget(self, name: str) -> None:
        """Forgets a target of which nothing is left."""
        with self._lock:
            self._fleet.forget({name})
            self._vault_errors.pop(name, None)
            self._orphans.pop(name, None)

    def orphans(self, components: Components | None) -> tuple[Orphan, ...]:
        """Returns what nobody ends of every target that was seen, and what checks left. Each is of one process."""
        with self._lock:
            self._follow(components)
            return self._all_orphans()

    def document(self, components: Components | None, query: StatusQuery) -> Mapping[str, Any]:
        """Returns a page of the status document of the targets that this process looks at, without leaving it.

        `components` is None until Vault was reached.
        """
        with self._lock:
            self._follow(components)
            targets, orphans = self._targets, sorted(self._orphans)
        matching = self._matching(targets, query)
        page = list(islice(matching, query.limit))
        more = next(matching, None) is not None
        following = page[-1].name if more and page else None
        return self._document(page, orphans if query.asks_for_orphans else [], following, query.limit)

    def turned_to(
        self, components: Components | None, query: StatusQuery, order: Order, skip: int, length: int
    ) -> tuple[Sequence[TargetSnapshot], Mapping[str, Any], int]:
        """Returns some of the targets that match, in an order, their status document, and how many match."""
        with self._lock:
            self._follow(components)
            targets = self._targets
        matching = list(self._matching(targets, query))
        if order is not Order.NAME:
            key = sort_key(order, self._fleet.in_need())
            matching.sort(key=lambda target: key(self._seen(target)))
        page = matching[skip : skip + length]
        return [self._seen(target) for target in page], self._document(page, [], None, length), len(matching)

    def one(self, components: Components | None, name: str) -> tuple[TargetSnapshot, Mapping[str, Any]] | None:
        """Returns what is known of a target, and its row of the status document; None if this process has none."""
        with self._lock:
            self._follow(components)
            place = bisect_left(self._targets, name, key=lambda target: target.name)
            found = self._targets[place : place + 1]
        known = self._fleet.get(name)
        if found and found[0].name == name:
            target = found[0]
        elif known is not None and known.target.removed:
            target = known.target
        else:
            return None
        return self._seen(target), self._document([target], [], None, 1)["targets"][0]

    def numbers(self, components: Components | None) -> tuple[int, int]:
        """Returns how many targets this process looks at, and how many there are."""
        with self._lock:
            self._follow(components)
            return len(self._targets), len(self._names)

    def in_need(self, components: Components) -> Mapping[str, Any]:
        """Returns the status document of the targets that somebody has to look after, and of no more than a page."""
        needs = self._fleet.in_need()
        blocked = {name for name, seen in self._fleet.all().items() if state_word(seen.state, seen.hold) == "blocked"}
        with self._lock:
            self._follow(components)
            targets, orphans = self._targets, sorted(self._orphans)
        page = [target for target in targets if target.name in needs or target.name in blocked]
        following = page[PAGE - 1].name if len(page) > PAGE else None
        return self._document(page[:PAGE], orphans, following, PAGE)

    def _matching(self, targets: Iterable[Target], query: StatusQuery) -> Iterator[Target]:
        now, within = self._composition.clock.now(), self._fleet.looked_at_within
        for target in targets:
            if target.name > query.after and query.may_match(target) and query.matches(self._seen(target), now, within):
                yield target

    def _document(
        self, page: Sequence[Target], orphans: Sequence[str], following: str | None, limit: int
    ) -> Mapping[str, Any]:
        components, named = self._components, [*(target.name for target in page), *orphans[:limit]]
        seen = {name: found for name in named if (found := self._fleet.get(name)) is not None}
        around = Surroundings(
            holder=self._composition.holder,
            version=__version__,
            kinds=components.kinds if components else {},
            capabilities=components.capabilities if components else {},
            holds={name: found.hold for name, found in seen.items() if found.hold is not None},
            audit=self._composition.audit.status,
            vault_now=components.store.now() if components else None,
            pauses=components.pauses.known if components else Pauses(),
            selections=self._composition.selections.document(),
            left_by_checks=self._left_by_checks(),
            accounts=account_rows(components.engine.checks) if components else {},
        )
        states = {name: found.state for name, found in seen.items()}
        with self._lock:
            number = len(self._all_orphans())
        beside = StatusPage(self._names, summary(self._fleet, len(self._targets), number), following)
        return status_document(page, states, self._composition.clock.now(), around, beside)

    def _seen(self, target: Target) -> TargetSnapshot:
        """Returns what is known of a target, or, until its first look, that nothing is."""
        known = self._fleet.get(target.name)
        return known or TargetSnapshot(target, TargetState(target.name), self._composition.clock.now())

    def _follow(self, components: Components | None) -> None:
        """Prepares what depends on the configuration and on the share of this process, once for each."""
        if components is not None and components is self._components:
            return
        targets = components.targets if components else self._composition.settings.core_targets()
        own = [target for target in targets if components is None or target.name in self._kept]
        self._components, self._targets = components, tuple(sorted(own, key=lambda target: target.name))
        self._names = frozenset(target.name for target in targets)
        self._orphans = {}
        if components is not None:
            for seen in self._fleet.all().values():
                self._find_orphans(seen.state, components)

    def _all_orphans(self) -> tuple[Orphan, ...]:
        of_targets = (orphan for found in self._orphans.values() for orphan in found)
        left = (one for each in self._left_by_checks().values() for one in each)
        return (*of_targets, *(Orphan("", OrphanKind.CHECK, one) for one in left))

    def _left_by_checks(self) -> Mapping[str, Sequence[Credential]]:
        """Returns what checks have left at accounts that are not configured, as far as this process tells of it."""
        found = self._components.engine.left_by_checks if self._components is not None else {}
        return {record: left for record, left in found.items() if self._is_own(record)}

    def _find_orphans(self, state: TargetState, components: Components) -> None:
        found = tuple(orphans(state, components.providers, configured=state.target in self._names))
        if found:
            self._orphans[state.target] = found
        else:
            self._orphans.pop(state.target, None)
