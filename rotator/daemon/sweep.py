"""The sweep: finds what targets that are not configured any more left behind, and carries it out."""

from datetime import datetime

import structlog

from rotator.core.left_over import left_over
from rotator.core.model import Target
from rotator.daemon.composition import Components
from rotator.daemon.looks import Looks
from rotator.daemon.snapshot import Snapshot
from rotator.ports import StoreError

_log = structlog.stdlib.get_logger("rotator.daemon")


class Sweep:
    """Looks at removed targets, one after another: there are few, and none of them is in a hurry."""

    def __init__(self, looks: Looks, snapshot: Snapshot) -> None:
        self._looks, self._snapshot = looks, snapshot

    def run(self) -> datetime | None:
        """Looks at each removed target; returns when to sweep again, None: at the usual pace."""
        components = self._looks.components
        if components is None:
            return None
        found = self._find(components)
        if found is None:
            return None
        configured = {target.name for target in components.targets}
        self._snapshot.forget_all_but(configured | {target.name for target in found})
        following = [self._looks.look(target) for target in found]
        return min((moment for moment in following if moment is not None), default=None)

    def _find(self, components: Components) -> list[Target] | None:
        """Returns what is left of removed targets; None if Vault cannot list the documents."""
        try:
            names = components.former_names.all()
        except StoreError as error:
            _log.warning("removed targets not listed", error=str(error))
            return None
        found = []
        for name in names:
            try:
                target = left_over(components.store.read_state(name).state)
            except StoreError as error:
                _log.warning("state of a removed target not read", target=name, error=str(error))
                continue
            if target is not None:
                found.append(target)
        return found
