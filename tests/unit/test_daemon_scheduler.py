"""The scheduler: a look that somebody asks for while one is running takes place after it."""

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.daemon.scheduler import Scheduler

PHONE: Any = SimpleNamespace(name="phone")


def test_a_target_that_is_being_looked_at_is_looked_at_once_more_and_no_run_is_skipped() -> None:
    begun, go_on, skipped = threading.Semaphore(0), threading.Semaphore(0), []

    def look(_target: Any) -> None:
        begun.release()
        assert go_on.acquire(timeout=20)

    scheduler = Scheduler(
        look=look,
        heartbeat=lambda: None,
        sweep=lambda: None,
        missed=skipped.append,
        clock=SystemClock(threading.Event()),
        randomness=SystemRandomness(),
        workers=2,
        poll=timedelta(hours=1),
    )
    scheduler.set_targets([PHONE])
    scheduler.start()
    try:
        scheduler.look_now(["phone", "no such target"])
        assert begun.acquire(timeout=20)
        scheduler.look_now(["phone"])
        scheduler.look_now(["phone"])
        go_on.release()
        assert begun.acquire(timeout=20), "it is looked at once more"
        go_on.release()
        assert not begun.acquire(timeout=0.3), "and not twice"
    finally:
        go_on.release()
        scheduler.stop()
    assert skipped == []
