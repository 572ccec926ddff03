"""The effects on what names a credential at a provider, such as a trunk: pointed to another one, and looked at."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import advance
from rotator.core.answers import Answer, Done, Refused, Retry, Wait
from rotator.core.attempts import can_put_back, is_propagating
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.facts import is_same_credential
from rotator.core.model import Attachment, Credential, LedgerEntry
from rotator.engine.attempt_effects import discard, intend, next_try, record, set_back
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session

_MOST_NAMED = 3


def attach(caller: ProviderCaller, session: Session, action: do.Attach) -> None:
    """Points what names one of `instead_of` to the credential; if nothing does, nothing is sent.

    Before the first trunk is pointed to the staged credential, the state says that devices may be out.
    """
    attempt, account = session.attempt, action.credential.account
    named = caller.ask(account, ProviderVerb.ATTACH, lambda provider: provider.attachments(action.instead_of))
    if isinstance(named, Done) and not named.value:
        if named.note:
            record(caller, session, AuditVerb.ATTACH, AuditOutcome.DONE, action.credential, named.note)
        _attached(caller, session, action.credential)
        return
    answer: Answer[None] = named if not isinstance(named, Done) else Done(None)
    was_detached = attempt.detaches
    if isinstance(named, Done):
        if not was_detached:
            session.write(advance.before_attach(session.state, caller.shared_now()))
        intend(caller, session, AuditVerb.ATTACH, action.credential)
        trunks = named.value
        answer = caller.ask(account, ProviderVerb.ATTACH, lambda provider: provider.attach(action.credential, trunks))
        detail = ": ".join(filter(None, (in_words(trunks), message_of(answer))))
        record(caller, session, AuditVerb.ATTACH, outcome_of(answer), action.credential, detail)
    if isinstance(answer, Done):
        hosts = (
            [] if not isinstance(named, Done) or caller.providers[account].host else [one.host for one in named.value]
        )
        _attached(caller, session, action.credential, next(filter(None, hosts), ""))
    elif is_same_credential(action.credential, attempt.staged):
        _not_attached(caller, session, answer, was_detached=was_detached)
    else:
        _not_put_back(caller, session, answer)


def _attached(caller: ProviderCaller, session: Session, credential: Credential, host: str = "") -> None:
    if is_same_credential(credential, session.attempt.staged):
        session.note(advance.after_attach(session.state, caller.shared_now(), host))
    else:
        session.write(advance.after_reattach(session.state))


def _not_attached(caller: ProviderCaller, session: Session, answer: Answer[None], *, was_detached: bool) -> None:
    """Tries again, soon while devices may be out. What the provider still refuses after the window is put back.

    An answer that was lost is no reason for that: pointing the trunks back takes the same requests.
    """
    if isinstance(answer, Refused) and not was_detached:  # no trunk was changed
        session.note(advance.after_refused_attach(session.state))
    attempt, now, message = session.attempt, caller.shared_now(), message_of(answer)
    can, later = caller.providers[attempt.staged.account].capabilities, next_try(caller, session, answer)
    refused = isinstance(answer, Refused) or (isinstance(answer, Retry) and answer.why is Wait.PARTIAL)
    if was_detached and refused and can_put_back(attempt, can) and not is_propagating(attempt, can, now):
        session.write(advance.after_unaccepted(session.state, message))
        return
    if attempt.detaches:
        later = min(later, now + can.propagation)
    session.write(advance.after_setback(session.state, message, later, uncertain=False))


def _not_put_back(caller: ProviderCaller, session: Session, answer: Answer[None]) -> None:
    attempt = session.attempt
    if not isinstance(answer, Refused) or answer.why.concerns_account:
        set_back(caller, session, answer)
    elif attempt.put_back:  # what is published is not there any more: only the staged one is left
        later = caller.next_try(session.state.failures + 1)
        session.write(advance.after_refused_restore(session.state, message_of(answer), later))
    else:
        discard(caller, session)


def repoint(
    caller: ProviderCaller, session: Session, to: Credential, instead_of: tuple[Credential, ...], **who: str
) -> bool:
    """Points what names one of `instead_of` to another credential at once; False if that is not certain."""
    asking = replace(caller, raises_paced=False)
    named = asking.ask(to.account, ProviderVerb.ATTACH, lambda provider: provider.attachments(instead_of), urgent=True)
    if not isinstance(named, Done):
        return False
    if not named.value:
        return True
    caller.intend(AuditVerb.ATTACH, session.target, to, **who)
    answer = asking.ask(to.account, ProviderVerb.ATTACH, lambda provider: provider.attach(to, named.value), urgent=True)
    detail = ": ".join(filter(None, (in_words(named.value), message_of(answer))))
    caller.record(AuditVerb.ATTACH, session.target, outcome_of(answer), to, detail=detail, **who)
    return isinstance(answer, Done)


def still_named(
    caller: ProviderCaller, session: Session, entry: LedgerEntry, who: dict[str, str]
) -> Answer[None] | None:
    """Returns why a replaced credential must not be ended now: a trunk names it. None: nothing is in the way.

    Somebody has pointed a trunk to it since, or could not point it away: what logs in there may live on it. A
    compromised one waits for nothing: its trunks are pointed to what is published, and it ends either way. Where
    nothing is published at its account any more, the target has left it, and the trunks with it.
    """
    published, credential, account = session.state.published, entry.credential, entry.credential.account
    can = caller.providers[account].capabilities
    if not can.attaches or credential.id is None or entry.cut_off or published is None or published.account != account:
        return None
    if entry.compromised:
        repoint(caller, session, published, (credential,), **who)
        return None
    named = caller.ask(account, ProviderVerb.ATTACH, lambda provider: provider.attachments((credential,)))
    if not isinstance(named, Done):
        return named
    if not named.value:
        return None
    still = f"{in_words(named.value)} still uses it: point it to {published.username} at the provider"
    return Retry(Wait.ATTACHED, still)


def in_words(attachments: tuple[Attachment, ...]) -> str:
    """Returns the names of attachments for a message."""
    names = [one.name for one in attachments[:_MOST_NAMED]]
    more = len(attachments) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
