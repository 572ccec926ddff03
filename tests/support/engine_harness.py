"""What the engine runs on in tests: one store and some providers that outlive processes, and a clock.

`EngineHarness.engine()` starts a new process. What must always hold is checked at every boundary between two effects.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from few_targets import fleet_documents

from rotator.core.audit_words import AuditVerb
from rotator.core.backoff import Backoff
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Capabilities, Policy, Purpose, Request, Strategy, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.passwords import PasswordRules
from rotator.core.removal import after_retirement
from rotator.core.schedule import Every
from rotator.engine import Engine, KnownEvidence, Limits, Look, Pacing
from rotator.ports import UsageSource
from rotator.testing import (
    CHOSEN,
    Crash,
    CrashPoints,
    FakeClock,
    FakeHook,
    FakeProvider,
    FakeRandomness,
    MemoryAudit,
    MemoryStore,
)

DAY = timedelta(days=1)
POLICY = Policy(
    name="quarterly",
    schedule=Every(90 * DAY),
    window=None,
    overlap=DAY,
    quarantine=7 * DAY,
    password=PasswordRules(),
)
REPLACE = Target("office", "fake", Strategy.REPLACE, ("office",), "sip/office", POLICY, new=True)
ALTERNATING = replace(REPLACE, strategy=Strategy.ALTERNATING, usernames=("officea", "officeb"))
IN_PLACE = replace(REPLACE, strategy=Strategy.IN_PLACE, new=False)


class EngineHarness:
    """Vault, a provider, a clock; processes come and go."""

    def __init__(self, target: Target = REPLACE, capabilities: Capabilities = CHOSEN, seed: int = 1) -> None:
        self.target = target
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.provider: Any = FakeProvider(capabilities)  # or what a subclass has in its place
        self.others: dict[str, FakeProvider] = {}  # further accounts
        self.unconfigured: set[str] = set()  # accounts that have left the configuration
        self.audit = MemoryAudit()
        self.randomness = FakeRandomness(seed)
        self.account_keys: dict[str, str] = {}
        self.pace_delay: Callable[[str], timedelta] = lambda _: timedelta()
        self.evidence_keys: dict[str, str] = {}  # none: what checks have shown is not asked for
        self.require_checked: set[str] = set()
        self.usage_sources: dict[str, UsageSource] = {}
        self.hooks: dict[str, FakeHook] = {}
        self.stopping = False
        self.processes = 0
        self.limits = Limits(backoff=Backoff(timedelta(seconds=10), timedelta(minutes=10)))
        self.watched: list[str] = []

    def engine(self) -> Engine:
        """A new process."""
        self.processes += 1
        accounts = {"fake": self.provider} | self.others
        return Engine(
            store=self.store,
            providers={name: one for name, one in accounts.items() if name not in self.unconfigured},
            clock=self.clock,
            randomness=self.randomness,
            audit=self.audit,
            holder=f"process-{self.processes}",
            limits=self.limits,
            observe=lambda target, state: None,
            stopping=lambda: self.stopping,
            pacing=Pacing(self.account_keys, self.pace_delay),
            documents=fleet_documents(
                self.store,
                self.clock,
                evidence=KnownEvidence(self.store, self.clock, self.evidence_keys, self.require_checked),
            ),
            usage_sources=self.usage_sources,
            hooks=self.hooks,
        )

    def cut_at(self, number: int, watch: Callable[[str], None] | None = None) -> CrashPoints:
        """The next process ends at boundary `number` (0: none); `watch` looks on at each."""
        points = CrashPoints(number, watch)
        self.store.points = self.provider.points = points
        for hook in self.hooks.values():
            hook.points = points
        return points

    @property
    def state(self) -> TargetState:
        return self.store.states[self.target.name].state

    @property
    def consumer(self) -> ConsumerDocument:
        return self.store.read_consumer(self.target.path)

    @property
    def published_works(self) -> bool:
        """True where a device that reads Vault now is let in."""
        return bool(self.provider.accepts(self.consumer.username, self.consumer.password))

    def request(self, engine: Engine, purpose: Purpose = Purpose.ROTATE, **flags: Any) -> None:
        engine.request(self.target, Request(purpose, "tester", "because", self.clock.now(), **flags))

    def retire(self, *, at_once: bool = False) -> None:
        """Somebody ends the target, with what it publishes."""
        policy, who = self.target.policy, Origin("tester", "because")
        change = partial(after_retirement, policy=policy, now=self.clock.now(), origin=who, at_once=at_once)
        self.engine().removal.change(self.target.name, change, AuditVerb.REQUEST_RETIREMENT, origin=who)

    def settle(self, engine: Engine, span: timedelta, most: int = 500) -> Look:
        """Looks again and again, as the scheduler does, until `span` has passed."""
        end, look = self.clock.now() + span, None
        for _ in range(most):
            look = engine.look(self.target)
            following = look.next_look or end
            if following >= end:
                self.clock.advance(max(end - self.clock.now(), timedelta()))
                return engine.look(self.target)
            self.clock.advance(max(following - self.clock.now(), timedelta(seconds=1)))
        raise AssertionError(f"did not settle: {look}")

    def until_rotated(self, engine: Engine, most: int = 100) -> Look:
        """Looks again and again until a rotation succeeded."""
        before = self.store.states[self.target.name].state.counts.succeeded if self.store.states else 0
        look = None
        for _ in range(most):
            look = engine.look(self.target)
            if look.state and look.state.counts.succeeded > before and look.state.attempt is None:
                return look
            following = look.next_look or self.clock.now()
            self.clock.advance(max(following - self.clock.now(), timedelta(seconds=1)))
        raise AssertionError(f"never rotated: {look}")

    def crash(self, run: Callable[[], object]) -> str | None:
        """Runs until the cut; says where it was, or None where the run ended first."""
        try:
            run()
        except Crash as crash:
            return str(crash)
        return None
