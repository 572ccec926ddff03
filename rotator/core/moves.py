"""The paths of a target's consumer document: the checks that move and withdraw it, and the state after each event.

A target that gets another path publishes at both during the policy's overlap. Then the document at the old path is
withdrawn: it says so, and hands out nothing. A target that is retired withdraws its only document. Pure.
"""

from dataclasses import replace
from datetime import datetime

from rotator.core.actions import Decision, Move, Republish, Withdraw
from rotator.core.backoff import is_waiting
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import backoff_hold, clocks_hold
from rotator.core.left_over import is_empty
from rotator.core.model import Credential, FormerPath, LedgerEntry, Target, TargetState


def move(facts: Facts) -> Decision | None:
    """Publishes at the configured path as well, if the path has changed and nothing of somebody else is there."""
    state = facts.state
    if facts.only_ends or state.path in ("", facts.target.path):
        return None
    published = state.published
    if published is not None and published.password is None:
        return None  # there is nothing to publish: the next rotation moves it
    here = facts.consumer.hands_out_nothing or (published is not None and facts.consumer.names(published))
    return (backoff_hold(facts) or Move()) if here else None  # a foreign document is the other checks' to report


def leave_paths(facts: Facts) -> Decision | None:
    """Keeps the documents at paths that the target leaves true, and withdraws each when its time has come."""
    hold: Hold | None = None
    for former in facts.state.former_paths:
        decision = _waits(facts, former) or _leave(facts, former)
        if decision is not None and not isinstance(decision, Hold):
            return decision
        hold = hold or decision
    return hold


def _waits(facts: Facts, former: FormerPath) -> Hold | None:
    if not is_waiting(former.not_before, facts.clocks.vault):
        return None
    return Hold(HoldReason.FORMER_PATH, f"{former.path} cannot be written: {former.note}")


def _leave(facts: Facts, former: FormerPath) -> Decision | None:
    document, published = facts.document_at(former.path), facts.state.published
    is_known = any(document.concerns(credential) for credential in _known(facts.state))
    due = former.until <= facts.clocks.earliest
    frozen = facts.freezes.of_retirements if due and former.moved_to else None
    if due and frozen is None:
        return Withdraw(former, leaves_it=document.exists and not document.withdrawn and not is_known)
    open_attempt = facts.state.attempt is not None  # its credential may be there already; it is not published yet
    has_password = published is not None and published.password is not None
    if published is not None and has_password and is_known and not open_attempt and not document.names(published):
        return Republish(former, published)
    if frozen is not None:
        return Hold(frozen.reason, f"{frozen.words}; {former.path} is not withdrawn meanwhile")
    return clocks_hold(facts, former.until)


def _known(state: TargetState) -> list[Credential]:
    """Returns every credential of the target that its documents may hand out."""
    staged = state.attempt.staged if state.attempt is not None else None
    known = [state.published, state.standby, staged, *(entry.credential for entry in state.ledger)]
    return [credential for credential in known if credential is not None]


def before_writing(state: TargetState, target: Target, now: datetime) -> TargetState:
    """Notes the target's path before a document is written there; unchanged if the state names that path already.

    If the record of the write is lost, the path is one that the target leaves: its document is kept true and withdrawn.
    """
    known = ("", state.path, *(former.path for former in state.former_paths))
    if target.path in known or not state.path:
        return state
    noted = FormerPath(target.path, now + target.policy.overlap, state.path)
    return replace(state, former_paths=(*state.former_paths, noted))


def after_path_change(state: TargetState, target: Target, now: datetime) -> TargetState:
    """Records that the consumer document is at the target's path now. The old path keeps its own for the overlap."""
    former = tuple(each for each in state.former_paths if each.path != target.path)
    if state.path not in ("", target.path):
        former = (*former, FormerPath(state.path, now + target.policy.overlap, target.path))
    former = tuple(replace(each, moved_to=target.path) for each in former)
    return replace(state, path=target.path, former_paths=former)


def after_move(state: TargetState, target: Target, now: datetime) -> TargetState:
    """Records that the configured path hands out what is published as well.

    If nothing is known of the target, no document at the old path is its own: it may be of the name that it had before.
    """
    moved = replace(state, path=target.path) if is_empty(state) else after_path_change(state, target, now)
    return replace(moved, not_before=None, last_error="", claim=None)


def after_withdrawal(state: TargetState, former: FormerPath, document: ConsumerDocument, now: datetime) -> TargetState:
    """Records that a path hands out nothing any more.

    If it was withdrawn before and the record of that was lost, it no longer says what it handed out: that may be any of
    them.
    """

    kept = tuple(each for each in state.former_paths if each.path != former.path)
    return replace(with_overlap_for_readers(state, document, now), former_paths=kept, claim=None)


def with_overlap_for_readers(state: TargetState, document: ConsumerDocument, now: datetime) -> TargetState:
    """Gives what `document` handed out until now a whole overlap from here: devices learn of its successor now."""

    def was_handed_out(entry: LedgerEntry) -> bool:
        return document.withdrawn or document.concerns(entry.credential)

    ledger = tuple(
        _from_now(entry, now) if was_handed_out(entry) and not _ends_at_once(entry) else entry for entry in state.ledger
    )
    return replace(state, ledger=ledger)


def _ends_at_once(entry: LedgerEntry) -> bool:
    return entry.cut_off or entry.compromised


def _from_now(entry: LedgerEntry, now: datetime) -> LedgerEntry:
    overlap = entry.disable_at - entry.replaced_at
    # The hooks before its end have run for an end that does not come now.
    return replace(entry, disable_at=max(entry.disable_at, now + overlap), hooked=(), held_by="", ended_before=False)


def after_former_failure(state: TargetState, former: FormerPath, note: str, not_before: datetime) -> TargetState:
    """Notes why a document at a former path could not be written; it is tried again for as long as it takes."""
    later = replace(former, failures=former.failures + 1, not_before=not_before, note=note)
    return _with_former(state, former, later)


def after_republishing(state: TargetState, former: FormerPath) -> TargetState:
    """Records that the document at a former path hands out what is published."""
    return _with_former(state, former, replace(former, failures=0, not_before=None, note=""))


def _with_former(state: TargetState, old: FormerPath, new: FormerPath) -> TargetState:
    former = tuple(new if each == old else each for each in state.former_paths)
    return replace(state, former_paths=former, claim=None)
