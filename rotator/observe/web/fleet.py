"""The page of the fleet: what needs somebody, what is held and why, what is open and what is due. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest

from rotator.core.holding import HoldReason
from rotator.core.pauses import Pause
from rotator.observe.markup import Child, Element, h
from rotator.observe.notices import URGENT
from rotator.observe.remedies import BY_URGENCY, commands_of_hold, end_of, remedies
from rotator.observe.status_words import Json, clock_words, left_by_check_words, orphan_words
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import STATES, state_word
from rotator.observe.time_words import counted, relative
from rotator.observe.web.shell import (
    FLEET,
    About,
    commands,
    list_address,
    named,
    page,
    stamp,
    state_mark,
    table,
    target_link,
)

_MOST_NAMED, _MOST_ROWS = 5, 10


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """What the page is made of."""

    document: Json  # the status document, of no target, with some of the orphans
    seen: Mapping[str, TargetSnapshot]
    needs: Mapping[str, Collection[str]]  # by target
    pauses: Sequence[Pause]  # in force
    problem: str  # why nobody knows what is paused


def fleet_page(about: About, facts: FleetFacts) -> str:
    """Returns the page."""
    return page(about, "Fleet", FLEET, _body(about, facts))


def _body(about: About, facts: FleetFacts) -> Iterator[Child]:
    summary = facts.document["summary"]
    blocked = summary["states"].get("blocked", 0)
    yield h("h1", counted(summary["targets"], "target"))
    yield _verdict(facts.needs, blocked)
    yield _tiles(summary)
    for line in clock_words(timedelta(seconds=facts.document["clock_offset_seconds"] or 0)):
        yield h("p", line, css="warn")
    yield h("h2", "To be looked after")
    yield _needs(facts)
    yield h("h2", "Held, and why")
    yield _holds(facts.seen, about.now)
    yield h("h2", "Paused")
    yield _pauses(facts, about.now)
    yield h("h2", "Open now")
    yield _open(facts.seen, about.now)
    yield h("h2", "Due next")
    yield _due(facts.seen, about.now)
    left = [left_by_check_words(each) for each in facts.document["left_by_checks"]]
    if facts.document["orphans"] or left:
        yield h("h2", "Left of what was removed")
        words = [*map(orphan_words, facts.document["orphans"]), *left]
        yield (
            h("p", f"{counted(summary['orphans'], 'credential')} in all.") if summary["orphans"] > len(words) else None
        )
        yield h("ul", (h("li", each) for each in words))
    yield h("h2", "Audit")
    yield _audit(facts.document["audit"])


def _verdict(needs: Mapping[str, Collection[str]], blocked: int) -> Element:
    if any(not URGENT.isdisjoint(words) for words in needs.values()):
        return h("p", f"{counted(len(needs), 'target')} to be looked after, some at once.", css="verdict bad")
    if needs:
        return h("p", f"{counted(len(needs), 'target')} to be looked after.", css="verdict warn")
    if blocked:
        return h("p", f"{counted(blocked, 'target')} blocked.", css="verdict warn")
    return h("p", "Nothing needs anybody.", css="verdict good")


_WORRYING = {"failing": "bad", "blocked": "bad", "paused": "warn"}


def _tiles(summary: Json) -> Element:
    states = ((state, summary["states"].get(state, 0)) for state in STATES)
    tiles = (
        h(
            "li",
            h("a", h("b", f"{number:,}"), state, href=list_address(state=state.replace(" ", "_"))),
            css=_WORRYING.get(state) if number else None,
        )
        for state, number in states
    )
    return h("ul", tiles, css="tiles", aria_label="Targets by state")


def _needs(facts: FleetFacts) -> Element:
    found = defaultdict[str, list[str]](list)
    for name in facts.needs.keys() & facts.seen.keys():  # a target may have come or gone between the two
        for word in facts.needs[name]:
            found[word].append(name)
    if not found:
        return h("p", "No target.")
    rows: list[list[Child]] = []
    for need in BY_URGENCY:
        if need in found:
            names = sorted(found[need])
            (remedy,) = remedies({need}, facts.seen[names[0]])
            rows.append([
                _what(need, names, facts.seen),
                [h("span", "at once: ", css="bad") if remedy.is_urgent else None, remedy.words],
                list(named(names[:_MOST_NAMED], len(names))),
                list(commands(remedy.commands)) or "none",
            ])  # fmt: skip
    heads = (("What", None), ("Meaning", "wide"), ("Targets", "names"), ("Commands", None))
    return table("To be looked after", heads, rows)


def _what(need: str, names: Sequence[str], seen: Mapping[str, TargetSnapshot]) -> Child:
    said = f"{len(names):,} {need.replace('_', ' ')}"
    # What was removed is in no list of targets.
    is_listed = not all(seen[name].target.removed for name in names)
    return h("a", said, href=list_address(state=need)) if is_listed else said


def _holds(seen: Mapping[str, TargetSnapshot], now: datetime) -> Element:
    found = defaultdict[HoldReason, list[TargetSnapshot]](list)
    for each in seen.values():
        if each.hold is not None and each.hold.reason not in (HoldReason.NOT_DUE, HoldReason.RETIRED):
            found[each.hold.reason].append(each)
    if not found:
        return h("p", "No target waits for anything but its time.")
    rows: list[list[Child]] = []
    for reason in sorted(found, key=list(HoldReason).index):
        held = nsmallest(_MOST_NAMED, found[reason], key=lambda each: each.target.name)
        first, hold = held[0], held[0].hold
        assert hold is not None  # noqa: S101  # they were chosen by it
        until = f"; until {relative(hold.until, now)}" if hold.until is not None and hold.until > now else ""
        rows.append([
            h("span", f"{len(found[reason]):,} {reason.value}", css="bad" if reason.end.blocks else None),
            [hold.message or reason.value, until],
            list(named((each.target.name for each in held), len(found[reason]))),
            list(commands(commands_of_hold(reason, first))) or f"none: {end_of(reason)}",
        ])  # fmt: skip
    heads = (("What", None), ("Why", None), ("Targets", "names"), ("Commands", None))
    return table("Held, and why", heads, rows)


def _pauses(facts: FleetFacts, now: datetime) -> Child:
    if facts.problem:
        return h("p", facts.problem, css="bad")
    if not facts.pauses:
        return h("p", "Nothing.")
    rows = (
        [pause.scope.words, pause.words, relative(pause.until, now), list(commands([resume(pause)]))]
        for pause in sorted(facts.pauses, key=lambda each: each.until)
    )
    return table("Pauses", (("What", None), ("Who and why", None), ("Ends", None), ("Command", None)), rows)


def resume(pause: Pause) -> str:
    """Returns the command that ends a pause before its time."""
    return f"rotator resume {pause.scope.arguments}"


def _open(seen: Mapping[str, TargetSnapshot], now: datetime) -> Child:
    going = [(each.state.attempt, each) for each in seen.values() if each.state.attempt is not None]
    if not going:
        return h("p", "No rotation.")
    rows = (
        [target_link(each.target.name), attempt.phase.value, relative(attempt.started_at, now), attempt.requested_by,
         attempt.reason, each.state.last_error or "-"]
        for attempt, each in nsmallest(_MOST_ROWS, going, key=lambda pair: (pair[0].started_at, pair[1].target.name))
    )  # fmt: skip
    heads = (("Target", None), ("Phase", None), ("Began", "m"), ("Asked by", "wide"), ("Why", "wide"), ("Error", None))
    more = h("p", h("a", f"all {len(going):,}", href=list_address(state="open"))) if len(going) > _MOST_ROWS else None
    return [table("Open now, the oldest first", heads, rows), more]


def _due(seen: Mapping[str, TargetSnapshot], now: datetime) -> Child:
    waiting = [(each.state.next_rotation, each.target.name, each) for each in seen.values()
               if each.state.next_rotation is not None and not each.has_left]  # fmt: skip
    if not waiting:
        return h("p", "Nothing is scheduled.")
    rows: Iterator[list[Child]] = (
        [target_link(name), each.target.account, _until(at, now), stamp(at), _state(each)]
        for at, name, each in nsmallest(_MOST_ROWS, waiting, key=lambda each: each[:2])
    )  # fmt: skip
    heads = (("Target", None), ("Account", "wide"), ("Due", "m"), ("When (UTC)", "m wide"), ("State", None))
    return [table("Due next", heads, rows), h("p", h("a", "more of them", href=list_address(sort="due")))]


def _state(seen: TargetSnapshot) -> Element:
    return state_mark(state_word(seen.state, seen.hold))


def _until(due: datetime, now: datetime) -> str:
    return relative(due, now) if due > now else f"for {relative(due, now).removesuffix(' ago')}"


def _audit(audit: Json | None) -> Element:
    if audit is None:
        return h("p", "unknown")
    if audit["sequence"] < 0:
        return h("p", "No record yet.")
    where = f"Chain {audit['chain']}, record {audit['sequence']:,}; {counted(audit['waiting'], 'record')} waiting."
    return h("p", where, h("span", f" {audit['problem']}", css="bad") if audit["problem"] else None)
