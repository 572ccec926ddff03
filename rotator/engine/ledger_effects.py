"""The effects on the ledger's replaced credentials: expire, disable, overwrite, delete and forget."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from rotator.core import actions as do
from rotator.core import ends, hooks, ledger
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.model import Credential, Cutoff, EndedBy, Ending, LedgerEntry, TargetState
from rotator.core.passwords import generate
from rotator.core.secret import Secret
from rotator.core.usage import in_words
from rotator.engine.attachment_effects import still_named
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session

# The longest back-off for a credential in use: calls end, and another try to delete it costs one request.
_IN_USE_AGAIN = timedelta(minutes=5)
_IN_VAIN = 3  # failures before this one


def expire(caller: ProviderCaller, session: Session, action: do.Expire) -> None:
    """Tells the provider when to end a replaced credential."""
    entry = action.entry
    _intend(caller, session, AuditVerb.EXPIRE, entry)
    answer = caller.ask(
        entry.credential.account,
        ProviderVerb.EXPIRE,
        lambda provider: provider.expire(entry.credential, entry.disable_at),
    )
    answer = _believed(caller, session, entry, answer)
    _record(caller, session, AuditVerb.EXPIRE, entry, answer, ends=f"{entry.disable_at:%Y-%m-%dT%H:%M:%SZ}")
    if isinstance(answer, Done):
        session.write(ledger.after_expire(session.state, entry, entry.disable_at))
    elif _was_refused(answer, Refusal.NOT_FOUND):
        session.write(_removed(session, entry, deleted=False))
    elif isinstance(answer, Unknown):
        later = caller.next_try(entry.failures + 1, answer)
        session.write(ledger.after_lost_answer(session.state, entry, message_of(answer), later))
    else:
        _postpone(caller, session, entry, answer)


def lift_end(caller: ProviderCaller, session: Session, action: do.LiftEnd) -> None:
    """Tells the provider not to end a replaced credential by itself."""
    entry = action.entry
    _intend(caller, session, AuditVerb.LIFT_END, entry)
    answer = caller.ask(
        entry.credential.account, ProviderVerb.ENABLE, lambda provider: provider.enable(entry.credential)
    )
    _record(caller, session, AuditVerb.LIFT_END, entry, answer)
    if isinstance(answer, Done):
        session.write(ledger.after_lift(session.state, entry))
    else:  # as soon as possible, whatever was refused: devices need it
        later = caller.next_try(entry.failures + 1, answer)
        session.write(ledger.after_postponement(session.state, entry, message_of(answer), later))


def disable(caller: ProviderCaller, session: Session, action: do.Disable) -> None:
    """Disables a replaced credential, or generates a password for it if the provider requires one for that.

    A compromised one goes ahead of the cap and of an open circuit.
    """
    entry, account = action.entry, action.entry.credential.account
    can = caller.providers[account].capabilities
    if ledger.is_overwritten_first(entry, can):
        session.write(ledger.after_new_password(session.state, entry, _new_password(caller, session), Cutoff.OVERWRITE))
        return
    if not _begin(caller, session, AuditVerb.DISABLE, entry, urgent=entry.compromised):
        return
    answer = caller.ask(
        account, ProviderVerb.DISABLE, lambda provider: provider.disable(entry.credential), urgent=entry.compromised
    )
    answer = _believed(caller, session, entry, answer)
    _record(caller, session, AuditVerb.DISABLE, entry, answer)
    needs_password = _was_refused(answer, Refusal.UNSUPPORTED) and entry.credential.password is None
    if needs_password and can.sets_password:
        session.write(ledger.after_new_password(session.state, entry, _new_password(caller, session)))
    else:
        _after_cutoff(caller, session, entry, answer)


def overwrite(caller: ProviderCaller, session: Session, action: do.Overwrite) -> None:
    """Sets the random password of a credential that must end, which nobody has but its ledger entry."""
    entry, credential = action.entry, action.entry.credential
    if not _begin(caller, session, AuditVerb.OVERWRITE, entry, urgent=entry.compromised):
        return
    answer = caller.ask(
        credential.account,
        ProviderVerb.SET_PASSWORD,
        lambda provider: provider.set_password(credential),
        urgent=entry.compromised,
    )
    answer = _believed(caller, session, entry, answer)
    _record(caller, session, AuditVerb.OVERWRITE, entry, answer)
    _after_cutoff(caller, session, entry, answer, overwrites=True)


def _after_cutoff(
    caller: ProviderCaller, session: Session, entry: LedgerEntry, answer: Answer[Any], *, overwrites: bool = False
) -> None:
    """Records that the credential is no longer accepted, or takes the next way to that.

    What cannot be disabled gets a random password; an emergency does not wait for that to be certain. A standing
    credential of `alternating` that leaked is deleted as well if nothing else is left: the next rotation creates it
    again. Anything else is deleted once its quarantine would be over: until then it may be needed again, and the right
    to disable it may come.
    """
    can, state = caller.providers[entry.credential.account].capabilities, session.state
    in_vain = not entry.cut_off and _is_in_vain(entry, answer)
    needs_password = entry.compromised or _was_refused(answer, Refusal.UNSUPPORTED)
    over = entry.ending is Ending.DELETE and entry.ends_at <= session.clocks().earliest
    if isinstance(answer, Done):
        after = ledger.after_overwrite if overwrites else ledger.after_disable
        now, by = session.clocks().latest, EndedBy.OVERWRITTEN if overwrites else EndedBy.DISABLED
        tries = caller.tries_ended(entry.credential.account)
        ended = hooks.owed_after_retirement(after(state, entry, now), entry, session.target.policy, now)
        session.write(ends.after_end(ended, entry, by, caller.shared_now(), tries=tries))
    elif _was_refused(answer, Refusal.NOT_FOUND):
        session.write(_removed(session, entry, deleted=False))
    elif in_vain and needs_password and entry.cutoff is Cutoff.DISABLE and can.sets_password:
        session.write(ledger.after_new_password(state, entry, _new_password(caller, session), Cutoff.OVERWRITE))
    elif in_vain and can.deletes and (entry.compromised or over):
        session.write(ledger.after_no_cutoff(state, entry, message_of(answer)))
    else:
        _postpone(caller, session, entry, answer)


def _is_in_vain(entry: LedgerEntry, answer: Answer[Any]) -> bool:
    """True if trying the same again is in vain. Another refusal has to come several times in a row."""
    if not isinstance(answer, Refused) or answer.why is Refusal.AUTHENTICATION:
        return False
    return answer.why in (Refusal.UNSUPPORTED, Refusal.PERMISSION) or entry.failures >= _IN_VAIN


def _new_password(caller: ProviderCaller, session: Session) -> Secret:
    return generate(session.target.policy.password, caller.randomness.text)


def delete(caller: ProviderCaller, session: Session, action: do.Delete) -> None:
    """Deletes a replaced credential, or a stray one that a lost create left behind."""
    entry, credential = action.entry, action.stray or action.entry.credential
    ended = replace(entry, credential=credential)
    if not _begin(caller, session, AuditVerb.DELETE, entry, stray=action.stray, urgent=action.urgent):
        return
    answer = caller.ask(
        entry.credential.account,
        ProviderVerb.DELETE,
        lambda provider: provider.delete(credential),
        urgent=action.urgent,
    )
    answer = _believed(caller, session, entry, answer)
    _record(caller, session, AuditVerb.DELETE, ended, answer)
    gone = isinstance(answer, Done) or _was_refused(answer, Refusal.NOT_FOUND)
    if gone and action.stray is not None:
        session.write(ledger.after_stray_removal(session.state))
        session.forget_lookups()
    elif gone:
        now, tries = caller.shared_now(), caller.tries_ended(entry.credential.account)
        session.write(ends.after_end(_removed(session, entry, deleted=True), entry, EndedBy.DELETED, now, tries=tries))
    else:
        _postpone(caller, session, entry, answer)


def _removed(session: Session, entry: LedgerEntry, *, deleted: bool) -> TargetState:
    removed, now = ledger.after_removal(session.state, entry, deleted=deleted), session.clocks().latest
    return hooks.owed_after_retirement(removed, entry, session.target.policy, now)


def forget(caller: ProviderCaller, session: Session, action: do.Forget) -> None:
    """Removes an entry from the ledger."""
    entry = action.entry
    _intend(caller, session, AuditVerb.FORGET, entry)
    session.write(ledger.after_forget(session.state, entry))
    caller.record(AuditVerb.FORGET, session.target, AuditOutcome.DONE, entry.credential, **_origin(entry))


def _believed(caller: ProviderCaller, session: Session, entry: LedgerEntry, answer: Answer[Any]) -> Answer[Any]:
    """Returns the answer; instead of "gone" a doubt, if the account lacks what is published as well.

    Then the key may be that of another account. A provider whose key alone names the account cannot tell.
    """
    published = session.state.published
    if not _was_refused(answer, Refusal.NOT_FOUND) or published is None:
        return answer
    if published.account != entry.credential.account:
        return answer
    listed = caller.ask(published.account, ProviderVerb.FIND, lambda provider: provider.find(published))
    if isinstance(listed, Done) and listed.value:
        return answer
    why = "what is published is not there either" if isinstance(listed, Done) else message_of(listed)
    return Unknown(f"{message_of(answer)}; not believed: {why}; is the key that of another account?")


def _was_refused(answer: Answer[Any], why: Refusal) -> bool:
    return isinstance(answer, Refused) and answer.why is why


def _postpone(caller: ProviderCaller, session: Session, entry: LedgerEntry, answer: Answer[Any]) -> None:
    later = caller.next_try(entry.failures + 1, answer)
    if isinstance(answer, Retry) and answer.why is Wait.IN_USE:
        later = min(later, caller.shared_now() + _IN_USE_AGAIN)
    now = session.clocks().earliest
    quick = entry.compromised or (entry.expires_at is not None and entry.expires_at > now)  # it may have to be lifted
    if entry.stays_enabled or (_was_refused(answer, Refusal.PERMISSION) and not quick):
        later = max(later, ledger.worth_trying_at(entry, now))
    session.write(ledger.after_postponement(session.state, entry, message_of(answer), later))


def _record(
    caller: ProviderCaller, session: Session, verb: AuditVerb, entry: LedgerEntry, answer: Answer[Any], **facts: str
) -> None:
    if _was_refused(answer, Refusal.NOT_FOUND):
        facts["gone"] = "somebody else has deleted it"
    outcome, detail = outcome_of(answer), message_of(answer)
    caller.record(verb, session.target, outcome, entry.credential, detail=detail, **_origin(entry), **facts)


def _begin(
    caller: ProviderCaller,
    session: Session,
    verb: AuditVerb,
    entry: LedgerEntry,
    *,
    urgent: bool,
    stray: Credential | None = None,
) -> bool:
    """Uses up one of this minute's retirements, unless it is urgent; False if none is left, or a trunk is in the way.

    One that may not begin leaves its place to another. Raises StoreUnavailable if the audit does not allow it.
    """
    if not urgent and not caller.throttles.admit_retirement():
        return False
    begins, ended = False, replace(entry, credential=stray or entry.credential)
    try:
        named = still_named(caller, session, ended, _origin(entry))
        if named is None:
            _intend(caller, session, verb, ended)
            begins = True
    finally:
        if not begins and not urgent:
            caller.throttles.return_retirement()
    if named is not None:
        _postpone(caller, session, entry, named)
    return begins


def _intend(caller: ProviderCaller, session: Session, verb: AuditVerb, entry: LedgerEntry) -> None:
    caller.intend(verb, session.target, entry.credential, **_origin(entry))


def _origin(entry: LedgerEntry) -> dict[str, str]:
    """Returns who asked for what the entry's end follows from, and why; and who was found to use it."""
    replaced = {"replaced": f"{entry.replaced_at:%Y-%m-%dT%H:%M:%SZ}"}
    ended = entry.disabled_at or entry.overwritten_at
    if ended is not None:
        replaced["ended"] = f"{ended:%Y-%m-%dT%H:%M:%SZ}"
    if entry.sighting is not None and not entry.cut_off:
        replaced["usage"] = in_words(entry.sighting)
    return replaced | (entry.origin.facts if entry.origin is not None else {})
