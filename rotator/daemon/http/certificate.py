"""The certificate that the endpoint shows, as its files are now: whoever renews it writes the files anew."""

import ssl
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import structlog

_log = structlog.stdlib.get_logger(__name__)


class Certificate:
    """A certificate and its key in two files, read again when either changes. Thread-safe."""

    def __init__(self, files: tuple[Path, Path], load: Callable[[], ssl.SSLContext]) -> None:
        """Reads the files.

        Args:
            files: what `load` reads; a change of either makes it read again.
            load: returns a context with the certificate. Raises ValueError if it cannot be used.

        Raises:
            ValueError: the certificate cannot be used; the message says why.
        """
        self._files, self._load = files, load
        self._lock = Lock()
        self._seen = self._stamps()
        self._context = load()

    def context(self) -> ssl.SSLContext:
        """Returns the context for the next connection.

        If the files have changed and cannot be used, perhaps because only one of them is new yet, the old certificate
        stays in force.
        """
        with self._lock:
            stamps = self._stamps()  # taken before the files are read: what is written meanwhile is a further change
            if stamps != self._seen:
                self._seen = stamps
                try:
                    self._context = self._load()
                except ValueError as error:
                    _log.warning("the new TLS certificate cannot be used; the old one stays in force", error=str(error))
                else:
                    _log.info("the TLS certificate was renewed", file=str(self._files[0]))
            return self._context

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Returns what tells a file from the one that replaces it, also behind the links of a Kubernetes volume."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
