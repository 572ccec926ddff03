"""The audit: a keyed record of each effect and request (see `rotator.core.audit_chain`), at several destinations."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Protocol

import structlog

from rotator.core.audit_chain import GENESIS, Entry, Line, Position, Scalar, next_line
from rotator.core.audit_check import IN_VAULT
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.secret import Secret
from rotator.observe.redact import Redactor
from rotator.ports import AuditStore, Clock, Randomness, StoreError, StoreUnavailable

_MOST_WAITING = 20_000  # records kept in memory for a destination that cannot be written: about 10 MB
_log = structlog.stdlib.get_logger(__name__)


class AuditError(Exception):
    """The audit cannot be opened; the message says what to change."""


class Sink(Protocol):
    """A destination of audit lines beside Vault, which is written at once."""

    @property
    def name(self) -> str:
        """What the operator calls it, such as a path."""
        ...

    def write(self, lines: Sequence[Line]) -> None:
        """Writes the lines. Raises OSError or ValueError if it cannot; they come again then."""
        ...


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """The end of the audit's chain, and the records that a destination lacks."""

    position: Position
    waiting: int = 0  # records in memory, since a destination cannot be written
    problem: str = ""  # which one, and why; empty if there is no problem


@dataclass(slots=True)
class _Loss:
    """The records that one destination will never have."""

    first: int
    last: int
    cause: str


class _Outlet:
    """One destination, and the lines that wait for it."""

    def __init__(self, name: str, write: Callable[[Sequence[Line]], None]) -> None:
        self.name, self._write = name, write
        self.waiting: deque[Line] = deque()
        self.problem = ""
        self._condition = Condition()  # guards what follows
        self._writing = False
        self._last = -1  # the number of the last line that was written
        self._loss: _Loss | None = None

    def put(self, line: Line) -> None:
        """Adds a line to those that wait. The oldest is dropped, and noted, if there are too many."""
        with self._condition:
            self.waiting.append(line)
            if len(self.waiting) > _MOST_WAITING:
                lost = self.waiting.popleft()
                self._loss = _Loss(self._loss.first if self._loss else lost.seq, lost.seq, self.problem)

    def drain(self, number: int) -> _Loss | None:
        """Writes what waits, unless the line with this number is written; keeps it if that fails.

        What comes while another thread writes goes together: one flush for all, which releases all of them at once.
        Returns what was lost before a write that succeeded again.
        """
        with self._condition:
            self._condition.wait_for(lambda: not self._writing or self._last >= number)
            lines = tuple(self.waiting)
            if self._last >= number or not lines:
                return None
            self._writing = True
        try:
            self._write(lines)
        except (OSError, ValueError, StoreError) as error:
            self._fail(_cause(error))
            return None
        else:
            return self._succeed(lines)
        finally:
            with self._condition:
                self._writing = False
                self._condition.notify_all()

    def _fail(self, cause: str) -> None:
        if cause != self.problem:  # logged once, not for every record
            waiting = len(self.waiting)
            _log.error(
                "the audit cannot be written: records are kept in memory", at=self.name, cause=cause, waiting=waiting
            )
        self.problem = cause

    def _succeed(self, lines: Sequence[Line]) -> _Loss | None:
        if self.problem:
            _log.info("the audit is being written again", at=self.name, records=len(lines))
        with self._condition:
            while self.waiting and self.waiting[0].seq <= lines[-1].seq:
                self.waiting.popleft()
            loss, self._loss = self._loss, None
            self._last, self.problem = lines[-1].seq, ""
        return loss


class AuditLog:
    """Implements `ports.Audit`. Thread-safe. One chain for each process.

    The key is in Vault, so records wait in memory until `attach`. From then on each record goes to the sinks at once,
    and to Vault with the next `flush`. `record` does not raise if a destination cannot be written: the effect has
    already happened, and stopping half-way would make matters worse. The record stays in memory and is written later;
    meanwhile `status` names the problem. What overflows is lost for that destination, and a `lines_lost` record says
    so. With `required` no effect begins before `intend` has it on record in Vault.
    """

    def __init__(
        self, sinks: Sequence[Sink], clock: Clock, randomness: Randomness, redactor: Redactor, *, required: bool = False
    ) -> None:
        self._clock, self._redactor, self._required = clock, redactor, required
        self._lock = Lock()  # guards the chain
        self._early: list[Entry] = []  # without a key yet
        self._outlets = [_Outlet(sink.name, sink.write) for sink in sinks]
        self._vault = _Outlet(IN_VAULT, self._write_to_vault)
        self.store: AuditStore | None = None
        self._key: Secret | None = None  # the engine, and with it every effect, comes after it
        self._origin: Mapping[str, Scalar] = {}
        chain = "".join(randomness.choice("0123456789abcdef") for _ in range(16))
        self._position = Position(chain, -1, GENESIS)

    def attach(self, store: AuditStore, origin: Mapping[str, Scalar]) -> None:
        """Takes the key from Vault, and writes there from now on, even what was recorded before. Raises StoreError.

        Args:
            origin: facts about this process, for the first record.
        """
        key = store.key()
        with self._lock:
            self.store = store
            if self._key is not None:
                return
            self._key, self._origin = key, {name: self._scalar(value) for name, value in origin.items()}
            early, self._early = self._early, []
            for entry in early:
                self._chain(key, entry)
            last = self._position.seq
        self._drain_sinks(last)

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: Scalar) -> None:
        """Adds one record. Returns once the sinks have it, or it is in memory if that fails."""
        safe = {name: self._scalar(value) for name, value in facts.items()}
        words = str(verb), self._redactor.clean(target), str(outcome)  # two are words of our own
        with self._lock:
            entry = Entry(self._clock.now(), *words, safe)
            if self._key is None:
                self._early.append(entry)
                return
            self._chain(self._key, entry)
            last = self._position.seq
        self._drain_sinks(last)

    def intend(self, verb: AuditVerb, target: str, **facts: Scalar) -> None:
        """Puts on record in Vault that this is about to be done, if the configuration requires that.

        Raises StoreUnavailable if Vault does not take it: then it may not be done.
        """
        if not self._required:
            return
        recorded = not self._vault.problem or self.flush()  # nothing new is recorded while that is in vain
        if recorded:
            self.record(verb, target, AuditOutcome.INTENDED, **facts)
            recorded = self.flush()
        if not recorded:
            raise StoreUnavailable(
                f"audit.required holds this up, since the audit cannot be written to Vault: {self._vault.problem}"
            )

    def flush(self) -> bool:
        """Writes what waits to Vault, and to sinks that have failed. Returns False if Vault did not take it."""
        with self._lock:
            last = self._position.seq
        self._drain(self._vault, last)
        self._drain_sinks(last)
        return not self._vault.problem

    @property
    def unattached(self) -> int:
        """The number of records that wait for the key."""
        return len(self._early)

    @property
    def status(self) -> AuditStatus:
        """The end of the chain, and the records that a destination lacks because of a problem."""
        failing = [outlet for outlet in (self._vault, *self._outlets) if outlet.problem]
        problem = "; ".join(f"{outlet.name}: {outlet.problem}" for outlet in failing)
        waiting = max((len(outlet.waiting) for outlet in failing), default=0)
        return AuditStatus(self._position, waiting, problem)

    def _chain(self, key: Secret, entry: Entry) -> None:
        if self._position.seq < 0 and entry.verb != AuditVerb.START:
            self._chain(key, Entry(entry.time, AuditVerb.START, "", AuditOutcome.DONE, self._origin))
        line, self._position = next_line(key, self._position, entry)
        for outlet in (self._vault, *self._outlets):
            outlet.put(line)

    def _drain_sinks(self, number: int) -> None:
        for outlet in self._outlets:
            self._drain(outlet, number)

    def _drain(self, outlet: _Outlet, number: int) -> None:
        loss = outlet.drain(number)
        if loss is not None:
            facts: dict[str, Scalar] = {"destination": outlet.name, "first": loss.first, "last": loss.last}
            self.record(AuditVerb.LINES_LOST, "", AuditOutcome.NOTICED, **facts, cause=loss.cause)

    def _write_to_vault(self, lines: Sequence[Line]) -> None:
        assert self.store is not None  # noqa: S101  # nothing is in a chain before
        self.store.append(lines)

    def _scalar(self, value: object) -> Scalar:
        """Returns a scalar as it is, and only the type of any other object, such as a `Secret`."""
        if value is None or isinstance(value, bool | int | str | float):
            clean: Scalar = self._redactor.nested(value)
            return clean
        return f"(not recorded: {type(value).__name__})"


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
