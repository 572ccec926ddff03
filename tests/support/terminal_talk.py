"""A talk with `rotator` at a terminal that is its own: what it asks is awaited, and Ctrl-C is a signal."""

import os
import pty
import select
import sys
import time
from collections.abc import Mapping

import psutil

LIMIT = 60.0
_AT_REST = 0.3  # seconds


class TerminalTalk:
    """One command. `said` is everything that it has written."""

    def __init__(self, words: list[str], environ: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "rotator", *words]
        terminal = {**environ, "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40"}
        self._child, self._master = pty.fork()
        if not self._child:
            os.execve(sys.executable, command, terminal)
        self.said, self._heard = "", 0

    def answer(self, question: str, answer: str) -> None:
        """Waits for a question after what was answered last, and types when somebody listens.

        A signal between the question and the reading of the answer would be noticed at the next key only: so Python is.
        """
        end = time.monotonic() + LIMIT
        while question not in self.said[self._heard :]:
            assert time.monotonic() < end, self.said
            assert self._listen(), self.said
        self._heard = len(self.said)
        self._until_it_listens()
        os.write(self._master, answer.encode())

    def _until_it_listens(self) -> None:
        """Waits until the command has slept for a while: it also sleeps while the terminal is made ready."""
        child, switches, since = psutil.Process(self._child), -1, time.monotonic()
        while time.monotonic() - since < _AT_REST:
            now = child.num_ctx_switches().voluntary
            if now != switches or child.status() != psutil.STATUS_SLEEPING:
                switches, since = now, time.monotonic()
            time.sleep(0.01)

    def wait_for(self, text: str) -> None:
        """Waits until it has written `text`."""
        end = time.monotonic() + LIMIT
        while text not in self.said:
            assert time.monotonic() < end, self.said
            assert self._listen(), self.said

    def press_ctrl_c(self) -> None:
        """Types Ctrl-C, at whatever it is doing."""
        os.write(self._master, b"\x03")

    def end(self) -> int:
        """Waits for the command's end, and returns its exit code."""
        end = time.monotonic() + LIMIT
        while self._listen():
            assert time.monotonic() < end, self.said
        os.close(self._master)
        return os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])

    def _listen(self) -> bool:
        """Hears some more; False at the end."""
        ready, _, _ = select.select([self._master], [], [], 0.1)
        try:
            piece = os.read(self._master, 65536) if ready else b""
        except OSError:  # the other end was closed
            return False
        self.said += piece.decode(errors="replace")
        return bool(piece) or not ready
