"""The effect that runs a hook, and what its answer means."""

from dataclasses import replace

from rotator.core import actions as do
from rotator.core import hooks
from rotator.core.answers import Done
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.facts import is_same_credential
from rotator.core.hook_rules import HookCall, HookMoment
from rotator.core.model import Credential, Purpose, Strategy, Target
from rotator.core.secret import Secret
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session

_PASSED = "what it precedes waits for nobody, and goes on"
_REPLACED = "what it would be given is not published any more"
_UNKNOWN = "it is not in the configuration any more"
_GIVEN_UP = "it has failed for a week, and is not run again"


def run_hook(caller: ProviderCaller, session: Session, action: do.RunHook) -> None:
    """Runs a hook, and records before anything else follows that it has run, or when it is run again.

    If the process ends in between, it is run again: what was told twice has the same key.
    """
    call = action.call
    facts = {"hook": call.hook, "moment": call.moment.value, "key": call.key} | call.origin.facts
    subject = Credential(call.account, call.username, call.credential_id)
    hook, password = caller.hooks.get(call.hook), _published_password(session, subject)
    takes = hook is not None and hook.takes_password and call.moment is HookMoment.AFTER_ROTATION
    dropped = action.why_not or (_REPLACED if takes and password is None else "")
    if hook is None or dropped:
        detail = dropped or _UNKNOWN
        caller.record(AuditVerb.RUN_HOOK, session.target, AuditOutcome.REFUSED, subject, detail=detail, **facts)
        session.write(hooks.after_run(session.state, action, caller.shared_now()))
        return
    if _sets_in_place(session.target, call) and not caller.throttles.take_place(session.target):
        return  # another look has taken it just now
    caller.intend(AuditVerb.RUN_HOOK, session.target, subject, **facts)
    target = session.target
    answer = hook.run(call.facts(target.name, target.path, target.labels), password if takes else None)
    now, done = session.clocks().earliest, isinstance(answer, Done)  # a clock that is ahead gives nothing up
    given_up = not done and hooks.is_given_up(action, now)
    outcome = AuditOutcome.REFUSED if given_up else outcome_of(answer)
    passing = _PASSED if action.passes and not done else _GIVEN_UP if given_up else ""
    detail = "; ".join(word for word in (message_of(answer), passing) if word)
    caller.record(AuditVerb.RUN_HOOK, target, outcome, subject, detail=detail, **facts)
    if done or action.passes:
        session.write(hooks.after_run(session.state, action, caller.shared_now()))
        return
    why = f"the hook {call.hook} failed: {message_of(answer)}"
    session.write(hooks.after_failed_run(session.state, action, why, now, caller.next_try))


def _sets_in_place(target: Target, call: HookCall) -> bool:
    """True if what a hook precedes sets a password in place; the look that opened the attempt may have ended."""
    rotates = call.moment is HookMoment.BEFORE_ROTATION and call.purpose == Purpose.ROTATE.value
    return rotates and target.strategy is Strategy.IN_PLACE and not call.compromised


def _published_password(session: Session, subject: Credential) -> Secret | None:
    """Returns the password that is published now, if it is of the credential that the hook is told of."""
    published = session.state.published
    if published is None or not is_same_credential(published, replace(subject, identity=published.identity)):
        return None
    return published.password
