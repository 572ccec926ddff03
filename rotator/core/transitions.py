"""Every legal transition of an attempt and of a ledger entry, in one place.

An illegal pair raises and changes nothing. `docs/architecture.md` draws its diagram from these tables.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from rotator.core.model import Phase


class Event(Enum):
    """What can happen to an attempt."""

    STAGE = "stage"  # the password was written to Vault
    APPLY = "apply"  # the provider answered that it is in force
    DOUBT = "doubt"  # it could not be proved within the propagation window: apply the same password again
    PROVE = "prove"  # the provider was seen to accept it
    CLOSE = "close"  # the consumer document names it; the predecessor goes into the ledger
    ABANDON = "abandon"  # the provider definitely refused the password, so it is discarded


class Standing(Enum):
    """Where a replaced credential stands."""

    WAITING = "waiting"  # still accepted, until the overlap ends
    DISABLED = "disabled"  # refused, and can be brought back until the quarantine ends
    GONE = "gone"  # no longer in the ledger


class Fate(Enum):
    """What can happen to a replaced credential."""

    DISABLE = "disable"
    REMOVE = "remove"  # deleted at the provider, or its password forgotten
    REINSTATE = "reinstate"  # published again by an undo, or reused by `alternating`


ATTEMPT: Mapping[tuple[Phase | None, Event], Phase | None] = MappingProxyType(
    {
        (None, Event.STAGE): Phase.STAGED,
        (Phase.STAGED, Event.APPLY): Phase.APPLIED,
        (Phase.STAGED, Event.ABANDON): None,
        (Phase.APPLIED, Event.DOUBT): Phase.STAGED,
        (Phase.APPLIED, Event.PROVE): Phase.PROVED,
        (Phase.PROVED, Event.CLOSE): None,
    }
)

LEDGER: Mapping[tuple[Standing, Fate], Standing] = MappingProxyType(
    {
        (Standing.WAITING, Fate.DISABLE): Standing.DISABLED,
        (Standing.WAITING, Fate.REMOVE): Standing.GONE,
        (Standing.WAITING, Fate.REINSTATE): Standing.GONE,
        (Standing.DISABLED, Fate.DISABLE): Standing.DISABLED,
        (Standing.DISABLED, Fate.REMOVE): Standing.GONE,
        (Standing.DISABLED, Fate.REINSTATE): Standing.GONE,
    }
)


class IllegalTransitionError(Exception):
    """A transition that the table does not have: a fault in `rotator`, never in the provider."""


def next_phase(phase: Phase | None, event: Event) -> Phase | None:
    """The phase after `event`; None stands for no open attempt.

    Raises:
        IllegalTransitionError: the table has no such pair.
    """
    try:
        return ATTEMPT[phase, event]
    except KeyError:
        raise IllegalTransitionError(f"attempt: {event.value} in phase {phase and phase.value}") from None


def next_standing(standing: Standing, fate: Fate) -> Standing:
    """Where a ledger entry stands after `fate`.

    Raises:
        IllegalTransitionError: the table has no such pair.
    """
    try:
        return LEDGER[standing, fate]
    except KeyError:
        raise IllegalTransitionError(f"ledger: {fate.value} while {standing.value}") from None
