"""Watches the daemons carry requests out, at a cost that does not grow with the number of targets.

The bell names what another process has changed: one read for each round, and one for each target that it names. What
nobody announced is found by a slow sweep over the rest.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from rotator.cli.context import CommandContext
from rotator.cli.registration import Registration
from rotator.cli.request_runner import Judgement, PendingRequest, Result, RotationReport, judge_end, judge_hold, told
from rotator.core.bell import MOST_NAMES, Ringing
from rotator.core.decide import decide
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Target, TargetState
from rotator.engine import ring_bell
from rotator.ports import StoreError

_ROUND = 1.0  # seconds
_SWEPT = 20  # targets that are read in a round though nobody announced a change
_SWEPT_AFTER_LOSS = 200  # the same in a round in which a ring was lost
_RUNG_AGAIN = 15.0  # seconds without a move, after which a ring may have been lost
_NOT_BEGUN = "no daemon has begun it; does its configuration have this target?"
# What depends on the memory of the process that works, which this one is not.
_KNOWN_TO_THE_DAEMON = frozenset({HoldReason.CIRCUIT_OPEN, HoldReason.UNPROVED, HoldReason.PROVING})


@dataclass(slots=True)
class _WatchedRequest:
    """One request, and what was last seen of it."""

    request: PendingRequest
    version: int = 0  # of the state document; 0: not seen yet
    state: TargetState | None = None
    waits_for: str = _NOT_BEGUN


class DaemonWatch:
    """Watches requests until they have ended, or no daemon lives any more."""

    def __init__(
        self,
        context: CommandContext,
        registration: Registration,
        *,
        patience: Callable[[Target], timedelta],
        tell: Callable[[Target, str], None],
        ended: Callable[[RotationReport], None],
    ) -> None:
        """Wires the watch, before the first request is written: whatever changes from now on is noticed.

        Args:
            patience: how long the account of a target may stand still.
            tell: receives what a target waits for.
            ended: receives each report as soon as there is one.
        """
        self._context, self._registration, self._patience = context, registration, patience
        self._tell, self._ended = tell, ended
        self._clock, self._store = context.composition.clock, context.components.store
        self._rest: dict[str, _WatchedRequest] = {}
        self._moved: dict[str, float] = {}  # by account: when something was last seen to move there
        self._began, self._heard = self._clock.monotonic(), 0
        self._rung_at = self._began
        self._changed()

    def follow(self, requests: Sequence[PendingRequest]) -> tuple[list[RotationReport], list[PendingRequest]]:
        """Returns the reports, and the requests that are left because no daemon lives any more."""
        self._began = self._clock.monotonic()
        self._rest = {request.target.name: _WatchedRequest(request) for request in requests}
        self._moved = {request.target.account: self._began for request in requests}
        order, reports = deque(self._rest), list[RotationReport]()
        while self._rest:
            self._clock.sleep(_ROUND)  # returns at once when Ctrl-C is pressed
            if self._context.stop.is_set():
                left = "stopped watching; the request stays in Vault, and the daemon carries it out"
                reports += [self._end(watched, (Result.INTERRUPTED, left)) for watched in self._all()]
            elif self._registration.vault_is_away:
                why = f"{self._registration.problem}; the request stays in Vault"
                reports += [self._end(watched, (Result.VAULT, why)) for watched in self._all()]
            elif self._registration.daemons_died:
                break
            else:
                reports += self._look_at(self._due(order))
                reports += self._give_up()
                self._ring_again()
        return reports, [watched.request for watched in self._rest.values()]

    def _all(self) -> list[_WatchedRequest]:
        return list(self._rest.values())

    def _due(self, order: deque[str]) -> list[_WatchedRequest]:
        """Returns what to read in this round: what was announced, and some of the rest."""
        changed, lost = self._changed()
        due = changed & self._rest.keys()
        for _ in range(min(_SWEPT_AFTER_LOSS if lost else _SWEPT, len(order))):
            name = order.popleft()
            if name in self._rest:
                due.add(name)
                order.append(name)
        return [self._rest[name] for name in sorted(due)]

    def _changed(self) -> tuple[set[str], bool]:
        """Returns the targets that others have changed since the last time, and True if there may be more."""
        try:
            bell = self._store.read_bell()
        except StoreError:
            return set(), True
        before, self._heard = self._heard, bell.number
        changed = bell.rung_since(before, (Ringing.CHANGED,), but_by=self._context.composition.holder)
        return set(changed), bell.has_lost_since(before)

    def _look_at(self, due: Sequence[_WatchedRequest]) -> list[RotationReport]:
        judged = zip(due, self._context.each(self._judge, due), strict=True)
        return [self._end(watched, judgement) for watched, judgement in judged if judgement is not None]

    def _judge(self, watched: _WatchedRequest) -> Judgement | None:
        """Returns what is known now of a request; None if it has not ended."""
        try:
            return self._judge_state(watched)
        except StoreError:
            return None  # a Vault that stays away is noticed by the registration

    def _judge_state(self, watched: _WatchedRequest) -> Judgement | None:
        request, target = watched.request, watched.request.target
        read = self._store.read_state(target.name)
        self._context.seen(target, read.state)
        watched.state = read.state
        if request.is_carried_out(read.state):
            return judge_end(request, read.state)
        if read.version != watched.version:
            if watched.version:
                self._moved[target.account] = self._clock.monotonic()
            watched.version = read.version
            return None
        # Nothing has moved between two looks: what holds it up also depends on the consumer document.
        facts = self._context.components.engine.facts(target)
        hold = decide(facts)
        if not isinstance(hold, Hold) or facts.state != read.state:  # it has moved since
            return None
        watched.waits_for = told(hold)
        self._tell(target, watched.waits_for)
        return None if hold.reason in _KNOWN_TO_THE_DAEMON else judge_hold(request, hold, facts.state)

    def _give_up(self) -> list[RotationReport]:
        """Ends what waits at accounts where nothing moves."""
        now = self._clock.monotonic()
        still = [
            watched
            for watched in self._all()
            if now - self._moved[watched.request.target.account]
            > self._patience(watched.request.target).total_seconds()
        ]
        why = "the request stays in Vault, and a daemon carries it out as soon as it can"
        return [self._end(watched, (Result.WAITING, f"{watched.waits_for}; {why}")) for watched in still]

    def _ring_again(self) -> None:
        """Rings for what no daemon has begun, if nothing has moved for a while: its sweep may take minutes."""
        now = self._clock.monotonic()
        if now - self._rung_at < _RUNG_AGAIN:
            return
        unheard = [
            watched.request
            for watched in self._all()
            if watched.waits_for == _NOT_BEGUN and now - self._moved[watched.request.target.account] >= _RUNG_AGAIN
        ]
        self._rung_at = now
        for kind, urgent in ((Ringing.EMERGENCY, True), (Ringing.ASKED, False)):
            names = [request.target.name for request in unheard if request.compromised is urgent]
            with suppress(StoreError):  # it is tried again
                if names:
                    ring_bell(self._store, self._clock, self._context.composition.holder, names[:MOST_NAMES], kind)

    def _end(self, watched: _WatchedRequest, judgement: Judgement) -> RotationReport:
        target, now = watched.request.target, self._clock.monotonic()
        del self._rest[target.name]
        self._moved[target.account] = now
        done = judgement[0] in (Result.ROTATED, Result.UNDONE)
        state = watched.state or watched.request.written
        report = RotationReport(target, *judgement, state, now - self._began, elsewhere=done)
        self._ended(report)
        return report
