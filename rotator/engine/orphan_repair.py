"""Retires orphans: what the audit says was created for a target goes into its ledger, and ends like all that is there.

Nothing is sent to the provider but a look: whoever looks at the target disables and deletes it when it is due, by the
same rules, caps and proofs as what a rotation has replaced.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rotator.core.answers import Done
from rotator.core.audit_words import AuditVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.discrepancies import Discrepancy, DiscrepancyKind
from rotator.core.holding import Hold
from rotator.core.model import Credential, Strategy, Target, TargetState, is_same_name
from rotator.core.origin import Origin
from rotator.core.orphan_evidence import MadeCredentials
from rotator.core.removal import after_taking_in
from rotator.engine.provider_caller import message_of
from rotator.engine.reconciling import ReconciledAccount
from rotator.engine.removal import Removal
from rotator.ports import Clock, Provider, Store


@dataclass(frozen=True, slots=True)
class Orphaned:
    """A credential that can be retired, or not."""

    found: Discrepancy
    target: Target | None = None  # that it was created for
    credential: Credential | None = None
    why_not: str = ""  # empty: it can be retired


class OrphanRepair:
    """Says which orphans can certainly be retired, and retires them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        providers: Mapping[str, Provider],
        targets: Iterable[Target],
        removal: Removal,
        made: MadeCredentials,
    ) -> None:
        """Prepares without a request.

        Args:
            made: has taken the whole audit.
        """
        self._store, self._clock, self._providers, self._removal, self._made = store, clock, providers, removal, made
        self._targets = {target.name: target for target in targets}
        self._documents: dict[str, ConsumerDocument] = {}  # by target, once read

    def judge(self, account: ReconciledAccount) -> Iterator[Orphaned]:
        """Yields every orphan of an account. Raises StoreError."""
        for found in account.result.of(DiscrepancyKind.ORPHANED):
            yield self._judge(account, found)

    def retire(self, orphan: Orphaned, origin: Origin) -> TargetState | Hold:
        """Puts an orphan that can be retired into its target's ledger. Holds and raises like `Removal.change`."""
        target, credential = orphan.target, orphan.credential
        if target is None or credential is None:
            raise ValueError(orphan.why_not)
        now = max(self._clock.now(), self._store.now() or self._clock.now())
        return self._removal.change(
            target.name,
            lambda state: after_taking_in(state, credential, target.policy, now, origin),
            AuditVerb.RETIRE_ORPHAN,
            origin=origin,
            detail=f"{credential.username} ({credential.id}) at {credential.account}",
        )

    def _judge(self, account: ReconciledAccount, found: Discrepancy) -> Orphaned:
        target = self._maker(account.accounts, found)
        if target is None:
            return Orphaned(found, why_not="the audit does not show that it was created for one of the targets")
        if account.problem or account.unread:
            return Orphaned(found, target, why_not="not everything could be read")
        entry = found.listed[0]
        provider = self._providers[target.account]
        wanted = Credential(target.account, entry.username, entry.id, attempt=entry.attempt, identity=provider.identity)
        answer = provider.find(wanted)
        if not isinstance(answer, Done):
            return Orphaned(found, target, why_not=f"it could not be asked for: {message_of(answer)}")
        if not any(one.id == entry.id and is_same_name(one.username, entry.username) for one in answer.value):
            return Orphaned(found, target, why_not="it is not there any more")
        reader = self._reader(account.accounts, wanted)
        if reader is not None:
            return Orphaned(found, target, why_not=f"the consumer document of {reader} hands it out")
        return Orphaned(found, target, wanted)

    def _maker(self, accounts: Sequence[str], found: Discrepancy) -> Target | None:
        """Returns the target that it was certainly created for, if that can retire it."""
        name = self._made.target_of(accounts, found.listed[0]) if found.listed else None
        target = self._targets.get(name) if name is not None else None
        fits = target is not None and target.account in accounts and target.strategy is Strategy.REPLACE
        return target if fits else None

    def _reader(self, accounts: Sequence[str], credential: Credential) -> str | None:
        """Returns a target whose consumer document names the credential, whoever wrote it."""
        for target in self._targets.values():
            document = self._document(target) if target.account in accounts else None
            if document is None:
                continue
            # Whoever wrote the username by hand may have left another one's id beside it.
            if document.concerns(credential) or is_same_name(document.username, credential.username):
                return target.name
        return None

    def _document(self, target: Target) -> ConsumerDocument:
        if target.name not in self._documents:
            self._documents[target.name] = self._store.read_consumer(target.path)
        return self._documents[target.name]
