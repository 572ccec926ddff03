"""Random histories of people at Vault: documents rolled back, edited, deleted and restored among rotations and crashes.

Nothing that the consumer document hands out is retired, whoever wrote it; and when every document is back, nothing at
the provider is forgotten.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.adoption import AdoptionImpossible, KnownToOperator
from rotator.core.answers import Answer
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.holding import HoldReason
from rotator.core.model import Credential, Purpose, TargetState
from rotator.core.origin import Origin
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.ports import StoreDeleted
from rotator.testing import CHOSEN, GENERATED, FakeProvider

STATE, DOCUMENT = "office", "sip/office"
SETUPS = {
    "replace": (REPLACE, CHOSEN),
    "alternating": (ALTERNATING, CHOSEN),
    "in-place": (IN_PLACE, CHOSEN),
    "generated": (replace(REPLACE, usernames=()), GENERATED),
}


class WatchedProvider(FakeProvider):
    """Fails the test if what the consumer document hands out is retired, or ended as the provider was told."""

    is_handed_out: Callable[[Credential], bool]
    state_is_lost: Callable[[], bool]

    def pass_time(self, now: datetime) -> None:
        for stored in self.credentials.values():
            if stored.enabled and stored.expires_at is not None and stored.expires_at <= now:
                ended = Credential("fake", stored.username, stored.id)
                assert self.state_is_lost() or not self.is_handed_out(ended)
        super().pass_time(now)

    def disable(self, credential: Credential) -> Answer[None]:
        assert not self.is_handed_out(credential)
        return super().disable(credential)

    def delete(self, credential: Credential) -> Answer[None]:
        assert not self.is_handed_out(credential)
        return super().delete(credential)


class History:
    """One target, and what happens to it."""

    def __init__(self, setup: str, seed: int) -> None:
        self.random, self.freshness = random.Random(seed), random.Random(seed)
        self.often = (1.0, 0.5, 0.1)[seed % 3]  # how often a look reads both documents, as the sweep does
        target, capabilities = SETUPS[setup]
        never = replace(target.policy, schedule=Every(9000 * DAY))
        self.world = EngineHarness(replace(target, policy=never), capabilities, seed=seed)
        self.store = self.world.store
        self.provider = self.world.provider = WatchedProvider(capabilities)
        self.provider.is_handed_out = lambda credential: self.store.read_consumer(DOCUMENT).concerns(credential)
        self.provider.state_is_lost = lambda: self.store.read_state(STATE).deleted
        if setup == "in-place":
            self.provider.add("office")
        self.engine = self.world.engine()
        self.log: list[str] = []
        self.emergency = False  # from the first one on, overlaps are cut short
        self.promised: list[tuple[ConsumerDocument, datetime]] = []  # what is accepted until then
        self.look()

    def look(self) -> HoldReason | None:
        """Looks at the target. What the document handed out until then is accepted for a whole overlap."""
        before, now = self.store.consumers.get(DOCUMENT), self.world.clock.now()
        worked = before is not None and self.provider.accepts(before.username, before.password)
        self.provider.pass_time(now)
        self.seen = self.engine.look(self.world.target, fresh=self.freshness.random() < self.often)
        after = self.store.consumers.get(DOCUMENT)
        if before is not None and after is not None and worked and before.username != after.username:
            self.promised.append((before, now + DAY))
        self.promised = [(one, until) for one, until in self.promised if until > now and not self.emergency]
        for one, _ in self.promised:
            assert self.provider.accepts(one.username, one.password), (one.username, self.log)
        return self.seen.hold.reason if self.seen.hold else None

    def wait(self, span: timedelta) -> None:
        """Looks as the scheduler does; the provider ends what it was told to end."""
        end = self.world.clock.now() + span
        while self.world.clock.now() < end:
            self.look()
            following = self.seen.next_look or end
            self.world.clock.advance(max(min(following, end) - self.world.clock.now(), timedelta(seconds=1)))
        self.look()

    def ask(self, **flags: bool) -> None:
        with suppress(StoreDeleted):
            self.world.request(self.engine, **flags)

    def adopt(self) -> bool:
        known = KnownToOperator()
        with suppress(AdoptionImpossible):
            plan = self.engine.plan_adoption(self.world.target, known)
            return isinstance(
                self.engine.adopt(self.world.target, known, plan, Origin("tester", "because")), TargetState
            )
        return False

    def crash(self) -> None:
        self.ask(take_over=self.random.random() < 0.5)
        self.world.cut_at(self.random.randint(1, 25))
        self.world.crash(lambda: self.engine.look(self.world.target))
        self.world.cut_at(0)
        self.engine = self.world.engine()

    def edit(self) -> None:
        document = self.store.consumers[DOCUMENT]
        if document.exists:
            change = self.random.choice([{"password": Secret("mistyped")}, {"credential_id": None}])
            self.store.tamper(DOCUMENT, document.username or "")
            self.store.consumers[DOCUMENT] = replace(self.store.consumers[DOCUMENT], **change)

    def roll_back(self) -> None:
        if self.store.consumers[DOCUMENT].exists:
            with suppress(KeyError):  # there is no older version that was not deleted
                self.store.roll_back(DOCUMENT)

    def restore(self, *keys: str) -> None:
        for key in keys:
            if (self.store.states if key == STATE else self.store.consumers)[key].deleted:
                self.store.undelete(key)

    def happen(self) -> None:
        """One event, at random."""
        events: dict[str, Callable[[], object]] = {
            "rotate": self.ask,
            "take over": lambda: self.ask(take_over=True),
            "emergency": self._emergency,
            "undo": self._undo,
            "adopt": self.adopt,
            "crash": self.crash,
            "edit": self.edit,
            "roll back": self.roll_back,
            "delete the state": lambda: self.store.delete(STATE),
            "delete the document": lambda: self.store.delete(DOCUMENT),
            "restore the state": lambda: self.restore(STATE),
            "restore the document": lambda: self.restore(DOCUMENT),
            "hours": lambda: self.wait(timedelta(hours=self.random.choice([1, 5, 20]))),
            "days": lambda: self.wait(self.random.choice([1, 3, 10, 40]) * DAY),
        }
        event = self.random.choice(list(events))
        self.log.append(event)
        events[event]()
        self.look()

    def _emergency(self) -> None:
        self.emergency = True
        self.ask(take_over=True, compromised=True)

    def _undo(self) -> None:
        with suppress(StoreDeleted):
            self.world.request(self.engine, Purpose.UNDO)

    def come_to_rest(self) -> None:
        """Everything is restored, and a document of somebody else is taken up or taken over."""
        self.often = 1.0  # the sweep has come by
        self.restore(STATE, DOCUMENT)
        self.wait(timedelta(hours=3))
        if self.look() is HoldReason.FOREIGN_DOCUMENT and not self.adopt():
            self.ask(take_over=True)
        self.wait(40 * DAY)


@pytest.mark.parametrize("setup", SETUPS)
def test_nothing_handed_out_is_retired_and_nothing_is_forgotten(setup: str) -> None:
    for seed in range(100):
        history = History(setup, seed)
        for _ in range(history.random.randint(3, 14)):
            history.happen()
        history.come_to_rest()
        enabled = [stored.username for stored in history.provider.credentials.values() if stored.enabled]
        assert history.world.published_works, (seed, history.log)
        assert history.world.state.attempt is None, (seed, history.log)
        assert enabled == [history.world.consumer.username], (seed, history.log)
