"""The effects that look after what is published: the proof made again."""

from rotator.core import actions as do
from rotator.core import verification
from rotator.core.answers import Done
from rotator.core.audit_words import AuditVerb, outcome_of
from rotator.engine.provider_caller import ProviderCaller, could_not_be_asked, message_of
from rotator.engine.session import Session


def verify(caller: ProviderCaller, session: Session, action: do.Verify) -> None:
    """Proves what is published, and stores the result. The audit has what changed: not each proof of a working one."""
    credential, state = action.credential, session.state
    answer = caller.ask(credential.account, lambda provider: provider.prove(credential))
    refused_before = state.verification is not None and not state.verification.accepted
    if isinstance(answer, Done):
        how, fraction = str(answer.value), caller.randomness.fraction()
        session.write(verification.after_acceptance(state, session.target, how, session.clocks(), fraction))
    elif could_not_be_asked(answer):
        session.write(verification.after_no_answer(state, caller.next_try(state.verify_failures + 1, answer)))
        return
    else:
        propagation = caller.providers[credential.account].capabilities.propagation
        session.write(verification.after_refused_proof(state, message_of(answer), session.clocks(), propagation))
    if refused_before or not isinstance(answer, Done):
        detail = message_of(answer)
        caller.record(AuditVerb.VERIFY, session.target, outcome_of(answer), credential, detail=detail)
