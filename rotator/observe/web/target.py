"""The page of one target: what it needs, its timeline, and everything that is known of it. Pure."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from rotator.core.holding import HoldReason
from rotator.core.pauses import Pause
from rotator.observe.markup import Child, Element, h
from rotator.observe.remedies import commands_of_hold, end_of, remedies
from rotator.observe.status_words import Json, StatusWords
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.time_words import length_text
from rotator.observe.web.fleet import resume
from rotator.observe.web.picture import picture
from rotator.observe.web.shell import TARGETS, About, commands, list_address, page, state_mark, table, told

_BEFORE = timedelta(days=90)
_QUIET_HOLDS = (HoldReason.NOT_DUE, HoldReason.RETIRED)


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What the page is made of."""

    seen: TargetSnapshot
    row: Json  # of the status document
    words: Collection[str]  # every filter that lets it through
    pauses: Sequence[Pause]  # in force, that hold it


def target_page(about: About, facts: TargetFacts) -> str:
    """Returns the page."""
    return page(about, facts.seen.target.name, TARGETS, _body(about, facts))


def _body(about: About, facts: TargetFacts) -> Iterator[Child]:
    row, words = facts.row, StatusWords(about.now, about.now.tzinfo)
    yield h("h1", row["name"])
    yield h("p", state_mark(row["state"]), css="verdict")
    yield from _to_do(facts)
    remarks = words.remarks(row, everything=True)
    if remarks:
        yield h("h2", "What goes on"), h("ul", (h("li", line) for line in remarks))
    yield h("h2", "Timeline")
    yield picture(row, about.now)
    if row["ledger"]:
        yield h("h2", "Replaced")
        yield _ledger(row, words)
    yield h("h2", "Facts")
    yield _facts(facts, about.now)
    json = h("a", "The same as JSON", href=f"/status?{urlencode({'name': row['name']})}")
    before = f"rotator report {shlex.quote(row['name'])} --from {about.now - _BEFORE:%Y-%m-%d}"
    yield h("p", json, "; what was before: ", h("code", before, css="command"))


def _to_do(facts: TargetFacts) -> Iterator[Child]:
    hold = facts.seen.hold
    items: list[Element] = [
        h("li", h("strong", each.need.replace("_", " "), css="bad" if each.is_urgent else "warn"), f": {each.words}",
          h("br"), commands(each.commands))
        for each in remedies(facts.words, facts.seen)
    ]  # fmt: skip
    if hold is not None and hold.reason not in _QUIET_HOLDS:
        ways = commands_of_hold(hold.reason, facts.seen)
        what = h("strong", f"held, {hold.reason.value}", css="bad" if hold.reason.end.blocks else None)
        ends: Child = list(commands(ways)) if ways else f"No command: {end_of(hold.reason)}."
        items.append(h("li", what, f": {hold.message}", h("br"), ends))
    items += [h("li", pause.words, h("br"), commands([resume(pause)])) for pause in facts.pauses]
    if items:
        yield h("h2", "To do"), h("ul", items)


def _ledger(row: Json, words: StatusWords) -> Element:
    lines = zip(row["ledger"], words.replaced(row), strict=True)
    rows = (
        [entry["username"] or entry["id"] or "unknown", said, _utc(entry["replaced_at"]),
         _utc(entry["undo_until"]) if entry["undo_until"] else entry["undo_refused"] or "-", entry["note"] or "-"]
        for entry, said in lines
    )  # fmt: skip
    heads = (("Username", None), ("What becomes of it", None), ("Replaced (UTC)", "m wide"), ("Undo until", None),
             ("Last failure", "wide"))  # fmt: skip
    return table("Replaced credentials", heads, rows)


def _facts(facts: TargetFacts, now: datetime) -> Element:
    row, target = facts.row, facts.seen.target
    published, limit, claim, counts = row["published"] or {}, row["age_limit"], row["claim"], row["counts"]
    labels = ", ".join(f"{key}={value}" for key, value in target.labels)
    made = "unknown" if published else "-"
    entries: dict[str, Child] = {
        "account": [h("a", row["account"], href=list_address(account=row["account"])), f" ({row['provider'] or '-'})"],
        "strategy": row["strategy"],
        "policy": row["policy"],
        "labels": labels or "-",
        "path in Vault": row["path"],
        "configured usernames": ", ".join(row["usernames"]) or "-",
        "published": f"{published['username']} (id {published['id'] or '-'})" if published else "nothing yet",
        "published since": _when(published.get("since"), now),
        "password made": _when(published.get("made_at"), now, made),
        "last rotation": _when(row["last_rotation"], now),
        "next rotation": [_when(row["next_rotation"]["at"], now, "none"), f": {row['next_rotation']['why']}"],
        "longest age by its policy": _length(row["max_age_seconds"]),
        "age limit": [_length(limit["max_age_seconds"]), ", reached ", _when(limit["reached_at"], now)]
        if limit
        else "-",
        "worked on by": f"{claim['holder']} (until {_utc(claim['until'])})" if claim else "-",
        "so far": f"{counts['succeeded']} rotations, {counts['failed']} failures, {counts['undone']} undone, "
        f"{counts['disabled']} disabled, {counts['overwritten']} overwritten, {counts['deleted']} deleted",
    }
    return h("dl", ((h("dt", name), h("dd", value)) for name, value in entries.items()))


def _when(moment: str | None, now: datetime, unknown: str = "-") -> Child:
    return told(datetime.fromisoformat(moment), now) if moment is not None else unknown


def _utc(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"


def _length(seconds: float) -> str:
    return length_text(timedelta(seconds=seconds))
