"""The audit's records and their hash chain. Pure: no file, no clock.

A record is the canonical JSON (sorted keys, no spaces, ASCII) of `chain` (an id drawn when the chain began), `seq`
(from 0), `time`, `verb`, `target`, `outcome`, `facts` (scalars: who asked, why, attempt, credential id), `prev` (the
hash of the record before it, 64 zeros for the first) and `hash` (SHA-256 of the same JSON without `hash`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from rotator.core.audit_words import AuditVerb

GENESIS = "0" * 64
FIELDS = frozenset({"chain", "seq", "time", "verb", "target", "outcome", "facts", "prev", "hash"})

Scalar: TypeAlias = str | float | bool | None
AuditRecord: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a chain. A copy outside the file (status, metrics) reveals a truncated file."""

    chain: str
    seq: int  # of the last record; -1 if there is none yet
    hash: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that has no place in a chain yet."""

    time: datetime
    verb: str
    target: str
    outcome: str
    facts: Mapping[str, Scalar]


def canonical_json(record: Mapping[str, Any]) -> str:
    """Returns the canonical JSON of a record."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(record: Mapping[str, Any]) -> str:
    """Returns the hash that a record must carry."""
    return hashlib.sha256(canonical_json({k: v for k, v in record.items() if k != "hash"}).encode()).hexdigest()


def continue_chain(position: Position, entries: Iterable[Entry]) -> tuple[str, Position]:
    """Returns the lines of `entries` that continue the chain at `position`, and its new end."""
    lines = []
    for entry in entries:
        record: AuditRecord = {
            "chain": position.chain,
            "seq": position.seq + 1,
            "time": entry.time.isoformat(),
            "verb": entry.verb,
            "target": entry.target,
            "outcome": entry.outcome,
            "facts": dict(entry.facts),
            "prev": position.hash,
        }
        record["hash"] = digest(record)
        lines.append(canonical_json(record) + "\n")
        position = Position(position.chain, record["seq"], record["hash"])
    return "".join(lines), position


def torn_facts(torn: bytes) -> dict[str, Scalar]:
    """Returns the facts that account for a torn line, so that an inserted line cannot pass for a torn one."""
    return {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}


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


def intact(record: AuditRecord, line: bytes) -> bool:
    """Returns True if `line` is exactly the text that was written: a duplicate key could hide text."""
    try:
        return record["hash"] == digest(record) and canonical_json(record).encode() == line
    except ValueError:  # NaN, which is never written
        return False


def position_in(line: bytes) -> Position | None:
    """Returns the position of the record in `line`; None if it is not a record or was changed."""
    record = record_in(line)
    if record is None or not intact(record, line):
        return None
    return Position(record["chain"], record["seq"], record["hash"])


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """A problem at a line; lines count from 1."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of `verify`."""

    ok: bool
    records: int  # the number of intact records
    chains: tuple[Position, ...]  # the end of each chain, in the order in which they begin
    problems: tuple[ChainProblem, ...]


def verify(lines: Iterable[bytes | str], *, after: str = "", anchor: str = "") -> VerifyResult:
    """Finds lines that were removed, changed, reordered, duplicated or inserted, in one file or several in order.

    It cannot find a truncated file without an `anchor`; a whole chain that was removed or added; or, without an
    `anchor` at or after that record, a file that somebody rewrote from some record on, hashes included. The chain has
    no key: it proves nothing against somebody who can write the file, unless a hash is kept elsewhere, such as the one
    in `rotator status`.

    Args:
        lines: bytes from the file (opened in binary mode), with or without the newline.
        after: the hash that the first record must follow, if earlier files were verified or removed.
        anchor: a hash that must be present: the newest one that was kept elsewhere.
    """
    check = _ChainCheck(after)
    for number, line in enumerate(lines, 1):
        written = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        check.line(number, written.removesuffix(b"\n"))
    return check.result(anchor)


@dataclass(slots=True)
class _Chain:
    """One chain, up to the last line read."""

    following: int  # the number of the next record
    hash: str | None  # the hash that the next record must follow; None after a changed record
    seen: dict[int, tuple[int, str]]  # number: line and hash of the first record with it

    @property
    def last(self) -> tuple[int, str]:
        """The number and the hash of the last intact record."""
        number = max(self.seen)
        return number, self.seen[number][1]


@dataclass(slots=True)
class _ChainCheck:
    after: str
    records: int = 0
    number: int = 0
    chains: dict[str, _Chain] = field(default_factory=dict)
    problems: list[ChainProblem] = field(default_factory=list)
    strange: tuple[int, bytes] | None = None  # the previous line, if it was not a record

    def line(self, number: int, line: bytes) -> None:
        """Takes the next line."""
        self.number = number
        record = record_in(line)
        whole = record is not None and intact(record, line)
        self._judge_strange(record if whole else None)
        if record is None:
            self.strange = (number, line)
        elif not whole:
            self._changed(record)
        else:
            self._whole(record)

    def result(self, anchor: str) -> VerifyResult:
        """Returns the result, after the last line."""
        self._judge_strange(None)
        known = {record_hash for chain in self.chains.values() for _, record_hash in chain.seen.values()}
        if anchor and anchor not in known:
            self._problem(f"no record has the hash {anchor}: the file was truncated, or records were replaced")
        ends = tuple(Position(name, *chain.last) for name, chain in self.chains.items())
        return VerifyResult(not self.problems, self.records, ends, tuple(self.problems))

    def _problem(self, what: str) -> None:
        self.problems.append(ChainProblem(self.number, what))

    def _judge_strange(self, record: AuditRecord | None) -> None:
        """Accepts a line that is not a record only if the record after it accounts for it."""
        if self.strange is None:
            return
        (number, torn), self.strange = self.strange, None
        if record is None or record["verb"] != AuditVerb.TORN_LINE or record["facts"] != torn_facts(torn):
            self.problems.append(ChainProblem(number, "this is not an audit record: it was inserted or damaged"))

    def _changed(self, record: AuditRecord) -> None:
        self._problem(f"record {record['seq']} was changed after it was written")
        chain = self.chains.get(record["chain"])
        if chain is not None and record["seq"] == chain.following:
            chain.following, chain.hash = chain.following + 1, None

    def _whole(self, record: AuditRecord) -> None:
        self.records += 1
        chain = self.chains.get(record["chain"])
        if chain is None:
            self._begin(record)
        elif record["seq"] < chain.following:
            self._earlier(record, chain)
        else:
            self._next(record, chain)

    def _begin(self, record: AuditRecord) -> None:
        seq, prev = record["seq"], record["prev"]
        continued = bool(self.after) and not self.chains and prev == self.after
        if seq > 0 and not continued:
            what = f"records 0 to {seq - 1}" if seq > 1 else "record 0"
            self._problem(f"chain {record['chain']} begins with record {seq}: {what} must be in an earlier file")
        elif self.after and not self.chains and not continued:
            self._problem("the first record does not follow the earlier file")
        elif seq == 0 and prev != GENESIS:
            self._problem("the first record of a chain refers to an earlier record")
        self.chains[record["chain"]] = _Chain(seq + 1, record["hash"], {seq: (self.number, record["hash"])})

    def _earlier(self, record: AuditRecord, chain: _Chain) -> None:
        seq = record["seq"]
        line, known = chain.seen.setdefault(seq, (self.number, record["hash"]))
        if line == self.number:
            self._problem(f"record {seq} is out of order: it belongs before record {chain.following - 1}")
        elif known == record["hash"]:
            self._problem(f"record {seq} is a copy of line {line}")
        else:
            self._problem(f"record {seq} appears twice, with different content on line {line}")

    def _next(self, record: AuditRecord, chain: _Chain) -> None:
        seq = record["seq"]
        if seq > chain.following:
            gap = f"records {chain.following} to {seq - 1} are" if seq - 1 > chain.following else f"record {seq - 1} is"
            self._problem(f"{gap} missing before this line")
        elif chain.hash is not None and record["prev"] != chain.hash:
            self._problem(f"record {seq} does not follow record {seq - 1}: one of them was replaced")
        chain.following, chain.hash = seq + 1, record["hash"]
        chain.seen[seq] = (self.number, record["hash"])
