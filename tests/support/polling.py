"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], what: str | Callable[[], Any], limit: float = 60.0) -> T:
    """Polls until `condition` is true, and returns its value. `what` is a text or makes one."""
    end = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {limit:g} s: {what() if callable(what) else what}"
        time.sleep(0.02)
    return value
