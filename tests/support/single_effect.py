"""One effect by itself: a state, an action and the provider's answer; then the state, the audit and the calls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from engine_harness import REPLACE

from rotator.core.actions import Action
from rotator.core.answers import Answer, Done
from rotator.core.backoff import Backoff
from rotator.core.circuit import Circuit
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import Assumption
from rotator.core.model import Capabilities, Credential, Target, TargetState
from rotator.engine import Limits
from rotator.engine.effects import carry_out
from rotator.engine.memory import Memory
from rotator.engine.provider_caller import ProviderCaller
from rotator.engine.session import Session
from rotator.engine.throttles import Throttles
from rotator.engine.waves import Waves
from rotator.ports import Versioned
from rotator.testing import CHOSEN, FakeClock, FakeRandomness, MemoryAudit, MemoryStore

LIMITS = Limits(backoff=Backoff(timedelta(seconds=10), timedelta(hours=1)))
NOW = FakeClock().now()


def after_failures(number: int) -> Any:
    """When the next try is due after so many failures in a row."""
    return NOW + timedelta(seconds=7.5) * 2 ** (number - 1)


class MiddleRandomness(FakeRandomness):
    """Draws characters as ever, and always the middle of a spread."""

    def fraction(self) -> float:
        return 0.5


class AnsweringProvider:
    """Gives the same answer to every call, and keeps the calls with their arguments."""

    def __init__(self, answer: Answer[Any], capabilities: Capabilities) -> None:
        self.capabilities, self.longest_call, self.identity, self.host = capabilities, timedelta(seconds=20), "", ""
        self.first_forms: dict[str, Assumption] = {}
        self.calls: list[tuple[Any, ...]] = []
        self._answer = answer

    def __getattr__(self, verb: str) -> Callable[..., Answer[Any]]:
        def call(*arguments: Any) -> Answer[Any]:
            self.calls.append((verb, *arguments))
            return self._answer

        return call


class SingleEffect:
    """A process that holds the claim on its target, as it does before every effect."""

    def __init__(
        self,
        state: TargetState,
        answer: Answer[Any] = Done(None),  # noqa: B008
        *,
        target: Target = REPLACE,
        capabilities: Capabilities = CHOSEN,
        consumer: ConsumerDocument | None = None,
    ) -> None:
        self.clock, self.audit, self.store = FakeClock(), MemoryAudit(), MemoryStore()
        self.provider = AnsweringProvider(answer, capabilities)
        self.throttles = Throttles(self.clock, Circuit(), retirements_per_minute=1)
        self.caller = ProviderCaller(
            {"fake": self.provider},
            self.store,
            self.clock,
            MiddleRandomness(),
            self.audit,
            self.throttles,
            LIMITS,
            Waves(self.store, self.clock, {}),
            raises_paced=False,
        )
        self.store.states[target.name] = Versioned(state, 1)
        if consumer is not None:
            self.store.consumers[target.path] = consumer
        self.session = Session(target, self.store, self.clock, "me", LIMITS.claim, lambda *_: None, Memory())
        self.session.write_claimed(state)

    def carry_out(self, action: Action) -> TargetState:
        """Returns the state after the action."""
        carry_out(self.caller, self.session, action)
        return self.session.state

    @property
    def recorded(self) -> tuple[str, str, dict[str, Any]]:
        """The verb, the outcome and the facts of the one record in the audit."""
        (record,) = self.audit.records
        assert record.target == self.session.target.name
        return record.verb, record.outcome, dict(record.facts)


def naming(credential: Credential) -> dict[str, Any]:
    """The facts by which a record names a credential."""
    named = {"credential": credential.id, "username": credential.username, "account": credential.account}
    made = {"made": credential.made_at, "seen": None if credential.made_at else credential.seen_at}
    return named | {fact: moment.isoformat() for fact, moment in made.items() if moment is not None}
