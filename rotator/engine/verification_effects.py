"""The effects that look after what is published: the proof made again, and the request to repair it."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import drift, verification
from rotator.core.answers import Answer, Done
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.model import Credential, Proof, Purpose, TargetState
from rotator.engine.provider_caller import ProviderCaller, could_not_be_asked, message_of
from rotator.engine.session import Session


def verify(caller: ProviderCaller, session: Session, action: do.Verify) -> Answer[Proof]:
    """Proves what is published, and stores the result.

    The audit has what changed: not each proof of a working one, and not each try at a provider that cannot be asked.
    """
    credential, state = action.credential, session.state
    answer = caller.prove(credential)
    if isinstance(answer, Done):
        changed = state.verification is not None and not state.verification.accepted
        how, fraction = str(answer.value), caller.randomness.fraction()
        session.note(verification.after_acceptance(state, session.target, how, session.clocks(), fraction))
    elif could_not_be_asked(answer):
        changed = not state.verify_failures
        later = caller.next_try(state.verify_failures + 1, answer, obeyed=verification.longest_asked(state))
        session.write(verification.after_no_answer(state, later))
    else:
        changed = True
        session.write(_refused(caller, session, credential, message_of(answer)))
    if changed:
        detail = message_of(answer)
        caller.record(AuditVerb.VERIFY, session.target, outcome_of(answer), credential, detail=detail)
    return answer


def _refused(caller: ProviderCaller, session: Session, credential: Credential, message: str) -> TargetState:
    """Looks into a refusal that would be believed: one listing for each such proof."""
    propagation = caller.providers[credential.account].capabilities.propagation
    state, listed = session.state, None
    if state.verification is not None and not state.verification.accepted:
        # Even if the account takes no more requests now: each further proof is another wrong log-in.
        asking = replace(caller, raises_paced=False)
        answer = asking.ask(credential.account, ProviderVerb.FIND, lambda provider: provider.find(credential))
        if isinstance(answer, Done):
            listed = verification.compare(credential, answer.value)
            session.remember_lookup(credential, answer.value)
    return verification.after_refused_proof(state, message, session.clocks(), propagation, listed)


def draw_verification(caller: ProviderCaller, session: Session) -> None:
    """Draws the time of the next verification, and asks nobody."""
    now, fraction = session.clocks().vault, caller.randomness.fraction()
    session.note(verification.after_verification_draw(session.state, session.target.policy, now, fraction))


def repair(caller: ProviderCaller, session: Session, action: do.Repair) -> None:
    """Requests a rotation or an undo that nobody but rotator asked for."""
    request = action.request
    undo = request.purpose is Purpose.UNDO
    verb = AuditVerb.REQUEST_UNDO if undo else AuditVerb.REQUEST_ROTATION
    caller.intend(verb, session.target, session.state.published, **request.origin.facts)
    session.write(drift.after_repair(session.state, request))
    caller.record(verb, session.target, AuditOutcome.DONE, session.state.published, **request.origin.facts)
