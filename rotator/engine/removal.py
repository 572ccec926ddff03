"""What a person does with a whole state document: ends the target, gives up what cannot be reached, renames it."""

from collections.abc import Callable

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import is_empty
from rotator.core.model import TargetState
from rotator.core.origin import Origin
from rotator.core.removal import RemovalImpossible, after_rename, before_rename, check_rename
from rotator.engine.claims import Claims
from rotator.engine.conflicts import repeat_on_conflict
from rotator.engine.pauses import PauseBook
from rotator.ports import Audit, Clock, Store, Versioned


class Removal:
    """Changes state documents for a person, by check-and-set, and never while another process works on them."""

    def __init__(self, store: Store, clock: Clock, audit: Audit, claims: Claims, pauses: PauseBook) -> None:
        self._store, self._clock, self._audit, self._claims, self._pauses = store, clock, audit, claims, pauses

    def change(
        self,
        target: str,
        change: Callable[[TargetState], TargetState],
        verb: AuditVerb,
        *,
        origin: Origin,
        detail: str | None = None,
    ) -> TargetState | Hold:
        """Writes a changed state document and returns it, or a hold while another process works on the target.

        Args:
            detail: what the audit says of it besides the reason.

        Raises:
            RemovalImpossible: `change` refuses, a rename was cut, or the document was deleted.
            StoreError: Vault cannot be used.
        """

        def write() -> TargetState | Hold:
            read = self._read(target)
            if isinstance(read, Hold):
                return read
            old, new = read.state.target, read.state.renamed_to
            if new and not is_empty(read.state):
                raise RemovalImpossible(
                    f"{old} is being renamed to {new}: finish that first: rotator rename {old} {new}"
                )
            changed = change(read.state)
            self._store.write_state(changed, read.version)
            return changed

        facts = origin.facts | ({"detail": detail} if detail else {})
        self._audit.intend(verb, target, **facts)
        state = repeat_on_conflict(write, self._clock)
        if not isinstance(state, Hold):
            self._audit.record(verb, target, AuditOutcome.DONE, **facts)
        return state

    def rename(self, old: str, new: str, *, origin: Origin) -> TargetState | Hold:
        """Moves everything that is known of `old` to `new`, and returns it. Holds and raises like `change`.

        The old document is marked first, so that nobody works on it; then the new one is written, then the old one
        emptied. Cut anywhere, it can be repeated, and nothing is done twice meanwhile.
        """
        facts = origin.facts | {"renamed_from": old}
        self._audit.intend(AuditVerb.RENAME, new, **facts)
        now = self._store.now() or self._clock.now()
        if any(old in pause.scope.targets for pause in self._pauses.fresh().at(now)):
            self._pauses.change(lambda pauses: pauses.renamed(old, new, now))
        state = repeat_on_conflict(lambda: self._rename(old, new), self._clock)
        if not isinstance(state, Hold):
            self._audit.record(AuditVerb.RENAME, new, AuditOutcome.DONE, **facts)
        return state

    def _rename(self, old: str, new: str) -> TargetState | Hold:
        source, goal = self._read(old), self._read(new)
        if isinstance(source, Hold):
            return source
        if isinstance(goal, Hold):
            return goal
        version, moved = source.version, goal.state
        if not check_rename(source.state, goal.state):
            if not source.state.renamed_to:
                version = self._store.write_state(before_rename(source.state, new), version)
            moved = after_rename(source.state, goal.state)
            self._store.write_state(moved, goal.version)
        self._store.write_state(TargetState(old, renamed_to=new), version)
        return moved

    def _read(self, target: str) -> Versioned | Hold:
        """Reads a state document, or holds while another process works on the target."""
        read = self._store.read_state(target)
        if read.deleted:
            raise RemovalImpossible(f"the state document of {target} was deleted in Vault: {read.remedy}")
        claim = read.state.claim
        if claim is not None and self._claims.remaining(target, claim):
            return Hold(HoldReason.CLAIMED, f"{claim.holder} is working on it")
        return read
