"""Writes requests to Vault, many at a time, and rings the bell for them."""

from collections.abc import Callable, Sequence
from threading import Lock

from rotator.cli.context import CommandContext
from rotator.cli.printing import say
from rotator.cli.request_runner import PendingRequest, Result, RotationReport
from rotator.core.bell import Ringing
from rotator.core.model import Request, Target
from rotator.core.requesting import keeps_emergency
from rotator.core.undo import waiting_emergency
from rotator.engine import ring_bell
from rotator.ports import StoreDeleted, StoreError

_RING_EVERY = 0.5  # seconds, as a daemon reads the bell while it is asked


class Ringer:
    """Rings for many targets, some at a time. Thread-safe. A bell that cannot be rung is said once."""

    def __init__(self, context: CommandContext, kind: Ringing) -> None:
        self._context, self._kind = context, kind
        self._lock = Lock()
        self._waiting: list[str] = []
        self._rung_at = float("-inf")  # the first one is rung for at once: whoever hears it listens more often
        self._failed = False

    def add(self, name: str) -> None:
        """Rings for a target, now or with the next ones."""
        now = self._context.composition.clock.monotonic()
        with self._lock:
            self._waiting.append(name)
            if now - self._rung_at < _RING_EVERY:
                return
        self.ring()

    def ring(self) -> None:
        """Rings for what is still waiting for it."""
        clock = self._context.composition.clock
        with self._lock:
            names, self._waiting, self._rung_at = self._waiting, [], clock.monotonic()
        if not names:
            return
        try:
            ring_bell(self._context.components.store, clock, self._context.composition.holder, names, self._kind)
        except StoreError as error:
            if not self._failed:
                say(f"the daemon looks at its next sweep, not at once: {error}")
            self._failed = True


def ask(
    context: CommandContext,
    targets: Sequence[Target],
    request: Request,
    ringer: Ringer | None,
    written: Callable[[], None] = lambda: None,
) -> tuple[list[PendingRequest], list[RotationReport]]:
    """Writes the request for each target; returns what was written, and what was not.

    Args:
        ringer: rings for what was written; None if no daemon is to hear of it.
        written: is called after each target.
    """

    def write(target: Target) -> PendingRequest | RotationReport:
        done = _write(context, target, request)
        if ringer is not None and isinstance(done, PendingRequest):
            ringer.add(target.name)
        written()
        return done

    done = context.each(write, targets)
    if ringer is not None:
        ringer.ring()
    return (
        [each for each in done if isinstance(each, PendingRequest)],
        [each for each in done if isinstance(each, RotationReport)],
    )


def _write(context: CommandContext, target: Target, request: Request) -> PendingRequest | RotationReport:
    if context.stop.is_set():
        return RotationReport(target, Result.INTERRUPTED, "stopped before the request was written")
    try:
        state = context.components.engine.request(target, request)
    except StoreDeleted as error:
        return RotationReport(target, Result.FAILED, f"{error}; the request was not written")
    except StoreError as error:
        return RotationReport(target, Result.VAULT, f"{error}; the request may not have been written")
    if state.request is not None and keeps_emergency(state.request, request):
        return RotationReport(target, Result.FAILED, waiting_emergency(target.name, state.request), state)
    return PendingRequest(target, request.purpose, state, request.compromised)
