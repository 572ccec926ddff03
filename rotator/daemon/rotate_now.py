"""The rotation that SIGUSR1 asks for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import structlog

from rotator.core.bell import Ringing
from rotator.core.model import Purpose, Request, Target
from rotator.daemon.composition import Components
from rotator.daemon.recent_requests import RecentRequests
from rotator.daemon.scheduler import Scheduler
from rotator.daemon.share import Share
from rotator.engine import ring_bell
from rotator.ports import Clock, StoreError

TOGETHER = 10.0
"""Signals and requests within so many seconds are one: each target is rotated once."""
_AT_ONCE = 200  # targets whose requests are written before anybody looks at them
_log = structlog.stdlib.get_logger("rotator.daemon")


@dataclass(frozen=True, slots=True)
class RotationSignal:
    """One signal that rotates now."""

    by: str  # the signal's name
    at: float  # when it came, on the monotonic clock


def rotate_now(
    components: Components,
    scheduler: Scheduler,
    share: Share,
    recent: RecentRequests,
    clock: Clock,
    signal: RotationSignal,
) -> None:
    """Asks for a rotation of every target that `daemon.signal_rotates` names, whoever looks at it.

    Whatever else is waiting in Vault stays as it is.
    """

    def request(target: Target) -> bool:
        since = signal.at - TOGETHER
        if recent.were_carried_out(target.name, since):
            return False
        try:
            if not share.is_own(target.name) and _was_rotated(components, target, clock, since):
                return False
            why = f"signal {signal.by}"
            components.engine.request(target, Request(Purpose.ROTATE, signal.by, why, clock.now()))
        except StoreError as error:
            _log.error("request not written", target=target.name, error=str(error))
            return False
        recent.note(target.name, signal.at)
        return True

    daemon = components.settings.daemon
    named = [target for target in components.targets if daemon.rotates_on_signal(target.name)]
    written = 0
    with ThreadPoolExecutor(daemon.workers) as pool:
        for begin in range(0, len(named), _AT_ONCE):
            some = named[begin : begin + _AT_ONCE]
            asked = [target.name for target, done in zip(some, pool.map(request, some), strict=True) if done]
            scheduler.look_now(asked)
            _ring(components, share, clock, asked)
            written += len(asked)
    _log.info("rotating now", by=signal.by, targets=written, named=len(named))


def _was_rotated(components: Components, target: Target, clock: Clock, since: float) -> bool:
    """True if another process has rotated the target since then: it may have got the same signal."""
    rotated = components.store.read_state(target.name).state.last_rotation
    return rotated is not None and rotated >= clock.now() - timedelta(seconds=clock.monotonic() - since)


def _ring(components: Components, share: Share, clock: Clock, asked: Sequence[str]) -> None:
    others = [name for name in asked if not share.is_own(name)]
    try:
        if others:
            ring_bell(components.store, clock, share.holder, others, Ringing.ASKED)
    except StoreError as error:
        _log.error("requests not announced; they wait for the sweep", targets=len(others), error=str(error))
