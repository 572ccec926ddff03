"""The memory of this process holds every password: nothing dumps it, and no other process of the same user reads it."""

import ctypes
import os
import resource
import sys

from rotator.cli.exits import CommandError

_PR_SET_DUMPABLE = 4


def protect_memory() -> None:
    """Ends core dumps for good, for this process and what it starts, and makes this process undumpable.

    The limit alone is not enough: where the kernel pipes core dumps to a program, it ignores the limit. An undumpable
    process is dumped nowhere, and its memory and environment in /proc are closed to others of the same user, who cannot
    trace it either. A program that it starts is dumpable again, since the kernel resets that.

    Raises CommandError if the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
            reason = os.strerror(ctypes.get_errno())
            raise CommandError(f"the memory of this process cannot be protected: prctl(PR_SET_DUMPABLE): {reason}")
