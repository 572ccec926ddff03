"""Tells people what needs attention, by the routes of `notifications`."""

from collections.abc import Iterator, Mapping
from threading import Event

import structlog

from rotator.core.left_over import OrphanKind
from rotator.core.model import Target
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.looks import Looks
from rotator.daemon.notification_sender import NotificationSender
from rotator.daemon.share import Share
from rotator.daemon.snapshot import Snapshot
from rotator.observe.notices import (
    BLOCKED,
    CIRCUIT_OPEN,
    EMERGENCY,
    Condition,
    Notice,
    NoticeBook,
    is_emergency,
)
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import ORPHAN, state_word

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 5.0  # seconds between two looks at what needs attention
_LONGEST_DETAIL = 300  # characters


class NotificationWatch:
    """What this process tells: of its share of the targets, and of the circuits that it has opened itself.

    What was told is in memory. A process that starts, or that takes targets over, tells what it finds; what ended while
    nobody looked is not told.
    """

    def __init__(self, composition: Composition, looks: Looks, snapshot: Snapshot, share: Share) -> None:
        self._composition, self._looks, self._snapshot, self._share = composition, looks, snapshot, share
        self._books: dict[str, NoticeBook] = {}  # by route
        self._failing: set[str] = set()  # routes whose last message was not taken

    def watch(self, stop: Event) -> None:
        """Tells what needs attention until `stop` is set."""
        while not stop.wait(_INTERVAL):
            self.tell()

    def tell(self) -> None:
        """Compares what needs attention with what was told, and sends what is due."""
        components = self._looks.components
        if components is None:
            return
        routes = components.settings.notifications
        self._books = {name: self._books.get(name) or NoticeBook(route.rules) for name, route in routes.items()}
        if not routes:
            return
        seen = self._composition.fleet.all()
        current = frozenset(self._conditions(components, seen))
        for name, route in routes.items():
            book, now = self._books[name], self._composition.clock.monotonic()
            book.rules = route.rules
            book.observe(
                {one for one in current if route.tells(one, _target(seen, one))},
                lambda one: one.topic == CIRCUIT_OPEN or self._share.is_own(one.subject),
                now,
            )
            notice = book.next_notice(now)
            if notice is not None:
                self._send(name, components.senders[name], notice, seen)

    def _send(self, name: str, send: NotificationSender, notice: Notice, seen: Mapping[str, TargetSnapshot]) -> None:
        redact = self._composition.redactor.clean

        def detail(one: Condition) -> str:
            known = seen.get(one.subject)
            return redact(_detail(one, known))[:_LONGEST_DETAIL] if known is not None else ""

        problem = send(notice.message(detail))
        now = self._composition.clock.monotonic()
        self._composition.metrics.notification(name, taken=not problem)
        if problem:
            self._books[name].failed(now)
            if name not in self._failing:
                self._failing.add(name)
                _log.warning("a notification was not taken; it is sent again", route=name, error=problem)
            return
        self._books[name].sent(notice, now)
        if name in self._failing:
            self._failing.discard(name)
            _log.info("notifications are taken again", route=name)

    def _conditions(self, components: Components, seen: Mapping[str, TargetSnapshot]) -> Iterator[Condition]:
        for name, words in self._composition.fleet.in_need().items():
            yield from (Condition(word, name) for word in words)
        for name, target in seen.items():
            if state_word(target.state, target.hold) == "blocked":
                yield Condition(BLOCKED, name)
            if is_emergency(target.state):
                yield Condition(EMERGENCY, name)
        for orphan in self._snapshot.orphans(components):
            if orphan.kind is not OrphanKind.CHECK:  # that is of no target
                yield Condition(ORPHAN, orphan.target)
        for account in components.engine.throttles.open_circuits():
            yield Condition(CIRCUIT_OPEN, account)


def _target(seen: Mapping[str, TargetSnapshot], one: Condition) -> Target | None:
    known = seen.get(one.subject)
    return known.target if known is not None and one.topic != CIRCUIT_OPEN else None


def _detail(one: Condition, known: TargetSnapshot) -> str:
    """Returns what is known of one target, as `rotator status` says it."""
    if one.topic == CIRCUIT_OPEN:
        return ""
    if one.topic == BLOCKED and known.hold is not None:
        return known.hold.message
    return known.state.last_error or ""
