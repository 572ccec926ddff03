"""The rotation that SIGUSR1 requests."""

from concurrent.futures import ThreadPoolExecutor

import structlog

from rotator.core.model import Purpose, Request, Target
from rotator.daemon.composition import Components
from rotator.daemon.scheduler import Scheduler
from rotator.ports import Clock, StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")


def rotate_now(components: Components, scheduler: Scheduler, clock: Clock, by: str) -> None:
    """Rotates the targets with a waiting request in Vault, or every target if there is none.

    If there is none but some state documents could not be read, it rotates nothing: "every target" may be a mistake.
    """

    def requested(target: Target) -> bool | None:
        try:
            return components.store.read_state(target.name).state.request is not None
        except StoreError as error:
            _log.warning("request not read", target=target.name, error=str(error))
            return None

    def request(target: Target) -> None:
        try:
            components.engine.request(target, Request(Purpose.ROTATE, by, f"signal {by}", clock.now()))
        except StoreError as error:
            _log.error("request not written", target=target.name, error=str(error))

    targets = components.targets
    with ThreadPoolExecutor(components.settings.daemon.workers) as pool:
        requests = list(pool.map(requested, targets))
        waiting = [target.name for target, has_request in zip(targets, requests, strict=True) if has_request]
        if not waiting and None in requests:
            _log.error("nothing is rotated: some requests could not be read from Vault; send the signal again", by=by)
            return
        if not waiting:
            pool.map(request, targets)
    scheduler.look_now(waiting or [target.name for target in targets])
    _log.info("rotating now", by=by, targets=len(waiting) or len(targets), requested=bool(waiting))
