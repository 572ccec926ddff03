"""The limits of the engine."""

from dataclasses import dataclass, field
from datetime import timedelta

from rotator.core.backoff import Backoff
from rotator.core.circuit import Circuit


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and counts that bound what the engine does."""

    claim: timedelta = timedelta(seconds=12)
    backoff: Backoff = field(default_factory=Backoff)
    circuit_failures: int = Circuit().threshold
    circuit_open_for: timedelta = Circuit().open_for
    retirements_per_minute: int = 10
