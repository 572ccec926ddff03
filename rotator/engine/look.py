"""The result of one look at a target."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from rotator.core import actions as do
from rotator.core.freezes import Freezes
from rotator.core.holding import Hold
from rotator.core.model import TargetState

SOON = timedelta(seconds=5)
"""After what passes by itself, such as a Vault that is away."""


class Outcome(Enum):
    """The outcome of one look, for the log's one line."""

    ROTATED = "rotated"
    UNDONE = "undone"
    RETIRED = "retired"  # something was disabled, deleted or forgotten
    HELD = "held"  # there was nothing to do
    WAITING = "waiting"  # an attempt is open and waits
    FAILED = "failed"  # a step failed; see the message
    CONTENDED = "contended"  # another process kept writing first
    STOPPED = "stopped"  # stopped between two steps
    VAULT = "vault"  # a request to Vault failed


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look at a target."""

    target: str
    outcome: Outcome
    message: str
    steps: tuple[do.Step, ...]  # what was done, in order
    state: TargetState | None  # None if the state document could not be read
    hold: Hold | None
    next_look: datetime | None  # None: when the sweep comes by
    seconds: float
    freezes: Freezes = field(default_factory=Freezes)  # what held changes at its end
