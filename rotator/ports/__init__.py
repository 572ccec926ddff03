"""The ports of the engine: provider, store, clock, randomness, audit and meter.

An adapter implements one of these protocols and imports nothing from the engine; `rotator.testing` has a fake of each.
"""

from rotator.ports.audit import Audit, AuditStore
from rotator.ports.calls import CALL_TERMS, WITNESS, CallTerms
from rotator.ports.clock import Clock, Randomness, Timer
from rotator.ports.hooks import Hook, HooksByName
from rotator.ports.meter import Meter
from rotator.ports.provider import Provider, Providers
from rotator.ports.store import (
    Conflict,
    PaceBook,
    Store,
    StoreCorrupt,
    StoreDeleted,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    Versioned,
)
from rotator.ports.usage import UsageQuestion, UsageSource, UsageSources

__all__ = [
    "CALL_TERMS",
    "WITNESS",
    "Audit",
    "AuditStore",
    "CallTerms",
    "Clock",
    "Conflict",
    "Hook",
    "HooksByName",
    "Meter",
    "PaceBook",
    "Provider",
    "Providers",
    "Randomness",
    "Store",
    "StoreCorrupt",
    "StoreDeleted",
    "StoreDenied",
    "StoreError",
    "StoreUnavailable",
    "Timer",
    "UsageQuestion",
    "UsageSource",
    "UsageSources",
    "Versioned",
]
