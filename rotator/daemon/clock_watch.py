"""Watches for jumps of the wall clock, which somebody may set while the daemon runs."""

from datetime import timedelta
from threading import Event

import structlog

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.clock_jump import ClockReading
from rotator.daemon.composition import Composition
from rotator.daemon.scheduler import Scheduler

_log = structlog.stdlib.get_logger("rotator.daemon")
_INTERVAL = 5.0  # seconds between two comparisons of the clocks


def watch_clock(composition: Composition, scheduler: Scheduler, stop: Event) -> None:
    """Reports every jump of the wall clock and makes the scheduler plan again, until `stop` is set.

    It needs its own thread, because a clock that was set back stalls every timer that follows it.
    """
    clock = composition.clock
    last = ClockReading(clock.now(), clock.monotonic())
    while not stop.wait(_INTERVAL):
        reading = ClockReading(clock.now(), clock.monotonic())
        jump = reading.jump_since(last)
        last = reading
        if jump:
            composition.metrics.clock_jumped(forward=jump > timedelta())
            composition.audit.record(AuditVerb.CLOCK_JUMP, "", AuditOutcome.NOTICED, seconds=jump.total_seconds())
            _log.error("the wall clock was set", seconds=jump.total_seconds())
            scheduler.after_jump()
