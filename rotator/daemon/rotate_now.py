"""The rotation that SIGUSR1 asks for."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from rotator.core.model import Purpose, Request, Target
from rotator.daemon.composition import Components
from rotator.daemon.recent_requests import RecentRequests
from rotator.daemon.scheduler import Scheduler
from rotator.ports import Clock, StoreError

TOGETHER = 10.0
"""Signals and requests within so many seconds are one: each target is rotated once."""
_log = structlog.stdlib.get_logger("rotator.daemon")


@dataclass(frozen=True, slots=True)
class RotationSignal:
    """One signal that rotates now."""

    by: str  # the signal's name
    at: float  # when it came, on the monotonic clock


def rotate_now(
    components: Components, scheduler: Scheduler, recent: RecentRequests, clock: Clock, signal: RotationSignal
) -> None:
    """Asks for a rotation of every target that `daemon.signal_rotates` names, whatever else is waiting in Vault."""

    def request(target: Target) -> bool:
        if recent.were_carried_out(target.name, signal.at - TOGETHER):
            return False
        why = f"signal {signal.by}"
        try:
            components.engine.request(target, Request(Purpose.ROTATE, signal.by, why, clock.now()))
        except StoreError as error:
            _log.error("request not written", target=target.name, error=str(error))
            return False
        recent.note(target.name, signal.at)
        return True

    daemon = components.settings.daemon
    named = [target for target in components.targets if daemon.rotates_on_signal(target.name)]
    with ThreadPoolExecutor(daemon.workers) as pool:
        asked = [target.name for target, done in zip(named, pool.map(request, named), strict=True) if done]
    scheduler.look_now(asked)
    _log.info("rotating now", by=signal.by, targets=len(asked), named=len(named))
