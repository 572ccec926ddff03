"""Carries out the core's decisions; the only package that orders effects."""

from rotator.engine.bell import ring_bell
from rotator.engine.engine import Engine
from rotator.engine.fleet_documents import FleetDocuments
from rotator.engine.former_names import FormerNames
from rotator.engine.known_evidence import KnownEvidence
from rotator.engine.limits import Limits
from rotator.engine.look import Look, Outcome
from rotator.engine.orphan_repair import Orphaned, OrphanRepair
from rotator.engine.pauses import PauseBook
from rotator.engine.presence import Presence
from rotator.engine.reconciling import ReconciledAccount, Reconciler
from rotator.engine.throttles import Pacing
from rotator.engine.usage_effects import AcknowledgementSource
from rotator.engine.waves import Waves

__all__ = [
    "AcknowledgementSource",
    "Engine",
    "FleetDocuments",
    "FormerNames",
    "KnownEvidence",
    "Limits",
    "Look",
    "OrphanRepair",
    "Orphaned",
    "Outcome",
    "Pacing",
    "PauseBook",
    "Presence",
    "ReconciledAccount",
    "Reconciler",
    "Waves",
    "ring_bell",
]
