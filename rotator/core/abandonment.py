"""The rules for ending an attempt without its password: when that leaves nothing behind, and what remains otherwise."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.attempts import attached_before, is_published, is_spare, is_unsent, may_cut_off
from rotator.core.facts import Facts, has_other_identity, is_same_credential
from rotator.core.ledger import LATE_COMMIT, strays_entry, without_credential
from rotator.core.model import Attempt, Credential, Ending, LedgerEntry, Purpose, Strategy


def change_since_staging(facts: Facts, attempt: Attempt) -> str:
    """Returns what has changed so that this credential would not be staged now; empty if nothing has."""
    target, staged = facts.target, attempt.staged
    if attempt.purpose is Purpose.UNDO:  # of whatever was published before, at any account
        return "" if staged.account in facts.capabilities else f"{staged.account} has left the configuration"
    if has_other_identity(facts, staged):
        return f"{staged.account} is another account now"
    if staged.account != target.account:
        return f"{target.name} has moved from {staged.account} to {target.account}"
    if target.strategy is Strategy.REPLACE:
        fits = attempt.strategy is Strategy.REPLACE
    else:
        fits = attempt.strategy is not Strategy.REPLACE and _would_be_set(facts, attempt)
    return "" if fits else f"the strategy or the usernames of {target.name} have changed"


def _would_be_set(facts: Facts, attempt: Attempt) -> bool:
    """True if the target, which sets passwords of existing credentials, would set that of the staged one."""
    published, staged = facts.state.published, attempt.staged
    is_published = published is not None and is_same_credential(published, staged)
    if facts.target.strategy is Strategy.ALTERNATING:
        # A take-over sets the published one, if the document that it writes over hands out the other one.
        free = not is_published or (attempt.take_over and not facts.consumer_document_is_ours)
        return facts.target.names(staged.username) and free
    elsewhere = published is None or published.account != staged.account
    # Created again by hand, the published credential has another id.
    return is_published or (facts.target.names(staged.username) and (elsewhere or not is_spare(attempt)))


def ledger_after(
    ledger: tuple[LedgerEntry, ...], attempt: Attempt, now: datetime, kept_for: timedelta, *, strays: bool
) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with an entry for whatever an abandoned attempt may have left at the provider.

    Args:
        kept_for: how long a password stays in Vault that may be in force although it was never published.
        strays: see `attempt_ends.after_close`.
    """
    if not is_spare(attempt):
        unsettled = (*ledger, unsettled_entry(attempt, now, kept_for))
        return unsettled if may_cut_off(attempt) else with_late_call(ledger, attempt, now)
    if attempt.purpose is Purpose.UNDO:
        # It may have been enabled: the ledger disables it again.
        return tuple(
            replace(e, disabled_at=None, overwritten_at=None, ended_before=e.ended_before or e.cut_off)
            if is_same_credential(e.credential, attempt.staged)
            else e
            for e in ledger
        )
    if is_unsent(attempt) and attempt.staged.id is None:
        return ledger
    ending = Ending.DELETE if attempt.strategy is Strategy.REPLACE else Ending.STAND_BY
    kept = without_credential(ledger, attempt.staged)
    left = replace(attempt.staged, password=None)  # never published, so an undo must not publish it
    entry = LedgerEntry(left, ending, now, now + LATE_COMMIT, timedelta(), origin=attempt.origin, unasked=True)
    further = (strays_entry(attempt, now),) if strays and left.id is not None else ()
    return (*kept, entry, *further)


def with_late_call(ledger: tuple[LedgerEntry, ...], attempt: Attempt, now: datetime) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with a password of `in-place` whose call was not carried out yet, but may be later."""
    was_called = not is_spare(attempt) and attempt.applied_at is not None
    kept = any(entry.credential.password == attempt.staged.password for entry in ledger)
    return (*ledger, unsettled_entry(attempt, now, LATE_COMMIT)) if was_called and not kept else ledger


def unsettled_entry(attempt: Attempt, now: datetime, kept_for: timedelta) -> LedgerEntry:
    """Returns the entry that keeps a password of `in-place` which may be in force or may yet come into force.

    It has no id, which tells an undo that the password was never published.
    """
    unpublished = replace(attempt.staged, id=None)
    return LedgerEntry(unpublished, Ending.FORGET, now, now, max(kept_for, LATE_COMMIT), origin=attempt.origin)


@dataclass(frozen=True, slots=True)
class Abandonment:
    """What happens if somebody gives up the open attempt. The command announces it, and the engine carries it out."""

    attempt: Attempt
    restores: Credential | None  # the one credential of `in-place` first gets this old password back
    consequence: str  # in words
    reattaches: Credential | None = None  # trunks are first pointed back to this one


@dataclass(frozen=True, slots=True)
class AbandonmentImpossible:
    """There is nothing to give up; `reason` says why."""

    reason: str


def abandonment(facts: Facts) -> Abandonment | AbandonmentImpossible:
    """Returns what happens if the open attempt is given up now."""
    attempt = facts.state.attempt
    if attempt is None:
        return AbandonmentImpossible("no attempt is open, and no request waits")
    if facts.state.claim is not None and not facts.holds_claim:  # left behind: what was sent is not on record
        attempt = replace(attempt, uncertain=True)
    if is_published(attempt, facts.consumer):
        return AbandonmentImpossible("its new password is published already: the attempt ends by itself")
    old = attempt.predecessor
    reachable = attempt.staged.account in facts.capabilities and not has_other_identity(facts, attempt.staged)
    cuts_off = may_cut_off(attempt) and reachable
    reattaches = attached_before(attempt) if cuts_off and attempt.detaches else None
    restores = old if cuts_off and not is_spare(attempt) and old is not None and old.password is not None else None
    consequence = f"{_devices(facts, restores, reattaches)} {_left(attempt, restores)}"
    return Abandonment(attempt, restores, consequence, reattaches)


def _devices(facts: Facts, restores: Credential | None, reattaches: Credential | None) -> str:
    published = facts.state.published
    if reattaches is not None:
        return f"The trunks are pointed back to {reattaches.username} of {reattaches.account}, which devices use."
    if restores is not None:
        return f"The old password of {restores.username}, which devices use, is set again at {restores.account}."
    if published is None:
        return "Nothing has been published yet, so devices keep what they use."
    return f"Devices keep {published.username} of {published.account}, which stays published."


def _left(attempt: Attempt, restores: Credential | None) -> str:
    staged = attempt.staged
    name = staged.username or "a new credential"
    if is_unsent(attempt):
        return f"Nothing was carried out at {staged.account}: the staged password of {name} is discarded."
    if attempt.purpose is Purpose.UNDO:
        return f"{name} may have been enabled at {staged.account}: the ledger disables it again."
    if not is_spare(attempt):
        late = " late" if restores is not None else ""
        what = f"The staged password of {name} may come into force{late} at {staged.account}"
        return f"{what}: the ledger keeps it for a while."
    end = "deletes" if attempt.strategy is Strategy.REPLACE else "disables"
    return f"{name} may exist at {staged.account} with the staged password: the ledger {end} it there."
