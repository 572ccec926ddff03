"""Looks: what runs is known, a stop lets nothing begin, and a fault in one look ends no other."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import REPLACE

from rotator.core.actions import Step
from rotator.core.bell import Bell
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Credential, Purpose, Request, Target, TargetState
from rotator.core.secret import Secret
from rotator.daemon.looks import Looks
from rotator.daemon.wheel import Plan, Turn, Urgency
from rotator.engine import Look, Outcome
from rotator.observe.health import Health
from rotator.ports import StoreUnavailable
from rotator.testing import FakeClock, MemoryStore

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PHONE = Turn("phone", Urgency.DUE, fresh=True)
SOON = timedelta(seconds=20)


def look_that(**told: Any) -> Look:
    """A look, of which some things are told."""
    usual = {"target": "phone", "outcome": Outcome.HELD, "message": "", "steps": (), "state": None, "hold": None}
    return Look(**(usual | {"next_look": None, "seconds": 0.0} | told))


class BlockingEngine:
    """Looks until it is released; `error` is raised instead of an answer."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.answer = look_that()
        self.seen: list[tuple[str, bool]] = []

    def look(self, target: Target, *, fresh: bool) -> Look:
        self.seen.append((target.name, fresh))
        self.begun.set()
        assert self.released.wait(20)
        if self.error is not None:
            raise self.error
        return self.answer


@pytest.fixture
def engine() -> BlockingEngine:
    return BlockingEngine()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def forgotten() -> list[str]:
    return []


@pytest.fixture
def looks(engine: BlockingEngine, store: MemoryStore, forgotten: list[str]) -> Looks:
    clock = FakeClock(NOW)
    snapshot: Any = SimpleNamespace(update_look=lambda target, look: None, forget=forgotten.append)
    looks = Looks(snapshot, Health(clock), clock, threading.Event())
    by_name = {"phone": replace(REPLACE, name="phone")}
    looks.components = SimpleNamespace(
        engine=engine, by_name=by_name, store=store, settings=SimpleNamespace(core_policies={}, age_limit=None)
    )  # type: ignore[assignment]
    return looks


def test_a_wait_ends_with_the_last_look(looks: Looks, engine: BlockingEngine) -> None:
    thread = threading.Thread(target=looks.look, args=(PHONE,))
    thread.start()
    assert engine.begun.wait(20)
    assert looks.running() == ["phone"]
    assert not looks.wait(timedelta(milliseconds=1)), "it still runs"
    threading.Timer(0.05, engine.released.set).start()
    assert looks.wait(SOON)
    assert looks.running() == []
    thread.join()


class DownStore(MemoryStore):
    """Does not answer until `up` is set. `asked` is released by each try."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.up = threading.Semaphore(0), threading.Event()

    def read_bell(self) -> Bell:
        self.asked.release()
        assert self.up.wait(20) or self.up.is_set()
        return super().read_bell()


def several_while_vault_is_down(looks: Looks, engine: BlockingEngine, store: MemoryStore) -> list[threading.Thread]:
    """One look has failed and asks Vault whether it is back; five more begin meanwhile."""
    assert looks.components is not None
    looks.components.store = store  # type: ignore[misc]
    engine.released.set()
    engine.answer = look_that(outcome=Outcome.VAULT, message="down", next_look=NOW + timedelta(seconds=5))
    threads = [threading.Thread(target=looks.look, args=(PHONE,)) for _ in range(6)]
    threads[0].start()
    assert store.asked.acquire(timeout=20)
    for thread in threads[1:]:
        thread.start()
    for thread in threads[1:]:
        thread.join(0.02)
    return threads


def test_while_vault_is_down_one_worker_asks_and_the_others_wait(looks: Looks, engine: BlockingEngine) -> None:
    """A fleet whose workers all try again every five seconds would meet a Vault that has just come back."""
    store = DownStore()
    store.failing = [StoreUnavailable("down"), StoreUnavailable("down")]
    threads = several_while_vault_is_down(looks, engine, store)
    assert len(engine.seen) == 1
    assert looks.running() == []
    began = looks._clock.monotonic()
    engine.answer = look_that()
    store.up.set()
    for thread in threads:
        thread.join(20)
    assert len(engine.seen) == 6
    assert store.failing == []
    assert looks._clock.monotonic() - began == 10.0, "five seconds between two tries"


def test_a_stop_waits_for_no_vault(looks: Looks, engine: BlockingEngine) -> None:
    store = DownStore()
    store.failing = [StoreUnavailable("down")] * 1000
    threads = several_while_vault_is_down(looks, engine, store)
    looks.stop(lambda: None)
    store.up.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(engine.seen) == 1


def test_after_a_stop_nothing_begins(looks: Looks, engine: BlockingEngine) -> None:
    done: list[str] = []
    assert looks.unless_stopping(lambda: done.append("before"))
    looks.stop(lambda: done.append("stop"))
    assert not looks.unless_stopping(lambda: done.append("after"))
    assert looks.look(PHONE) is None
    assert done == ["before", "stop"]
    assert not engine.begun.is_set()


def test_a_fault_in_a_look_is_tried_again_and_leaves_nothing_running(looks: Looks, engine: BlockingEngine) -> None:
    engine.error = RuntimeError("a fault")
    engine.released.set()
    assert looks.look(PHONE) == Plan(NOW + timedelta(minutes=1), fresh=True)
    assert looks.wait(SOON)


@pytest.mark.parametrize("fresh", [True, False])
def test_the_documents_are_read_again_only_if_the_turn_says_so(
    looks: Looks, engine: BlockingEngine, fresh: bool
) -> None:
    engine.released.set()
    engine.answer = look_that(next_look=NOW + SOON)
    assert looks.look(Turn("phone", Urgency.DUE, fresh)) == Plan(NOW + SOON, Urgency.DUE, fresh=False)
    assert engine.seen == [("phone", fresh)]


@pytest.mark.parametrize(("compromised", "urgency"), [(True, Urgency.EMERGENCY), (False, Urgency.DUE)])
def test_the_next_look_of_an_emergency_goes_ahead_too(
    looks: Looks, engine: BlockingEngine, compromised: bool, urgency: Urgency
) -> None:
    engine.released.set()
    asked = Request(Purpose.ROTATE, "tester", "because", NOW, compromised=compromised)
    engine.answer = look_that(next_look=NOW + SOON, state=TargetState("phone", request=asked))
    assert looks.look(PHONE) == Plan(NOW + SOON, urgency)


def test_what_was_written_is_told_once(looks: Looks, engine: BlockingEngine) -> None:
    engine.released.set()
    looks.look(PHONE)
    assert looks.take_changed() == set()
    engine.answer = look_that(steps=(Step.STAGE,))
    looks.look(PHONE)
    assert looks.take_changed() == {"phone"}
    assert looks.take_changed() == set()


def test_what_vault_refuses_is_asked_again_ever_more_rarely(looks: Looks, engine: BlockingEngine) -> None:
    engine.released.set()
    engine.answer = look_that(outcome=Outcome.VAULT, message="denied")
    pauses = [plan.moment - NOW for plan in (looks.look(PHONE) for _ in range(9)) if plan is not None]
    assert [pause.total_seconds() for pause in pauses] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    engine.answer = look_that()
    assert looks.look(PHONE) is None
    engine.answer = look_that(outcome=Outcome.VAULT, message="denied")
    assert looks.look(PHONE) == Plan(NOW + timedelta(seconds=30))


def test_what_somebody_has_to_mend_is_looked_at_again_and_the_more_there_are_the_more_rarely(
    looks: Looks, engine: BlockingEngine
) -> None:
    engine.released.set()
    blocked = Hold(HoldReason.FOREIGN_DOCUMENT, "look there first")
    for next_look in (None, NOW + timedelta(days=60)):
        engine.answer = look_that(hold=blocked, next_look=next_look)
        assert looks.look(PHONE) == Plan(NOW + timedelta(seconds=30), Urgency.SWEEP, fresh=True)
    engine.answer = look_that(hold=blocked, next_look=NOW + SOON)
    assert looks.look(PHONE) == Plan(NOW + SOON)
    looks._blocked |= {f"target-{number}" for number in range(999)}
    engine.answer = look_that(hold=blocked)
    assert looks.look(PHONE) == Plan(NOW + timedelta(seconds=500), Urgency.SWEEP, fresh=True)
    engine.answer = look_that(hold=Hold(HoldReason.NOT_DUE, "nothing is due"))
    assert looks.look(PHONE) is None
    assert "phone" not in looks._blocked


def test_what_a_removed_target_left_behind_is_carried_out(
    looks: Looks, engine: BlockingEngine, store: MemoryStore, forgotten: list[str]
) -> None:
    engine.released.set()
    gone = Turn("gone", Urgency.SWEEP, fresh=True)
    store.write_state(TargetState("gone", published=Credential("v", "office", Secret("x"))), 0)
    looks.look(gone)
    assert engine.seen == [("gone", True)]
    store.write_state(TargetState("gone"), 1)
    assert looks.look(gone) is None
    assert (engine.seen, forgotten) == ([("gone", True)], ["gone"])
    store.failing = [StoreUnavailable("sealed")]
    assert looks.look(gone) is None
    assert forgotten == ["gone"]


def test_what_reloads_have_replaced_is_closed_with_the_last_that_uses_it(looks: Looks) -> None:
    """Two watches list accounts, and the configuration is read again twice meanwhile."""
    closed: list[str] = []

    def put_into_force(name: str) -> Any:
        made = SimpleNamespace(connections=object(), close=lambda: closed.append(name))
        before, looks.components = looks.components, made  # type: ignore[assignment]
        return before

    put_into_force("first")
    with looks.using() as one:
        with looks.using() as other:
            assert one is other is looks.components
            looks.close(put_into_force("second"))
            with looks.using():
                looks.close(put_into_force("third"))
                assert closed == []
            assert closed == ["second"]
        assert closed == ["second"]
    assert closed == ["second", "first"]
    looks.close(put_into_force("fourth"))
    assert closed == ["second", "first", "third"]


def test_nothing_is_kept_open_before_vault_was_reached(looks: Looks) -> None:
    looks.components = None
    with looks.using() as components:
        assert components is None
