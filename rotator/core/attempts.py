"""What an open attempt may have done at the provider, and what that means for devices."""

from dataclasses import replace
from datetime import datetime

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Attempt, Capabilities, Credential, Phase, Purpose, Strategy


def is_unsent(attempt: Attempt) -> bool:
    """True if the provider certainly carried out no call of an attempt."""
    return attempt.phase is Phase.STAGED and (bool(attempt.before) or not attempt.uncertain)


def is_spare(attempt: Attempt) -> bool:
    """True if devices do not use the staged credential before it is published."""
    return attempt.strategy is not Strategy.IN_PLACE


def may_cut_off(attempt: Attempt) -> bool:
    """True if what Vault hands out may be refused: what is not published yet may have taken its place."""
    return attempt.detaches or (not is_spare(attempt) and not is_unsent(attempt))


def attached_before(attempt: Attempt) -> Credential | None:
    """Returns the credential that trunks are pointed back to; None if it is not at the staged one's account."""
    old, staged = attempt.predecessor, attempt.staged
    return old if old is not None and old.id is not None and old.account == staged.account else None


def published_by(attempt: Attempt, document: ConsumerDocument) -> Credential | None:
    """Returns the staged credential as a consumer document names it, if the attempt wrote that document.

    What was applied and proved is recorded by a write that follows, so after a crash only the document may tell. It has
    all that is missing: the id, and what the provider generated. Nothing is published that was not proved. What an undo
    publishes carries an older attempt's id, and a person may have put it back as well: that shows nothing.
    """
    staged = attempt.staged
    ours = document.exists and document.attempt == attempt.id and attempt.purpose is Purpose.ROTATE
    if not ours or document.username is None or document.password is None:
        return None
    agrees = (
        staged.username in ("", document.username)
        and staged.password in (None, document.password)
        and staged.id in (None, document.credential_id)
    )
    if not agrees:
        return None
    return replace(
        staged,
        username=document.username,
        password=document.password,
        id=document.credential_id,
        host=document.host or staged.host,
        realm=document.realm or staged.realm,
        made_at=staged.made_at or document.rotated_at,
    )


def is_published(attempt: Attempt, document: ConsumerDocument) -> bool:
    """True if devices read the staged credential already: only the attempt's end is not on record."""
    proved = attempt.phase is Phase.PROVED and document.names(attempt.staged)
    return proved or published_by(attempt, document) is not None


def is_propagating(attempt: Attempt, can: Capabilities, now: datetime) -> bool:
    """True while the provider may still answer from the state before the last call of `in-place`.

    If that call is further away than the propagation time, in either direction, the clock was set, and nothing is
    waited for.
    """
    return attempt.applied_at is not None and abs(now - attempt.applied_at) < can.propagation


def can_put_back(attempt: Attempt, can: Capabilities) -> bool:
    """True if what was in force before must be put back when the new one is not accepted in time.

    A compromised password stays replaced. A proof that does not try the password of `in-place` cannot show that it is
    refused.
    """
    if attempt.detaches:
        return attached_before(attempt) is not None and not attempt.compromised
    known = attempt.predecessor is not None and attempt.predecessor.password is not None
    in_place = not is_spare(attempt) and can.proof.tries_password
    return in_place and known and not attempt.compromised
