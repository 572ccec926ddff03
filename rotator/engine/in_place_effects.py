"""The effects on the one credential of `in-place`: which password is in force, and putting the old one back."""

from rotator.core import actions as do
from rotator.core import advance
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.attempts import can_put_back, is_propagating
from rotator.core.audit_words import AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.model import Credential, Phase, Proof
from rotator.engine.attempt_effects import discard, intend, record, set_back
from rotator.engine.provider_caller import ProviderCaller, could_not_be_asked, message_of
from rotator.engine.session import Session


def settle(caller: ProviderCaller, session: Session, action: do.Settle) -> None:
    """Tries the staged password, then the old one. A log-in that works settles which of the two is in force.

    While a change may still be propagating, the old one is accepted whatever was carried out. If nobody can be asked
    even after that, the old password is put back: devices may have been out for as long.
    """
    attempt, can = session.attempt, caller.providers[action.credential.account].capabilities
    staged = _try_password(caller, session, action.credential)
    if isinstance(staged, Done):
        session.note(advance.after_proof(session.state, str(staged.value), session.clocks().vault))
        return
    old = _try_password(caller, session, action.old) if action.old is not None else None
    sure = attempt.applied_at is not None and not is_propagating(attempt, can, caller.shared_now())
    if isinstance(old, Done) and sure:
        session.write(advance.after_old_accepted(session.state))
    elif sure and can_put_back(attempt, can) and could_not_be_asked(staged):
        why = f"not accepted within the propagation time: {message_of(staged)}"
        session.write(advance.after_unaccepted(session.state, why))
    else:
        session.remember_unsettled()


def _try_password(caller: ProviderCaller, session: Session, credential: Credential) -> Answer[Proof]:
    """Returns the answer to a log-in. That the account shows the credential says nothing about its password."""
    answer = caller.prove(credential)
    if isinstance(answer, Done) and not answer.value.tries_password:
        answer = Retry(Wait.DOUBTFUL, f"that settles nothing: {answer.value}")
    which = "" if credential == session.attempt.staged else "the old password"
    detail = ": ".join(filter(None, (which, message_of(answer))))
    record(caller, session, AuditVerb.PROVE, outcome_of(answer), credential, detail)
    return answer


def restore(caller: ProviderCaller, session: Session, action: do.Restore) -> None:
    """Sets the old password of the one credential again. A proved one that cannot be published is given up first."""
    if session.attempt.phase is Phase.PROVED:
        why = f"{session.target.path} was changed by somebody else before the new password was published"
        session.write(advance.after_unaccepted(session.state, why))
        return
    credential = action.credential
    intend(caller, session, AuditVerb.RESTORE, credential)
    answer = caller.ask(
        credential.account, ProviderVerb.SET_PASSWORD, lambda provider: provider.set_password(credential)
    )
    record(caller, session, AuditVerb.RESTORE, outcome_of(answer), credential, message_of(answer))
    if isinstance(answer, Done):
        session.write(advance.after_restore(session.state, session.clocks().latest))
    elif isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND:
        discard(caller, session)  # there is nothing to set it on
    elif session.attempt.put_back and _is_final(answer):
        later = caller.next_try(session.state.failures + 1)
        session.write(advance.after_refused_restore(session.state, message_of(answer), later))
    elif _is_final(answer):
        discard(caller, session)  # the provider takes neither password: only another one is left
    else:
        set_back(caller, session, answer)


def _is_final(answer: Answer[Credential]) -> bool:
    return isinstance(answer, Refused) and not answer.why.concerns_account
