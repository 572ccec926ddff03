"""The state document of a target that a person ends or renames. Pure, like `advance`."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.ends import is_beyond_means
from rotator.core.facts import is_same_credential
from rotator.core.ledger import without_credential
from rotator.core.left_over import is_empty
from rotator.core.model import Attempt, Credential, Ended, Ending, FormerPath, LedgerEntry, Policy, TargetState
from rotator.core.origin import Origin
from rotator.core.requesting import join_requests


class RemovalImpossible(Exception):
    """The state document cannot be ended or renamed now; the message says why and what to do."""


def after_retirement(
    state: TargetState, policy: Policy, now: datetime, origin: Origin, *, at_once: bool
) -> TargetState:
    """Ends what is published: its document is withdrawn first, then it is retired like a replaced credential.

    The idle credential of `alternating` goes with it: nothing will ever be published again.

    Args:
        origin: who asked for that.
        at_once: leave out overlap and quarantine.

    Raises:
        RemovalImpossible: an attempt is open.
    """
    if state.attempt is not None:
        what = f"{state.target} has an open {state.attempt.purpose.value}"
        raise RemovalImpossible(f"{what}: wait until it has ended, or end it: rotator abandon {state.target}")
    overlap, quarantine = (timedelta(), timedelta()) if at_once else (policy.overlap, policy.quarantine)
    ledger = tuple(replace(e, ending=Ending.DELETE) if e.ending is Ending.STAND_BY else e for e in state.ledger)
    if state.published is not None:
        entry = LedgerEntry(state.published, Ending.DELETE, now, now + overlap, quarantine, origin=origin)
        ledger = (*without_credential(ledger, state.published, but=Ending.FORGET), entry)
    idle = state.standby
    if idle is not None and not any(is_same_credential(e.credential, idle) for e in ledger):
        ledger = (*ledger, LedgerEntry(idle, Ending.DELETE, now, now, quarantine, origin=origin))
    former = tuple(replace(each, until=now, moved_to="") for each in state.former_paths if each.path != state.path)
    if state.path:
        former = (*former, FormerPath(state.path, now))
    retired = replace(state, published=None, standby=None, ledger=ledger, former_paths=former, retired_at=now)
    return replace(retired, request=None, verification=None, verify_at=None, published_since=None, last_error="")


def forgotten(state: TargetState, accounts: Collection[str], *, configured: bool) -> tuple[Credential, ...]:
    """Returns the credentials that `after_forgetting` gives up; each may stay accepted at its provider."""
    given_up = [entry.credential for entry in state.ledger if entry.credential.account not in accounts]
    if state.attempt is not None and state.attempt.staged.account not in accounts:
        given_up.append(state.attempt.staged)
    if state.published is not None and not configured:
        given_up.append(state.published)
    if state.standby is not None and not configured:
        given_up.append(state.standby)
    return (*given_up, *(one.credential for one in state.ended if one not in _still_tried(state, accounts)))


def after_forgetting(state: TargetState, accounts: Collection[str], *, configured: bool) -> TargetState:
    """Gives up what cannot be reached or ended, and of a target that is not configured also what is published."""
    ledger = tuple(entry for entry in state.ledger if entry.credential.account in accounts)
    attempt = state.attempt if state.attempt is None or state.attempt.staged.account in accounts else None
    kept = replace(state, ledger=ledger, attempt=attempt, ended=_still_tried(state, accounts))
    if configured:
        return kept
    kept = replace(kept, published=None, standby=None, former_paths=(), request=None)
    return TargetState(state.target, counts=state.counts) if is_empty(kept) else kept


def after_taking_in(
    state: TargetState, orphan: Credential, policy: Policy, now: datetime, origin: Origin
) -> TargetState:
    """Puts a credential that no document names into the ledger of the target that it was created for.

    It ends like a replaced one, after a whole overlap and quarantine: devices may have got it before the document was
    lost, and read by then what is published.

    Args:
        origin: who asked for that.

    Raises:
        RemovalImpossible: the target has nothing else that devices can use, or names the credential by now.
    """
    if state.renamed_to:
        raise RemovalImpossible(f"{state.target} is being renamed to {state.renamed_to}")
    if state.published is None:
        raise RemovalImpossible(f"{state.target} has published nothing that devices could use instead")
    attempt = state.attempt
    named = [state.published, state.standby, *(entry.credential for entry in state.ledger)]
    named += [attempt.staged, attempt.predecessor, attempt.handed_out] if attempt is not None else []
    if any(one is not None and is_same_credential(one, orphan) for one in named):
        raise RemovalImpossible(f"{state.target} names it by now")
    entry = LedgerEntry(orphan, Ending.DELETE, now, now + policy.overlap, policy.quarantine, origin=origin)
    return replace(state, ledger=(*state.ledger, entry))


def _still_tried(state: TargetState, accounts: Collection[str]) -> tuple[Ended, ...]:
    """Returns the ends that rotator can still bring about, or show. Nothing else would ever end the alert."""
    return tuple(one for one in state.ended if one.credential.account in accounts and not is_beyond_means(state, one))


def before_rename(state: TargetState, new: str) -> TargetState:
    """Marks a state document that is about to be moved: from here on nobody works on it."""
    return replace(state, renamed_to=new, claim=None)


def after_rename(state: TargetState, new: TargetState) -> TargetState:
    """Returns the state document under the new name: everything that the old one holds, and what was asked for there.

    Args:
        new: what stood there before: nothing but, at most, a request.
    """
    attempt: Attempt | None = state.attempt
    if attempt is not None and state.claim is not None:
        attempt = replace(attempt, uncertain=True)  # whoever claimed it died between a call and its record
    moved = replace(state, target=new.target, renamed_to="", renamed_from=state.target, claim=None, attempt=attempt)
    if new.request is not None:
        joined = join_requests(state.request, new.request)
        moved = replace(moved, request=joined, asked_at=new.asked_at or state.asked_at)
    return replace(moved, not_before=None)


def check_rename(old: TargetState, new: TargetState) -> bool:
    """Returns True if everything is under the new name already, and only the old document has to be emptied.

    Raises:
        RemovalImpossible: the rename would lose something, or there is nothing to rename.
    """
    if old.renamed_to not in ("", new.target):
        raise RemovalImpossible(f"{old.target} was renamed to {old.renamed_to}")
    if new.renamed_from == old.target and old.renamed_to == new.target:
        return True
    if is_empty(old):
        raise RemovalImpossible(f"nothing is known of {old.target}: rotator status lists what is")
    if not is_empty(new):
        own = f"{new.target} has published a credential of its own"
        raise RemovalImpossible(f"{own}: end what is left of {old.target}: rotator retire {old.target} --published")
    return False
