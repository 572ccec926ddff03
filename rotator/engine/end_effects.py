"""The effect that shows whether what was ended is refused: two log-ins, one with it and one with what is published."""

from datetime import timedelta

from rotator.core import actions as do
from rotator.core import ends
from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.model import Ended, Proof
from rotator.core.passwords import generate
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session

# Each try is a wrong log-in that showed nothing.
_AFTER_NOTHING = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))


def try_ended(caller: ProviderCaller, session: Session, action: do.TryEnded) -> None:
    """Logs in with what was ended, and stores what that shows."""
    ended, account = action.ended, action.ended.credential.account
    if action.why_not:
        _give_up(caller, session, ended, action.why_not)
        return
    answer = caller.log_in(ended.credential)
    caller.throttles.log_ins.use_turn(account, session.target.name)
    now = session.clocks().vault
    if isinstance(answer, Done):
        _accepted(caller, session, ended, str(answer.value))
        return
    if _is_refused(answer) and ends.is_elsewhere(session.state, ended):
        _give_up(caller, session, ended, f"{message_of(answer)}; {ends.ELSEWHERE}")
        return
    shown = _beside_published(caller, session, answer)
    if isinstance(shown, Done):
        how = f"{message_of(answer)}; what is published is accepted: {shown.value}"
        session.write(ends.after_refusal(session.state, ended, how, now))
        _record(caller, session, ended, AuditOutcome.DONE, how)
        return
    pause = _AFTER_NOTHING[min(ended.tries, len(_AFTER_NOTHING) - 1)]
    why = message_of(shown)
    session.write(ends.after_nothing(session.state, ended, why, now + pause))
    if not ended.tries:
        _record(caller, session, ended, AuditOutcome.UNKNOWN, f"not shown yet: {why}")


def _give_up(caller: ProviderCaller, session: Session, ended: Ended, why: str) -> None:
    session.write(ends.after_giving_up(session.state, ended, why))
    if why != ends.USED_AGAIN:
        _record(caller, session, ended, AuditOutcome.UNKNOWN, f"not shown: {why}")


def _is_refused(answer: Answer[Proof]) -> bool:
    return isinstance(answer, Retry) and answer.why is Wait.NOT_YET


def _accepted(caller: ProviderCaller, session: Session, ended: Ended, how: str) -> None:
    """Notes that it is still accepted, with the means that follow; the audit has what is no matter of propagation."""
    can, now = caller.providers[ended.credential.account].capabilities, session.clocks().vault
    password = generate(session.target.policy.password, caller.randomness.text)
    session.write(ends.after_acceptance(session.state, ended, how, now, can, password))
    if now >= ended.at + can.propagation:
        _record(caller, session, ended, AuditOutcome.REFUSED, f"it is still accepted: {how}")


def _beside_published(caller: ProviderCaller, session: Session, answer: Answer[Proof]) -> Answer[Proof]:
    """Returns the proof of what is published that makes a refusal evidence; otherwise why there is no evidence."""
    published = session.state.published
    if not _is_refused(answer) or published is None:
        return answer
    beside = caller.prove(published)
    if isinstance(beside, Done) and beside.value.tries_password:
        return beside
    why = "its proof tries no password" if isinstance(beside, Done) else message_of(beside)
    return Retry(Wait.DOUBTFUL, f"it is refused, and what is published is not accepted beside it: {why}")


def _record(caller: ProviderCaller, session: Session, ended: Ended, outcome: AuditOutcome, detail: str) -> None:
    who = ended.origin.facts if ended.origin is not None else {}
    facts = {"ended_by": ended.by.value, "ended_at": f"{ended.at:%Y-%m-%dT%H:%M:%SZ}"}
    caller.record(AuditVerb.TRY_ENDED, session.target, outcome, ended.credential, detail=detail, **facts | who)
