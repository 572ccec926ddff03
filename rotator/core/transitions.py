"""Every legal transition of an attempt, in one place. An illegal one raises an error and changes nothing."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from rotator.core.model import Phase


class AttemptEvent(Enum):
    """An event in the life of an attempt."""

    STAGE = "stage"  # the password was written to Vault
    APPLY = "apply"  # the provider answered that it is in force
    DOUBT = "doubt"  # it could not be proved (again): apply the same password again, or put the old one back
    PROVE = "prove"  # a proof showed that the provider accepts it
    CLOSE = "close"  # the consumer document contains it; the predecessor goes into the ledger
    ABANDON = "abandon"  # it was discarded: refused, not accepted in time, outgrown by the target, or given up


ATTEMPT: Mapping[tuple[Phase | None, AttemptEvent], Phase | None] = MappingProxyType(
    {
        (None, AttemptEvent.STAGE): Phase.STAGED,
        (Phase.STAGED, AttemptEvent.APPLY): Phase.APPLIED,
        (Phase.STAGED, AttemptEvent.PROVE): Phase.PROVED,  # a log-in settles what an answer left open
        (Phase.STAGED, AttemptEvent.ABANDON): None,
        (Phase.APPLIED, AttemptEvent.DOUBT): Phase.STAGED,
        (Phase.APPLIED, AttemptEvent.PROVE): Phase.PROVED,
        (Phase.PROVED, AttemptEvent.PROVE): Phase.PROVED,
        (Phase.PROVED, AttemptEvent.DOUBT): Phase.STAGED,
        (Phase.APPLIED, AttemptEvent.ABANDON): None,
        (Phase.PROVED, AttemptEvent.CLOSE): None,
        (Phase.PROVED, AttemptEvent.ABANDON): None,
    }
)


class IllegalTransitionError(Exception):
    """A transition that is not in the table: a bug in `rotator`, never a fault of the provider."""


def next_phase(phase: Phase | None, event: AttemptEvent) -> Phase | None:
    """Returns the phase after `event`; None stands for no open attempt.

    Raises:
        IllegalTransitionError: the pair is not in the table.
    """
    try:
        return ATTEMPT[phase, event]
    except KeyError:
        raise IllegalTransitionError(f"attempt: {event.value} in phase {phase and phase.value}") from None
