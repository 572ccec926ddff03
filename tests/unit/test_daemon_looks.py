"""Looks: what runs is known, a stop lets nothing begin, and a fault in one look ends no other."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from rotator.daemon.looks import Looks
from rotator.engine import Outcome
from rotator.observe.health import Health
from rotator.testing import FakeClock

PHONE: Any = SimpleNamespace(name="phone")
SOON = timedelta(seconds=20)


class BlockingEngine:
    """Looks until it is released; `error` is raised instead of an answer."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def look(self, _target: Any) -> Any:
        self.begun.set()
        assert self.released.wait(20)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(outcome=Outcome.HELD, message="", next_look=None)


@pytest.fixture
def engine() -> BlockingEngine:
    return BlockingEngine()


@pytest.fixture
def looks(engine: BlockingEngine) -> Looks:
    clock = FakeClock(datetime(2026, 1, 5, tzinfo=UTC))
    snapshot: Any = SimpleNamespace(update_look=lambda target, look: None)
    looks = Looks(snapshot, Health(clock), clock, threading.Event())
    looks.components = SimpleNamespace(engine=engine)  # type: ignore[assignment]
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
    assert looks.look(PHONE) == datetime(2026, 1, 5, 0, 1, tzinfo=UTC)
    assert looks.wait(SOON)
