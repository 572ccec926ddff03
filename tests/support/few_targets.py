"""What an engine takes from the documents of all targets, for the few targets of a test."""

from typing import Any

from rotator.engine import FleetDocuments, FormerNames, KnownEvidence, PauseBook, Waves
from rotator.ports import Clock, Store


def fleet_documents(store: Store, clock: Clock, **given: Any) -> FleetDocuments:
    """Those of a process that is alone, and asks for no evidence. `given` takes the place of some."""
    few = {
        "former_names": FormerNames(store, frozenset()),  # every state document that a look does not read has one
        "waves": Waves(store, clock, {}),
        "pauses": PauseBook(store, clock),
        "evidence": KnownEvidence(store, clock, {}),
    }
    return FleetDocuments(**{**few, **given})
