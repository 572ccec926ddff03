"""The rule for an undo: the replaced credential that it publishes again and the time limit, or the reason for none.

The engine, `rotator undo` and the status share this rule, so that none of them promises what another refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rotator.core.model import Capabilities, Ending, LedgerEntry, Request, TargetState


@dataclass(frozen=True, slots=True)
class UndoCandidate:
    """The replaced credential that an undo publishes again."""

    entry: LedgerEntry
    until: datetime


@dataclass(frozen=True, slots=True)
class UndoImpossible:
    """No replaced credential can be published again. `reason` gives the cause for each."""

    reason: str


def undo_candidate(
    state: TargetState, capabilities: Mapping[str, Capabilities], now: datetime
) -> UndoCandidate | UndoImpossible:
    """Returns the newest entry of the ledger that can be published again, or the reasons why none can."""
    if state.request is not None and state.request.compromised:
        return UndoImpossible(waiting_emergency(state.target, state.request))
    refusals = []
    for entry in reversed(state.ledger):
        can = capabilities.get(entry.credential.account)
        refusal = undo_refusal(entry, can, now)
        if refusal is None and can is not None:
            return UndoCandidate(entry, entry.disable_at if _ends_when_disabled(entry, can) else entry.ends_at)
        refusals.append(f"{entry.label}: {refusal}")
    return UndoImpossible("nothing can be undone: " + ("; ".join(refusals) or "no replaced credential is left"))


def waiting_emergency(name: str, request: Request) -> str:
    """Returns why nothing is undone while an emergency waits, and the command that withdraws it."""
    return (
        f"nothing can be undone: the emergency that {request.requested_by} has requested is carried out first "
        f"(rotator abandon {name} withdraws it)"
    )


def undo_refusal(entry: LedgerEntry, can: Capabilities | None, now: datetime) -> str | None:
    """Returns why a replaced credential cannot be published again; None if it can."""
    if can is None:
        return f"its account {entry.credential.account} is not in the configuration"
    obstacles = (
        (entry.credential.id is None, "it was never published"),
        (entry.compromised, "it is compromised"),
        (entry.credential.password is None, "its password is unknown"),
        (entry.disabled and _ends_when_disabled(entry, can), "it was disabled, and this provider cannot undo that"),
        (entry.ends_at <= now, "its quarantine has ended"),
    )
    return next((why for applies, why in obstacles if applies), None)


def _ends_when_disabled(entry: LedgerEntry, can: Capabilities) -> bool:
    return not can.re_enables and entry.ending is not Ending.FORGET
