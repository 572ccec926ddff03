"""The check of `decide` that looks after what is published: verifies it, and repairs what the provider refuses, once.

A failed proof never starts a series of rotations. What the account shows as changed is repaired at once. What it shows
as unchanged is repaired if no other target of the account is refused at the same time; if several are, the registrar is
in trouble. That a credential is gone, which only a listing can show, is believed once another credential of the account
was accepted again: the key may be that of another account. Either way there is no second repair until the provider has
accepted what is published.

A blackout lets a repair pass, since devices are out. A pause holds it, since somebody may be working there by hand. A
repair that waits, for that or for anything else, is carried out only if its reason is still there.
"""

from dataclasses import replace
from datetime import timedelta

from rotator.core.actions import Action, Decision, Drop, Repair
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Listed, Purpose, Request, Strategy, TargetState, Verification
from rotator.core.origin import SCHEDULED_BY
from rotator.core.undo import UndoCandidate, undo_candidate
from rotator.core.verification import FRESH, ask, is_fresh, is_refused, periodic, refused_hold

REPAIRED_BY = "rotator"
# A process that has just started has not seen yet which other targets are refused.
ALONE = timedelta(minutes=15)


def verify(facts: Facts) -> Decision | None:
    """Verifies what is published between rotations, and repairs it once if the provider does not accept it."""
    state = facts.state
    under_way = state.attempt is not None and not state.attempt.before  # before its hooks, it has not begun
    if state.published is None or under_way or not facts.consumer_document_is_ours:
        return None
    due = periodic(facts)
    last = state.verification
    if due is not None or last is None or last.accepted:
        return due
    if is_refused(state):
        return _repair(facts, last)
    return refused_hold(facts, last, "; it is proved once more before anything is done about it")


def _repair(facts: Facts, last: Verification) -> Action | Hold | None:
    name = facts.target.name
    frozen = facts.freezes.of_repairs
    if frozen is not None and not _leaks(facts.state):
        ends = f"{frozen.ended_by}, or at once: " if frozen.ended_by else "or at once: "
        passes = f"; nothing is repaired: {frozen.words}; {ends}rotator rotate {name} --despite-pause"
        return replace(refused_hold(facts, last, passes), until=None)
    if _is_taken_care_of(facts):
        return None  # what holds it is said where it is taken up
    if last.repaired:
        return refused_hold(facts, last, f"; it was rotated once because of that: rotator rotate {name}")
    if last.listed is None:
        return refused_hold(facts, last, "; it could not be looked up yet")
    if last.listed is Listed.GONE and not facts.account_vouched_for and _is_read_back(facts):
        doubt = "it is gone, or the key is that of another account, where nothing else of ours was seen either"
        return refused_hold(facts, last, f"; {doubt}: correct the key, or rotator rotate {name}")
    return _single(facts, last) if last.listed is Listed.UNCHANGED else Repair(_request(facts, last.listed))


def _is_taken_care_of(facts: Facts) -> bool:
    """True if what has been asked for repairs what is published, and no blackout holds it."""
    attempt, waiting = facts.state.attempt, facts.state.request
    if attempt is not None and (attempt.repairs or attempt.purpose is Purpose.UNDO):
        return True
    return waiting is not None and (waiting.repairs or facts.freezes.holding(waiting) is None)


def _is_read_back(facts: Facts) -> bool:
    published = facts.state.published
    can = facts.capabilities.get(published.account) if published is not None else None
    return can is not None and not can.proof.tries_password


def _single(facts: Facts, last: Verification) -> Action | Hold:
    """Repairs a credential that is listed unchanged if it is the only one of its account that is refused."""
    if facts.refused_targets > 1:
        others = f"{facts.refused_targets} targets of its account are refused and listed unchanged"
        return refused_hold(facts, last, f"; {others}: find the cause at the registrar")
    if facts.refused_for < ALONE:
        hold = refused_hold(facts, last, "; it is listed unchanged, and is rotated soon if no other target is refused")
        return replace(hold, until=facts.now + ALONE - facts.refused_for)
    return Repair(_request(facts, Listed.UNCHANGED))


def _request(facts: Facts, listed: Listed) -> Request:
    """Returns the request that repairs what is published.

    For `alternating`, a predecessor that devices may still use is published again: a rotation would set its password.
    """
    published = facts.state.published
    what = f"{published.username} at {published.account}" if published else facts.target.name
    candidate = undo_candidate(facts.state, facts.capabilities, facts.clocks.latest)
    undoes = facts.target.strategy is Strategy.ALTERNATING and isinstance(candidate, UndoCandidate)
    return Request(
        Purpose.UNDO if undoes else Purpose.ROTATE,
        REPAIRED_BY,
        f"drift: {what} is refused and {listed.value}",
        facts.now,
        despite_pause=_leaks(facts.state),
        repairs=True,
    )


def needless_repair(facts: Facts, request: Request | None) -> Drop | None:
    """Drops a repair whose reason has gone while it waited: somebody has fixed it, or something else is published.

    What a person asked for stays asked for.
    """
    if request is None or not request.repairs or is_refused(facts.state):
        return None
    return Drop("what is published is accepted again: nothing needs repair", needless=True)


def before_repair(facts: Facts, request: Request) -> Decision | None:
    """Returns what must come before a repair that has waited: what is published is tried again. If nobody can be asked,
    what was shown last counts: devices are out.
    """
    last, published = facts.state.verification, facts.state.published
    if not request.repairs or last is None or published is None or facts.state.verify_failures:
        return None
    can = facts.capabilities.get(published.account)
    # A refusal that follows sooner than that is not another one.
    if is_fresh(last.at, facts, max(FRESH, can.propagation if can is not None else FRESH)):
        return None
    decision = ask(facts)
    return None if isinstance(decision, Hold) and decision.reason is HoldReason.UNVERIFIED else decision


def _leaks(state: TargetState) -> bool:
    """True while what leaked waits for its end: for as long as what is published is refused. No pause holds that."""
    return any(entry.compromised and not entry.cut_off for entry in state.ledger)


def after_repair(state: TargetState, request: Request) -> TargetState:
    """Stores the request, which does not end a back-off: nobody asked for it. There is no second one.

    What somebody has requested repairs it as well, and so does a rotation that has not begun.
    """
    last, attempt = state.verification, state.attempt
    state = replace(state, verification=last and replace(last, repaired=True))
    if attempt is not None and attempt.purpose is request.purpose:
        despite = attempt.despite_pause or request.despite_pause
        repairing = replace(attempt, repairs=True, despite_pause=despite)
        if attempt.requested_by == SCHEDULED_BY:  # by schedule it would wait for the window
            repairing = replace(repairing, requested_by=request.requested_by, reason=request.reason)
        return replace(state, attempt=repairing, not_before=None)  # the back-off was that of a hook, which it passes
    asked = request if state.request is None else replace(state.request, repairs=True)
    return replace(state, request=asked)


def after_needless_repair(state: TargetState) -> TargetState:
    """Withdraws a repair that is no longer needed. What a person asked for stays asked for."""
    if state.request is not None and state.request.requested_by != REPAIRED_BY:
        return replace(state, request=replace(state.request, repairs=False))
    return replace(state, request=None, failures=0, not_before=None, last_error="")
