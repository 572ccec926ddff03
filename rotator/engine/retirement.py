"""What becomes of replaced credentials: one function for each action on an entry of the ledger."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rotator.core import actions as do
from rotator.core import ledger
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb, outcome_of
from rotator.core.model import LedgerEntry
from rotator.core.passwords import generate
from rotator.engine.gates import Gates
from rotator.engine.limits import Limits
from rotator.engine.session import Session
from rotator.ports import Audit, Clock, Providers, Randomness

# How often a credential in use is asked to go again: calls end sooner or later, and asking costs one request.
_IN_USE_AGAIN = timedelta(minutes=5)


class Retirement:
    """Ends replaced credentials, and forgets what was kept of them. Raises as `Effects.carry_out` does."""

    def __init__(
        self,
        providers: Providers,
        clock: Clock,
        randomness: Randomness,
        audit: Audit,
        gates: Gates,
        limits: Limits,
    ) -> None:
        self._providers, self._clock, self._randomness = providers, clock, randomness
        self._audit, self._gates, self._limits = audit, gates, limits

    def _expire(self, session: Session, action: do.Expire) -> None:
        entry, account = action.entry, action.entry.credential.account
        answer = self._ask(account, lambda: self._providers[account].expire(entry.credential, entry.disable_at))
        self._record_retirement(session, AuditVerb.EXPIRE, entry, answer)
        if isinstance(answer, Done):
            session.write(ledger.expiring(session.state, entry, entry.disable_at))
        elif is_gone(answer):
            session.write(ledger.removed(session.state, entry, deleted=False))
        else:
            self._postpone(session, entry, answer)

    def _disable(self, session: Session, action: do.Disable) -> None:
        entry, account = action.entry, action.entry.credential.account
        if not self._gates.retiring():
            return
        answer = self._ask(account, lambda: self._providers[account].disable(entry.credential))
        self._record_retirement(session, AuditVerb.DISABLE, entry, answer)
        if isinstance(answer, Done):
            session.write(ledger.disabled(session.state, entry, self._clock.now()))
        elif is_gone(answer):
            session.write(ledger.removed(session.state, entry, deleted=False))
        elif _needs_password(answer, entry) and self._providers[account].capabilities.sets_password:
            password = generate(session.target.policy.password, self._randomness.choice)
            session.write(ledger.given_password(session.state, entry, password))
        else:
            self._postpone(session, entry, answer)

    def _delete(self, session: Session, action: do.Delete) -> None:
        entry, account = action.entry, action.entry.credential.account
        if not self._gates.retiring():
            return
        credential = action.stray or entry.credential
        answer = self._ask(account, lambda: self._providers[account].delete(credential))
        self._record_retirement(session, AuditVerb.DELETE, replace(entry, credential=credential), answer)
        if isinstance(answer, Done) and action.stray is not None:
            session.write(ledger.stray_removed(session.state))
            session.forget_found()
        elif isinstance(answer, Done):
            session.write(ledger.removed(session.state, entry, deleted=True))
        else:
            self._postpone(session, entry, answer)

    def _postpone(self, session: Session, entry: LedgerEntry, answer: Answer[Any]) -> None:
        later = self._later(entry.failures + 1, answer)
        if isinstance(answer, Retry) and answer.why is Wait.IN_USE:
            later = min(later, self._clock.now() + _IN_USE_AGAIN)
        session.write(ledger.retirement_postponed(session.state, entry, message_of(answer), later))

    def _forget(self, session: Session, action: do.Forget) -> None:
        session.write(ledger.forgotten(session.state, action.entry))
        credential = action.entry.credential
        self._audit.record(
            AuditVerb.FORGET,
            session.target.name,
            AuditOutcome.DONE,
            credential=credential.id,
            username=credential.username,
        )

    def _ask(self, account: str, call: Callable[[], Answer[Any]]) -> Answer[Any]:
        if not self._gates.sending(account):
            return Retry(Wait.UNREACHABLE, f"not sent: another call tries whether {account} is well again")
        answer = call()
        self._gates.answered(account, answer)
        return answer

    def _later(self, failures: int, answer: Answer[Any] | None = None) -> datetime:
        asked = answer.after if isinstance(answer, Retry | Unknown) else None
        return self._clock.now() + self._limits.backoff.delay(failures, self._randomness.fraction(), asked)

    def _record_retirement(self, session: Session, verb: AuditVerb, entry: LedgerEntry, answer: Answer[Any]) -> None:
        credential, detail = entry.credential, message_of(answer)
        facts = {"credential": credential.id, "username": credential.username, "account": credential.account}
        self._audit.record(
            verb,
            session.target.name,
            outcome_of(answer),
            **facts,
            reason=f"replaced {entry.replaced_at:%Y-%m-%dT%H:%M:%SZ}",
            **({"detail": detail} if detail else {}),
        )


def _needs_password(answer: Answer[Any], entry: LedgerEntry) -> bool:
    refused = isinstance(answer, Refused) and answer.why is Refusal.UNSUPPORTED
    return refused and entry.credential.password is None


def is_gone(answer: Answer[Any]) -> bool:
    """True where the provider has no such credential."""
    return isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND


def message_of(answer: Answer[Any]) -> str:
    """What went wrong, for people; empty where nothing did."""
    return "" if isinstance(answer, Done) else answer.message
