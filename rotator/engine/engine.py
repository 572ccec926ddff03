"""What a process can do with a target: look at it, request, verify, adopt, give up."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from rotator.core import actions as do
from rotator.core import requesting
from rotator.core.abandonment import Abandonment, AbandonmentImpossible
from rotator.core.adoption import AdoptionImpossible, AdoptionPlan, KnownToOperator
from rotator.core.answers import Answer, Retry, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.circuit import Circuit
from rotator.core.decide import claimed_elsewhere
from rotator.core.evidence import AccountEvidence
from rotator.core.facts import Facts, has_other_identity
from rotator.core.freezes import Freezes, freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import log_in_hold
from rotator.core.model import Credential, Proof, Purpose, Request, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.strategy_evidence import StrategyEvidence
from rotator.core.verification import is_being_replaced
from rotator.engine import adoption
from rotator.engine.abandonment import give_up
from rotator.engine.claims import Claims
from rotator.engine.conflicts import repeat_on_conflict
from rotator.engine.fleet_documents import FleetDocuments
from rotator.engine.gathering import Gatherer
from rotator.engine.limits import Limits
from rotator.engine.look import SOON, Look, Outcome
from rotator.engine.memory import Memory
from rotator.engine.preparing_effects import take_claim
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.removal import Removal
from rotator.engine.session import Session, StateObserver
from rotator.engine.steps import Steps
from rotator.engine.throttles import EACH_FOR_ITSELF, Pacing, Throttles
from rotator.engine.verification_effects import verify
from rotator.ports import (
    Audit,
    Conflict,
    HooksByName,
    Providers,
    Randomness,
    Store,
    StoreError,
    StoreUnavailable,
    Timer,
    UsageSources,
)

_WAITS_FOR_A_PLACE = {HoldReason.PROVING, HoldReason.UNPROVED}


class Engine:
    """Carries targets forward. One instance serves all threads of a process."""

    def __init__(
        self,
        *,
        store: Store,
        providers: Providers,
        clock: Timer,
        randomness: Randomness,
        audit: Audit,
        holder: str,
        limits: Limits,
        observe: StateObserver,
        stopping: Callable[[], bool],
        documents: FleetDocuments,
        pacing: Pacing = EACH_FOR_ITSELF,
        is_dead: Callable[[str], bool] = lambda _: False,
        usage_sources: UsageSources | None = None,
        hooks: HooksByName | None = None,
    ) -> None:
        """Wires one engine.

        Args:
            holder: names this process in claims; unique among all processes, restarts included.
            observe: receives every state that is read or written.
            stopping: returns True once no further step may begin.
            pacing: whose pace each account keeps; by default each has its own, and waits for nothing.
            is_dead: returns True for a holder of claims that is known to be dead.
            usage_sources: what a policy may ask who is logged in, beside the provider; by default nothing.
            hooks: what a policy may run before and after a rotation or a retirement; by default nothing.
        """
        self._store, self._clock, self._holder, self._limits = store, clock, holder, limits
        self._observe, self._audit, self._documents = observe, audit, documents
        self._memory, self._claims = Memory(), Claims(clock, holder, limits.claim, is_dead)
        circuit = Circuit(limits.circuit_failures, limits.circuit_open_for)
        self.throttles = Throttles(clock, circuit, limits.retirements_per_minute, pacing)
        self._capabilities = {name: provider.capabilities for name, provider in providers.items()}
        identities = {name: provider.identity for name, provider in providers.items()}
        gatherer = Gatherer(self._capabilities, identities, self.throttles, self._claims, documents)
        self._facts = gatherer.facts
        self.removal = Removal(store, clock, audit, self._claims, documents.pauses)
        self._caller = ProviderCaller(
            providers,
            store,
            clock,
            randomness,
            audit,
            self.throttles,
            limits,
            documents.waves,
            usage_sources or {},
            hooks or {},
        )
        self._at_once = replace(self._caller, raises_paced=False)  # for a person who waits for an answer
        self._steps = Steps(self._caller, self._at_once, self._facts, clock, stopping)

    def look(self, target: Target, *, fresh: bool = True) -> Look:
        """Takes every step that a target allows now. Never raises for a failure of Vault or a provider.

        Args:
            fresh: read both documents first. Otherwise what this process last read or wrote is good enough to begin
                with: what check-and-set does not protect is still read before it is acted on.
        """
        started = self._clock.monotonic()
        steps: list[do.Step] = []
        session: Session | None = None
        hold: Hold | None = None
        self.throttles.places.begin_look(target.name)
        try:
            session = self._open(target, fresh=fresh)
            hold, outcome = self._steps.take(session, steps)
            if hold is not None and hold.reason is HoldReason.RETIREMENTS_CAPPED:
                hold = replace(hold, until=self._clock.now() + self.throttles.retirement_in(target.name))
            message, next_look = (hold.message, hold.until) if hold else ("", self._clock.now() + SOON)
        except StoreError as error:
            passing = isinstance(error, StoreUnavailable | Conflict)  # others last until somebody fixes them
            outcome, message, next_look = Outcome.VAULT, str(error), self._clock.now() + SOON if passing else None
        finally:
            waits = hold is not None and hold.reason in _WAITS_FOR_A_PLACE
            self.throttles.places.end_look(target.name, self.throttles.key(target.account) if waits else None)
        return Look(
            target=target.name,
            outcome=outcome,
            message=message,
            steps=tuple(steps),
            state=session.state if session else None,
            hold=hold,
            next_look=next_look,
            seconds=self._clock.monotonic() - started,
            freezes=freezes(target, self._documents.pauses.known, session.clocks()) if session else Freezes(),
        )

    def facts(self, target: Target) -> Facts:
        """Returns the current facts about a target, for `plan` and `status`. Raises StoreError."""
        return self._facts(self._open(target))

    def evidence(self, target: Target) -> StrategyEvidence | None:
        """Returns what checks have shown of the target's strategy at its account."""
        return self._documents.evidence.of(target, self._capabilities)

    @property
    def checks(self) -> Mapping[str, AccountEvidence]:
        """What checks have shown, by account, as far as this process has read it."""
        return self._documents.evidence.all

    def read_checks(self) -> None:
        """Reads what checks have shown of every account, if that was not read in the last minute. Never raises."""
        self._documents.evidence.refresh()

    @property
    def left_by_checks(self) -> Mapping[str, tuple[Credential, ...]]:
        """What checks have left at accounts that are not configured, by document, as this process has read it."""
        return self._documents.evidence.elsewhere

    def read_left_by_checks(self) -> Mapping[str, tuple[Credential, ...]]:
        """Reads that now. Raises StoreError."""
        return self._documents.evidence.read_elsewhere()

    def request(self, target: Target, request: Request) -> TargetState:
        """Writes a request into the state document, where it outlives this process. Raises StoreError.

        Nothing is written if an emergency waits that an undo would replace: the state returned has it.
        """
        session = self._open(target, documents=False)
        self._ask(session, request, lambda state: requesting.keeps_emergency(state.request, request))
        return session.state

    def request_unless(self, target: Target, request: Request, answered: Callable[[TargetState], bool]) -> bool:
        """Writes a request unless the state on which it is written answers it already; False if so. Raises StoreError.

        That is judged again if another process writes first: it may just have done what is asked for.
        """
        return self._ask(self._open(target, documents=False), request, answered)

    def _ask(self, session: Session, request: Request, answered: Callable[[TargetState], bool]) -> bool:
        verb = AuditVerb.REQUEST_UNDO if request.purpose is Purpose.UNDO else AuditVerb.REQUEST_ROTATION
        facts = request.origin.facts

        def write() -> bool:
            if answered(session.state):
                return False
            consumer = None
            if session.state.attempt is not None:
                session.read_consumer()
                consumer = session.consumer
            self._audit.intend(verb, session.target.name, **facts)
            session.write(requesting.after_request(session.state, request, consumer))
            return True

        if not repeat_on_conflict(write, self._clock, session.read):
            return False
        name = session.target.name
        self._audit.record(verb, name, AuditOutcome.DONE, **facts, compromised=request.compromised)
        return True

    def verify(self, target: Target) -> tuple[Answer[Proof] | None, TargetState]:
        """Proves what is published now and stores the result; None if there is nothing to prove. Raises StoreError."""
        session = self._open(target)

        def prove() -> Answer[Proof] | None:
            published = session.state.published
            if published is None or published.account not in self._capabilities or is_being_replaced(session.state):
                return None
            facts = self._facts(session)
            if has_other_identity(facts, published):
                return None
            resting = log_in_hold(facts, published.account)
            if resting is not None:
                return Retry(Wait.RATE_LIMITED, resting.message)
            answer = verify(self._at_once, session, do.Verify(published))
            session.flush()
            return answer

        return repeat_on_conflict(prove, self._clock, session.read), session.state

    def plan_adoption(self, target: Target, known: KnownToOperator) -> AdoptionPlan:
        """Returns what `adopt` would take up, and changes nothing. Raises StoreError, AdoptionImpossible."""
        return adoption.plan_adoption(self._at_once, self._open(target), known)

    def adopt(self, target: Target, known: KnownToOperator, plan: AdoptionPlan, origin: Origin) -> TargetState | Hold:
        """Takes up what `plan_adoption` found; a hold while another process works there, or log-ins have to rest.

        Raises StoreError, AdoptionImpossible.
        """
        session = self._open(target)
        facts = self._facts(session)
        hold = claimed_elsewhere(facts)
        if hold is None and plan.credential.password is not None:
            hold = log_in_hold(facts, plan.credential.account)
        if hold is not None:
            return hold
        if adoption.plan_adoption(self._at_once, session, known) != plan:
            raise AdoptionImpossible("something changed in the meantime: try again")
        return adoption.adopt(self._at_once, session, plan, origin)

    def withdraw_request(self, target: Target, request: Request, origin: Origin) -> bool:
        """Takes this request back; False if it has begun, or another one waits. Raises StoreError."""
        session = self._open(target)

        def withdraw() -> bool:
            if session.state.request != request:
                return False
            self._audit.intend(AuditVerb.WITHDRAW_REQUEST, target.name, **origin.facts)
            session.write(requesting.after_request_withdrawal(session.state))
            return True

        done = repeat_on_conflict(withdraw, self._clock, session.read)
        if done:
            verb, detail = AuditVerb.WITHDRAW_REQUEST, requesting.withdrawal_consequence(request)
            self._audit.record(verb, target.name, AuditOutcome.DONE, **origin.facts, detail=detail)
        return done

    def abandon(self, target: Target, attempt: str, origin: Origin) -> Abandonment | AbandonmentImpossible | Hold:
        """Ends the open attempt with this id and returns what that meant.

        Returns a hold while another process works on the target.

        Raises:
            StoreError: a request to Vault failed. The attempt may have ended.
        """
        session = self._open(target)

        def end() -> Abandonment | AbandonmentImpossible | Hold:
            elsewhere = claimed_elsewhere(self._facts(session))
            if elsewhere is not None:
                return elsewhere
            if session.state.attempt is None or session.state.attempt.id != attempt:
                return AbandonmentImpossible("the attempt has ended by itself")
            take_claim(session)
            return give_up(self._at_once, session, self._facts(session), origin)

        try:
            return repeat_on_conflict(end, self._clock, session.read)
        except Conflict:
            return Hold(HoldReason.CLAIMED, "another process keeps writing first")

    def _open(self, target: Target, *, fresh: bool = True, documents: bool = True) -> Session:
        return Session(
            target,
            self._store,
            self._clock,
            self._holder,
            self._limits.claim,
            self._observe,
            self._memory,
            fresh=fresh,
            documents=documents,
        )
