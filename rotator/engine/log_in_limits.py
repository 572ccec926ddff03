"""The log-ins of a whole process, by account: who has to wait, so that few are wrong. In memory only."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.answers import Answer, Done
from rotator.core.clocks import Clocks
from rotator.core.ends import is_due
from rotator.core.log_ins import LogIns, is_wrong
from rotator.core.model import Capabilities, Credential, TargetState
from rotator.ports import Clock

_LONGEST = 600.0  # seconds for which an early refusal is remembered: no change takes longer to come into force


class LogInLimits:
    """Shared by all looks of one process; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, LogIns] = {}  # by account; only what holds somebody up, or may once more
        self._early: dict[tuple[str, str], float] = {}  # by account and username: refused soon after a change, and when
        self._turns: dict[tuple[str, str], float] = {}  # by account and target: when it may try what it ended
        self._last_turn: dict[str, float] = {}  # by account
        self._lock = Lock()

    def learn(self, credential: Credential, answer: Answer[object], since_change: timedelta | None) -> None:
        """Counts a log-in, made so long after the password was changed; None: that is long ago."""
        at, account = self._clock.monotonic(), credential.account
        key = (account, credential.username)
        with self._lock:
            known = self._known.get(account, LogIns()).after(at, answer)
            was_early = self._early.pop(key, None) is not None
            if isinstance(answer, Done) and was_early and since_change is not None:
                known = known.after_settling(at, since_change.total_seconds())
            if is_wrong(answer) and since_change is not None:
                self._early = {other: when for other, when in self._early.items() if at - when < _LONGEST}
                self._early[key] = at
                known = known.after_early(at, since_change.total_seconds())
            if known.says_nothing:
                self._known.pop(account, None)
            else:
                self._known[account] = known

    def ended_turns(
        self, state: TargetState, capabilities: Mapping[str, Capabilities], clocks: Clocks
    ) -> dict[str, datetime]:
        """Returns, by account, when a target may try what it ended there, if it has anything to try now."""
        turns: dict[str, datetime] = {}
        for ended in state.ended:
            account = ended.credential.account
            can = capabilities.get(account)
            if can is not None and can.tries_ended is not None and is_due(can, ended, clocks.vault):
                turns[account] = clocks.local + self._turn(account, state.target, can.tries_ended)
        return turns

    def _turn(self, account: str, target: str, every: timedelta) -> timedelta:
        """Returns how long a target has to wait for its turn at an account: one comes `every` so often."""
        at = self._clock.monotonic()
        with self._lock:
            if (account, target) not in self._turns:
                last = self._last_turn.get(account)
                turn = at if last is None else max(at, last + every.total_seconds())
                self._turns[account, target] = self._last_turn[account] = turn
            return timedelta(seconds=max(self._turns[account, target] - at, 0.0))

    def use_turn(self, account: str, target: str) -> None:
        """Ends the turn of a target, which has tried what it ended."""
        with self._lock:
            self._turns.pop((account, target), None)

    def rest_until(self, now: datetime) -> Mapping[str, datetime]:
        """Returns the accounts at which too many log-ins were wrong, each with the time of the next one."""
        return {account: now + rest for account, rest in self._each(LogIns.may_rest, LogIns.rest) if rest > timedelta()}

    def settle_in(self) -> Mapping[str, timedelta]:
        """Returns how long after a change a log-in is likely to be right, for the accounts that were seen to lag."""
        return {account: lag for account, lag in self._each(LogIns.may_settle, LogIns.settles_in) if lag > timedelta()}

    def _each(
        self, concerned: Callable[[LogIns], bool], ask: Callable[[LogIns, float], timedelta]
    ) -> list[tuple[str, timedelta]]:
        if not self._known:  # as nearly always, and every look asks
            return []
        with self._lock:
            some = [(account, known) for account, known in self._known.items() if concerned(known)]
        at = self._clock.monotonic()
        return [(account, ask(known, at)) for account, known in some]
