"""A command waits for the process that works on its target, and not for ever."""

from datetime import timedelta
from threading import Event

import pytest

from rotator.cli.exits import CommandError, Exit
from rotator.cli.waiting import when_free
from rotator.core.holding import Hold, HoldReason
from rotator.testing import FakeClock

BUSY = Hold(HoldReason.CLAIMED, "another is working on it")
CLAIM = timedelta(seconds=40)


def test_what_is_free_is_done_at_once_and_what_is_not_a_little_later():
    clock, answers = FakeClock(), [BUSY, BUSY, "done"]
    began = clock.monotonic()
    assert when_free(lambda: answers.pop(0), "office", clock=clock, stop=Event(), claim=CLAIM) == "done"
    assert clock.monotonic() - began == 1.0


def test_nobody_waits_longer_than_the_claim_of_a_dead_process_and_a_minute():
    clock = FakeClock()
    began = clock.monotonic()
    with pytest.raises(CommandError, match="office: another is working on it; nothing was changed: try again") as error:
        when_free(lambda: BUSY, "office", clock=clock, stop=Event(), claim=CLAIM)
    assert error.value.code is Exit.FAILED
    assert 100 < clock.monotonic() - began <= 101


def test_ctrl_c_ends_the_wait():
    stop = Event()
    stop.set()
    with pytest.raises(CommandError, match="office: stopped; nothing was changed") as error:
        when_free(lambda: BUSY, "office", clock=FakeClock(), stop=stop, claim=CLAIM)
    assert error.value.code is Exit.STOPPED
