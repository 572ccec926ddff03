"""The audit's records: a chain for each process, keyed. Pure: no file, no clock.

A record is the canonical JSON (sorted keys, no spaces, ASCII) of `chain` (an id drawn when the process began), `seq`
(from 0), `time`, `verb`, `target`, `outcome`, `facts` (scalars: who asked, why, attempt, credential id), `prev` (the
`mac` of the record before it, 64 zeros for the first) and `mac` (HMAC-SHA256 of the same JSON without `mac`, under a
key that only rotator reads). The same line goes to every destination.
"""

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from rotator.core.secret import Secret

GENESIS = "0" * 64
FIELDS = frozenset({"chain", "seq", "time", "verb", "target", "outcome", "facts", "prev", "mac"})

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)

Scalar: TypeAlias = str | float | bool | None
AuditRecord: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a chain."""

    chain: str
    seq: int  # of the last record; -1 if there is none yet
    mac: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that has no place in a chain yet."""

    time: datetime
    verb: str
    target: str
    outcome: str
    facts: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Line:
    """A record as it is written, without the newline."""

    chain: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A document in Vault with some records of one chain that follow one another."""

    name: str
    version: int  # of the document
    lines: tuple[str, ...]
    mac: str  # over everything else: an older version that somebody wrote again does not fit its number


@dataclass(frozen=True, slots=True)
class DayIndex:
    """The document that names all segments that began on one day (by Vault's clock, in UTC)."""

    day: str  # ISO 8601
    version: int  # each adds one name
    previous: str  # the day before that has segments; empty: none has
    segments: tuple[str, ...]
    mac: str


@dataclass(frozen=True, slots=True)
class StoredDay:
    """What Vault has of one day, true or not."""

    day: str
    index: DayIndex | None  # None: missing, or not of this form
    segments: Iterable[Segment | str]  # one after the other; the name alone of what is not of this form


def canonical_json(record: Mapping[str, Any]) -> str:
    """Returns the canonical JSON of a record."""
    return _CANONICAL.encode(record)


def mac_of(key: Secret, content: Mapping[str, Any]) -> str:
    """Returns the code that authenticates everything in `content` but its own `mac`."""
    return _mac_of_text(key, canonical_json({name: value for name, value in content.items() if name != "mac"}))


def _mac_of_text(key: Secret, text: str) -> str:
    return hmac.digest(key.reveal().encode(), text.encode(), "sha256").hex()


def next_line(key: Secret, position: Position, entry: Entry) -> tuple[Line, Position]:
    """Returns the line that continues the chain at `position`, and the chain's new end."""
    seq = position.seq + 1
    # The keys are sorted, and `mac` comes in the middle: what is around it is encoded once, for the code and the line.
    before = canonical_json({"chain": position.chain, "facts": dict(entry.facts)})[:-1]
    after = canonical_json(
        {
            "outcome": entry.outcome,
            "prev": position.mac,
            "seq": seq,
            "target": entry.target,
            "time": entry.time.isoformat(),
            "verb": entry.verb,
        }
    )[1:]
    mac = _mac_of_text(key, f"{before},{after}")
    return Line(position.chain, seq, f'{before},"mac":"{mac}",{after}'), Position(position.chain, seq, mac)


def segment(key: Secret, name: str, version: int, lines: tuple[str, ...]) -> Segment:
    """Returns a segment with its code."""
    return Segment(name, version, lines, segment_mac(key, name, version, lines))


def segment_mac(key: Secret, name: str, version: int, lines: tuple[str, ...]) -> str:
    """Returns the code of a segment."""
    return mac_of(key, {"segment": name, "version": version, "lines": list(lines)})


def day_index(key: Secret, day: str, version: int, previous: str, segments: tuple[str, ...]) -> DayIndex:
    """Returns a day's index with its code."""
    return DayIndex(day, version, previous, segments, index_mac(key, day, version, previous, segments))


def index_mac(key: Secret, day: str, version: int, previous: str, segments: tuple[str, ...]) -> str:
    """Returns the code of a day's index."""
    return mac_of(key, {"day": day, "version": version, "previous": previous, "segments": list(segments)})


def record_in(line: bytes) -> AuditRecord | None:
    """Returns the record in `line`, even if it was changed; None if the line does not have the form of a record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.keys() != FIELDS or not isinstance(record["facts"], dict):
        return None
    texts = all(isinstance(record[name], str) for name in FIELDS - {"seq", "facts"})
    return record if texts and type(record["seq"]) is int and record["seq"] >= 0 else None


def is_authentic(key: Secret, record: AuditRecord, line: bytes) -> bool:
    """Returns True if `line` is exactly the text that rotator wrote: a duplicate key could hide text."""
    try:
        same = canonical_json(record).encode() == line
        return same and hmac.compare_digest(record["mac"].encode(), mac_of(key, record).encode())
    except ValueError:  # NaN, which is never written; surrogates
        return False
