"""What an open attempt may have done at the provider, and what that means for devices."""

from datetime import datetime

from rotator.core.model import Attempt, Capabilities, Phase, Strategy


def is_unsent(attempt: Attempt) -> bool:
    """True if the provider certainly carried out no call of an attempt."""
    return attempt.phase is Phase.STAGED and not attempt.uncertain


def is_spare(attempt: Attempt) -> bool:
    """True if devices do not use the staged credential before it is published."""
    return attempt.strategy is not Strategy.IN_PLACE


def may_cut_off(attempt: Attempt) -> bool:
    """True if what Vault hands out may be refused: a password that is not published yet may have replaced it."""
    return not is_spare(attempt) and not is_unsent(attempt)


def is_propagating(attempt: Attempt, can: Capabilities, now: datetime) -> bool:
    """True while the provider may still answer from the state before the last call of `in-place`.

    Further off than the propagation time, in either direction: the clock was set, and nothing is waited for.
    """
    return attempt.applied_at is not None and abs(now - attempt.applied_at) < can.propagation


def can_put_back(attempt: Attempt, can: Capabilities) -> bool:
    """True if the old password of `in-place` must be set again when the new one is not accepted in time.

    A compromised password stays replaced. A proof that does not try the password cannot show that it is refused.
    """
    known = attempt.predecessor is not None and attempt.predecessor.password is not None
    in_place = not is_spare(attempt) and can.proof.tries_password
    return in_place and known and not attempt.compromised
