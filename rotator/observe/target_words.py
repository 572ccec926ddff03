"""The words for how a target is: its state, why it is blocked, and everything that a filter can ask for. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta

from rotator.core.holding import Hold, HoldReason
from rotator.core.model import TargetState
from rotator.observe.needs import Need, present_needs
from rotator.observe.target_figures import TargetSnapshot

BLOCKED = {
    HoldReason.DOCUMENT_DELETED: "document_deleted",
    HoldReason.FOREIGN_DOCUMENT: "foreign_document",
    HoldReason.IDLE_IN_OVERLAP: "idle_in_overlap",
    HoldReason.ACCOUNT_MISSING: "account_missing",
    HoldReason.ACCOUNT_CHANGED: "account_changed",
    HoldReason.UNPROVED: "passwords_not_accepted",
    HoldReason.CANARY_FAILED: "canary_failed",
    HoldReason.STRATEGY_DISPROVED: "strategy_disproved",
    HoldReason.STRATEGY_UNPROVED: "strategy_unproved",
    HoldReason.CLOCKS_DIFFER: "clocks_differ",
    HoldReason.LEFT_ALONE: "cannot_be_proved",
    HoldReason.RENAMED: "renamed",
    HoldReason.FORMER_PATH: "former_path",
    HoldReason.KEPT_IN_USE: "kept_in_use",
    HoldReason.HOOK_FAILED: "hook_failed",
}
"""What holds a target up, other than the due time, in the words of the metrics."""

STATES = ("never rotated", "idle", "paused", "rotating", "failing", "blocked", "retired")
"""Exactly one of these is the state of a target."""
OTHERS = ("due", "requested", "open", "held", "retiring")
"""What a filter can ask for besides the states and the needs. Several can hold at a time."""
ORPHAN = "orphan"
"""Asks for what is left of removed targets and accounts, which are no targets any more."""
_WORDS = {state: state.replace(" ", "_") for state in STATES}
FILTERS = (*_WORDS.values(), *OTHERS, *Need, ORPHAN)
"""Every word that a filter takes."""
_GOES_ON = frozenset(OTHERS)
_WITHOUT_A_LOOK = frozenset({*_WORDS.values(), ORPHAN})


def state_word(state: TargetState, hold: Hold | None) -> str:
    """Returns the one of `STATES` that says best how a target is."""
    if hold is not None and hold.reason.end.blocks:
        return "blocked"
    if state.retired_at is not None:
        return "retired"
    if state.failures:
        return "failing"
    if state.attempt is not None:
        return "rotating"
    if hold is not None and hold.reason.is_freeze:
        return "paused"
    return "idle" if state.published is not None else "never rotated"


def has_a_word(seen: TargetSnapshot, asked: Collection[str], now: datetime, looked_at_within: timedelta) -> bool:
    """True if one of the words applies to a target. Asks for the state first, which is known at once."""
    if _WORDS[state_word(seen.state, seen.hold)] in asked:
        return True
    if _WITHOUT_A_LOOK.issuperset(asked):
        return False
    found = _goes_on(seen, now) if _GOES_ON.issuperset(asked) else words(seen, now, looked_at_within)
    return not found.isdisjoint(asked)


def words(seen: TargetSnapshot, now: datetime, looked_at_within: timedelta) -> set[str]:
    """Returns every one of `FILTERS` that applies to a target."""
    found: set[str] = set(present_needs(seen, now))
    found.add(_WORDS[state_word(seen.state, seen.hold)])
    found |= _goes_on(seen, now)
    if seen.at < now - looked_at_within and not seen.has_left:
        found.add(Need.NOT_LOOKED_AT)
    return found


def _goes_on(seen: TargetSnapshot, now: datetime) -> set[str]:
    """Returns those of `OTHERS`."""
    state, hold, due = seen.state, seen.hold, seen.state.next_rotation
    found = set[str]()
    if state.request is not None:
        found |= {"requested", "due"}
    if due is not None and due <= now and not seen.has_left:
        found.add("due")
    if state.attempt is not None:
        found.add("open")
    if state.ledger:
        found.add("retiring")
    if hold is not None and hold.reason is not HoldReason.NOT_DUE:
        found.add("held")
    return found
