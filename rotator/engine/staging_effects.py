"""The effects on a request: it becomes an open attempt, or it is dropped."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import advance, drift, hooks
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.facts import is_same_credential
from rotator.core.model import Purpose, Strategy
from rotator.core.naming import new_attempt_id, new_username
from rotator.core.passwords import generate
from rotator.engine.attempt_effects import record
from rotator.engine.first_passwords import unprovable
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session
from rotator.ports import StoreDenied


def stage(caller: ProviderCaller, session: Session, action: do.Stage) -> None:
    """Opens the attempt, if there is a place for it. Generates the password and the username, unless the provider does.

    An emergency needs no place.
    """
    in_place = session.target.strategy is Strategy.IN_PLACE and not action.request.compromised
    if in_place and not caller.throttles.take_place(session.target):
        return  # another look has taken it just now
    problem = unprovable(caller, action) if in_place else ""
    try:
        session.check_publishable()
        _make_sure_of_document(caller, session, action)
    except StoreDenied as error:
        problem = str(error)
    if problem:
        later = caller.next_try(session.state.failures + 1)
        session.write(advance.after_delay(session.state, problem, later))
        return
    attempt_id, credential = new_attempt_id(caller.randomness.text), action.credential
    if action.request.purpose is Purpose.ROTATE:
        provider = caller.providers[credential.account]
        host = provider.host or credential.host
        credential = replace(credential, attempt=attempt_id, identity=provider.identity, host=host)
        if not provider.capabilities.generates_password:
            draw = caller.randomness.text
            username = credential.username or new_username(session.target, draw)
            password = generate(session.target.policy.password, draw)
            made_at = session.clocks().latest
            credential = replace(credential, username=username, password=password, made_at=made_at)
    caller.intend(AuditVerb.STAGE, session.target, credential, **action.request.origin.facts)
    opened = advance.after_stage(session.state, action, attempt_id, credential, caller.shared_now())
    session.write_claimed(hooks.due_before_rotation(opened, session.target.policy))
    record(caller, session, AuditVerb.STAGE, AuditOutcome.DONE, credential)


def _make_sure_of_document(caller: ProviderCaller, session: Session, action: do.Stage) -> None:
    """Writes the document again as it was read, if a password is set on what is published because another is in use.

    Only the document says that another is in use, and a standby of Vault that lags may have answered with an older one.
    Check-and-set knows. Raises like `Session.write`.
    """
    published, in_use = session.state.published, action.predecessor
    if published is None or in_use is None or is_same_credential(in_use, action.credential):
        return
    if action.request.purpose is Purpose.ROTATE and is_same_credential(published, action.credential):
        session.confirm(session.target.path)
        facts = {"path": session.target.path, "detail": "as it was read: check-and-set shows that it is the latest"}
        caller.record(AuditVerb.PUBLISH, session.target, AuditOutcome.DONE, in_use, **facts)


def drop(caller: ProviderCaller, session: Session, action: do.Drop) -> None:
    """Drops a request that cannot be carried out, or need not be."""
    if action.needless:
        session.write(drift.after_needless_repair(session.state))
        caller.record(AuditVerb.DROP, session.target, AuditOutcome.DONE, reason=action.message)
        return
    caller.record(AuditVerb.DROP, session.target, AuditOutcome.REFUSED, reason=action.message)
    later = caller.next_try(session.state.failures + 1)
    session.write(advance.after_drop(session.state, action.message, later))
