"""What a look may take from memory, and what it reads first: somebody may have changed a document meanwhile."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.actions import Step
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.holding import HoldReason
from rotator.core.model import Claim, Target, TargetState
from rotator.engine import Outcome
from rotator.engine.memory import Memory
from rotator.ports import Versioned
from rotator.testing import GENERATED, MemoryStore


class CountedReads(MemoryStore):
    """Counts the requests to Vault."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.requests: Counter[str] = Counter()

    def read_state(self, target: str) -> Versioned:
        self.requests["read state"] += 1
        return super().read_state(target)

    def read_consumer(self, path: str) -> ConsumerDocument:
        self.requests["read consumer"] += 1
        return super().read_consumer(path)


def world(target: Target = REPLACE) -> EngineHarness:
    harness = EngineHarness(target)
    harness.store = CountedReads(harness.clock)
    harness.provider.add(target.usernames[0])
    return harness


def reads_of(harness: EngineHarness) -> Counter[str]:
    assert isinstance(harness.store, CountedReads)
    taken, harness.store.requests = harness.store.requests, Counter()
    return taken


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
def test_a_look_from_memory_at_a_target_at_rest_reads_nothing(target):
    harness = world(target)
    engine = harness.engine()
    engine.look(harness.target, fresh=False)  # nothing is in memory yet
    assert reads_of(harness)["read state"] == 1
    assert engine.look(harness.target, fresh=False).outcome is Outcome.HELD
    assert reads_of(harness) == {}
    engine.look(harness.target)
    assert reads_of(harness) == {"read state": 1, "read consumer": 1}


@pytest.mark.parametrize("target", [REPLACE, ALTERNATING, IN_PLACE])
def test_a_rotation_from_memory_reads_what_devices_read_before_it_begins(target):
    harness = world(target)
    engine = harness.engine()
    engine.look(harness.target)
    harness.clock.advance(91 * DAY)
    harness.store.tamper(harness.target.path, "byhand")
    reads_of(harness)
    look = engine.look(harness.target, fresh=False)
    assert look.hold is not None
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert Step.STAGE not in look.steps
    assert reads_of(harness)["read consumer"] >= 1


def test_a_hold_because_of_a_document_is_not_believed_from_memory():
    harness = world()
    engine = harness.engine()
    engine.look(harness.target)
    harness.clock.advance(91 * DAY)
    harness.store.tamper(harness.target.path, "byhand")
    assert engine.look(harness.target, fresh=False).outcome is Outcome.HELD
    harness.store.roll_back(harness.target.path)
    assert engine.look(harness.target, fresh=False).outcome is Outcome.ROTATED


def test_another_process_that_wrote_meanwhile_is_noticed():
    harness = world()
    engine, other = harness.engine(), harness.engine()
    engine.look(harness.target)
    harness.clock.advance(91 * DAY)
    assert other.look(harness.target).outcome is Outcome.ROTATED
    look = engine.look(harness.target, fresh=False)
    assert look.state is not None
    assert look.state.counts.succeeded == harness.state.counts.succeeded
    assert harness.published_works


def test_what_hands_out_a_replaced_credential_is_read_before_that_is_ended():
    harness = world()
    engine = harness.engine()
    engine.look(harness.target)
    harness.request(engine)
    engine.look(harness.target)
    harness.clock.advance(DAY + timedelta(minutes=1))
    harness.store.roll_back(harness.target.path)  # devices read the replaced one again
    look = engine.look(harness.target, fresh=False)
    assert Step.DISABLE not in look.steps
    assert look.hold is not None
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    assert harness.published_works


def test_a_request_by_another_process_is_found_when_the_look_is_fresh():
    harness = world()
    engine, other = harness.engine(), harness.engine()
    engine.look(harness.target)
    harness.request(other)
    assert engine.look(harness.target, fresh=False).outcome is Outcome.HELD
    assert engine.look(harness.target).outcome is Outcome.ROTATED


def test_memory_forgets_what_was_not_used_for_the_longest_time():
    memory = Memory(2)
    for name in ("one", "two", "three"):
        if name == "three":
            assert memory.state("one") is not None
        memory.keep_state(Versioned(TargetState(name), 1))
    assert memory.state("two") is None
    assert memory.state("one") is not None
    assert memory.state("three") is not None


def test_a_state_that_somebody_was_working_on_or_that_was_deleted_is_read_again():
    memory = Memory()
    claimed = replace(TargetState("office"), claim=Claim("other", EngineHarness().clock.now()))
    memory.keep_state(Versioned(claimed, 1))
    assert memory.state("office") is None
    memory.keep_state(Versioned(TargetState("office"), 2, deleted=True))
    assert memory.state("office") is None


def test_before_the_provider_ends_something_by_itself_what_devices_read_is_read():
    harness = EngineHarness(replace(REPLACE, usernames=()), GENERATED)
    engine = harness.engine()
    engine.look(harness.target)
    harness.request(engine)
    engine.look(harness.target)
    assert harness.state.ledger[0].expires_at is not None
    harness.store.roll_back(harness.target.path)  # devices read the replaced one again, and nobody announces it
    harness.clock.advance(DAY - timedelta(minutes=59))
    look = engine.look(harness.target, fresh=False)
    assert Step.LIFT_END in look.steps
    assert harness.state.ledger[0].expires_at is None
