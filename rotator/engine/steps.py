"""The steps of one look: decide, carry out, until there is nothing to do now."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rotator.core import actions as do
from rotator.core import advance, requesting
from rotator.core.action_properties import touched_by
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.decide import decide
from rotator.core.drift import REPAIRED_BY
from rotator.core.facts import Facts, is_same_credential
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Purpose, Request, TargetState
from rotator.core.verification import ends_by_itself, longest_asked
from rotator.engine.attachment_effects import repoint
from rotator.engine.attempt_effects import reassert
from rotator.engine.conflicts import AFTER_CONFLICT, MOST_CONFLICTS
from rotator.engine.effects import carry_out
from rotator.engine.look import SOON, Outcome
from rotator.engine.provider_caller import Paced, ProviderCaller
from rotator.engine.session import Session
from rotator.ports import CALL_TERMS, Conflict, Timer

_RETIRES = {do.Step.DISABLE, do.Step.OVERWRITE, do.Step.DELETE, do.Step.FORGET}
_BY_DOCUMENT = {
    HoldReason.CLAIMED,
    HoldReason.RENAMED,
    HoldReason.DOCUMENT_DELETED,
    HoldReason.FOREIGN_DOCUMENT,
}
_MOST_STEPS = 60  # the whole life of a credential takes about a dozen; a bug must not spin forever


@dataclass(frozen=True, slots=True)
class Steps:
    """Carries a target forward step by step. One instance serves all threads of a process."""

    caller: ProviderCaller
    at_once: ProviderCaller  # waits for the account's pace instead of raising
    facts: Callable[[Session], Facts]
    clock: Timer
    stopping: Callable[[], bool]  # true once no further step may begin

    def take(self, session: Session, steps: list[do.Step]) -> tuple[Hold | None, Outcome]:
        """Takes every step that is allowed now, and adds each to `steps`; returns what holds the next one.

        Raises:
            StoreError: a request to Vault failed; the steps until then are in `steps`.
        """
        conflicts = 0
        unrecorded: list[do.Action] = []  # carried out, and only noted in this session
        paced: Hold | None = None
        for _ in range(_MOST_STEPS):
            if self.stopping():
                with suppress(Conflict):  # whoever writes next finds the claim, and takes nothing for certain
                    _put_on_record(session)
                return None, Outcome.STOPPED
            action, paced = paced or self._decided(session), None
            try:
                if isinstance(action, Hold):
                    session.note_rules()
                    _put_on_record(session)
                    if action.reason is HoldReason.PROVING and self._wait_for_place(session):
                        continue
                    return action, _outcome(session.state, steps, action)
                attempt = session.state.attempt
                terms = CALL_TERMS.set(session.terms())
                try:
                    with session.renewing():
                        carry_out(self.caller, session, action)
                finally:
                    CALL_TERMS.reset(terms)
                undone = action.step is do.Step.CLOSE and attempt is not None and attempt.purpose is Purpose.UNDO
                steps.append(do.Step.UNDO if undone else action.step)
                unrecorded = [*unrecorded, action] if session.has_unwritten else []
            except Conflict:
                conflicts += 1
                if conflicts > MOST_CONFLICTS:
                    return None, Outcome.CONTENDED
                self.clock.sleep(AFTER_CONFLICT)
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
            action = decide(self.facts(session))
            if _depends_on_document(action, session.state) and not session.has_read_consumer:
                session.read_consumer()  # somebody may have edited or deleted it, which no check-and-set tells
            elif isinstance(action, Hold) and action.reason in _BY_DOCUMENT and not session.is_fresh:
                session.read()  # it may be as it should be again
            else:
                return action

    def _wait_for_place(self, session: Session) -> bool:
        return self.caller.throttles.wait_for_place(session.target, self.stopping)

    def _paced(self, state: TargetState, error: Paced) -> Hold:
        """Holds until the account takes requests again; what devices wait for tries again within minutes."""
        wait = min(max(error.after or SOON, SOON), longest_asked(state))
        return Hold(HoldReason.PACED, str(error), self.clock.now() + wait)

    def _repair_late_call(self, session: Session, action: do.Action) -> None:
        """Repairs what a late call may have done to a credential that another process has published since.

        That happens if this process was paused between deciding and sending. The effect of the call is unknown, so the
        published credential is applied again, or else replaced.
        """
        touched, published = touched_by(action), session.state.published
        if isinstance(action, do.Attach):
            self._repair_late_attach(session, action)
        if touched is None or published is None or not is_same_credential(touched, published):
            return
        attempt = session.state.attempt
        under_way = attempt is not None and is_same_credential(touched, attempt.staged)
        harmless = isinstance(action, do.Apply) and touched.password == published.password
        if not under_way and not harmless and not reassert(self.at_once, session, published):
            self._request_repair(session, "a late call may have changed the published credential")

    def _repair_late_attach(self, session: Session, action: do.Attach) -> None:
        """Points trunks away from a credential that a late call may have pointed them to."""
        attempt, published, late = session.state.attempt, session.state.published, action.credential
        if attempt is not None and any(
            one is not None and is_same_credential(one, late) for one in (attempt.staged, attempt.predecessor)
        ):
            return  # the open attempt looks at them itself
        wanted = attempt.staged if attempt is not None and attempt.detaches else published
        if wanted is None or wanted.account != late.account or is_same_credential(wanted, late):
            return
        if not repoint(self.at_once, session, wanted, (late,)):
            self._request_repair(session, f"a late call may have pointed trunks to {late.username}")

    def _request_repair(self, session: Session, why: str) -> None:
        # It ends what rotator itself began, so no pause holds it.
        request = Request(Purpose.ROTATE, REPAIRED_BY, why, self.clock.now(), despite_pause=True)
        session.write(requesting.after_request(session.state, request, session.consumer))
        self.caller.record(AuditVerb.REQUEST_ROTATION, session.target, AuditOutcome.DONE, None, **request.origin.facts)


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
