"""The loop for one target: observe, decide, act, until there is nothing to do now."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from rotator.core import actions as do
from rotator.core import advance, requesting
from rotator.core.abandonment import Abandonment, AbandonmentImpossible
from rotator.core.action_properties import touched_by
from rotator.core.adoption import AdoptionImpossible, AdoptionPlan, KnownToOperator
from rotator.core.answers import Answer, Retry, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.circuit import Circuit
from rotator.core.decide import claimed_elsewhere, decide
from rotator.core.drift import REPAIRED_BY
from rotator.core.facts import Facts, has_other_identity, is_same_credential
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import log_in_hold
from rotator.core.model import Proof, Purpose, Request, Target, TargetState
from rotator.core.verification import ends_by_itself, gets_new_password, longest_asked
from rotator.engine import adoption
from rotator.engine.abandonment import give_up
from rotator.engine.attempt_effects import reassert, take_claim
from rotator.engine.claims import Claims
from rotator.engine.conflicts import AFTER_CONFLICT, MOST_CONFLICTS, repeat_on_conflict
from rotator.engine.effects import carry_out
from rotator.engine.former_names import FormerNames
from rotator.engine.limits import Limits
from rotator.engine.memory import Memory
from rotator.engine.provider_caller import Paced, ProviderCaller
from rotator.engine.removal import Removal
from rotator.engine.session import Session, StateObserver
from rotator.engine.throttles import Throttles
from rotator.engine.verification_effects import verify
from rotator.engine.waves import Waves
from rotator.ports import (
    CALL_TERMS,
    Audit,
    CallTerms,
    Conflict,
    Providers,
    Randomness,
    Store,
    StoreError,
    StoreUnavailable,
    Timer,
)

_RETIRES = {do.Step.DISABLE, do.Step.OVERWRITE, do.Step.DELETE, do.Step.FORGET}
_BY_DOCUMENT = {
    HoldReason.CLAIMED,
    HoldReason.RENAMED,
    HoldReason.DOCUMENT_DELETED,
    HoldReason.FOREIGN_DOCUMENT,
}
_MOST_STEPS = 60  # the whole life of a credential takes about a dozen; a bug must not spin forever
_SOON = timedelta(seconds=5)


_WAITS_FOR_A_PLACE = {HoldReason.PROVING, HoldReason.UNPROVED}


class Outcome(Enum):
    """The outcome of one look, for the log's one line."""

    ROTATED = "rotated"
    UNDONE = "undone"
    RETIRED = "retired"  # something was disabled, deleted or forgotten
    HELD = "held"  # there was nothing to do
    WAITING = "waiting"  # an attempt is open and waits
    FAILED = "failed"  # a step failed; see the message
    CONTENDED = "contended"  # another process kept writing first
    STOPPED = "stopped"  # stopped between two steps
    VAULT = "vault"  # a request to Vault failed


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look at a target."""

    target: str
    outcome: Outcome
    message: str
    steps: tuple[do.Step, ...]  # what was done, in order
    state: TargetState | None  # None if the state document could not be read
    hold: Hold | None
    next_look: datetime | None  # None: when the sweep comes by
    seconds: float


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
        former_names: FormerNames | None = None,
        account_keys: Mapping[str, str] | None = None,
        pace_delay: Callable[[str], timedelta] = lambda _: timedelta(),
        tell_open: Callable[[str, timedelta], None] = lambda *_: None,
        is_dead: Callable[[str], bool] = lambda _: False,
        waves: Waves | None = None,
    ) -> None:
        """Wires one engine.

        Args:
            holder: names this process in claims; unique among all processes, restarts included.
            observe: receives every state that is read or written.
            stopping: returns True once no further step may begin.
            former_names: knows the targets that are not configured any more; by default every other state document
                is one.
            account_keys: by an account's name in the configuration, a key that all names of one account share; by
                default each name is an account.
            pace_delay: returns how long a request to the account with that name would wait for its pace.
            tell_open: tells the other processes that the circuit of the account with that name is open for so long.
            is_dead: returns True for a holder of claims that is known to be dead.
            waves: knows the fleet of each account; by default it is one of a few targets.
        """
        circuit = Circuit(limits.circuit_failures, limits.circuit_open_for)
        self.throttles = Throttles(
            clock, circuit, limits.retirements_per_minute, account_keys or {}, pace_delay, tell_open
        )
        self._claims = Claims(clock, holder, limits.claim, is_dead)
        self._memory = Memory()
        self._store, self._clock, self._holder, self._limits = store, clock, holder, limits
        self._observe, self._stopping, self._audit = observe, stopping, audit
        self._capabilities = {name: provider.capabilities for name, provider in providers.items()}
        self._identities = {name: provider.identity for name, provider in providers.items()}
        self._former_names = former_names or FormerNames(store, frozenset())
        self._waves = waves or Waves(store, clock, {})
        self.removal = Removal(store, clock, audit, self._claims)
        self._caller = ProviderCaller(providers, store, clock, randomness, audit, self.throttles, limits, self._waves)
        self._at_once = replace(self._caller, raises_paced=False)  # for a person who waits for an answer

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
            hold, outcome = self._steps(session, steps)
            if hold is not None and hold.reason is HoldReason.RETIREMENTS_CAPPED:
                hold = replace(hold, until=self._clock.now() + self.throttles.retirement_in(target.name))
            message, next_look = (hold.message, hold.until) if hold else ("", self._clock.now() + _SOON)
        except StoreError as error:
            passing = isinstance(error, StoreUnavailable | Conflict)  # others last until somebody fixes them
            outcome, message, next_look = Outcome.VAULT, str(error), self._clock.now() + _SOON if passing else None
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
        )

    def facts(self, target: Target) -> Facts:
        """Returns the current facts about a target, for `plan` and `status`. Raises StoreError."""
        return self._facts(self._open(target))

    def request(self, target: Target, request: Request) -> TargetState:
        """Writes a request into the state document, where it outlives this process. Raises StoreError."""
        session = self._open(target)
        self._ask(session, request, lambda _: False)
        return session.state

    def request_unless(self, target: Target, request: Request, answered: Callable[[TargetState], bool]) -> bool:
        """Writes a request unless the state on which it is written answers it already; False if so. Raises StoreError.

        That is judged again if another process writes first: it may just have done what is asked for.
        """
        return self._ask(self._open(target), request, answered)

    def _ask(self, session: Session, request: Request, answered: Callable[[TargetState], bool]) -> bool:
        def write() -> bool:
            if answered(session.state):
                return False
            session.write(requesting.after_request(session.state, request, session.consumer))
            return True

        if not repeat_on_conflict(write, self._clock, session.read):
            return False
        self._audit.record(
            AuditVerb.REQUEST_UNDO if request.purpose is Purpose.UNDO else AuditVerb.REQUEST_ROTATION,
            session.target.name,
            AuditOutcome.DONE,
            requested_by=request.requested_by,
            reason=request.reason,
            compromised=request.compromised,
        )
        return True

    def verify(self, target: Target) -> tuple[Answer[Proof] | None, TargetState]:
        """Proves what is published now and stores the result; None if there is nothing to prove. Raises StoreError."""
        session = self._open(target)

        def prove() -> Answer[Proof] | None:
            published = session.state.published
            if published is None or published.account not in self._capabilities or gets_new_password(session.state):
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

    def adopt(
        self, target: Target, known: KnownToOperator, plan: AdoptionPlan, requested_by: str, reason: str
    ) -> TargetState | Hold:
        """Takes up what `plan_adoption` found; a hold while another process works on the target.

        Raises StoreError, AdoptionImpossible.
        """
        session = self._open(target)
        working = claimed_elsewhere(self._facts(session))
        if working is not None:
            return working
        if adoption.plan_adoption(self._at_once, session, known) != plan:
            raise AdoptionImpossible("something changed in the meantime: try again")
        return adoption.adopt(self._at_once, session, plan, requested_by, reason)

    def withdraw_request(self, target: Target, request: Request, by: str, reason: str) -> bool:
        """Takes this request back; False if it has begun, or another one waits. Raises StoreError."""
        session = self._open(target)

        def withdraw() -> bool:
            if session.state.request != request:
                return False
            session.write(requesting.after_request_withdrawal(session.state))
            return True

        done = repeat_on_conflict(withdraw, self._clock, session.read)
        if done:
            verb, detail = AuditVerb.WITHDRAW_REQUEST, requesting.withdrawal_consequence(request)
            self._audit.record(verb, target.name, AuditOutcome.DONE, requested_by=by, reason=reason, detail=detail)
        return done

    def abandon(self, target: Target, attempt: str, by: str, reason: str) -> Abandonment | AbandonmentImpossible | Hold:
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
            return give_up(self._at_once, session, self._facts(session), by, reason)

        try:
            return repeat_on_conflict(end, self._clock, session.read)
        except Conflict:
            return Hold(HoldReason.CLAIMED, "another process keeps writing first")

    def _open(self, target: Target, *, fresh: bool = True) -> Session:
        return Session(
            target,
            self._store,
            self._clock,
            self._holder,
            self._limits.claim,
            self._observe,
            self._memory,
            fresh=fresh,
        )

    def _facts(self, session: Session) -> Facts:
        remaining = self._claims.remaining(session.target.name, session.state.claim)
        never = session.state.published is None and session.state.attempt is None and not session.target.removed
        former = self._former_names.at(session.target) if never else ""
        canary = self._waves.canary(session.target, session.state, session.clocks().earliest)
        facts = session.facts(self._capabilities, self.throttles, remaining, self._identities, former)
        return replace(facts, canary=canary) if canary is not None else facts

    def _steps(self, session: Session, steps: list[do.Step]) -> tuple[Hold | None, Outcome]:
        conflicts = 0
        unrecorded: list[do.Action] = []  # carried out, and only noted in this session
        paced: Hold | None = None
        for _ in range(_MOST_STEPS):
            if self._stopping():
                with suppress(Conflict):  # whoever writes next finds the claim, and takes nothing for certain
                    _put_on_record(session)
                return None, Outcome.STOPPED
            action, paced = paced or self._decided(session), None
            try:
                if isinstance(action, Hold):
                    _put_on_record(session)
                    if action.reason is HoldReason.PROVING and self._wait_for_place(session):
                        continue
                    return action, _outcome(session.state, steps, action)
                attempt = session.state.attempt
                with _on_terms(session.terms()), session.renewing():
                    carry_out(self._caller, session, action)
                undone = action.step is do.Step.CLOSE and attempt is not None and attempt.purpose is Purpose.UNDO
                steps.append(do.Step.UNDO if undone else action.step)
                unrecorded = [*unrecorded, action] if session.has_unwritten else []
            except Conflict:
                conflicts += 1
                if conflicts > MOST_CONFLICTS:
                    return None, Outcome.CONTENDED
                self._clock.sleep(AFTER_CONFLICT)
                session.read()
                for late in unrecorded if isinstance(action, Hold) else [*unrecorded, action]:
                    self._repair_late_call(session, late)
                unrecorded = []
            except Paced as error:
                paced = self._paced(session.state, error)
        return None, Outcome.CONTENDED

    def _decided(self, session: Session) -> do.Decision:
        """Decides; what rests on a document that was found in memory is decided again after reading it."""
        while True:
            action = decide(self._facts(session))
            if _depends_on_document(action, session.state) and not session.has_read_consumer:
                session.read_consumer()  # somebody may have edited or deleted it, which no check-and-set tells
            elif isinstance(action, Hold) and action.reason in _BY_DOCUMENT and not session.is_fresh:
                session.read()  # it may be as it should be again
            else:
                return action

    def _wait_for_place(self, session: Session) -> bool:
        return self.throttles.wait_for_place(session.target, self._stopping)

    def _paced(self, state: TargetState, error: Paced) -> Hold:
        """Holds until the account takes requests again; what devices wait for tries again within minutes."""
        wait = min(max(error.after or _SOON, _SOON), longest_asked(state))
        return Hold(HoldReason.PACED, str(error), self._clock.now() + wait)

    def _repair_late_call(self, session: Session, action: do.Action) -> None:
        """Repairs what a late call may have done to a credential that another process has published since.

        That happens if this process was paused between deciding and sending. The effect of the call is unknown, so the
        published credential is applied again, or else replaced.
        """
        touched, published = touched_by(action), session.state.published
        if touched is None or published is None or not is_same_credential(touched, published):
            return
        attempt = session.state.attempt
        under_way = attempt is not None and is_same_credential(touched, attempt.staged)
        harmless = isinstance(action, do.Apply) and touched.password == published.password
        if not under_way and not harmless and not reassert(self._at_once, session, published):
            why = "a late call may have changed the published credential"
            request = Request(Purpose.ROTATE, REPAIRED_BY, why, self._clock.now())
            session.write(requesting.after_request(session.state, request, session.consumer))
            self._audit.record(
                AuditVerb.REQUEST_ROTATION, session.target.name, AuditOutcome.DONE, requested_by=REPAIRED_BY, reason=why
            )


def _depends_on_document(action: do.Decision, state: TargetState) -> bool:
    """True before an attempt, and before the provider ends by itself what somebody may hand out again meanwhile."""
    return isinstance(action, do.Stage) or (isinstance(action, do.Verify) and ends_by_itself(state))


def _put_on_record(session: Session) -> None:
    """Writes what was only noted, and releases the claim: every call is on record, so the next process need not wait.

    Raises Conflict if that loses something. A claim alone is no longer ours if somebody else has written since.
    """
    if session.has_unwritten or session.holds_claim:
        try:
            session.write(advance.after_release(session.state) if session.holds_claim else session.state)
        except Conflict:
            if session.has_unwritten:
                raise


@contextmanager
def _on_terms(terms: CallTerms) -> Iterator[None]:
    """Calls providers on these terms in the body."""
    token = CALL_TERMS.set(terms)
    try:
        yield
    finally:
        CALL_TERMS.reset(token)


def _outcome(state: TargetState, steps: list[do.Step], hold: Hold) -> Outcome:
    if state.failures and (hold.reason is HoldReason.BACKING_OFF or do.Step.APPLY in steps):
        return Outcome.FAILED
    if do.Step.UNDO in steps:
        return Outcome.UNDONE
    if do.Step.CLOSE in steps:
        return Outcome.ROTATED
    if state.attempt is not None:
        return Outcome.WAITING
    return Outcome.RETIRED if _RETIRES & set(steps) else Outcome.HELD
