"""The effects on an open attempt. Each one is carried out, and its outcome goes to the state document."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from rotator.core import actions as do
from rotator.core import advance, attempt_ends, ends, moves
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.attempts import can_put_back, is_propagating, is_spare, may_cut_off
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.model import Attempt, Credential, Phase, Proof, Purpose, Strategy, TargetState
from rotator.core.verification import is_refused, longest_asked
from rotator.engine.provider_caller import ProviderCaller, could_not_be_asked, message_of, named
from rotator.engine.session import Session
from rotator.ports import Conflict, Provider, StoreDenied

# Each try that is not accepted is an outage of the devices.
_AFTER_PUT_BACK = timedelta(hours=6)
_TAKEN = "taken for set, as the provider said, since nobody could be asked in an emergency"
# What is sent so often and not accepted lacks something else, such as a grant. Once a day, it may have been changed.
_SENT_AGAIN = timedelta(days=1)
_SHORTEST_LOOK, _LONGEST_LOOK = timedelta(seconds=0.5), timedelta(seconds=10)


def apply(caller: ProviderCaller, session: Session, action: do.Apply) -> None:
    """Puts the staged credential into force at the provider."""
    verb, call = _application(session.target.name, action)
    intend(caller, session, verb, action.credential)
    answer = caller.ask(action.credential.account, ProviderVerb(action.verb.value), call)
    if isinstance(answer, Done) and answer.value.password is None:
        answer = Unknown("the provider does not say which password is in force")
    record(caller, session, verb, outcome_of(answer), action.credential, message_of(answer))
    if isinstance(answer, Done):
        # What is found was made by a call whose answer was lost: no password is taken for younger than it may be.
        is_found = action.verb is do.Verb.COMPLETE
        made_at = advance.open_attempt(session.state).started_at if is_found else session.clocks().latest
        session.note(advance.after_apply(session.state, answer.value, caller.shared_now(), made_at))
    elif isinstance(answer, Refused) and not answer.why.concerns_account:
        _refuse(caller, session, answer)
    else:
        set_back(caller, session, answer)


def _application(target: str, action: do.Apply) -> tuple[AuditVerb, Callable[[Provider], Answer[Credential]]]:
    credential = action.credential
    match action.verb:
        case do.Verb.CREATE:
            return AuditVerb.CREATE, lambda provider: provider.create(credential, target, action.like)
        case do.Verb.COMPLETE:
            return AuditVerb.COMPLETE, lambda provider: provider.complete(credential, action.like)
        case do.Verb.SET_PASSWORD:
            return AuditVerb.SET_PASSWORD, lambda provider: provider.set_password(credential)
        case do.Verb.ENABLE:
            return AuditVerb.ENABLE, lambda provider: provider.enable(credential)
        case _:
            assert_never(action.verb)


def _refuse(caller: ProviderCaller, session: Session, answer: Refused) -> None:
    attempt = session.state.attempt
    # Our own create, whose answer was lost, has arrived after all and took the username: the next look finds it.
    if answer.why is Refusal.DUPLICATE and attempt is not None and attempt.uncertain:
        set_back(caller, session, answer)
        return
    session.write(advance.after_refusal(session.state, answer.message))
    if answer.why is Refusal.NOT_FOUND and attempt is not None and attempt.strategy is Strategy.IN_PLACE:
        discard(caller, session)  # there is nothing left to set the old password on


def set_back(caller: ProviderCaller, session: Session, answer: Answer[Any]) -> None:
    """Backs off after a call that failed or whose answer is unknown; the same password is sent again."""
    uncertain = isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.why is Wait.PARTIAL)
    sent_at = caller.shared_now() if uncertain and session.attempt.strategy is Strategy.IN_PLACE else None
    later = next_try(caller, session, answer, uncertain=uncertain)
    session.write(advance.after_setback(session.state, message_of(answer), later, uncertain=uncertain, sent_at=sent_at))


def next_try(caller: ProviderCaller, session: Session, answer: Answer[Any], *, uncertain: bool = False) -> datetime:
    """Returns when to try a step again. No wait that a provider asks for keeps devices out for more than minutes."""
    attempt = session.attempt
    state = replace(session.state, attempt=replace(attempt, uncertain=attempt.uncertain or uncertain))
    return caller.next_try(state.failures + 1, answer, obeyed=longest_asked(state))


def reassert(caller: ProviderCaller, session: Session, published: Credential) -> bool:
    """Sets and enables the published credential, which something may have changed; False if the result is uncertain."""
    re_enables = caller.providers[published.account].capabilities.re_enables
    intend(caller, session, AuditVerb.REASSERT, published)
    answer = caller.ask(
        published.account,
        ProviderVerb.ENABLE if re_enables else ProviderVerb.SET_PASSWORD,
        lambda provider: provider.enable(published) if re_enables else provider.set_password(published),
    )
    record(caller, session, AuditVerb.REASSERT, outcome_of(answer), published, message_of(answer))
    return isinstance(answer, Done)


def prove(caller: ProviderCaller, session: Session, action: do.Prove) -> None:
    """Proves that the provider accepts the staged credential. "Not yet" is no failure within the propagation window."""
    provider, now, attempt = caller.providers[action.credential.account], caller.shared_now(), session.attempt
    can, waits = provider.capabilities, is_propagating(attempt, provider.capabilities, now)
    answer = caller.prove(action.credential, since_change=_since_change(attempt, now) if waits else None)
    if not waits and could_not_be_asked(answer) and attempt.compromised and not is_spare(attempt):
        answer = Done(Proof(f"{_TAKEN}: {message_of(answer)}", tries_password=False))  # devices are out meanwhile
    if isinstance(answer, Done) and answer.value.in_use and _is_known_to_nobody(attempt):
        who = f"somebody is registered as {action.credential.username}, whose password nobody has been given yet"
        answer = Retry(Wait.DOUBTFUL, f"{who}: look at the registrations at the provider, then rotator abandon")
    record(caller, session, AuditVerb.PROVE, outcome_of(answer), action.credential, message_of(answer))
    if isinstance(answer, Done):
        session.note(advance.after_proof(session.state, str(answer.value), session.clocks().vault, answer.value.host))
        return
    message, not_asked = message_of(answer), could_not_be_asked(answer)
    # What was proved once is not given up because it cannot be asked again.
    puts_back = can_put_back(attempt, can) and not (not_asked and attempt.phase is Phase.PROVED)
    later = next_try(caller, session, answer)
    if not waits and not not_asked and (attempt.detaches or not is_spare(attempt)):
        caller.throttles.note_unaccepted(session.target.name, attempt.staged.account)
    if puts_back and not waits:
        session.write(advance.after_unaccepted(session.state, f"not accepted within the propagation time: {message}"))
    elif not_asked and attempt.phase is Phase.PROVED and may_cut_off(attempt):
        end = (attempt.unasked_since or now) + can.propagation
        session.write(advance.after_unasked(session.state, message, min(later, end), now))
    elif not_asked:
        # The old password is put back in time. A proof changes nothing, so nothing is uncertain after it.
        ends = puts_back or (attempt.compromised and not is_spare(attempt))
        end = (attempt.applied_at or now) + can.propagation if ends else later
        session.write(advance.after_setback(session.state, message, min(later, end), uncertain=False))
    elif waits:
        until = now + min(max(_since_change(attempt, now), _SHORTEST_LOOK), _LONGEST_LOOK)
        session.write(advance.after_early_proof(session.state, message, until))
    elif _is_sent_in_vain(session.state, now):
        session.write(advance.after_setback(session.state, message, later, uncertain=False))
    else:
        session.write(advance.after_failed_proof(session.state, message, later))


def _is_sent_in_vain(state: TargetState, now: datetime) -> bool:
    """True if a password has been sent for a day, without an end to devices being out: it is sent once a day then."""
    attempt = state.attempt
    if attempt is None or attempt.phase is not Phase.APPLIED or attempt.compromised or attempt.repairs:
        return False
    if not is_spare(attempt) or may_cut_off(attempt) or is_refused(state):
        return False
    return now - attempt.started_at >= _SENT_AGAIN and abs(_since_change(attempt, now)) < _SENT_AGAIN


def _is_known_to_nobody(attempt: Attempt) -> bool:
    """True for a credential that was just created: it has a username and a password of its own."""
    return attempt.strategy is Strategy.REPLACE and attempt.purpose is Purpose.ROTATE


def _since_change(attempt: Attempt, now: datetime) -> timedelta:
    return now - (attempt.applied_at or now)


def publish(caller: ProviderCaller, session: Session, action: do.Publish) -> None:
    """Writes the consumer document."""
    handed_out = advance.before_publish(session.state, session.consumer)
    noted = moves.before_writing(handed_out, session.target, session.clocks().latest)
    if noted != session.state:
        session.write(noted)
    intend(caller, session, AuditVerb.PUBLISH, action.credential)
    try:
        session.publish(action.credential)
    except Conflict:
        session.flush()  # the state is still ours, and what was applied and proved belongs to it
        raise
    except StoreDenied as error:
        record(caller, session, AuditVerb.PUBLISH, AuditOutcome.REFUSED, action.credential, str(error))
        if can_put_back(session.attempt, caller.providers[action.credential.account].capabilities):
            session.write(advance.after_unaccepted(session.state, str(error)))  # devices are out meanwhile
            return
        later = caller.next_try(session.state.failures + 1)
        session.write(advance.after_setback(session.state, str(error), later, uncertain=False))
        return
    unasked = "" if session.attempt.unasked_since is None else "it was proved before, and could not be proved again"
    record(caller, session, AuditVerb.PUBLISH, AuditOutcome.DONE, action.credential, unasked)


def close(caller: ProviderCaller, session: Session) -> None:
    """Closes the attempt; its predecessor goes into the ledger."""
    state, fraction = advance.before_close(session.state, session.consumer), caller.randomness.fraction()
    attempt, now = advance.open_attempt(state), session.clocks().latest
    strays = may_have_strays(caller, attempt)
    closed = attempt_ends.after_close(state, session.target, now, fraction, strays=strays)
    replaced = attempt.predecessor and caller.providers.get(attempt.predecessor.account)
    if replaced and replaced.capabilities.expires:
        closed = replace(closed, claim=state.claim)  # the provider is told the predecessor's end at once
    tries = caller.tries_ended(attempt.staged.account)
    session.write(ends.after_replacing(closed, attempt, caller.shared_now(), tries=tries))
    facts = attempt.origin.facts | {"proof": attempt.proof} | _predecessor(attempt.predecessor)
    nothing = "compromised, but nothing was there to be ended" if attempt.compromised else ""
    detail = nothing if attempt.predecessor is None else ""
    caller.record(AuditVerb.CLOSE, session.target, AuditOutcome.DONE, attempt.staged, detail=detail, **facts)


def _predecessor(replaced: Credential | None) -> dict[str, str]:
    """Returns what was replaced, and since when its age counts: the audit may have no other record of it."""
    if replaced is None or replaced.id is None:
        return {}
    facts = {f"predecessor_{name}": text for name, text in named(replaced).items() if text and name != "credential"}
    return {"predecessor": replaced.id} | facts


def abandon(caller: ProviderCaller, session: Session, action: do.Abandon) -> None:
    """Abandons the attempt; whatever it may have left at the provider goes into the ledger."""
    if action.change:
        staged, removed = session.attempt.staged, session.target.removed
        record(caller, session, AuditVerb.ABANDON, AuditOutcome.DONE, staged, action.change)
        now, later = session.clocks().latest, caller.next_try(session.state.outgrown)
        session.write(attempt_ends.after_change(session.state, action.change, now, later, removed=removed))
    else:
        discard(caller, session)


def discard(caller: ProviderCaller, session: Session) -> None:
    """Ends the attempt, whose password was refused or not accepted."""
    state, attempt, now = session.state, session.attempt, session.clocks().latest
    record(caller, session, AuditVerb.ABANDON, AuditOutcome.DONE, attempt.staged, state.last_error)
    later, strays = caller.next_try(state.failures + 1), may_have_strays(caller, attempt)
    if attempt.put_back:
        later = max(later, caller.shared_now() + _AFTER_PUT_BACK)
    kept_for, removed = session.target.policy.quarantine, session.target.removed
    ended = attempt_ends.after_abandon(state, now, later, kept_for=kept_for, strays=strays, removed=removed)
    session.write(ended)


def may_have_strays(caller: ProviderCaller, attempt: Attempt) -> bool:
    """True if a lost create may have been carried out as well as another one: a provider that generates takes both."""
    if not attempt.uncertain or attempt.strategy is not Strategy.REPLACE:
        return False
    provider = caller.providers.get(attempt.staged.account)  # None: the account has left the configuration
    return provider is None or provider.capabilities.generates_password


def record(
    caller: ProviderCaller,
    session: Session,
    verb: AuditVerb,
    outcome: AuditOutcome,
    credential: Credential | None,
    detail: str = "",
) -> None:
    """Records an effect on the open attempt, with who asked for it and why."""
    caller.record(verb, session.target, outcome, credential, detail=detail, **_origin(session))


def intend(caller: ProviderCaller, session: Session, verb: AuditVerb, credential: Credential) -> None:
    """Puts an effect on the open attempt on record before it is sent, if that is required."""
    caller.intend(verb, session.target, credential, **_origin(session))


def _origin(session: Session) -> dict[str, str]:
    return session.state.attempt.origin.facts if session.state.attempt else {}
