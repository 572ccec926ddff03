"""The obstacles that several checks of `decide` share. Each function returns the `Hold` for one, or None."""

from datetime import datetime, timedelta

from rotator.core.actions import Hold, HoldReason
from rotator.core.backoff import is_waiting
from rotator.core.facts import Facts
from rotator.core.model import Phase


def account_hold(facts: Facts, account: str) -> Hold | None:
    """Holds if nothing may be sent to a provider account."""
    if account not in facts.capabilities:
        name = facts.target.name
        message = f"{account} is not in the configuration, but the attempt of {name} may have changed it: "
        return Hold(HoldReason.ACCOUNT_MISSING, f"{message}add it again, or give it up: rotator abandon {name}")
    if account in facts.open_circuits:
        message = f"too many calls to {account} failed in a row: calls pause for a while"
        return Hold(HoldReason.CIRCUIT_OPEN, message)
    return None


def backoff_hold(facts: Facts) -> Hold | None:
    """Holds while the target waits after a failure, or for a password to propagate."""
    if not is_waiting(facts.state.not_before, facts.now):
        return None
    state = facts.state
    propagating = state.attempt is not None and state.attempt.phase is Phase.APPLIED and not state.failures
    return Hold(HoldReason.PROPAGATING if propagating else HoldReason.BACKING_OFF, state.last_error)


def foreign_document_hold(facts: Facts) -> Hold | None:
    """Holds if the consumer document names neither what was published last nor what is staged now."""
    attempt = facts.state.attempt
    if facts.consumer_document_is_ours or (attempt is not None and facts.consumer.names(attempt.staged)):
        return None
    what = "is not what rotator published" if facts.consumer.exists else "is gone"
    remedy = f"correct it, or take it over: rotator rotate {facts.target.name} --take-over"
    return Hold(HoldReason.FOREIGN_DOCUMENT, f"{facts.target.path} {what}; {remedy}")


def clocks_hold(facts: Facts, due: datetime) -> Hold | None:
    """Holds what is due by one clock only, while this machine's and Vault's tell different times."""
    clocks = facts.clocks
    if not clocks.differ or not clocks.earliest < due <= clocks.latest:
        return None
    where = "ahead of" if clocks.offset > timedelta() else "behind"
    apart = timedelta(seconds=round(abs(clocks.offset).total_seconds()))
    message = f"due by one clock only: this machine's is {apart} {where} Vault's; correct whichever is wrong"
    return Hold(HoldReason.CLOCKS_DIFFER, message)
