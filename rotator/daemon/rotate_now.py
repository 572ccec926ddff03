"""The rotation that SIGUSR1 asks for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import structlog

from rotator.core.bell import Ringing
from rotator.core.clocks import Clocks
from rotator.core.freezes import freezes
from rotator.core.model import Purpose, Request, Target, TargetState
from rotator.daemon.components import Components
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
    components: Components, scheduler: Scheduler, share: Share, clock: Clock, signal: RotationSignal
) -> None:
    """Asks for a rotation of every target that `daemon.signal_rotates` names, whoever looks at it.

    Whatever else is waiting in Vault stays as it is.
    """

    def ask(target: Target) -> bool:
        local = clock.now()
        now = Clocks(local, components.store.now() or local).latest
        since = now - timedelta(seconds=clock.monotonic() - signal.at + TOGETHER)

        def was_asked_for(state: TargetState) -> bool:
            """True unless it is about to try again; a time from a clock that is ahead says nothing."""
            asked = state.asked_at is not None and since <= state.asked_at <= now + timedelta(seconds=TOGETHER)
            return asked and not state.failures

        try:
            request = Request(Purpose.ROTATE, signal.by, f"signal {signal.by}", now)
            return components.engine.request_unless(target, request, was_asked_for)
        except StoreError as error:
            _log.error("request not written", target=target.name, error=str(error))
            return False

    daemon = components.settings.daemon
    named = [target for target in components.targets if daemon.rotates_on_signal(target.name)]
    named, held = _not_frozen(components, named, clock)
    written = 0
    with ThreadPoolExecutor(daemon.workers) as pool:
        for begin in range(0, len(named), _AT_ONCE):
            some = named[begin : begin + _AT_ONCE]
            asked = [target.name for target, done in zip(some, pool.map(ask, some), strict=True) if done]
            scheduler.look_now(asked)
            _ring(components, share, clock, asked)
            written += len(asked)
    _log.info("rotating now", by=signal.by, targets=written, named=len(named), paused=held)


def _not_frozen(components: Components, named: Sequence[Target], clock: Clock) -> tuple[list[Target], int]:
    """Returns the targets that neither a pause nor a blackout holds, and how many others there are."""
    now = clock.now()
    clocks = Clocks(now, components.store.now() or now)
    pauses = components.pauses.known
    free = [target for target in named if freezes(target, pauses, clocks).of_rotations is None]
    return free, len(named) - len(free)


def _ring(components: Components, share: Share, clock: Clock, asked: Sequence[str]) -> None:
    others = [name for name in asked if not share.is_own(name)]
    try:
        if others:
            ring_bell(components.store, clock, share.holder, others, Ringing.ASKED)
    except StoreError as error:
        _log.error("requests not announced; they wait for the sweep", targets=len(others), error=str(error))
