"""What a parent has ignored: an interrupt stays ignored, everything else is taken."""

import signal
from collections.abc import Iterator
from threading import Event

import pytest

from rotator.daemon.signals import SignalRequest, Signals, interruptible


@pytest.fixture
def ignored() -> Iterator[None]:
    """What a script does to its background, and `nohup` to its command."""
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_a_command_leaves_an_ignored_interrupt_alone_and_stops_at_sigterm(ignored):
    stop, again = Event(), Event()
    with interruptible(stop, again.set):
        signal.raise_signal(signal.SIGINT)
        assert not stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert not again.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_command_stops_at_an_interrupt_that_nobody_has_ignored():
    stop, former = Event(), signal.getsignal(signal.SIGINT)
    with interruptible(stop, again=lambda: None):
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGINT) is former


def test_a_daemon_under_nohup_reloads_at_sighup_and_leaves_an_ignored_interrupt_alone(ignored):
    signals = Signals()
    with signals.installed():
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)
    assert signals.wait(0) == (SignalRequest.RELOAD, "SIGHUP")
    assert signals.wait(0) == (SignalRequest.STOP, "SIGTERM")
    assert signals.wait(0) is None
