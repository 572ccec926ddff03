"""The documents that concern more than one target, as a process knows them."""

from dataclasses import dataclass

from rotator.engine.former_names import FormerNames
from rotator.engine.known_evidence import KnownEvidence
from rotator.engine.pauses import PauseBook
from rotator.engine.waves import Waves


@dataclass(frozen=True, slots=True)
class FleetDocuments:
    """What a decision about one target takes from the documents of all. Shared by all looks of a process."""

    former_names: FormerNames  # the state documents whose targets are not configured any more
    waves: Waves  # the slots and the canaries of each account
    pauses: PauseBook  # what people have paused
    evidence: KnownEvidence  # what checks have shown of each account
