"""How patient and how careful the engine is."""

from dataclasses import dataclass, field
from datetime import timedelta

from rotator.core.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient and how careful the engine is."""

    claim: timedelta = timedelta(seconds=60)
    backoff: Backoff = field(default_factory=Backoff)
    circuit_failures: int = 5
    circuit_open_for: timedelta = timedelta(minutes=5)
    retirements_per_minute: int = 10
