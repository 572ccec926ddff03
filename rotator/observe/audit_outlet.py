"""One destination of the audit, and the lines that wait for it."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import structlog

from rotator.core.audit_chain import Line
from rotator.ports import Clock, StoreError

SinkKind = Literal["file", "output", "syslog", "http"]
_MOST_WAITING = 20_000  # records kept in memory for a destination that cannot be written: about 10 MB
_AT_ONCE = 500  # records in one write, at the most
_BEHIND = 60.0  # seconds that a record may wait before its destination counts as behind
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutletStatus:
    """How one destination is doing."""

    kind: SinkKind | Literal["vault"]
    name: str
    waiting: int  # records in memory, since it cannot be written or is behind; 0 if neither
    lost: int  # records that it will never have, since the process began
    problem: str  # empty if there is none


@dataclass(slots=True)
class Loss:
    """The records that one destination will never have."""

    first: int
    last: int
    cause: str


class Outlet:
    """One destination, and the lines that wait for it. Thread-safe."""

    def __init__(
        self,
        kind: SinkKind | Literal["vault"],
        name: str,
        write: Callable[[Sequence[Line]], None],
        clock: Clock,
    ) -> None:
        self.kind, self.name, self._write, self._clock = kind, name, write, clock
        self.problem = ""
        self._waiting: deque[tuple[Line, float]] = deque()  # each since when; added to at any time
        self._lock = Lock()  # guards what follows, and what is taken out of the above
        self._writing = False
        self._taken = -1  # the number of the last line that is being written, or was
        self._last = -1  # the number of the last line that was written; it only grows, so no lock is needed to read it
        # Those whose lines are being written, and those whose lines come next. Each waits for a lock of its own: if
        # many threads want one lock or condition, each has to wait for the interpreter while the others wait for it.
        self._these: list[Lock] = []
        self._next: list[Lock] = []
        self._lost = 0
        self._loss: Loss | None = None

    def put(self, line: Line) -> None:
        """Adds a line to those that wait. The oldest is dropped, and noted, if there are too many.

        One thread at a time may do so.
        """
        self._waiting.append((line, self._clock.monotonic()))
        if len(self._waiting) > _MOST_WAITING:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        with self._lock:
            if len(self._waiting) <= _MOST_WAITING:  # some of them have been written since
                return
            lost, _ = self._waiting.popleft()
            first = self._loss.first if self._loss else lost.seq
            self._loss = Loss(first, lost.seq, self.problem or "it takes them too slowly")
            self._lost += 1

    def drain(self, number: int) -> tuple[Loss, ...]:
        """Writes what waits, until the line with this number is written; keeps what cannot be.

        What comes while another thread writes goes together: one flush for all, which releases all of them at once.
        Returns what was lost before a write that succeeded again.
        """
        losses: list[Loss] = []
        while lines := self._take_turn(number):
            try:
                self._write(lines)
            except (OSError, ValueError, StoreError) as error:
                self._fail(_cause(error))
                break
            else:
                losses += self._succeed(lines)
            finally:
                self._end_turn()
        return tuple(losses)

    def _take_turn(self, number: int) -> Sequence[Line]:
        """Returns what this thread is to write; nothing if another one has written the line with this number."""
        while self._last < number:
            with self._lock:
                if self._last >= number:
                    break
                if not self._writing:
                    lines = self._first(_AT_ONCE)
                    if lines:
                        self._writing, self._taken = True, lines[-1].seq
                        self._these, self._next = self._next, []
                    return lines
                turn = Lock()
                turn.acquire()
                (self._these if number <= self._taken else self._next).append(turn)
            turn.acquire()
        return ()

    def _end_turn(self) -> None:
        """Lets those go on whose lines were written, and one of those whose lines come next."""
        with self._lock:
            self._writing = False
            released = self._these + self._next[:1]
            self._these, self._next = [], self._next[1:]
        for turn in released:
            turn.release()

    def _first(self, number: int) -> list[Line]:
        """Returns the first lines that wait, at most so many. Lines may be added meanwhile."""
        return [self._waiting[place][0] for place in range(min(len(self._waiting), number))]

    @property
    def unwritten(self) -> tuple[Line, ...]:
        """The records that wait, whether there is a problem or not."""
        with self._lock:
            return tuple(self._first(_MOST_WAITING))

    def status(self) -> OutletStatus:
        """Returns how it is doing."""
        with self._lock:
            waiting = len(self._waiting)
            since = self._waiting[0][1] if self._waiting else self._clock.monotonic()
            lost = self._lost
        problem, late = self.problem, self._clock.monotonic() - since
        if not problem and late > _BEHIND:
            problem = f"it is {late:.0f} seconds behind"
        return OutletStatus(self.kind, self.name, waiting if problem else 0, lost, problem)

    def _fail(self, cause: str) -> None:
        if cause != self.problem:  # logged once, not for every record
            waiting = len(self._waiting)
            _log.error(
                "the audit cannot be written: records are kept in memory", at=self.name, cause=cause, waiting=waiting
            )
        self.problem = cause

    def _succeed(self, lines: Sequence[Line]) -> tuple[Loss, ...]:
        if self.problem:
            _log.info("the audit is being written again", at=self.name, records=len(lines))
        with self._lock:
            while self._waiting and self._waiting[0][0].seq <= lines[-1].seq:
                self._waiting.popleft()
            loss, self._loss = self._loss, None
            self.problem = ""
            self._last = lines[-1].seq  # at last: whoever reads it goes on, and looks whether there is a problem
        return () if loss is None else (loss,)


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
