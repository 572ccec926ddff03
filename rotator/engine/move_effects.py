"""The effects on the consumer documents of a target that changes its path, or is retired."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import advance, moves
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.model import FormerPath
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session
from rotator.ports import StoreDenied


def move(caller: ProviderCaller, session: Session) -> None:
    """Publishes what is published at the configured path, and notes the old path."""
    published, path = session.state.published, session.target.path
    if published is not None and not session.consumer.names(published):
        noted = moves.before_writing(session.state, session.target, session.clocks().latest)
        if noted != session.state:
            session.write(noted)
        caller.intend(AuditVerb.MOVE, session.target, published, path=path)
        try:
            session.publish_as_well(path, published)
        except StoreDenied as error:
            facts = {"path": path, "detail": str(error)}
            caller.record(AuditVerb.MOVE, session.target, AuditOutcome.REFUSED, published, **facts)
            later = caller.next_try(session.state.failures + 1)
            session.write(advance.after_delay(session.state, str(error), later))
            return
    came_from = session.state.path
    session.write(moves.after_move(session.state, session.target, session.clocks().latest))
    caller.record(AuditVerb.MOVE, session.target, AuditOutcome.DONE, published, path=path, moved_from=came_from)


def republish(caller: ProviderCaller, session: Session, action: do.Republish) -> None:
    """Writes what is published at a path that the target leaves."""
    former, credential = action.former, action.credential
    document, ledger = session.document_at(former.path), session.state.ledger
    kept = moves.with_overlap_for_readers(session.state, document, session.clocks().latest)
    if kept != session.state:
        session.write(kept)  # before the document changes: afterwards nothing says what it handed out
    caller.intend(AuditVerb.PUBLISH, session.target, credential, path=former.path)
    try:
        session.publish_as_well(former.path, credential)
    except StoreDenied as error:
        session.note(replace(session.state, ledger=ledger))  # it is handed out as before
        _postpone(caller, session, AuditVerb.PUBLISH, former, error)
        return
    session.write(moves.after_republishing(session.state, former))
    caller.record(AuditVerb.PUBLISH, session.target, AuditOutcome.DONE, credential, path=former.path)


def withdraw(caller: ProviderCaller, session: Session, action: do.Withdraw) -> None:
    """Takes the credential out of the document at a former path, unless it is somebody else's by now."""
    former = action.former
    document = session.document_at(former.path)
    caller.intend(AuditVerb.WITHDRAW, session.target, path=former.path)
    try:
        if action.leaves_it:
            session.confirm(former.path)  # or else a standby that lags would show what stood there before ours
        else:
            session.withdraw(former.path, former.moved_to)
    except StoreDenied as error:
        _postpone(caller, session, AuditVerb.WITHDRAW, former, error)
        return
    session.write(moves.after_withdrawal(session.state, former, document, session.clocks().latest))
    why = "it is not of this target, as check-and-set confirmed: written again as it was" if action.leaves_it else ""
    outcome = AuditOutcome.NOTICED if action.leaves_it else AuditOutcome.DONE
    caller.record(AuditVerb.WITHDRAW, session.target, outcome, path=former.path, moved_to=former.moved_to, detail=why)


def _postpone(
    caller: ProviderCaller, session: Session, verb: AuditVerb, former: FormerPath, error: StoreDenied
) -> None:
    caller.record(verb, session.target, AuditOutcome.REFUSED, path=former.path, detail=str(error))
    later = caller.next_try(former.failures + 1)
    session.write(moves.after_former_failure(session.state, former, str(error), later))
