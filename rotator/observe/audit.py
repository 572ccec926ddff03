"""The audit: one JSON line for each effect, hash-chained (see `rotator.observe.chain`), in a file or on a stream."""

import fcntl
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event
from typing import Protocol, TextIO

import structlog

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.observe.chain import GENESIS, Entry, Position, Scalar, continue_chain, position_in, torn_facts
from rotator.observe.redact import Redactor
from rotator.ports import Clock, Randomness

_MOST_WAITING = 2_000  # records kept in memory while the file cannot be written
_BLOCK = 65_536
_log = structlog.stdlib.get_logger(__name__)


class AuditError(Exception):
    """The audit cannot be opened; the message says what to change."""


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """The end of the audit's chain, and the records not written yet."""

    position: Position
    waiting: int = 0  # records in memory that are not written yet
    problem: str = ""  # why they are not written; empty if there is no problem


class Sink(Protocol):
    """The destination of audit lines."""

    def append(self, position: Position, entries: tuple[Entry, ...]) -> Position:
        """Writes records at the chain's end and returns the new end. Raises OSError or ValueError if it cannot."""
        ...


class AuditLog:
    """Implements `ports.Audit`. Thread-safe; several processes may share one file.

    `record` does not raise if the file cannot be written: the effect has already happened, and stopping half-way would
    make matters worse. The record stays in memory and is written before the next one (twice if the first write may have
    succeeded); meanwhile `status` names the problem. If memory overflows, a `lines_lost` record says how many records
    were lost.
    """

    def __init__(self, sink: Sink, clock: Clock, randomness: Randomness, redactor: Redactor) -> None:
        self._sink = sink
        self._clock = clock
        self._redactor = redactor
        self._condition = Condition()  # guards everything below; never held while something is written
        self._waiting: deque[Entry] = deque()
        self._entered = self._tried = 0  # records so far; those that were written, or that the sink did not take
        self._writing = False  # one thread writes for all
        self._lost = 0
        self._problem = ""
        chain = "".join(randomness.choice("0123456789abcdef") for _ in range(16))
        self._position = Position(chain, -1, GENESIS)
        self._write()  # writes no record, but finds the chain in an existing file

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: Scalar) -> None:
        """Adds one line. Returns once it is on disk, or in memory if that fails.

        What comes while another thread waits for the disk goes there together: one flush for all.
        """
        safe = {name: self._scalar(value) for name, value in facts.items()}
        clean = self._redactor.clean
        words = clean(verb), clean(target), clean(outcome)
        with self._condition:
            self._waiting.append(Entry(self._clock.now(), *words, safe))
            self._entered += 1
            number = self._entered
            self._condition.wait_for(lambda: self._tried >= number or not self._writing)
            if self._tried >= number:
                return
            self._writing = True
        try:
            self._write()
        finally:
            with self._condition:
                self._writing = False
                self._condition.notify_all()

    @property
    def status(self) -> AuditStatus:
        """The end of the chain, and the records not written yet."""
        with self._condition:
            return AuditStatus(self._position, len(self._waiting), self._problem)

    def _write(self) -> None:
        with self._condition:
            entries, last = tuple(self._waiting), self._entered
        try:
            end = self._sink.append(self._position, (*self._lost_entry(), *entries))
        except (OSError, ValueError) as error:
            self._keep(error, last)
            return
        if self._problem:
            _log.info("the audit is being written again", records=len(entries), lost=self._lost)
        with self._condition:
            for _ in entries:
                self._waiting.popleft()
            self._position, self._tried, self._lost, self._problem = end, last, 0, ""

    def _keep(self, error: OSError | ValueError, last: int) -> None:
        cause = _cause(error)
        with self._condition:
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popleft()
                self._lost += 1
            waiting, is_new = len(self._waiting), cause != self._problem
            self._tried, self._problem = last, cause
        if is_new:  # logged once, not for every record
            _log.error("the audit cannot be written: records are kept in memory", cause=cause, waiting=waiting)

    def _lost_entry(self) -> tuple[Entry, ...]:
        if not self._lost:
            return ()
        return (
            Entry(
                self._clock.now(),
                AuditVerb.LINES_LOST,
                "",
                AuditOutcome.NOTICED,
                {"records": self._lost, "cause": self._problem},
            ),
        )

    def _scalar(self, value: object) -> Scalar:
        """Returns a scalar as it is, and only the type of any other object, such as a `Secret`."""
        if value is None or isinstance(value, bool | int | str | float):
            clean: Scalar = self._redactor.nested(value)
            return clean
        return f"(not recorded: {type(value).__name__})"


class StreamSink:
    """A stream such as standard output. Each process starts its own chain on it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def append(self, position: Position, entries: tuple[Entry, ...]) -> Position:
        """Writes and flushes. Raises OSError, or ValueError if the stream is closed."""
        lines, end = continue_chain(position, entries)
        if lines:
            self._stream.write(lines)
            self._stream.flush()
        return end


class FileSink:
    """A file. Continues the chain in it and flushes every write to disk.

    All writers take a lock (flock), and read the end again after another one has written. If the file was renamed or
    removed (logrotate), the chain continues in a new one; do not use `copytruncate`, which may lose lines. A last line
    that a crash cut short is kept, and the record after it accounts for it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Opens the file, and creates it with mode 0640 (minus the umask) if it does not exist.

        Raises:
            AuditError: the file cannot be opened for writing.
        """
        self._path = path
        self._clock = clock
        self._size = -1  # of the file after our last write; -1: unknown
        self._patience = 5.0  # seconds to wait for another process's lock
        self._lock_timed_out = False  # the last time
        try:
            self._file = self._open()
        except OSError as error:
            raise AuditError(
                f"the audit file {path} cannot be opened: {_cause(error)}; name a file in a directory that rotator can "
                "write to, or use standard output"
            ) from None

    def append(self, position: Position, entries: tuple[Entry, ...]) -> Position:
        """Writes at the end of the chain in the file, or at `position` if the file is empty. Raises OSError."""
        while True:
            self._take_lock()
            try:
                found = os.fstat(self._file)
                if found.st_size not in (self._size, 0):
                    position = _last_position(self._file, found.st_size) or position
                if not self._moved(found):
                    return self._add(position, entries, found.st_size)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
            self._reopen()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    def _take_lock(self) -> None:
        """Takes the lock, but waits for it only once: a stranger that locks the file must not hang every rotation."""
        pause, step = Event(), 0.005
        for _ in range(1 if self._lock_timed_out else int(self._patience / step)):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pause.wait(step)
            else:
                self._lock_timed_out = False
                return
        self._lock_timed_out = True
        raise OSError("another process holds its lock")

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self._path, flags, 0o640)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError("it is not a regular file")
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)  # otherwise a new file may be missing after a power failure
        finally:
            os.close(directory)
        return file

    def _reopen(self) -> None:
        fresh = self._open()
        os.close(self._file)
        self._file, self._size = fresh, -1

    def _moved(self, ours: os.stat_result) -> bool:
        try:
            current = self._path.stat()
        except FileNotFoundError:
            return True
        return not os.path.samestat(current, ours)

    def _add(self, position: Position, entries: tuple[Entry, ...], size: int) -> Position:
        mended, position = ("", position) if size == self._size else self._mend(position, size)
        lines, end = continue_chain(position, entries)
        rest = memoryview((mended + lines).encode())
        written = len(rest)
        if rest:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        self._size = size + written
        return end

    def _mend(self, position: Position, size: int) -> tuple[str, Position]:
        """Ends a last line without a newline, and accounts for it in a record unless only the newline was missing."""
        torn = next(_lines_backwards(self._file, size))
        if not torn or position_in(torn) == position:
            return ("\n" if torn else ""), position
        line, end = continue_chain(
            position, (Entry(self._clock.now(), AuditVerb.TORN_LINE, "", AuditOutcome.NOTICED, torn_facts(torn)),)
        )
        return "\n" + line, end


def _lines_backwards(file: int, size: int) -> Iterator[bytes]:
    """Yields the lines of a file backwards. The first one is the text after the last newline."""
    end, rest, length = size, b"", _BLOCK
    while end > 0:
        start = max(end - length, 0)
        rest, *lines = (os.pread(file, end - start, start) + rest).split(b"\n")
        yield from reversed(lines)
        end, length = start, 8 * length
    yield rest


def _last_position(file: int, size: int) -> Position | None:
    """Returns the end of the chain in a file: its last line that is a record; None if there is none."""
    return next((end for line in _lines_backwards(file, size) if (end := position_in(line)) is not None), None)


def _cause(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
