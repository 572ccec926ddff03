"""`rotator status`: reads the documents of the targets that are asked for, and prints what they say."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rotator import __version__
from rotator.cli.choosing import check_names, select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.moments import moment_of
from rotator.cli.options import Choice, Output
from rotator.cli.printing import print_json, screenful
from rotator.cli.progress import screen, show_progress
from rotator.cli.status_table import LINES_OF_A_ROW, print_status
from rotator.core.decide import decide
from rotator.core.holding import Hold
from rotator.core.left_over import orphans
from rotator.core.model import Credential, Target, TargetState
from rotator.observe.fleet import KnownFleet
from rotator.observe.ordering import Order, sort_key
from rotator.observe.status import StatusPage, status_document, summary
from rotator.observe.status_query import StatusQuery, StatusQueryError, checked_states
from rotator.observe.surroundings import Surroundings
from rotator.observe.target_figures import TargetSnapshot


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """The arguments of `rotator status`."""

    choice: Choice = field(default_factory=Choice)
    states: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    due_before: str | None = None
    order: Order | None = None  # None: as configured
    limit: int | None = None  # rows; None: what fits the screen, or everything without one
    everything: bool = False


def show_status(config: Path, options: StatusOptions, output: Output) -> None:
    """Prints the status. Raises ConfigError, StoreError, CommandError."""
    with screen() as display, open_context(config, read_only=True) as context:
        query = _query(options, context)
        found = _Reading(context, query, options)
        with show_progress(display, len(found.targets)) as progress:
            progress.begins("read", len(found.targets))
            found.read(progress.advance)
    if output is Output.JSON:
        print_json(found.document(options.limit))
        return
    limit = options.limit if options.limit is not None or options.everything else screenful(LINES_OF_A_ROW)
    print_status(found.document(limit))


def _query(options: StatusOptions, context: CommandContext) -> StatusQuery:
    check_names(options.accounts, context.components.kinds, "account")
    try:
        states = checked_states(options.states)
    except StatusQueryError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    due = None if options.due_before is None else moment_of(options.due_before, context.composition.clock.now())
    return StatusQuery(states=states, accounts=options.accounts, due_before=due)


def order_of(word: str | None) -> Order | None:
    """Returns what `--sort` means. Raises CommandError."""
    if word is None:
        return None
    try:
        return Order(word)
    except ValueError:
        raise CommandError(f"cannot sort by {word!r}: use {', '.join(Order)}", Exit.USAGE) from None


class _Reading:
    """What is read of the targets that are asked for."""

    def __init__(self, context: CommandContext, query: StatusQuery, options: StatusOptions) -> None:
        self._context, self._query, self._options = context, query, options
        self._fleet = KnownFleet(context.composition.clock)
        self._others: dict[str, TargetState] = {}  # of targets that are not configured
        self._left: Mapping[str, Sequence[Credential]] = {}  # by checks, at accounts that are not configured
        chosen = select_targets(context.components.targets, options.choice)
        self.targets = [target for target in chosen if query.may_match(target)]

    def read(self, advance: Callable[[], None]) -> None:
        """Reads the documents, several at a time. Raises StoreError, Interrupted."""

        def read(target: Target) -> None:
            facts = self._context.components.engine.facts(target)
            self._fleet.update(target, facts.state)
            decision = decide(facts)
            self._fleet.held(target.name, decision if isinstance(decision, Hold) else None, facts.freezes)
            advance()

        self._context.read_each(read, self.targets)
        if not self._options.choice and self._query.asks_for_orphans:
            self._read_others()

    def _read_others(self) -> None:
        store = self._context.components.store
        known = {target.name for target in self._context.components.targets}
        others = [name for name in store.list_states() if name not in known]
        for name, versioned in zip(others, self._context.read_each(store.read_state, others), strict=True):
            self._others[name] = versioned.state
        self._left = self._context.components.engine.read_left_by_checks()

    def document(self, limit: int | None) -> Mapping[str, Any]:
        """Returns the status document of what matches, with at most `limit` rows."""
        clock, components, seen = self._context.composition.clock, self._context.components, self._fleet.all()
        rows = self._matching(seen, limit)
        around = Surroundings(
            self._context.composition.holder,
            __version__,
            components.kinds,
            components.capabilities,
            {name: found.hold for name, found in seen.items() if found.hold is not None},
            vault_now=components.store.now(),
            pauses=components.pauses.known,
            left_by_checks=self._left,
        )
        shown = rows[:limit]
        named = seen.keys() if self._query.asks_for_orphans else {target.name for target in shown}
        states = {name: seen[name].state for name in named} | self._others
        names = {target.name for target in components.targets}
        document = status_document(shown, states, clock.now(), around, StatusPage(names, {}))
        counted = summary(self._fleet, len(self.targets), self._number_of_orphans(seen, names))
        return document | {"summary": counted | {"matching": len(rows)}}

    def _number_of_orphans(self, seen: Mapping[str, TargetSnapshot], configured: Collection[str]) -> int:
        read = {name: found.state for name, found in seen.items()} | self._others
        accounts = self._context.components.providers
        lost = [
            each for state in read.values() for each in orphans(state, accounts, configured=state.target in configured)
        ]
        return len(lost) + sum(map(len, self._left.values()))

    def _matching(self, seen: Mapping[str, TargetSnapshot], limit: int | None) -> list[Target]:
        now, within = self._context.composition.clock.now(), self._fleet.looked_at_within
        found = [target for target in self.targets if self._query.matches(seen[target.name], now, within)]
        order = self._options.order
        if order is None:
            # Where not everything fits, what somebody has to look after comes first.
            order = Order.NEED if limit is not None and len(found) > limit else None
        if order is None:
            return found
        key = sort_key(order, self._fleet.in_need())
        return sorted(found, key=lambda target: key(seen[target.name]))
