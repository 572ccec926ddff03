"""The life of a target as its state document knows it: what was and will be accepted, and what was shown. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rotator.observe.status_words import Json


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a password was, or will be, treated in one way."""

    kind: str  # `use`, `overlap`, `off` or `staged`
    begin: datetime
    end: datetime
    begins: str  # what happens at its beginning


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at one moment."""

    kind: str  # `made`, `good`, `bad`, `warn`, `plan`, `limit` or `end`
    at: datetime
    what: str


@dataclass(slots=True)
class Lane:
    """One password."""

    label: str
    key: tuple[str, ...]
    spans: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def lanes(row: Json, now: datetime) -> list[Lane]:
    """Returns the passwords of a row of the status document: the staged one, the published one, what was replaced."""
    found = [*_attempt(row, now), *_published(row, now), *(_replaced(entry, now) for entry in row["ledger"])]
    for ended in row["ended"]:
        _add_ended(found, ended, now)
    _add_last_end(found, row["last_end"])
    return found


def moments(shown: list[Lane]) -> list[tuple[datetime, str, str]]:
    """Returns everything that has a moment, in order: when, of which password, what."""
    found = [(span.begin, lane.label, span.begins) for lane in shown for span in lane.spans]
    found += [(mark.at, lane.label, mark.what) for lane in shown for mark in lane.marks]
    return sorted(found)


def _published(row: Json, now: datetime) -> Iterator[Lane]:
    published = row["published"]
    due, limit = _moment(row["next_rotation"]["at"]), row["age_limit"]
    lane = Lane("not published yet", ())
    if published is not None:
        lane = Lane(f"{_name(published)}: published", _key(published))
        made, since = _moment(published["made_at"]), _moment(published["since"]) or _moment(row["last_rotation"])
        begin = since or made or now
        if made is not None:
            lane.marks.append(
                Mark("made", made, "made")
            )  # an undo may have published it again: when first is not known
        lane.spans.append(Span("use", begin, max(now, begin), "published" if made else "published; its age is unknown"))
        if due is not None and due > now:
            lane.spans.append(Span("use", max(now, begin), due, ""))
    lane.marks += _proofs(row["verification"])
    if due is not None:
        lane.marks.append(Mark("plan" if due > now else "warn", due, "next rotation" if due > now else "rotation due"))
    if limit is not None and limit["reached_at"] is not None:
        lane.marks.append(Mark("limit", _at(limit["reached_at"]), "the oldest accepted password reaches its age limit"))
    lane.marks += [Mark("warn", _at(pause["until"]), f"end of: {pause['why']}") for pause in row["pauses"]]
    lane.spans = [span for span in lane.spans if span.end >= span.begin]
    if lane.spans or lane.marks:
        yield lane


def _proofs(last: Json | None) -> Iterator[Mark]:
    if last is not None:
        kind, word = ("good", "accepted") if last["accepted"] else ("bad", "NOT ACCEPTED")
        yield Mark(kind, _at(last["at"]), f"{word}: {last['proof'] or 'no detail'}")
        if last["next"] is not None:
            yield Mark("plan", _at(last["next"]), "next verification")


def _attempt(row: Json, now: datetime) -> Iterator[Lane]:
    attempt = row["attempt"]
    again = _moment(row["back_off_until"])
    if attempt is not None:
        lane = Lane(f"{_name(attempt['credential'])}: {attempt['phase']}, not published", _key(attempt["credential"]))
        begin = _at(attempt["since"])
        what = f"{attempt['purpose']} began: {attempt['reason']}"
        lane.spans.append(Span("staged", begin, max(begin, now), what))
        if attempt["applied_at"] is not None:
            lane.marks.append(Mark("good", _at(attempt["applied_at"]), "set at the provider"))
    elif row["failures"] or again is not None:
        lane = Lane("nothing staged", ())
    else:
        return
    if row["failures"]:
        lane.marks.append(Mark("bad", now, f"failed {row['failures']} times in a row: {row['last_error']}"))
    if again is not None:
        lane.marks.append(Mark("plan", again, "next try"))
    yield lane


def _replaced(entry: Json, now: datetime) -> Lane:
    lane = Lane(f"{_name(entry)}: replaced", _key(entry))
    made, replaced, ends = _moment(entry["made_at"]), _at(entry["replaced_at"]), _at(entry["ends_at"])
    if made is not None and made < replaced:
        lane.spans.append(Span("use", made, replaced, "made"))
    cut = _moment(entry["disabled_at"]) or _moment(entry["overwritten_at"])
    if entry["ending"] == "forget":
        lane.label = f"{_name(entry)}: earlier password"
        lane.spans.append(Span("off", replaced, max(ends, replaced), "replaced in place; kept for an undo"))
    else:
        stops = cut or _extended(entry) or _at(entry["disable_at"])
        late = cut is None and stops < now
        lane.spans.append(
            Span("overlap", replaced, max(now if late else stops, replaced), "replaced: its overlap begins")
        )
        if late:
            lane.marks.append(Mark("warn", stops, "should have been disabled"))
        elif cut is None:
            lane.marks.append(Mark("plan", stops, "will be disabled"))
        begin = now if late else stops
        how = (
            "overwritten with a random password" if entry["overwritten_at"] and not entry["disabled_at"] else "disabled"
        )
        lane.spans.append(Span("off", begin, max(ends, begin), how if cut else ""))
    if entry["refused_at"] is not None:
        lane.marks.append(Mark("good", _at(entry["refused_at"]), "a log-in with it was refused"))
    if entry["undo_until"] is not None:
        lane.marks.append(Mark("plan", _at(entry["undo_until"]), "an undo is possible until then"))
    end = "its password is forgotten" if entry["ending"] in ("forget", "stand-by") else "deleted"
    lane.marks.append(Mark("end", ends, end))
    return lane


def _extended(entry: Json) -> datetime | None:
    usage = entry["usage"]
    return _moment(usage["until"]) if usage is not None and usage["in_use"] is not False else None


def _add_ended(found: list[Lane], ended: Json, now: datetime) -> None:
    lane = _lane(found, _key(ended), f"{_name(ended)}: ended")
    lane.marks.append(Mark("end", _at(ended["at"]), ended["by"]))
    if ended["accepted"]:
        lane.marks.append(Mark("bad", now, f"STILL ACCEPTED: {ended['note'] or 'a log-in was let in'}"))
    if ended["next"] is not None:
        lane.marks.append(Mark("plan", _at(ended["next"]), "tried again, and must be refused"))


def _add_last_end(found: list[Lane], last: Json | None) -> None:
    if last is not None:
        label = f"{last['username'] or 'what was ended last'}: ended"
        lane = _lane(found, ("last end",), label)
        lane.marks.append(Mark("end", _at(last["at"]), last["by"]))
        if last["refused_at"] is not None:
            lane.marks.append(Mark("good", _at(last["refused_at"]), f"refused: {last['detail']}"))


def _lane(found: list[Lane], key: tuple[str, ...], label: str) -> Lane:
    for lane in found:
        if lane.key == key:
            return lane
    found.append(Lane(label, key))
    return found[-1]


def _key(credential: Json) -> tuple[str, ...]:
    return credential["account"], credential["id"] or "", credential["username"] or ""


def _name(credential: Json) -> str:
    return str(credential["username"] or credential["id"] or "what a lost call may have created")


def _at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _moment(moment: str | None) -> datetime | None:
    return _at(moment) if moment is not None else None
