"""`rotator` as a process that is killed in the middle of a line of its audit file: the record of a publishing.

It kills itself where a kill from outside would have to hit a moment of microseconds. Run as a script.
"""

import os
import runpy
import signal
from pathlib import Path
from typing import Any

TORN = b'"verb":"publish"'
_write = os.write


def _torn(file: int, data: Any) -> int:
    at = bytes(data).find(TORN)
    if at < 0:
        return _write(file, data)
    _write(file, data[:at])
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it outlived SIGKILL")


if __name__ == "__main__":
    os.write = _torn
    runpy.run_path(str(Path(__file__).with_name("short_calls.py")), run_name="__main__")
