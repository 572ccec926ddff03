"""What holds a whole process back: the circuit of each account, and the cap on retirements.

Kept in memory only: after a restart both start anew, and neither decides about a credential.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.answers import Refused, Retry, Unknown, Wait
from rotator.core.circuit import Circuit
from rotator.core.facts import unproved_in_place
from rotator.core.model import Attempt
from rotator.ports import Clock

_MINUTE = 60.0


class Gates:
    """Shared by all looks of one process; thread-safe."""

    def __init__(self, clock: Clock, circuit: Circuit, retirements_per_minute: int) -> None:
        self._clock = clock
        self._new = circuit
        self._circuits: dict[str, Circuit] = {}
        self._cap = retirements_per_minute
        self._retired: deque[float] = deque()
        self._unproved: dict[str, str] = {}  # by target, the account
        self._lock = Lock()

    def closed(self, accounts: Iterable[str], now: datetime) -> Mapping[str, datetime]:
        """The accounts that nothing may be sent to, and until when."""
        at = self._clock.monotonic()
        with self._lock:
            left = {name: self._circuits.get(name, self._new).remaining(at) for name in accounts}
        return {name: now + wait for name, wait in left.items() if wait > timedelta()}

    def open_circuits(self) -> tuple[str, ...]:
        """The accounts whose circuit is open, a pending probe included."""
        with self._lock:
            return tuple(sorted(name for name, circuit in self._circuits.items() if circuit.is_open))

    def sending(self, account: str) -> bool:
        """A call goes out; False where the circuit is open and another call is the probe for a while."""
        at = self._clock.monotonic()
        with self._lock:
            circuit = self._circuits.get(account, self._new)
            if circuit.remaining(at) > timedelta():
                return False
            self._circuits[account] = circuit.probing(at)
        return True

    def noticed(self, target: str, attempt: Attempt | None) -> None:
        """What the state document says of a target's attempt."""
        with self._lock:
            if attempt is not None and unproved_in_place(attempt):
                self._unproved[target] = attempt.staged.account
            else:
                self._unproved.pop(target, None)

    def doubted(self) -> frozenset[str]:
        """Accounts where as many passwords as open a circuit were set in place, and none of them proved yet."""
        with self._lock:
            counted = Counter(self._unproved.values())
        return frozenset(account for account, number in counted.items() if number >= self._new.threshold)

    def answered(self, account: str, answer: object) -> None:
        """The answer came: the circuit learns from it. Being told to slow down says nothing about health."""
        at = self._clock.monotonic()
        if isinstance(answer, Retry) and answer.why is Wait.RATE_LIMITED:
            return
        with self._lock:
            circuit = self._circuits.get(account, self._new)
            self._circuits[account] = circuit.failed(at) if _is_failure(answer) else circuit.succeeded()

    def retirements_left(self) -> int:
        """How many credentials may still be disabled or deleted in this minute."""
        at = self._clock.monotonic()
        with self._lock:
            return self._left(at)

    def retiring(self) -> bool:
        """Takes one of this minute's retirements; False where none is left."""
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


def _is_failure(answer: object) -> bool:
    if isinstance(answer, Unknown):
        return True
    if isinstance(answer, Refused):
        return answer.why.concerns_account
    return isinstance(answer, Retry) and answer.why is Wait.UNREACHABLE
