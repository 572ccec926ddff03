"""The rules of the usage check: the overlap of a replaced credential ends when no device logs in with it any more.

What was found is stored in the ledger entry, so that every process decides alike. An emergency asks nobody, nor does
the end of what a person ended, or of what no device was ever given time to use.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rotator.core.actions import CheckUsage, Decision
from rotator.core.answers import Answer, Done
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Ending, LedgerEntry, TargetState
from rotator.core.usage_rules import MOST_KEPT, AfterExtension, Sighting, Usage, UsageRules
from rotator.core.verification import is_fresh

_SAID = {True: "is still in use", False: "is not in use", None: "may be in use"}


def rules_for(wanted: UsageRules | None, entry: LedgerEntry) -> UsageRules | None:
    """Returns the rules by which the end of a replaced credential waits for its users; None if it does not."""
    had_overlap = entry.disable_at > entry.replaced_at
    given_out = entry.ending is not Ending.FORGET and entry.credential.id is not None and had_overlap
    waits = given_out and not (entry.compromised or entry.unasked or entry.cut_off)
    return wanted if waits else None


def extended_until(wanted: UsageRules | None, entry: LedgerEntry) -> datetime:
    """Returns when the overlap of a replaced credential ends at the latest by what is known of its users."""
    rules, last = rules_for(wanted, entry), entry.sighting
    if rules is None or last is None or last.in_use is False:
        return entry.disable_at
    return entry.disable_at + rules.extend_at_most


def before_end(facts: Facts, entry: LedgerEntry) -> Decision | None:
    """Returns what must come before the overlap of a replaced credential ends; None if it may end."""
    rules, last = rules_for(facts.target.policy.usage, entry), entry.sighting
    if rules is None:
        return None
    if last is not None and last.in_use is False and is_fresh(last.at, facts):
        return None
    # Abs: a moment in the future is that of another clock.
    since = None if last is None else abs(facts.clocks.vault - last.at)
    if last is None or last.in_use is False or since is None or since >= rules.every:
        return CheckUsage(entry, rules.sources)
    ends = extended_until(facts.target.policy.usage, entry)
    if rules.then is AfterExtension.RETIRE and ends <= facts.clocks.earliest:
        return None
    return _in_use_hold(facts, entry, rules, last)


def moments(wanted: UsageRules | None, entry: LedgerEntry) -> tuple[datetime | None, datetime | None]:
    """Returns when the sources are asked again (by Vault's clock), and when the extension ends; None: never."""
    rules, last = rules_for(wanted, entry), entry.sighting
    if rules is None or last is None:
        return None, None
    return last.at + rules.every, extended_until(wanted, entry)


def kept_hold(facts: Facts) -> Hold | None:
    """Holds a rotation that comes by schedule while as many replaced credentials are kept as may be."""
    kept = [entry for entry in facts.state.ledger if _is_kept(facts, entry)]
    if len(kept) < MOST_KEPT:
        return None
    names = ", ".join(entry.label for entry in kept)
    message = f"no rotation begins by schedule while {len(kept)} are kept, as they may be in use ({names})"
    return Hold(HoldReason.KEPT_IN_USE, f"{message}; {_remedy(facts)}")


def _is_kept(facts: Facts, entry: LedgerEntry) -> bool:
    """True if a replaced credential stays until nobody uses it: its overlap was extended to the bound."""
    wanted, last = facts.target.policy.usage, entry.sighting
    rules = rules_for(wanted, entry)
    if rules is None or rules.then is not AfterExtension.HOLD or last is None or last.in_use is False:
        return False
    return extended_until(wanted, entry) <= facts.clocks.earliest


def _remedy(facts: Facts) -> str:
    return f"find the devices, or end it: rotator retire {facts.target.name} --despite-use"


def _in_use_hold(facts: Facts, entry: LedgerEntry, rules: UsageRules, last: Sighting) -> Hold:
    what = f"{entry.label}, which was replaced, {_SAID[last.in_use]} ({last.evidence})"
    ends = extended_until(facts.target.policy.usage, entry)
    if _is_kept(facts, entry):
        return kept_hold(facts) or Hold(
            HoldReason.KEPT_IN_USE, f"{what}: it stays until nobody uses it; {_remedy(facts)}"
        )
    if rules.then is AfterExtension.RETIRE:
        what += f": it is retired on {ends:%Y-%m-%d %H:%M} UTC at the latest"
    return Hold(HoldReason.IN_USE, what)


def in_words(sighting: Sighting) -> str:
    """Returns what was found, by whom and when."""
    seen = f", last seen {sighting.seen_at:%Y-%m-%dT%H:%M:%SZ}" if sighting.seen_at and not sighting.in_use else ""
    said = _SAID[sighting.in_use].removeprefix("is ")
    return f"{said}: asked {sighting.at:%Y-%m-%dT%H:%M:%SZ}, {sighting.evidence}{seen}"


def summed_up(before: Sighting | None, said: Sequence[tuple[str, Answer[Usage]]], at: datetime) -> Sighting:
    """Returns what the sources' answers mean together: one "yes" is enough, and "no" takes all of them.

    Args:
        before: the sighting before this one.
        said: the name of each source that was asked, and its answer.
        at: when they were asked.
    """
    known = [answer.value.in_use if isinstance(answer, Done) else None for _, answer in said]
    in_use = True if True in known else None if None in known else False
    words = [
        f"{name}: {answer.value.evidence if isinstance(answer, Done) else answer.message}" for name, answer in said
    ]
    seen = at if in_use else before.seen_at if before is not None else None
    return Sighting(at, in_use, "; ".join(words), seen)


def after_usage_check(state: TargetState, entry: LedgerEntry, sighting: Sighting) -> TargetState:
    """Records what the sources said of a replaced credential."""
    known = replace(entry, sighting=sighting)
    return replace(state, ledger=tuple(known if each == entry else each for each in state.ledger))
