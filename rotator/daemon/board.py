"""What the daemon saw last of each target: the source of metrics, `/status` and the log's one line for each run."""

from collections.abc import Mapping
from typing import Any

from rotator import __version__
from rotator.core.actions import Hold, HoldReason
from rotator.core.model import Target, TargetState
from rotator.daemon.root import Parts, Root
from rotator.engine import Look, Outcome
from rotator.observe.logs import log_run
from rotator.observe.status import Surroundings, status_document

_BLOCKED = {
    HoldReason.FOREIGN_DOCUMENT: "foreign_document",
    HoldReason.IDLE_IN_OVERLAP: "idle_in_overlap",
    HoldReason.ACCOUNT_MISSING: "account_missing",
    HoldReason.UNPROVED: "passwords_not_accepted",
}
_FAILED = (Outcome.FAILED, Outcome.VAULT, Outcome.CONTENDED)


class Board:
    """Holds snapshots only; all of it can be read again. Used by the threads of the looks and of the endpoint."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._states: dict[str, TargetState] = {}
        self._holds: dict[str, Hold] = {}

    def seen(self, target: Target, state: TargetState) -> None:
        """A state document was read or written."""
        self._root.redactor.learn(state)
        self._root.metrics.seen(target, state)
        self._states[target.name] = state

    def looked(self, target: Target, look: Look) -> None:
        """A look came to its end."""
        if look.hold is not None:
            self._holds[target.name] = look.hold
        else:
            self._holds.pop(target.name, None)
        self._root.metrics.blocked(target.name, _BLOCKED.get(look.hold.reason) if look.hold else None)
        attempt = look.state.attempt if look.state else None
        published = look.state.published if look.state else None
        log_run(
            target.name,
            look.outcome.value,
            look.steps,
            attempt=attempt.id if attempt else (published.attempt if published else None),
            credential=published.id if published else None,
            seconds=look.seconds,
            next_look=look.next_look,
            error=look.message if look.outcome in _FAILED else "",
        )

    def forget_all_but(self, names: set[str]) -> None:
        """Targets that left the configuration are no longer shown."""
        for gone in set(self._states) - names:
            self._root.metrics.forget(gone)
            self._states.pop(gone, None)
            self._holds.pop(gone, None)

    def document(self, parts: Parts | None) -> Mapping[str, Any]:
        """The status document from what was last seen; nothing is asked for it. None: Vault was not reached yet."""
        around = Surroundings(
            holder=self._root.holder,
            version=__version__,
            kinds=parts.kinds if parts else {},
            capabilities=parts.capabilities if parts else {},
            holds=dict(self._holds),
            audit=self._root.audit.standing,
        )
        targets = parts.targets if parts else self._root.settings.core_targets()
        return status_document(targets, dict(self._states), self._root.clock.now(), around)
