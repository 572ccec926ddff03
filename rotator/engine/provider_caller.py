"""Calls to providers: blocked by open circuits, delayed after failures, recorded in the audit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.backoff import LONGEST_ASKED
from rotator.core.circuit import ProviderVerb
from rotator.core.ends import tries_ended
from rotator.core.log_ins import is_wrong
from rotator.core.model import Credential, Proof, Target
from rotator.core.usage_rules import Usage
from rotator.engine.limits import Limits
from rotator.engine.throttles import Throttles
from rotator.engine.waves import Waves
from rotator.ports import Audit, Clock, HooksByName, Provider, Providers, Randomness, Store, UsageSources

T = TypeVar("T")
_NOTHING_FAILED = (Wait.RATE_LIMITED, Wait.READING, Wait.CHANGING)


class Paced(Exception):
    """The account had no time for the call yet: nothing was changed, and nothing failed.

    Its pace allowed no request for longer than a call waits, or its listing takes more calls to read.
    """

    def __init__(self, message: str, after: timedelta | None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class ProviderCaller:
    """Calls providers for every effect. Shared by all looks of a process."""

    providers: Providers
    store: Store
    clock: Clock
    randomness: Randomness
    audit: Audit
    throttles: Throttles
    limits: Limits
    waves: Waves
    usage_sources: UsageSources = field(default_factory=dict)
    hooks: HooksByName = field(default_factory=dict)
    raises_paced: bool = True  # False: the caller wants an answer at once, and takes "too many requests" for one

    def ask(
        self, account: str, verb: ProviderVerb, call: Callable[[Provider], Answer[T]], *, urgent: bool = False
    ) -> Answer[T]:
        """Calls the provider of an account, unless a circuit is open; the circuits learn from the answer.

        What is `urgent` does not wait for an open circuit. Raises Paced, unless `raises_paced` is False.
        """
        if not self.throttles.admit_call(account, verb, urgent=urgent):
            return Retry(Wait.UNREACHABLE, f"not sent: another call is testing whether {account} works again")
        answer = call(self.providers[account])
        self.throttles.learn_from(account, verb, answer)
        return self._unless_paced(answer)

    def _unless_paced(self, answer: Answer[T]) -> Answer[T]:
        if self.raises_paced and isinstance(answer, Retry) and answer.why in _NOTHING_FAILED:
            raise Paced(answer.message, answer.after)
        return answer

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Asks the provider whether devices are logged in with a credential. Raises Paced like `ask`.

        No circuit learns from the answer: what does not show its registrations may do everything else.
        """
        provider = self.providers[credential.account]
        if not provider.capabilities.shows_usage:
            return Refused(Refusal.UNSUPPORTED, f"{credential.account} does not show who is logged in")
        return self._unless_paced(provider.usage(credential))

    def prove(self, credential: Credential, *, since_change: timedelta | None = None) -> Answer[Proof]:
        """Proves a credential. A password is tried where devices log in, which no circuit of the API concerns.

        Args:
            since_change: how long ago its password was set or it was enabled; None: long ago.
        """
        provider = self.providers[credential.account]
        if provider.capabilities.proof.tries_password:
            answer = provider.prove(credential)
            self.throttles.log_ins.learn(credential, answer, since_change)
            return answer
        return self.ask(credential.account, ProviderVerb.FIND, lambda asked: asked.prove(credential))

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Logs in with what was ended. `Retry(NOT_YET)` means that it is refused: see `ports.Provider.log_in`."""
        answer = self.providers[credential.account].log_in(credential)
        self.throttles.log_ins.learn(credential, answer, None)
        return answer

    def tries_ended(self, account: str) -> bool:
        """True if log-ins at an account may show that what was ended is refused."""
        provider = self.providers.get(account)
        return tries_ended(provider.capabilities if provider is not None else None)

    def shared_now(self) -> datetime:
        """Returns Vault's time. What several processes compare with their own reading is stamped by it."""
        return self.store.now() or self.clock.now()

    def next_try(
        self, failures: int, answer: Answer[object] | None = None, *, obeyed: timedelta = LONGEST_ASKED
    ) -> datetime:
        """Returns when to try again after so many failures in a row.

        Args:
            obeyed: the longest Retry-After of a provider that is obeyed.
        """
        asked = answer.after if isinstance(answer, Retry | Unknown) else None
        shorter = min(asked, obeyed) if asked is not None else None
        return self.shared_now() + self.limits.backoff.delay(failures, self.randomness.fraction(), shorter)

    def record(
        self,
        verb: AuditVerb,
        target: Target,
        outcome: AuditOutcome,
        credential: Credential | None = None,
        *,
        detail: str = "",
        **facts: str | None,
    ) -> None:
        """Adds a record to the audit, without an empty detail."""
        if detail:
            facts["detail"] = detail
        self.audit.record(verb, target.name, outcome, **facts | named(credential))

    def intend(self, verb: AuditVerb, target: Target, credential: Credential | None = None, **facts: str) -> None:
        """Is called before each effect: raises StoreUnavailable if the audit allows none now (`audit.required`)."""
        self.audit.intend(verb, target.name, **facts | named(credential))


def named(credential: Credential | None) -> dict[str, str | None]:
    """Returns the facts by which a record names a credential, and since when the age of its password counts."""
    if credential is None:
        return {}
    named: dict[str, str | None] = {
        "credential": credential.id,
        "username": credential.username,
        "account": credential.account,
    }
    if credential.made_at is not None:
        named["made"] = credential.made_at.isoformat()
    elif credential.seen_at is not None:
        named["seen"] = credential.seen_at.isoformat()
    return named


def could_not_be_asked(answer: Answer[Proof]) -> bool:
    """True if a proof that failed says nothing about the credential."""
    return not isinstance(answer, Done) and not is_wrong(answer)


def message_of(answer: Answer[object]) -> str:
    """Returns what went wrong, or what somebody should know, in words; empty if there is nothing."""
    return answer.note if isinstance(answer, Done) else answer.message
