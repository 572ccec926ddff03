"""The audit: a keyed record of each effect and request (see `rotator.core.audit_chain`), at several destinations."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Protocol

import structlog

from rotator.core.audit_chain import GENESIS, Entry, Line, Position, Scalar, next_line
from rotator.core.audit_check import IN_VAULT
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.secret import Secret
from rotator.observe.audit_outlet import Outlet, OutletStatus, SinkKind
from rotator.observe.redact import Redactor
from rotator.ports import AuditStore, Clock, Randomness, StoreUnavailable

_PLAIN = frozenset({bool, int, str})  # scalars that are recorded as they are, but for secrets
_log = structlog.stdlib.get_logger(__name__)


class AuditError(Exception):
    """The audit cannot be opened; the message says what to change."""


class Sink(Protocol):
    """A destination of audit lines beside Vault, which is written at once."""

    @property
    def kind(self) -> SinkKind:
        """The label of its metrics."""
        ...

    @property
    def name(self) -> str:
        """What the operator calls it, such as a path."""
        ...

    def write(self, lines: Sequence[Line]) -> None:
        """Writes the lines. Raises OSError or ValueError if it cannot; all of them come again then."""
        ...

    def close(self) -> None:
        """Closes what it holds open."""
        ...


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """The end of the audit's chain, and how its destinations are doing."""

    position: Position
    outlets: tuple[OutletStatus, ...]

    @property
    def waiting(self) -> int:
        """The most records that a destination lacks because of a problem."""
        return max((outlet.waiting for outlet in self.outlets), default=0)

    @property
    def problem(self) -> str:
        """Which destinations have a problem, and which; empty if none has."""
        return "; ".join(f"{outlet.name}: {outlet.problem}" for outlet in self.outlets if outlet.problem)


class AuditLog:
    """Implements `ports.Audit`. Thread-safe. One chain for each process.

    The key is in Vault, so records wait in memory until `attach`. From then on each record goes to the sinks on this
    machine at once, to Vault with the next `flush`, and to the sinks elsewhere with the next `send`, for which nothing
    but a thread of their own waits. `record` does not raise if a destination cannot be written: the effect has already
    happened, and stopping half-way would make matters worse. The record stays in memory and is written later;
    meanwhile `status` names the problem. What overflows is lost for that destination, and a `lines_lost` record says
    so. With `required` no effect begins before `intend` has it on record in Vault.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        clock: Clock,
        randomness: Randomness,
        redactor: Redactor,
        *,
        remote: Sequence[Sink] = (),
        spare: Sink | None = None,
        required: bool = False,
    ) -> None:
        """Begins a chain.

        Args:
            sinks: on this machine.
            remote: elsewhere.
            spare: gets what Vault has not taken by the end.
            required: see above.
        """
        self._clock, self._redactor, self._spare, self._required = clock, redactor, spare, required
        self._lock = Lock()  # guards the chain
        self._early: list[Entry] = []  # without a key yet
        self._local = [Outlet(sink.kind, sink.name, sink.write, clock) for sink in sinks]
        self._vault = Outlet("vault", IN_VAULT, self._write_to_vault, clock)
        self.remote = [Outlet(sink.kind, sink.name, sink.write, clock) for sink in remote]
        self.store: AuditStore | None = None
        self._key: Secret | None = None  # the engine, and with it every effect, comes after it
        self._origin: Mapping[str, Scalar] = {}
        chain = randomness.text("0123456789abcdef", 16)
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
        words, safe = self._cleaned((verb, target, outcome), facts)
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
        recorded = not self._vault.problem or self.flush()  # nothing new is recorded while that fails
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

    def send(self, outlet: Outlet) -> bool:
        """Writes what waits for one of `remote`. Returns False if it did not take everything."""
        with self._lock:
            last = self._position.seq
        self._drain(outlet, last)
        return not outlet.problem

    def finish(self, within: float) -> None:
        """Writes what waits to every destination, once the process does nothing any more.

        Args:
            within: seconds that the sinks elsewhere have, all together.
        """
        senders = [Thread(target=self.send, args=(outlet,), daemon=True) for outlet in self.remote]
        for sender in senders:
            sender.start()
        end, last = self._clock.monotonic() + within, self._position
        self.flush()
        for sender in senders:
            sender.join(max(end - self._clock.monotonic(), 0))
        if self._position != last:  # that records were lost is a record, too
            self.flush()
        if self._spare is not None and self._vault.unwritten:
            with suppress(OSError, ValueError):
                self._spare.write(self._vault.unwritten)
        for outlet in self.remote:
            if outlet.unwritten:
                _log.warning("the audit was not sent to the end", at=outlet.name, records=len(outlet.unwritten))

    @property
    def status(self) -> AuditStatus:
        """The end of the chain, and how each destination is doing."""
        return AuditStatus(self._position, tuple(outlet.status() for outlet in self._all))

    @property
    def _all(self) -> tuple[Outlet, ...]:
        return (self._vault, *self._local, *self.remote)

    def _chain(self, key: Secret, entry: Entry) -> None:
        if self._position.seq < 0 and entry.verb != AuditVerb.START:
            self._chain(key, Entry(entry.time, AuditVerb.START, "", AuditOutcome.DONE, self._origin))
        line, self._position = next_line(key, self._position, entry)
        for outlet in self._all:
            outlet.put(line)

    def _drain_sinks(self, number: int) -> None:
        for outlet in self._local:
            self._drain(outlet, number)

    def _drain(self, outlet: Outlet, number: int) -> None:
        for loss in outlet.drain(number):
            facts: dict[str, Scalar] = {"destination": outlet.name, "first": loss.first, "last": loss.last}
            self.record(AuditVerb.LINES_LOST, "", AuditOutcome.NOTICED, **facts, cause=loss.cause)

    def _write_to_vault(self, lines: Sequence[Line]) -> None:
        assert self.store is not None  # noqa: S101  # nothing is in a chain before
        self.store.append(lines)

    def _cleaned(
        self, words: tuple[str, str, str], facts: Mapping[str, Scalar]
    ) -> tuple[tuple[str, str, str], Mapping[str, Scalar]]:
        """Returns both without secrets. One search tells whether there are any; nearly always there are none."""
        plain = all(value is None or type(value) in _PLAIN for value in facts.values())
        if plain and self._redactor.leaves("\n".join((*words, *map(str, facts.values())))):
            return words, facts
        clean = self._redactor.clean
        safe = {name: self._scalar(value) for name, value in facts.items()}
        return (clean(words[0]), clean(words[1]), clean(words[2])), safe

    def _scalar(self, value: object) -> Scalar:
        """Returns a scalar as it is, and only the type of any other object, such as a `Secret`."""
        if value is None or isinstance(value, bool | int | str | float):
            clean: Scalar = self._redactor.nested(value)
            return clean
        return f"(not recorded: {type(value).__name__})"
