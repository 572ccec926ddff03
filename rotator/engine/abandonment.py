"""Ends an open attempt because somebody asked for that, whatever has become of its account."""

from rotator.core import advance, attempt_ends
from rotator.core.abandonment import Abandonment, AbandonmentImpossible, abandonment
from rotator.core.answers import Done, Refusal, Refused
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.circuit import ProviderVerb
from rotator.core.facts import Facts
from rotator.core.holding import Hold
from rotator.core.model import Credential
from rotator.core.origin import Origin
from rotator.engine.attachment_effects import repoint
from rotator.engine.attempt_effects import may_have_strays
from rotator.engine.provider_caller import ProviderCaller, message_of
from rotator.engine.session import Session


def give_up(
    caller: ProviderCaller, session: Session, facts: Facts, origin: Origin
) -> Abandonment | AbandonmentImpossible | Hold:
    """Ends the open attempt, which is claimed. A password that may be in force stays in the ledger."""
    plan = abandonment(facts)
    if isinstance(plan, AbandonmentImpossible):
        return plan
    attempt = plan.attempt
    who = origin.facts | {"attempt": attempt.id}
    caller.intend(AuditVerb.ABANDON, session.target, attempt.staged, **who)
    restored = plan.restores is not None and _restore(caller, session, plan.restores, who)
    # Otherwise a trunk still names what is given up: the request is renewed, and the ledger holds its end.
    if plan.reattaches is not None and repoint(caller, session, plan.reattaches, (attempt.staged,), **who):
        session.note(advance.after_reattach(session.state))
    caller.record(AuditVerb.ABANDON, session.target, AuditOutcome.DONE, attempt.staged, detail=plan.consequence, **who)
    session.write(
        attempt_ends.after_giving_up(
            session.state,
            session.clocks().latest,
            kept_for=session.target.policy.quarantine,
            restored=restored,
            strays=may_have_strays(caller, attempt),
        )
    )
    return plan


def _restore(caller: ProviderCaller, session: Session, old: Credential, who: dict[str, str]) -> bool:
    """Sets the old password again; False if it is not certain to be in force."""
    caller.intend(AuditVerb.RESTORE, session.target, old, **who)
    answer = caller.ask(old.account, ProviderVerb.SET_PASSWORD, lambda provider: provider.set_password(old))
    caller.record(AuditVerb.RESTORE, session.target, outcome_of(answer), old, detail=message_of(answer), **who)
    gone = isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND  # then no password of it is in force
    return isinstance(answer, Done) or gone
