"""The preflight of `in-place`: while the present password cannot be proved, it is not replaced by another."""

from rotator.core.actions import Decision
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Credential, Request
from rotator.core.verification import fresh_verification, is_refused


def preflight(facts: Facts, request: Request, current: Credential) -> Decision | None:
    """Returns what must come before `current` gets another password; None if it may.

    An unknown password (of an adopted credential) cannot be tried. If the present one is refused, devices are cut off
    already: a request for another one is carried out. An emergency waits for nothing that cannot be proved.
    """
    can = facts.capabilities[current.account]
    if current != facts.state.published or current.password is None or not can.proof.tries_password:
        return None
    if is_refused(facts.state) and facts.state.request is not None:
        return None
    decision = fresh_verification(facts)
    if not isinstance(decision, Hold):
        return decision
    if request.compromised:
        return None
    if decision.reason is not HoldReason.UNVERIFIED:
        return decision
    message = (
        f"{current.username} keeps its password, since {decision.message}: the next one could not be proved either"
    )
    return Hold(HoldReason.LEFT_ALONE, message, facts.state.verify_at)
