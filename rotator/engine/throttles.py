"""Limits that hold for a whole process: the circuits of each account, and the cap on retirements.

They are kept in memory only: a restart resets both, and neither decides about a credential.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.answers import Answer, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.attempts import is_propagating
from rotator.core.circuit import Circuit, ProviderVerb
from rotator.core.model import Capabilities, Credential, Target, TargetState
from rotator.engine.log_in_limits import LogInLimits
from rotator.engine.places import Places
from rotator.ports import Clock

_MINUTE = 60.0
_TOLD_TOGETHER = 1.0  # seconds: calls that were under way when a circuit opened fail together
_SEEN_AGAIN = 2 * 3600.0  # seconds: what is refused is tried again hourly
_AFTER_THE_TURN = 1.0  # seconds: the retirement of a minute ago must have left the window
_WAITED_FOR = timedelta(seconds=20)  # less than a call's patience
_Key = tuple[str, ProviderVerb | None]  # an account's key, or its name in the configuration and one verb


@dataclass(frozen=True, slots=True)
class Pacing:
    """Which accounts are one, and what they share with other processes: each by its name in the configuration."""

    keys: Mapping[str, str] = field(default_factory=dict)  # one for all names of an account; default: the name
    delay: Callable[[str], timedelta] = lambda _: timedelta()  # how long a request would wait for the account's pace
    tell_open: Callable[[str, timedelta], None] = lambda *_: None  # for so long, in all processes: its circuit is open


EACH_FOR_ITSELF = Pacing()


class Throttles:
    """Shared by all looks of one process; thread-safe."""

    def __init__(
        self,
        clock: Clock,
        circuit: Circuit,
        retirements_per_minute: int,
        pacing: Pacing = EACH_FOR_ITSELF,
    ) -> None:
        """Begins with closed circuits."""
        self._clock, self._pacing, self.account_keys = clock, pacing, pacing.keys
        self.places = Places(clock, circuit.threshold)
        self.log_ins = LogInLimits(clock)
        self._new = circuit
        self._told: dict[_Key, float] = {}  # when the other processes were told that a circuit is open
        self._circuits: dict[_Key, Circuit] = {}  # those with failures: every look asks them all
        self._cap = retirements_per_minute
        self._retired: deque[float] = deque()
        self._turns: dict[str, float] = {}  # by target: when there is one left for it
        self._last_turn = 0.0
        self._refused: dict[str, tuple[str, float, float]] = {}  # by target: the account, since when, and last seen
        self._accepted: dict[str, tuple[Credential, datetime]] = {}  # by target, what was accepted and when
        self._accepted_again: dict[str, float] = {}  # by account, when a credential was last seen accepted once more
        self._lock = Lock()

    def key(self, account: str) -> str:
        """Returns the key that all names of an account in the configuration share."""
        return self.account_keys.get(account, account)

    def open_until(self, accounts: Iterable[str], now: datetime) -> Mapping[str, datetime]:
        """Returns the accounts that may not be called now, each with the time of its next probe."""
        waits = self._waits()
        if not waits:  # as nearly always, and there may be many accounts
            return {}
        return {name: now + waits[self.key(name), None] for name in accounts if (self.key(name), None) in waits}

    def shut_until(self, now: datetime) -> Mapping[tuple[str, ProviderVerb], datetime]:
        """Returns the accounts and verbs that may not be called now, each with the time of the next probe."""
        return {(name, verb): now + wait for (name, verb), wait in self._waits().items() if verb is not None}

    def _waits(self) -> dict["_Key", timedelta]:
        if not self._circuits:  # as nearly always
            return {}
        at = self._clock.monotonic()
        with self._lock:
            waits = {key: circuit.wait(at) for key, circuit in self._circuits.items()}
        return {key: wait for key, wait in waits.items() if wait > timedelta()}

    def open_circuits(self) -> tuple[str, ...]:
        """Returns the accounts whose circuit is open, even if a probe may go out now."""
        with self._lock:
            keys = {key for (key, verb), one in self._circuits.items() if verb is None and one.is_open}
        named = {name for name, key in self.account_keys.items() if key in keys}
        return tuple(sorted(named | (keys - set(self.account_keys.values()))))

    def forbidden_verbs(self) -> tuple[tuple[str, str], ...]:
        """Returns the accounts and verbs whose circuit is open, even if a probe may go out now."""
        with self._lock:
            open_ones = [(name, verb) for (name, verb), one in self._circuits.items() if one.is_open]
        return tuple(sorted((name, verb.value) for name, verb in open_ones if verb is not None))

    def admit_call(self, account: str, verb: ProviderVerb, *, urgent: bool = False) -> bool:
        """Returns True if a call may go out now. While a circuit is open, only one probe at a time may.

        What is urgent always may: it is a probe as well, and no other follows it for a while.
        """
        at = self._clock.monotonic()
        keys: tuple[_Key, ...] = ((self.key(account), None), (account, verb))
        with self._lock:
            circuits = {key: self._circuits[key] for key in keys if key in self._circuits}
            if not urgent and any(circuit.wait(at) > timedelta() for circuit in circuits.values()):
                return False
            self._circuits |= {key: circuit.after_call(at) for key, circuit in circuits.items()}
        return True

    def learn_from(self, account: str, verb: ProviderVerb, answer: Answer[object]) -> None:
        """Counts an answer in the account's circuits. A rate limit says nothing about the account's health.

        A missing right is counted for its verb alone, and for the configuration entry whose key lacks it: with other
        verbs the account answers as it should.
        """
        at = self._clock.monotonic()
        if isinstance(answer, Retry) and answer.why is Wait.RATE_LIMITED:
            return
        if _is_failure(answer):
            self._fail(account, at)
            return
        with self._lock:
            self._circuits.pop((self.key(account), None), None)
            if isinstance(answer, Refused) and answer.why is Refusal.PERMISSION:
                self._count_failure((account, verb), at)
            else:
                self._circuits.pop((account, verb), None)

    def _fail(self, account: str, at: float) -> None:
        """Counts a failure of the account; whoever shares it is told that its circuit is open."""
        key: _Key = (self.key(account), None)
        with self._lock:
            self._count_failure(key, at)
            tells = self._circuits[key].is_open and at - self._told.get(key, -_MINUTE) > _TOLD_TOGETHER
            if tells:
                self._told[key] = at
        if tells:
            self._pacing.tell_open(account, self._new.open_for)

    def _count_failure(self, key: "_Key", at: float) -> None:
        self._circuits[key] = self._circuits.get(key, self._new).after_failure(at)

    def note_attempt(self, target: str, state: TargetState, can: Capabilities | None, now: datetime) -> None:
        """Remembers whether a target has a password in place that is being proved, or was not accepted."""
        attempt = state.attempt
        propagating = attempt is not None and can is not None and is_propagating(attempt, can, now)
        account = self.key(attempt.staged.account) if attempt is not None else ""
        self.places.note(target, state, account, propagating=propagating)

    def note_unaccepted(self, target: str, account: str) -> None:
        """Remembers a password that was not accepted in time, until the same target has one that is proved."""
        self.places.note_unaccepted(target, self.key(account))

    def unproved_accounts(self, target: Target) -> frozenset[str]:
        """Returns the target's account if it did not accept as many passwords as the failures that open a circuit.

        A target whose own password was not accepted may try again: somebody has to be the first.
        """
        refused = self.places.is_refused(target.name, self.key(target.account))
        return frozenset({target.account}) if refused else frozenset()

    def proving_accounts(self, target: Target) -> frozenset[str]:
        """Returns the target's account if as many passwords as its window has room for are set and not proved."""
        room = self.places.has_room(target.name, self.key(target.account))
        return frozenset() if room else frozenset({target.account})

    def take_place(self, target: Target) -> bool:
        """Takes a place in the window of the target's account, until its password is proved or its look ends."""
        return self.places.take(target.name, self.key(target.account))

    def wait_for_place(self, target: Target, stopping: Callable[[], bool]) -> bool:
        """Takes a place; waits while others of this process are about to leave theirs. False: look again later."""
        return self.places.wait(target.name, self.key(target.account), stopping)

    def waiting_targets(self, target: Target) -> int:
        """Returns how many targets wait for a place at the same account."""
        return self.places.waiting_at(self.key(target.account))

    def paced_until(self, accounts: Iterable[str], now: datetime) -> Mapping[str, datetime]:
        """Returns the accounts whose next request goes out later than an effect waits for, each with that time."""
        delays = {name: self._pacing.delay(name) for name in accounts}
        return {name: now + delay for name, delay in delays.items() if delay > _WAITED_FOR}

    def note_verification(self, target: str, state: TargetState) -> None:
        """Remembers since when this process has known that what a target has published is refused, or accepted again.

        What was made just now is no evidence: it is accepted by whichever account the key belongs to.
        """
        last, published = state.verification, state.published
        with self._lock:
            if published is not None and last is not None and last.accepted:
                before = self._accepted.get(target)
                if before is not None and before[1] < last.at and before[0] == published:
                    self._accepted_again[published.account] = self._clock.monotonic()
                self._accepted[target] = (published, last.at)
            if state.published is None or state.verification is None or state.verification.accepted:
                self._refused.pop(target, None)
            else:
                at = self._clock.monotonic()
                since = self._refused.get(target, ("", at, at))[1]
                self._refused[target] = (state.published.account, since, at)

    def refused(self, target: str) -> tuple[int, timedelta]:
        """Returns how many targets of the same account are refused, and how long this process has known of this one.

        One that was not seen for hours is renamed or retired, or another process looks after it.
        """
        if not self._refused:  # as nearly always
            return 0, timedelta()
        at = self._clock.monotonic()
        with self._lock:
            self._refused = {name: seen for name, seen in self._refused.items() if at - seen[2] <= _SEEN_AGAIN}
            if target not in self._refused:
                return 0, timedelta()
            account, since, _ = self._refused[target]
            number = sum(account == other for other, _, _ in self._refused.values())
        return number, timedelta(seconds=at - since)

    def is_vouched_for(self, target: str) -> bool:
        """True if another credential of the account was accepted again since what this target has published is not."""
        if not self._refused:  # as nearly always
            return False
        with self._lock:
            account, since, _ = self._refused.get(target, ("", 0.0, 0.0))
            return self._accepted_again.get(account, -1.0) >= since

    def retirements_left(self) -> int:
        """Returns how many credentials may still be disabled or deleted in this minute."""
        if not self._retired:  # as nearly always
            return self._cap
        at = self._clock.monotonic()
        with self._lock:
            return self._left(at)

    def admit_retirement(self) -> bool:
        """Uses up one of this minute's retirements; False if none is left."""
        at = self._clock.monotonic()
        with self._lock:
            if self._left(at) <= 0:
                return False
            self._retired.append(at)
        return True

    def return_retirement(self) -> None:
        """Gives back the last one of this minute's retirements that was used up: it was not begun."""
        with self._lock:
            if self._retired:  # after a whole minute there is nothing to give back
                self._retired.pop()

    def retirement_in(self, target: str) -> timedelta:
        """Returns when a target that found none left can try again: each has a turn, so they do not all come back."""
        at = self._clock.monotonic()
        with self._lock:
            turn = self._turns.get(target, at)
            if turn <= at:
                free = (self._retired[0] if self._retired else at) + _MINUTE
                turn = self._last_turn = max(free, self._last_turn + _MINUTE / max(self._cap, 1))
                self._turns[target] = turn
            return timedelta(seconds=turn - at + _AFTER_THE_TURN)

    def _left(self, at: float) -> int:
        while self._retired and self._retired[0] <= at - _MINUTE:
            self._retired.popleft()
        return self._cap - len(self._retired)


def _is_failure(answer: Answer[object]) -> bool:
    if isinstance(answer, Refused):
        return answer.why is Refusal.AUTHENTICATION
    return isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.why is Wait.UNREACHABLE)
