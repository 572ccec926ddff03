"""The later events of a forecast: what follows, and when, once nothing is left to do now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rotator.core import hooks
from rotator.core.blackouts import Extent, end_after
from rotator.core.facts import Facts
from rotator.core.model import Ending, LedgerEntry, Target
from rotator.core.schedule import Cron, first_due, next_due
from rotator.core.usage import in_words, kept_hold, rules_for
from rotator.core.usage_rules import MOST_KEPT, AfterExtension

LARGEST_FRACTION = 1 - 1e-9  # the spread is drawn from [0, 1)


@dataclass(frozen=True, slots=True)
class ForecastEvent:
    """A later event: at `at`, or between `at` and `until` if its time has not been drawn yet."""

    at: datetime
    what: str
    why: str
    until: datetime | None = None


def later_events(facts: Facts, *, drawn_anew: bool, verified_from: datetime | None) -> Iterable[ForecastEvent]:
    """Yields the later events that follow from the final state."""
    for entry in coming_to_an_end(facts):
        can = facts.capabilities.get(entry.credential.account)
        comes = entry.stays_enabled or (entry.ending is not Ending.FORGET and not entry.cut_off)
        if comes and can is not None and can.disables:
            at = _thawed(facts, max(entry.disable_at, entry.not_before or entry.disable_at, facts.now), retires=True)
            until = _latest(at, usage_ends_at(facts, entry))
            yield ForecastEvent(at, f"disable {entry.label}", why_disabled(facts, entry), until)
        at = _thawed(facts, max(entry.ends_at, entry.not_before or entry.ends_at, facts.now), retires=True)
        what = last_step(entry, deletes=entry.ending is Ending.DELETE)
        yield ForecastEvent(at, what, entry.note or "its quarantine ends")
    for former in facts.state.former_paths:
        yield ForecastEvent(max(former.until, facts.now), f"withdraw the document at {former.path}", "its overlap ends")
    if facts.only_ends:
        return
    if facts.state.verify_at is not None and facts.state.published is not None:
        latest = max(facts.state.verify_at, facts.now)
        soonest = min(verified_from or latest, latest)
        until = latest if latest > soonest else None
        yield ForecastEvent(soonest, "prove what is published", _last_verified(facts), until)
    if facts.state.next_rotation is not None and facts.state.attempt is None:
        yield _next_rotation(facts, facts.state.next_rotation, drawn_anew=drawn_anew)


def coming_to_an_end(facts: Facts) -> tuple[LedgerEntry, ...]:
    """Returns the entries that will be retired: none but old passwords while what is published is refused."""
    last = facts.state.verification
    refused = facts.state.published is not None and last is not None and not last.accepted
    return tuple(entry for entry in facts.state.ledger if entry.ending is Ending.FORGET or not refused)


def _last_verified(facts: Facts) -> str:
    last = facts.state.verification
    if last is None:
        return "it was not proved yet"
    return f"{'accepted' if last.accepted else 'refused'} {last.at:%Y-%m-%dT%H:%M:%SZ}: {last.proof}"


def why_disabled(facts: Facts, entry: LedgerEntry) -> str:
    """Says why a replaced credential is disabled, and whether that is for good."""
    if entry.stays_enabled:
        return "it was not disabled, and has a random password meanwhile"
    users = _asked_of(facts, entry)
    can = facts.capabilities.get(entry.credential.account)
    for_good = can is not None and not can.re_enables
    return f"its overlap ends{users}" + ("; this cannot be undone at this provider" if for_good else "")


def _latest(at: datetime, until: datetime | None) -> datetime | None:
    return max(at, until) if until is not None else None


def usage_ends_at(facts: Facts, entry: LedgerEntry) -> datetime | None:
    """Returns when a replaced credential is disabled at the latest, if devices that use it may delay that."""
    rules = rules_for(facts.target.policy.usage, entry)
    if rules is None or rules.then is AfterExtension.HOLD:
        return None
    return max(entry.disable_at + rules.extend_at_most, facts.now)


def _asked_of(facts: Facts, entry: LedgerEntry) -> str:
    rules = rules_for(facts.target.policy.usage, entry)
    if rules is None:
        return ""
    if entry.sighting is not None and entry.sighting.in_use is not False:
        return f", once nobody uses it any more ({in_words(entry.sighting)})"
    return f", if nobody uses it any more (asked: {', '.join(rules.sources)})"


def last_step(entry: LedgerEntry, *, deletes: bool) -> str:
    """Says what becomes of a replaced credential at the end of its quarantine."""
    if deletes:
        return f"delete {entry.label}"
    which = "the old password" if entry.ending is Ending.FORGET else "the password"
    return f"forget {which} of {entry.label}"


def _next_rotation(facts: Facts, due: datetime, *, drawn_anew: bool) -> ForecastEvent:
    state, policy, now = facts.state, facts.target.policy, facts.now
    what = "rotation" if state.published else "first rotation"
    why = _why_then(facts.target)
    if kept_hold(facts) is not None:
        why += f"; not while {MOST_KEPT} replaced credentials are kept, as they may be in use"
    if hooks.kept_hold(facts) is not None:
        why += f"; not while hooks keep {MOST_KEPT} replaced credentials"
    if not drawn_anew:
        if due <= now and policy.window is not None:
            due = policy.window.next_opening(now)
        return _after_freezes(facts, ForecastEvent(max(due, now), what, why))
    last, made = state.last_rotation, state.published.made_at if state.published else None
    earliest, latest = (
        first_due(policy.window, now, fraction)
        if last is None
        else next_due(policy.schedule, policy.window, last, fraction, made)
        for fraction in (0.0, LARGEST_FRACTION)
    )
    earliest, latest = min(earliest, latest), max(earliest, latest)
    return _after_freezes(facts, ForecastEvent(earliest, what, why, latest if latest > earliest else None))


def _after_freezes(facts: Facts, event: ForecastEvent) -> ForecastEvent:
    """Returns a rotation that waits for the end of the pauses and blackouts in which it falls due."""
    earliest, latest = _thawed(facts, event.at), _thawed(facts, event.until or event.at)
    if (earliest, latest) == (event.at, event.until or event.at):
        return event
    why = f"{event.why}; held by a pause or a blackout, and spread after it"
    return ForecastEvent(earliest, event.what, why, latest if latest > earliest else None)


def _thawed(facts: Facts, at: datetime, *, retires: bool = False) -> datetime:
    """Returns when what is due at `at` may begin, as far as the pauses and blackouts are known now."""
    frozen = facts.freezes.of_retirements if retires else facts.freezes.of_rotations
    if frozen is not None:
        at = max(at, frozen.until)
    blackouts = facts.target.policy.blackouts
    return end_after((each for each in blackouts if not retires or each.extent is Extent.CHANGES), at)


def _why_then(target: Target) -> str:
    schedule, window = target.policy.schedule, target.policy.window
    why = f"policy {target.policy.name}"
    if isinstance(schedule, Cron):
        why += f": cron {schedule.expression}, {schedule.timezone}"
    return f"{why}; window {window.cron}, {window.timezone}" if window else why
