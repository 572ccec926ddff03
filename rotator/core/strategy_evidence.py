"""What the evidence of an account means for a strategy: refused if disproved, warned about if unproved."""

from dataclasses import dataclass
from enum import Enum

from rotator.core import evidence as known
from rotator.core.evidence import AccountEvidence, Assumption, Shown
from rotator.core.model import Capabilities, Strategy


class Standing(Enum):
    """How far a strategy was shown to work at an account."""

    PROVED = "proved"
    UNPROVED = "unproved"
    DISPROVED = "disproved"


@dataclass(frozen=True, slots=True)
class StrategyEvidence:
    """What was shown of a strategy at an account."""

    standing: Standing
    why: str = ""  # what does not hold, or was not shown
    required: bool = False  # `require_checked`: nothing begins that is not proved


_NEEDS = {
    Strategy.REPLACE: (known.CREATES, known.LOGS_IN, known.WRONG_REFUSED, known.DELETES),
    Strategy.ALTERNATING: (known.SETS, known.NEW_LOGS_IN, known.WRONG_REFUSED, known.ENABLES),
    Strategy.IN_PLACE: (known.SETS, known.NEW_LOGS_IN, known.WRONG_REFUSED, known.OLD_REFUSED),
}


def judge(
    strategy: Strategy, capabilities: Capabilities, evidence: AccountEvidence, *, required: bool = False
) -> StrategyEvidence:
    """Returns what the evidence means for the strategy. What an account cannot do is not asked for here."""
    broken = _disproof(strategy, evidence, tries_password=capabilities.proof.tries_password)
    if broken is not None:
        result = evidence.result(broken)
        said = f": {result.evidence}" if result is not None and result.evidence else ""
        return StrategyEvidence(Standing.DISPROVED, f"it does not hold that {broken.text}{said}", required)
    if evidence.written_at is None:
        return StrategyEvidence(Standing.UNPROVED, "nothing was tried there yet", required)
    lacking = [one for one in _NEEDS[strategy] if evidence.shown(one) is Shown.NOT_SHOWN]
    if not capabilities.proof.tries_password:
        lacking = [one for one in lacking if one in (known.CREATES, known.DELETES, known.SETS, known.ENABLES)]
        if not lacking:
            return StrategyEvidence(Standing.UNPROVED, "no log-in is configured that tries a password", required)
    if lacking:
        return StrategyEvidence(Standing.UNPROVED, f"it was not shown that {lacking[0].text}", required)
    return StrategyEvidence(Standing.PROVED, required=required)


def _disproof(strategy: Strategy, evidence: AccountEvidence, *, tries_password: bool) -> Assumption | None:
    """Returns an assumption that the strategy cannot do without, and that does not hold."""

    def fails(assumption: Assumption) -> bool:
        return evidence.shown(assumption) is Shown.DOES_NOT

    for needed in _NEEDS[strategy]:
        if needed is not known.DELETES and fails(needed):
            return needed
    if strategy is Strategy.REPLACE and fails(known.DELETES) and fails(known.DISABLES):
        return known.DELETES  # what is replaced would be accepted for ever
    masked = fails(known.SHOWS_PASSWORDS) and evidence.shown(known.NEW_LOGS_IN) is not Shown.HOLDS
    if strategy is Strategy.IN_PLACE and masked:
        return known.SHOWS_PASSWORDS  # nothing shows which password is in force
    # A trunk that is not shown cannot be pointed to the new credential. If no log-in tries it, devices would be the
    # first to learn that it is refused.
    unseen = fails(known.SHOWS_ATTACHMENTS) and (fails(known.UNATTACHED) or not tries_password)
    if strategy is not Strategy.IN_PLACE and unseen:
        return known.SHOWS_ATTACHMENTS
    return None
