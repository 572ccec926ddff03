"""Gathers the facts of a look: what both documents say, and what the process and the fleet know beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

from rotator.core.clocks import Clocks
from rotator.core.facts import Facts
from rotator.core.freezes import freezes
from rotator.core.model import Capabilities, Target, TargetState
from rotator.engine.claims import Claims
from rotator.engine.fleet_documents import FleetDocuments
from rotator.engine.session import Session
from rotator.engine.throttles import Throttles


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Gathers what the next decision about a target depends on. One instance serves all threads of a process."""

    capabilities: Mapping[str, Capabilities]  # by account
    identities: Mapping[str, str]  # by account: what the provider calls it
    throttles: Throttles
    claims: Claims
    documents: FleetDocuments

    def facts(self, session: Session) -> Facts:
        """Returns everything that the next decision at this moment depends on. Raises StoreError."""
        target, state, throttles = session.target, session.state, self.throttles
        other_claim_remaining = self.claims.remaining(target.name, state.claim)
        former_name = self._former_name(target, state)
        clocks = session.clocks()
        now = clocks.local
        canary = self.documents.waves.canary(target, state, clocks.earliest)
        held = freezes(target, self.documents.pauses.fresh(), clocks)
        evidence = self.documents.evidence.of(target, self.capabilities)
        self._tell_throttles(session, clocks)
        refused_targets, refused_for = throttles.refused(target.name)
        return Facts(
            target=target,
            capabilities=self.capabilities,
            state=state,
            consumer=session.consumer,
            holds_claim=session.may_begin_effect(now),
            other_claim_remaining=other_claim_remaining,
            now=now,
            lookups=dict(session.lookups),
            open_circuits=throttles.open_until(self.capabilities, now),
            shut_verbs=throttles.shut_until(now),
            log_ins_rest_until=throttles.log_ins.rest_until(now),
            log_ins_settle_in=throttles.log_ins.settle_in(),
            ended_turns=throttles.log_ins.ended_turns(state, self.capabilities, clocks),
            retirements_left=throttles.retirements_left(),
            unproved_accounts=throttles.unproved_accounts(target),
            proving_accounts=throttles.proving_accounts(target),
            waiting_targets=throttles.waiting_targets(target),
            paced=throttles.paced_until(_accounts(target, state) & self.capabilities.keys(), now),
            unsettled=session.unsettled,
            vault_now=clocks.vault,
            identities=self.identities,
            account_keys=throttles.account_keys,
            state_deleted=session.state_deleted,
            state_ends_at=session.found.ends_at,
            state_remedy=session.found.remedy,
            refused_targets=refused_targets,
            refused_for=refused_for,
            account_vouched_for=throttles.is_vouched_for(target.name),
            other_documents=dict(session.other_documents),
            former_name=former_name,
            canary=canary,
            freezes=held,
            evidence=evidence,
        )

    def _former_name(self, target: Target, state: TargetState) -> str:
        """Returns the name under which a target that has no state of its own is known, or an empty text."""
        begins = state.published is None and state.attempt is None and not target.removed
        return self.documents.former_names.at(target) if begins else ""

    def _tell_throttles(self, session: Session, clocks: Clocks) -> None:
        target, state = session.target, session.state
        can = self.capabilities.get(state.attempt.staged.account) if state.attempt is not None else None
        self.throttles.note_attempt(target.name, state, can, clocks.vault)
        self.throttles.note_verification(target.name, state)


def _accounts(target: Target, state: TargetState) -> set[str]:
    """Returns the accounts that the next step may call."""
    accounts = {entry.credential.account for entry in state.ledger} | {target.account}
    return accounts | ({state.attempt.staged.account} if state.attempt is not None else set())
