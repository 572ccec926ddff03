"""Limits that hold for a whole process: the circuits of each account, and the cap on retirements.

They are kept in memory only: a restart resets both, and neither decides about a credential.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.answers import Answer, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.attempts import is_propagating, may_cut_off
from rotator.core.circuit import Circuit, ProviderVerb
from rotator.core.model import Attempt, Capabilities, Credential, Phase, TargetState
from rotator.ports import Clock

_MINUTE = 60.0
_Key = tuple[str, ProviderVerb | None]  # an account, or one verb there


class Throttles:
    """Shared by all looks of one process; thread-safe."""

    def __init__(self, clock: Clock, circuit: Circuit, retirements_per_minute: int) -> None:
        self._clock = clock
        self._new = circuit
        self._circuits: dict[_Key, Circuit] = {}  # those with failures: every look asks them all
        self._cap = retirements_per_minute
        self._retired: deque[float] = deque()
        self._proving: dict[str, str] = {}  # by target, the account: a password was set just now
        self._unproved: dict[str, str] = {}  # by target, the account: a password was not accepted in time
        self._put_back: dict[str, str] = {}  # likewise, and the old one was put back
        self._refused: dict[str, tuple[str, float]] = {}  # by target, the account and since when
        self._accepted: dict[str, tuple[Credential, datetime]] = {}  # by target, what was accepted and when
        self._accepted_again: dict[str, float] = {}  # by account, when a credential was last seen accepted once more
        self._lock = Lock()

    def open_until(self, accounts: Collection[str], now: datetime) -> Mapping[str, datetime]:
        """Returns the accounts that may not be called now, each with the time of its next probe."""
        return {name: now + wait for (name, verb), wait in self._waits().items() if verb is None and name in accounts}

    def shut_until(self, now: datetime) -> Mapping[tuple[str, ProviderVerb], datetime]:
        """Returns the accounts and verbs that may not be called now, each with the time of the next probe."""
        return {(name, verb): now + wait for (name, verb), wait in self._waits().items() if verb is not None}

    def _waits(self) -> dict["_Key", timedelta]:
        at = self._clock.monotonic()
        with self._lock:
            waits = {key: circuit.wait(at) for key, circuit in self._circuits.items()}
        return {key: wait for key, wait in waits.items() if wait > timedelta()}

    def open_circuits(self) -> tuple[str, ...]:
        """Returns the accounts whose circuit is open, even if a probe may go out now."""
        with self._lock:
            return tuple(sorted(name for (name, verb), one in self._circuits.items() if verb is None and one.is_open))

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
        keys: tuple[_Key, ...] = ((account, None), (account, verb))
        with self._lock:
            circuits = {key: self._circuits[key] for key in keys if key in self._circuits}
            if not urgent and any(circuit.wait(at) > timedelta() for circuit in circuits.values()):
                return False
            self._circuits |= {key: circuit.after_call(at) for key, circuit in circuits.items()}
        return True

    def learn_from(self, account: str, verb: ProviderVerb, answer: Answer[object]) -> None:
        """Counts an answer in the account's circuits. A rate limit says nothing about the account's health.

        A missing right is counted for its verb alone: with other verbs the account answers as it should.
        """
        at = self._clock.monotonic()
        if isinstance(answer, Retry) and answer.why is Wait.RATE_LIMITED:
            return
        with self._lock:
            if _is_failure(answer):
                self._count_failure((account, None), at)
                return
            self._circuits.pop((account, None), None)
            if isinstance(answer, Refused) and answer.why is Refusal.PERMISSION:
                self._count_failure((account, verb), at)
            else:
                self._circuits.pop((account, verb), None)

    def _count_failure(self, key: "_Key", at: float) -> None:
        self._circuits[key] = self._circuits.get(key, self._new).after_failure(at)

    def note_attempt(self, target: str, attempt: Attempt | None, can: Capabilities | None, now: datetime) -> None:
        """Remembers whether a target has a password in place that is being proved, or was not accepted."""
        with self._lock:
            self._proving.pop(target, None)
            self._unproved.pop(target, None)
            if attempt is None:
                return
            if attempt.phase is Phase.PROVED:
                self._put_back.pop(target, None)
            elif may_cut_off(attempt):
                in_flight = can is not None and is_propagating(attempt, can, now)
                (self._proving if in_flight else self._unproved)[target] = attempt.staged.account

    def note_unaccepted(self, target: str, account: str) -> None:
        """Remembers a password that was not accepted and is put back, until the same target has one that is proved."""
        with self._lock:
            self._put_back[target] = account

    def unproved_accounts(self, target: str = "") -> frozenset[str]:
        """Returns the accounts that did not accept as many passwords as the failures that open a circuit.

        A target whose own password was not accepted may try again: somebody has to be the first.
        """
        with self._lock:
            refused = self._put_back | self._unproved
        counted, own = Counter(refused.values()), refused.get(target)
        return frozenset(name for name, number in counted.items() if number >= self._new.threshold and name != own)

    def proving_accounts(self) -> frozenset[str]:
        """Returns the accounts with as many passwords set in place that are not accepted, or not proved yet."""
        with self._lock:
            counted = Counter((self._put_back | self._unproved | self._proving).values())
            proving = set(self._proving.values())
        return frozenset(name for name, number in counted.items() if number >= self._new.threshold and name in proving)

    def note_verification(self, target: str, state: TargetState) -> None:
        """Remembers since when this process has known that what a target has published is refused, or accepted again.

        What was made just now is no evidence: it is accepted by whichever account the key belongs to.
        """
        last, published = state.verification, state.published
        with self._lock:
            if published is not None and last is not None and last.accepted:
                before = self._accepted.get(target)
                if before is not None and before[0] == published and before[1] < last.at:
                    self._accepted_again[published.account] = self._clock.monotonic()
                self._accepted[target] = (published, last.at)
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

    def is_vouched_for(self, target: str) -> bool:
        """True if another credential of the account was accepted again since what this target has published is not."""
        with self._lock:
            account, since = self._refused.get(target, ("", 0.0))
            return self._accepted_again.get(account, -1.0) >= since

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
        return answer.why is Refusal.AUTHENTICATION
    return isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.why is Wait.UNREACHABLE)
