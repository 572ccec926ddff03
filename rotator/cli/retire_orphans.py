"""`rotator reconcile --repair orphaned`: says which orphans can be retired and why others cannot, asks, does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.cli.asking import Ringer
from rotator.cli.confirmation import confirm
from rotator.cli.context import CommandContext
from rotator.cli.options import Why
from rotator.cli.printing import say
from rotator.cli.read_audit import take_files
from rotator.cli.waiting import when_free
from rotator.core.audit_check import AuditCheck
from rotator.core.bell import Ringing
from rotator.core.discrepancies import Discrepancy
from rotator.core.origin import Origin
from rotator.core.orphan_evidence import MadeCredentials
from rotator.core.removal import RemovalImpossible
from rotator.engine import Orphaned, OrphanRepair, ReconciledAccount
from rotator.observe.time_words import counted, length_text


@dataclass(frozen=True, slots=True)
class RetiredOrphan:
    """What came of one orphan."""

    found: Discrepancy
    target: str = ""  # whose ledger it is in now
    why_not: str = ""

    @property
    def done(self) -> bool:
        """True if it is being retired."""
        return not self.why_not


def retire_orphans(
    context: CommandContext, found: Sequence[ReconciledAccount], why: Why, audit: Sequence[Path], *, confirmed: bool
) -> list[RetiredOrphan]:
    """Retires what can be. Raises StoreError; CommandError: nobody agreed, or a file cannot be read.

    Args:
        audit: copies of it, beside what Vault has.
    """
    components = context.components
    repair = OrphanRepair(
        components.store,
        context.composition.clock,
        components.providers,
        components.targets,
        components.engine.removal,
        _made(context, audit),
    )
    judged = [orphan for account in found for orphan in repair.judge(account)]
    can = [orphan for orphan in judged if not orphan.why_not]
    for orphan in judged:
        say(_intention(orphan))
    if can and not confirmed:
        confirm(counted(len(can), "orphan"), "Retire them?")
    origin = context.origin(why)
    results = [RetiredOrphan(orphan.found, why_not=orphan.why_not) for orphan in judged if orphan.why_not]
    ringer = Ringer(context, Ringing.CHANGED)
    try:
        for orphan in can:
            results.append(_retired(context, repair, orphan, origin))
            if results[-1].done:
                ringer.add(results[-1].target)
    finally:
        ringer.ring()
    return results


def rows_of(retired: Iterable[RetiredOrphan]) -> list[dict[str, Any]]:
    """Returns their part of a JSON document."""
    return [
        {
            "account": each.found.account,
            "username": each.found.username or None,
            "id": each.found.id,
            "done": each.done,
            "target": each.target or None,
            "why_not": each.why_not or None,
        }
        for each in retired
    ]


def _made(context: CommandContext, files: Sequence[Path]) -> MadeCredentials:
    made, store = MadeCredentials(), context.components.audit_store
    key = store.known_key()
    if key is not None:
        say("reading the audit, which knows what was created for which target")
        vault = AuditCheck(key, each=made.take)
        vault.stored(store.read())
        take_files(AuditCheck(key, vault=vault, each=made.take, mixed=True), files)
    return made


def _intention(orphan: Orphaned) -> str:
    name = f"{orphan.found.username or orphan.found.id} at {orphan.found.account}"
    if orphan.target is None or orphan.why_not:
        return f"{name} stays: {orphan.why_not}"
    policy = orphan.target.policy
    return (
        f"{name} was created for {orphan.target.name}: it is disabled in {length_text(policy.overlap)}, and deleted "
        f"{length_text(policy.quarantine)} later, as what a rotation has replaced"
    )


def _retired(context: CommandContext, repair: OrphanRepair, orphan: Orphaned, origin: Origin) -> RetiredOrphan:
    name = orphan.target.name if orphan.target is not None else ""
    claim = context.components.settings.daemon.claim
    try:
        clock, stop = context.composition.clock, context.stop
        when_free(lambda: repair.retire(orphan, origin), name, clock=clock, stop=stop, claim=claim)
    except RemovalImpossible as error:
        say(f"{orphan.found.username} at {orphan.found.account} stays: {error}")
        return RetiredOrphan(orphan.found, why_not=str(error))
    return RetiredOrphan(orphan.found, name)
