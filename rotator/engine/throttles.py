"""Limits that hold for a whole process: the circuit of each account, and the cap on retirements.

They are kept in memory only: a restart resets both, and neither decides about a credential.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.answers import Answer, Refused, Retry, Unknown, Wait
from rotator.core.circuit import Circuit
from rotator.core.facts import has_unproved_password
from rotator.core.model import Attempt, TargetState
from rotator.ports import Clock

_MINUTE = 60.0


class Throttles:
    """Shared by all looks of one process; thread-safe."""

    def __init__(self, clock: Clock, circuit: Circuit, retirements_per_minute: int) -> None:
        self._clock = clock
        self._new = circuit
        self._circuits: dict[str, Circuit] = {}
        self._cap = retirements_per_minute
        self._retired: deque[float] = deque()
        self._unproved: dict[str, str] = {}  # by target, the account
        self._refused: dict[str, tuple[str, float]] = {}  # by target, the account and since when
        self._lock = Lock()

    def open_until(self, accounts: Iterable[str], now: datetime) -> Mapping[str, datetime]:
        """Returns the accounts that may not be called now, each with the time of its next probe."""
        at = self._clock.monotonic()
        with self._lock:
            waits = {name: self._circuits.get(name, self._new).wait(at) for name in accounts}
        return {name: now + wait for name, wait in waits.items() if wait > timedelta()}

    def open_circuits(self) -> tuple[str, ...]:
        """Returns the accounts whose circuit is open, even if a probe may go out now."""
        with self._lock:
            return tuple(sorted(name for name, circuit in self._circuits.items() if circuit.is_open))

    def admit_call(self, account: str) -> bool:
        """Returns True if a call may go out now. While the circuit is open, only one probe at a time may."""
        at = self._clock.monotonic()
        with self._lock:
            circuit = self._circuits.get(account, self._new)
            if circuit.wait(at) > timedelta():
                return False
            self._circuits[account] = circuit.after_call(at)
        return True

    def learn_from(self, account: str, answer: Answer[object]) -> None:
        """Counts an answer in the account's circuit. A rate limit says nothing about the account's health."""
        at = self._clock.monotonic()
        if isinstance(answer, Retry) and answer.why is Wait.RATE_LIMITED:
            return
        with self._lock:
            circuit = self._circuits.get(account, self._new)
            self._circuits[account] = circuit.after_failure(at) if _is_failure(answer) else circuit.after_success()

    def note_attempt(self, target: str, attempt: Attempt | None) -> None:
        """Remembers whether a target has a password in place that is not proved yet."""
        with self._lock:
            if attempt is not None and has_unproved_password(attempt):
                self._unproved[target] = attempt.staged.account
            else:
                self._unproved.pop(target, None)

    def unproved_accounts(self) -> frozenset[str]:
        """Returns the accounts whose unproved passwords are as many as the failures that open a circuit."""
        with self._lock:
            counted = Counter(self._unproved.values())
        return frozenset(account for account, number in counted.items() if number >= self._new.threshold)

    def note_verification(self, target: str, state: TargetState) -> None:
        """Remembers since when this process has known that what a target has published is refused."""
        with self._lock:
            if state.published is None or state.verification is None or state.verification.accepted:
                self._refused.pop(target, None)
            else:
                since = self._refused.get(target, ("", self._clock.monotonic()))[1]
                self._refused[target] = (state.published.account, since)

    def refused(self, target: str) -> tuple[int, timedelta]:
        """Returns how many targets of the same account are refused, and how long this process has known of this one."""
        at = self._clock.monotonic()
        with self._lock:
            account, since = self._refused.get(target, ("", at))
            number = sum(account == other for other, _ in self._refused.values())
        return number, timedelta(seconds=at - since)

    def retirements_left(self) -> int:
        """Returns how many credentials may still be disabled or deleted in this minute."""
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

    def _left(self, at: float) -> int:
        while self._retired and self._retired[0] <= at - _MINUTE:
            self._retired.popleft()
        return self._cap - len(self._retired)


def _is_failure(answer: Answer[object]) -> bool:
    if isinstance(answer, Refused):
        return answer.why.concerns_account
    return isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.why is Wait.UNREACHABLE)
