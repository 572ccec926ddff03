"""One function for each action: carries it out, and records in the state document what came of it.

The actions on the ledger are in `retirement`.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rotator.core import actions as do
from rotator.core import advance, ledger
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Attempt, Credential, Purpose
from rotator.core.naming import new_attempt_id, new_username
from rotator.core.passwords import generate
from rotator.engine.gates import Gates
from rotator.engine.limits import Limits
from rotator.engine.retirement import Retirement, is_gone, message_of, outcome_of
from rotator.engine.session import Session
from rotator.ports import Audit, Clock, Providers, Randomness, Store, StoreDenied

_SHORTEST_LOOK, _LONGEST_LOOK = timedelta(seconds=0.5), timedelta(seconds=10)


class Effects(Retirement):
    """Carries out single actions. Every one ends with a check-and-set write of what is now known."""

    def __init__(
        self,
        store: Store,
        providers: Providers,
        clock: Clock,
        randomness: Randomness,
        audit: Audit,
        gates: Gates,
        limits: Limits,
    ) -> None:
        super().__init__(providers, clock, randomness, audit, gates, limits)
        self._store = store
        self._by_action: dict[type[Any], Callable[[Session, Any], None]] = {
            do.Schedule: self._schedule,
            do.TakeClaim: self._take_claim,
            do.LookUp: self._look_up,
            do.Stage: self._stage,
            do.Drop: self._drop,
            do.Apply: self._apply,
            do.Restore: self._restore,
            do.Prove: self._prove,
            do.Publish: self._publish,
            do.Close: self._close,
            do.Abandon: self._abandon,
            do.Expire: self._expire,
            do.Disable: self._disable,
            do.Delete: self._delete,
            do.Forget: self._forget,
        }

    def carry_out(self, session: Session, action: do.Action) -> None:
        """Carries out one action.

        Raises:
            Conflict: somebody else wrote first: read again, decide again.
            StoreError: Vault could not be asked; what happened is looked into at the next look.
        """
        self._by_action[type(action)](session, action)

    def _schedule(self, session: Session, _: do.Schedule) -> None:
        now, fraction = self._clock.now(), self._randomness.fraction()
        session.write(advance.scheduled(session.state, session.target, now, fraction))

    def _take_claim(self, session: Session, _: do.TakeClaim) -> None:
        if session.holds_claim:  # it only runs out: nothing was lost in between
            session.write(session.state)
        else:
            session.take(advance.claimed(session.state, session.new_claim()))
        session.read_consumer()  # an effect rests on what devices are handed out now, not on what they were before

    def _look_up(self, session: Session, action: do.LookUp) -> None:
        wanted = action.wanted
        answer = self._ask(wanted.account, lambda: self._providers[wanted.account].find(wanted))
        if isinstance(answer, Done):
            session.found(wanted, answer.value)
            return
        state, later = session.state, self._later(session.state.failures + 1, answer)
        if action.entry is not None:
            session.write(ledger.retirement_postponed(state, action.entry, message_of(answer), later))
        elif state.attempt is not None:
            session.write(advance.setback(state, message_of(answer), later, uncertain=True))
        else:
            session.write(advance.delayed(state, message_of(answer), later))

    def _stage(self, session: Session, action: do.Stage) -> None:
        try:
            self._store.check_publishable(session.target.path)
        except StoreDenied as error:
            session.write(advance.delayed(session.state, str(error), self._later(session.state.failures + 1)))
            return
        attempt_id = new_attempt_id(self._randomness.choice)
        credential = action.credential
        if action.request.purpose is Purpose.ROTATE:
            credential = self._made(session, replace(credential, attempt=attempt_id))
        claimed = advance.claimed(session.state, session.new_claim())
        session.take(advance.staged(claimed, action, attempt_id, credential, self._clock.now()))
        self._record(session, "stage", "done", credential)

    def _made(self, session: Session, credential: Credential) -> Credential:
        """What a new credential needs before the provider hears of it; a provider that generates makes it itself."""
        if self._providers[credential.account].capabilities.generates_password:
            return credential
        username = credential.username or new_username(session.target, self._randomness.choice)
        password = generate(session.target.policy.password, self._randomness.choice)
        return replace(credential, username=username, password=password)

    def _drop(self, session: Session, action: do.Drop) -> None:
        self._audit.record("drop", session.target.name, "refused", reason=action.message)
        later = self._later(session.state.failures + 1)
        session.write(advance.dropped(session.state, action.message, later))

    def _apply(self, session: Session, action: do.Apply) -> None:
        credential = action.credential
        provider = self._providers[credential.account]
        send: dict[do.Verb, Callable[[], Answer[Credential]]] = {
            do.Verb.CREATE: lambda: provider.create(credential, session.target.name, action.like),
            do.Verb.COMPLETE: lambda: provider.complete(credential, action.like),
            do.Verb.SET_PASSWORD: lambda: provider.set_password(credential),
            do.Verb.ENABLE: lambda: provider.enable(credential),
        }
        answer = self._ask(credential.account, send[action.verb])
        if isinstance(answer, Done) and answer.value.password is None:
            answer = Unknown("the provider does not say which password is in force")
        self._record(session, action.verb.value, outcome_of(answer), credential, detail=message_of(answer))
        if isinstance(answer, Done):
            session.write(advance.applied(session.state, answer.value, self._clock.now()))
        elif isinstance(answer, Refused) and not answer.why.concerns_account:
            self._refused(session, answer)
        else:
            self._set_back(session, answer)

    def _refused(self, session: Session, answer: Refused) -> None:
        attempt = session.state.attempt
        if answer.why is Refusal.DUPLICATE and attempt is not None and attempt.uncertain:
            # Our own create of this name, whose answer was lost, has arrived after all: the next look finds it.
            self._set_back(session, answer)
        elif attempt is not None and attempt.refused:
            self._set_back(session, answer)  # it can be neither applied nor discarded
        else:
            session.write(advance.refused(session.state, answer.message))

    def _set_back(self, session: Session, answer: Answer[Any]) -> None:
        uncertain = isinstance(answer, Unknown) or (isinstance(answer, Retry) and answer.why is Wait.PARTIAL)
        later = self._later(session.state.failures + 1, answer)
        session.write(advance.setback(session.state, message_of(answer), later, uncertain=uncertain))

    def put_into_force(self, session: Session, published: Credential) -> bool:
        """Sets and enables what is published, after something may have changed it; False where that is not certain."""
        provider = self._providers.get(published.account)
        if provider is None:
            return False
        way = provider.enable if provider.capabilities.re_enables else provider.set_password
        answer = self._ask(published.account, lambda: way(published))
        self._record(session, "put into force", outcome_of(answer), published, detail=message_of(answer))
        return isinstance(answer, Done)

    def _restore(self, session: Session, action: do.Restore) -> None:
        credential = action.credential
        answer = self._ask(credential.account, lambda: self._providers[credential.account].set_password(credential))
        self._record(session, "restore", outcome_of(answer), credential, detail=message_of(answer))
        if isinstance(answer, Done) or is_gone(answer):  # no password of a credential that is gone is in force
            session.write(advance.restored(session.state, self._clock.now()))
        else:
            self._set_back(session, answer)

    def _prove(self, session: Session, action: do.Prove) -> None:
        provider, now = self._providers[action.credential.account], self._clock.now()
        answer = provider.prove(action.credential)
        self._record(session, "prove", outcome_of(answer), action.credential, detail=message_of(answer))
        if isinstance(answer, Done):
            session.write(advance.proved(session.state, str(answer.value)))
            return
        if isinstance(answer, Unknown) or (isinstance(answer, Refused) and answer.why.concerns_account):
            self._set_back_proof(session, answer)
            return
        if isinstance(answer, Retry) and answer.why is not Wait.NOT_YET:
            self._set_back_proof(session, answer)
            return
        elapsed = now - ((session.state.attempt and session.state.attempt.applied_at) or now)
        if abs(elapsed) < provider.capabilities.propagation:  # further back: the clock was set
            until = now + min(max(elapsed, _SHORTEST_LOOK), _LONGEST_LOOK)
            session.write(advance.propagating(session.state, message_of(answer), until))
        else:
            session.write(
                advance.doubted(session.state, message_of(answer), self._later(session.state.failures + 1, answer))
            )

    def _set_back_proof(self, session: Session, answer: Answer[Any]) -> None:
        """Asking whether it is accepted changes nothing, so that nothing is uncertain after it."""
        later = self._later(session.state.failures + 1, answer)
        session.write(advance.setback(session.state, message_of(answer), later, uncertain=False))

    def _publish(self, session: Session, action: do.Publish) -> None:
        try:
            session.publish(action.credential)
        except StoreDenied as error:
            self._record(session, "publish", "refused", action.credential, detail=str(error))
            later = self._later(session.state.failures + 1)
            session.write(advance.setback(session.state, str(error), later, uncertain=False))
            return
        self._record(session, "publish", "done", action.credential)

    def _close(self, session: Session, _: do.Close) -> None:
        state = session.state
        fraction, now = self._randomness.fraction(), self._clock.now()
        closing = advance.closed(state, session.target, now, fraction, strays=self._may_have_strays(state.attempt))
        session.write(closing)
        if state.attempt is not None:
            facts = _facts_of(state.attempt.id, state.attempt.requested_by, state.attempt.reason)
            staged = state.attempt.staged
            proof = state.attempt.proof
            self._audit.record(
                "close",
                session.target.name,
                "done",
                **facts,
                credential=staged.id,
                username=staged.username,
                proof=proof,
            )

    def _abandon(self, session: Session, _: do.Abandon) -> None:
        attempt = session.state.attempt
        self._record(session, "abandon", "done", attempt.staged if attempt else None, detail=session.state.last_error)
        now, later = self._clock.now(), self._later(session.state.failures + 1)
        session.write(advance.abandoned(session.state, now, later, strays=self._may_have_strays(attempt)))

    def _may_have_strays(self, attempt: Attempt | None) -> bool:
        if attempt is None or not attempt.uncertain or attempt.purpose is not Purpose.ROTATE:
            return False
        return self._providers[attempt.staged.account].capabilities.generates_password

    def _record(
        self, session: Session, verb: str, outcome: str, credential: Credential | None, detail: str | None = None
    ) -> None:
        attempt = session.state.attempt
        facts = _facts_of(attempt.id, attempt.requested_by, attempt.reason) if attempt else {}
        if credential is not None:
            facts |= {"credential": credential.id, "username": credential.username, "account": credential.account}
        self._audit.record(verb, session.target.name, outcome, **facts, **({"detail": detail} if detail else {}))


def _facts_of(attempt: str, requested_by: str, reason: str) -> dict[str, str | None]:
    return {"attempt": attempt, "requested_by": requested_by, "reason": reason}
