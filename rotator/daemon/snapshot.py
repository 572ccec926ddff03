"""The latest state and look of each target: the source of metrics, `/status` and the one log line for each run."""

from collections.abc import Mapping
from typing import Any

from rotator import __version__
from rotator.core.actions import Hold, HoldReason
from rotator.core.left_over import Orphan, orphans
from rotator.core.model import Target, TargetState
from rotator.daemon.composition import Components, Composition
from rotator.daemon.recent_requests import RecentRequests
from rotator.engine import Look, Outcome
from rotator.observe.logs import log_run
from rotator.observe.status import Surroundings, status_document

_BLOCKED = {
    HoldReason.DOCUMENT_DELETED: "document_deleted",
    HoldReason.FOREIGN_DOCUMENT: "foreign_document",
    HoldReason.IDLE_IN_OVERLAP: "idle_in_overlap",
    HoldReason.ACCOUNT_MISSING: "account_missing",
    HoldReason.ACCOUNT_CHANGED: "account_changed",
    HoldReason.UNPROVED: "passwords_not_accepted",
    HoldReason.CLOCKS_DIFFER: "clocks_differ",
    HoldReason.LEFT_ALONE: "cannot_be_proved",
    HoldReason.RENAMED: "renamed",
    HoldReason.FORMER_PATH: "former_path",
}
_FAILED = (Outcome.FAILED, Outcome.VAULT, Outcome.CONTENDED)


class Snapshot:
    """A cache of the state documents in Vault. The threads of looks and of the HTTP endpoint use it."""

    def __init__(self, composition: Composition) -> None:
        self._composition = composition
        self._states: dict[str, TargetState] = {}
        self._holds: dict[str, Hold] = {}
        self.requests = RecentRequests(composition.clock)

    def update_state(self, target: Target, state: TargetState) -> None:
        """Stores a state document that was read or written."""
        self._composition.redactor.learn(state)
        self._composition.metrics.update(target, state)
        self.requests.see(state)
        self._states[target.name] = state

    def update_look(self, target: Target, look: Look) -> None:
        """Stores a look that has ended."""
        if look.hold is not None:
            self._holds[target.name] = look.hold
        else:
            self._holds.pop(target.name, None)
        self._composition.metrics.blocked(target.name, _BLOCKED.get(look.hold.reason) if look.hold else None)
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
        """Forgets the targets that are no longer configured, or of which nothing is left."""
        self.requests.forget_all_but(names)
        for gone in set(self._states) - names:
            self._composition.metrics.forget(gone)
            self._states.pop(gone, None)
            self._holds.pop(gone, None)

    def orphans(self, components: Components | None) -> tuple[Orphan, ...]:
        """Returns what nobody ends, of every target that was seen."""
        if components is None:
            return ()
        configured = {target.name for target in components.targets}
        seen = list(self._states.items())
        found = [orphans(state, components.providers, configured=name in configured) for name, state in seen]
        return tuple(each for some in found for each in some)

    def document(self, components: Components | None) -> Mapping[str, Any]:
        """Returns the status document, without leaving the process.

        `components` is None until Vault was reached.
        """
        around = Surroundings(
            holder=self._composition.holder,
            version=__version__,
            kinds=components.kinds if components else {},
            capabilities=components.capabilities if components else {},
            holds=dict(self._holds),
            audit=self._composition.audit.status,
            vault_now=components.store.now() if components else None,
        )
        targets = components.targets if components else self._composition.settings.core_targets()
        return status_document(targets, dict(self._states), self._composition.clock.now(), around)
