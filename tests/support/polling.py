"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], what: str | Callable[[], Any], limit: float = 60.0) -> T:
    """Polls until `condition` is true, and returns its value. `what` is a text or makes one.

    It looks less often the longer it waits: what is asked costs those who work time, too.
    """
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        assert waited < limit, f"not within {limit:g} s: {what() if callable(what) else what}"
        time.sleep(min(max(0.02, waited / 20), 0.25))
    return value
