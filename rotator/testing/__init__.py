"""Public fakes of every port: a store with crash points, a faulty provider, a clock that moves only on command."""

from rotator.testing.clock import FakeClock, FakeRandomness
from rotator.testing.crash import Crash, CrashPoints
from rotator.testing.hook import FakeHook
from rotator.testing.provider import ATTACHING, CHOSEN, GENERATED, SHOWING, FakeFault, FakeProvider
from rotator.testing.records import MemoryAudit, MemoryAuditStore, NullMeter
from rotator.testing.store import MemoryStore

__all__ = [
    "ATTACHING",
    "CHOSEN",
    "GENERATED",
    "SHOWING",
    "Crash",
    "CrashPoints",
    "FakeClock",
    "FakeFault",
    "FakeHook",
    "FakeProvider",
    "FakeRandomness",
    "MemoryAudit",
    "MemoryAuditStore",
    "MemoryStore",
    "NullMeter",
]
