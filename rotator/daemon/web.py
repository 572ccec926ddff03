"""The pages for people, from what the daemon has in memory: nothing here asks Vault or a provider."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote

from rotator import __version__
from rotator.core.clocks import Clocks
from rotator.core.evidence import AccountEvidence
from rotator.core.pauses import Pauses
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.http import PageForPeople
from rotator.daemon.snapshot import Snapshot
from rotator.observe.status_query import StatusQuery, StatusQueryError
from rotator.observe.target_words import words
from rotator.observe.web import (
    About,
    AccountFacts,
    FleetFacts,
    ListQuery,
    TargetFacts,
    TargetList,
    accounts_page,
    error_page,
    fleet_page,
    list_page,
    target_page,
)
from rotator.observe.web.target_list import PAGE

_TARGET = "/targets/"
_MOST_ORPHANS = 20


class Web:
    """Makes the pages. Thread-safe."""

    def __init__(
        self, composition: Composition, snapshot: Snapshot, components: Callable[[], Components | None]
    ) -> None:
        """`components` returns None until Vault was reached."""
        self._composition, self._snapshot, self._components = composition, snapshot, components
        self._pages: Mapping[str, Callable[[About, Components | None, str], PageForPeople]] = {
            "/": self._fleet,
            "/targets": self._targets,
            "/accounts": self._accounts,
        }

    def __call__(self, path: str, query: str) -> PageForPeople | None:
        """Returns a page; None if there is none with this path."""
        make = self._pages.get(path)
        if make is None and not path.startswith(_TARGET):
            return None
        components = self._components()
        here, configured = self._snapshot.numbers(components)
        about = About(
            self._composition.clock.now().astimezone(UTC),
            __version__,
            self._composition.holder,
            here,
            configured,
            ready=components is not None,
        )
        try:
            return make(about, components, query) if make else self._target(about, components, path)
        except StatusQueryError as error:
            return PageForPeople(400, error_page(about, "This address means nothing", f"{error}."))

    def _fleet(self, about: About, components: Components | None, _: str) -> PageForPeople:
        fleet, pauses = self._composition.fleet, _pauses(components)
        facts = FleetFacts(
            self._snapshot.document(components, StatusQuery(states=("orphan",), limit=_MOST_ORPHANS)),
            fleet.all(),
            fleet.in_need(),
            pauses.at(_now(about, components)),
            pauses.problem,
        )
        return PageForPeople(200, fleet_page(about, facts))

    def _targets(self, about: About, components: Components | None, query: str) -> PageForPeople:
        asked = ListQuery.parse(parse_qs(query, keep_blank_values=True))
        skip = (asked.page - 1) * PAGE
        filters = asked.status_query(about.now)
        seen, document, matching = self._snapshot.turned_to(components, filters, asked.order, skip, PAGE)
        accounts = sorted(self._composition.settings.providers if components is None else components.kinds)
        within = self._composition.fleet.looked_at_within
        needs = {each.target.name: words(each, about.now, within) for each in seen}
        return PageForPeople(200, list_page(about, TargetList(asked, document, matching, accounts, needs)))

    def _target(self, about: About, components: Components | None, path: str) -> PageForPeople:
        name = unquote(path.removeprefix(_TARGET))
        found = self._snapshot.one(components, name)
        if found is None:
            elsewhere = components is not None and name in components.by_name
            said = "Another replica looks at it: ask that one, or run rotator status." if elsewhere else (
                "There is no target with this name in the configuration."
            )  # fmt: skip
            return PageForPeople(404, error_page(about, name, said))
        seen, row = found
        true_of_it = words(seen, about.now, self._composition.fleet.looked_at_within)
        pauses = [each for each in _pauses(components).at(_now(about, components)) if each.scope.covers(seen.target)]
        return PageForPeople(200, target_page(about, TargetFacts(seen, row, true_of_it, pauses)))

    def _accounts(self, about: About, components: Components | None, _: str) -> PageForPeople:
        facts = self._account_facts(components, about.now) if components is not None else ()
        return PageForPeople(200, accounts_page(about, facts))

    def _account_facts(self, components: Components, now: datetime) -> Iterator[AccountFacts]:
        states: dict[str, Counter[str]] = {name: Counter() for name in components.kinds}
        replaced, made = Counter[str](), dict[str, float]()
        with self._composition.fleet.groups() as groups:
            for (account, _), sums in groups.items():
                states.setdefault(account, Counter()).update(sums.states)
                replaced[account] += sum(sums.ledger.values())
                if sums.made:
                    made[account] = min(sums.made[0][0], made.get(account, sums.made[0][0]))
        throttles, listings = components.engine.throttles, self._composition.selections.document()
        is_open, until = throttles.open_circuits(), throttles.open_until(components.kinds, now)
        forbidden, checks = throttles.forbidden_verbs(), components.engine.checks
        for name, kind in sorted(components.kinds.items()):
            pacer = components.paces[name]
            yield AccountFacts(
                name=name,
                kind=kind,
                proof=str(components.providers[name].capabilities.proof),
                states=+states[name],
                replaced=replaced[name],
                oldest=datetime.fromtimestamp(made[name], UTC) if name in made else None,
                circuit_open=name in is_open,
                circuit_until=until.get(name),
                forbidden=tuple(verb for account, verb in forbidden if account == name),
                rate=str(components.settings.providers[name].rate_limit),
                share=pacer.share(),
                held_for=pacer.held_for(),
                key=components.account_keys[name],
                listing=listings.get(name, {}),
                evidence=checks.get(name, AccountEvidence()),
            )


def _pauses(components: Components | None) -> Pauses:
    return components.pauses.known if components is not None else Pauses()


def _now(about: About, components: Components | None) -> datetime:
    """Returns the time by which a pause ends last."""
    vault = components.store.now() if components is not None else None
    return Clocks(about.now, vault or about.now).earliest
