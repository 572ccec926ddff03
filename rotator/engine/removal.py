"""What a person does with a whole state document: ends the target, gives up what cannot be reached, renames it."""

from collections.abc import Callable

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.model import TargetState
from rotator.core.removal import RemovalImpossible, after_rename, before_rename, check_rename
from rotator.engine.claims import Claims
from rotator.ports import Audit, Clock, Conflict, Store, Versioned

_AFTER_CONFLICT = 0.15  # seconds: a standby of Vault may answer from a state that is up to 0.1 s old
_MOST_CONFLICTS = 5
_CLAIM_PAUSE = 0.5  # seconds between two looks at somebody else's claim


class Removal:
    """Changes state documents for a person, by check-and-set, and never while another process works on them."""

    def __init__(self, store: Store, clock: Clock, audit: Audit, claims: Claims, stopping: Callable[[], bool]) -> None:
        self._store, self._clock, self._audit = store, clock, audit
        self._claims, self._stopping = claims, stopping

    def change(
        self,
        target: str,
        change: Callable[[TargetState], TargetState],
        verb: AuditVerb,
        *,
        requested_by: str,
        reason: str,
    ) -> TargetState:
        """Writes a changed state document and returns it.

        Raises:
            RemovalImpossible: `change` refuses, another process works on the target, or this process is stopping.
            StoreError: Vault cannot be used.
        """

        def write() -> TargetState:
            read = self._unclaimed(target)
            changed = change(read.state)
            self._store.write_state(changed, read.version)
            return changed

        state = self._repeated(write)
        self._audit.record(verb, target, AuditOutcome.DONE, requested_by=requested_by, reason=reason)
        return state

    def rename(self, old: str, new: str, *, requested_by: str, reason: str) -> TargetState:
        """Moves everything that is known of `old` to `new`, and returns it. Raises like `change`.

        The old document is marked first, so that nobody works on it; then the new one is written, then the old one
        emptied. Cut anywhere, it can be repeated, and nothing is done twice meanwhile.
        """
        state = self._repeated(lambda: self._rename(old, new))
        self._audit.record(
            AuditVerb.RENAME, new, AuditOutcome.DONE, renamed_from=old, requested_by=requested_by, reason=reason
        )
        return state

    def _rename(self, old: str, new: str) -> TargetState:
        source, goal = self._unclaimed(old), self._unclaimed(new)
        version, moved = source.version, goal.state
        if not check_rename(source.state, goal.state):
            if not source.state.renamed_to:
                version = self._store.write_state(before_rename(source.state, new), version)
            moved = after_rename(source.state, new)
            self._store.write_state(moved, goal.version)
        self._store.write_state(TargetState(old, renamed_to=new), version)
        return moved

    def _unclaimed(self, target: str) -> Versioned:
        """Reads a state document once no other process works on it."""
        while True:
            read = self._store.read_state(target)
            if read.deleted:
                raise RemovalImpossible(f"the state document of {target} was deleted in Vault: {read.remedy}")
            if not self._claims.remaining(target, read.state.claim):
                return read
            if self._stopping():
                raise RemovalImpossible(f"another process works on {target}")
            self._clock.sleep(_CLAIM_PAUSE)

    def _repeated(self, write: Callable[[], TargetState]) -> TargetState:
        for _ in range(_MOST_CONFLICTS):
            try:
                return write()
            except Conflict:
                self._clock.sleep(_AFTER_CONFLICT)
        return write()
