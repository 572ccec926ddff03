"""Where the audit goes on this machine: a stream, or a file."""

import fcntl
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TextIO

from rotator.core.audit_chain import Line
from rotator.observe.audit import AuditError
from rotator.observe.audit_outlet import SinkKind


class StreamSink:
    """A stream such as standard output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.kind: SinkKind = "output"
        self.name = "standard output"

    def write(self, lines: Sequence[Line]) -> None:
        """Writes and flushes. Raises OSError, or ValueError if the stream is closed."""
        self._stream.write(_text(lines))
        self._stream.flush()

    def close(self) -> None:
        """Leaves closing the stream to whoever opened it."""


class FileSink:
    """A file, flushed to disk with every write; several processes may share it.

    Writers take turns by a lock on a file of its own beside it, which only rotator's user can open: whoever may only
    read the audit cannot hold it up. If the file was renamed or removed (logrotate), a new one is begun; do not use
    `copytruncate`, which may lose lines.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file, and creates it with mode 0640 (minus the umask) if it does not exist.

        Raises:
            AuditError: the file cannot be opened for writing.
        """
        self._path, self.name = path, str(path)
        self.kind: SinkKind = "file"
        self._patience = 5.0  # seconds to wait for another process's lock
        self._lock_timed_out = False  # the last time
        try:
            self._begin(self._open(path, 0o640, os.O_DSYNC))
            # The only reason to make this a link is to have rotator change the mode of what it leads to.
            self._lock = self._open(path.with_name(f"{path.name}.lock"), 0o600, os.O_NOFOLLOW)
            os.fchmod(self._lock, 0o600)  # also one that was there
        except OSError as error:
            raise AuditError(
                f"the audit file {path} cannot be opened: {error.strerror or error}; name a file in a directory that "
                "rotator can write to, or leave audit.file out"
            ) from None

    def write(self, lines: Sequence[Line]) -> None:
        """Writes at the end of the file. Raises OSError."""
        self._take_lock()
        try:
            self._append(_text(lines), self._size())
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)
        os.close(self._lock)

    def _take_lock(self) -> None:
        """Takes the lock, but waits for it only once: a process that was stopped must not hang every rotation."""
        step = 0.005
        for _ in range(1 if self._lock_timed_out else int(self._patience / step)):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                Event().wait(step)
            else:
                self._lock_timed_out = False
                return
        self._lock_timed_out = True
        raise OSError("another process holds its lock")

    def _open(self, path: Path, mode: int, more: int = 0) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | more
        file = os.open(path, flags, mode)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError("it is not a regular file")
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)  # otherwise a new file may be missing after a power failure
        finally:
            os.close(directory)
        return file

    def _begin(self, file: int) -> None:
        self._file, self._end = file, 0  # where our last line ended
        status = os.fstat(file)
        self._identity = status.st_dev, status.st_ino

    def _size(self) -> int:
        """Returns the size of the file, of a new one if it was moved."""
        with suppress(FileNotFoundError):
            current = self._path.stat()
            if (current.st_dev, current.st_ino) == self._identity:
                return current.st_size
        fresh = self._open(self._path, 0o640, os.O_DSYNC)
        os.close(self._file)
        self._begin(fresh)
        return os.fstat(fresh).st_size

    def _append(self, text: str, size: int) -> None:
        # A crash or a full disk may have cut a line short: another process's, or our own.
        torn = size not in (0, self._end) and os.pread(self._file, 1, size - 1) != b"\n"
        rest = memoryview((("\n" if torn else "") + text).encode())
        end = size + len(rest)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._end = end


def _text(lines: Sequence[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)
