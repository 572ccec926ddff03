"""What is wrong with an audit: in Vault, or in files that were written beside it. Pure.

Records are put together by chain and number, so it does not matter in which order several processes wrote them, or
what stands between them. Only the key makes a record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from rotator.core.audit_chain import (
    GENESIS,
    AuditRecord,
    Position,
    StoredDay,
    index_mac,
    is_authentic,
    record_in,
    segment_mac,
)
from rotator.core.audit_words import AuditVerb
from rotator.core.secret import Secret

IN_VAULT = "vault"
"""The name of the audit in Vault among the destinations."""
_BEGINNING = b'{"chain":"'  # of each record


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something about an audit, and where: a file and line, a document, or a chain."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckedAudit:
    """The result of a check."""

    records: int  # authentic ones, each counted once
    ends: tuple[Position, ...]  # of each chain
    problems: tuple[AuditFinding, ...]
    notes: tuple[AuditFinding, ...]  # worth knowing, and no problem

    @property
    def ok(self) -> bool:
        """True if nothing was changed, removed, added or lost without a record of it."""
        return not self.problems


@dataclass(slots=True)
class _Chain:
    macs: dict[int, str] = field(default_factory=dict)  # of each record, by number
    prevs: dict[int, str] = field(default_factory=dict)
    lost: list[tuple[str, int, int]] = field(default_factory=list)  # destination, first and last number

    def is_known_lost(self, first: int, last: int, *, in_vault: bool) -> bool:
        """True if records of the same chain say that these were lost."""
        return any(
            (where == IN_VAULT) is in_vault and begin <= first and last <= end for where, begin, end in self.lost
        )


@dataclass(slots=True)
class AuditCheck:
    """Collects the lines of one audit, in Vault or in files, and judges them together."""

    key: Secret
    in_vault: bool
    mixed: bool = False  # other lines may stand between the records, such as those of a log
    records: int = 0
    removed_until: str = ""  # the last day whose records were removed since they were old
    chains: dict[str, _Chain] = field(default_factory=dict)
    problems: list[AuditFinding] = field(default_factory=list)
    notes: list[AuditFinding] = field(default_factory=list)

    def line(self, place: str, line: bytes) -> None:
        """Takes one line, without its newline."""
        record = record_in(line)
        if record is None:
            self._judge_strange(place, line)
        elif not is_authentic(self.key, record, line):
            what = f"record {record['seq']} of chain {record['chain']} was changed or forged: its key does not fit"
            self.problems.append(AuditFinding(place, what))
        else:
            self._authentic(place, record)

    def _judge_strange(self, place: str, line: bytes) -> None:
        if line.startswith(_BEGINNING) and not line.endswith(b"}"):
            self.notes.append(
                AuditFinding(place, "this record was cut short, as a full disk or a power failure does it")
            )
        elif line and not self.mixed:
            self.problems.append(AuditFinding(place, "this is not an audit record: it was inserted or damaged"))

    def _authentic(self, place: str, record: AuditRecord) -> None:
        chain, seq = self.chains.setdefault(record["chain"], _Chain()), record["seq"]
        if seq in chain.macs:
            if chain.macs[seq] != record["mac"]:
                what = f"record {seq} of chain {record['chain']} exists twice, with different content"
                self.problems.append(AuditFinding(place, what))
            return
        self.records += 1
        chain.macs[seq], chain.prevs[seq] = record["mac"], record["prev"]
        facts = record["facts"]
        if record["verb"] == AuditVerb.LINES_LOST:
            chain.lost.append((str(facts.get("destination")), int(facts["first"]), int(facts["last"])))
        elif record["verb"] == AuditVerb.REMOVE_RECORDS:
            self.removed_until = max(self.removed_until, str(facts["until"]))

    def stored(self, days: Iterable[StoredDay]) -> None:
        """Takes everything that Vault has."""
        days = list(days)
        for day in days:
            for segment in day.segments:
                place = f"{day.day}/{segment.name}"
                for text in segment.lines:
                    self.line(place, text.encode("utf-8", "surrogateescape"))
                if segment_mac(self.key, segment.name, segment.version, segment.lines) != segment.mac:
                    what = "this document was written by somebody else, or an older version of it was written again"
                    self.problems.append(AuditFinding(place, what))
        self._check_indexes([day for day in days if day.day > self.removed_until])

    def _check_indexes(self, days: list[StoredDay]) -> None:
        known = {day.day for day in days}
        for day in days:
            self.problems += [AuditFinding(f"{day.day}/{name}", "this document is damaged") for name in day.unreadable]
            index = day.index
            if index is None:
                self.problems.append(AuditFinding(day.day, "the list of this day's documents is missing or damaged"))
                continue
            if index_mac(self.key, index.day, index.version, index.previous, index.segments) != index.mac:
                self.problems.append(AuditFinding(day.day, "the list of this day's documents was changed"))
            elif index.version != len(index.segments):
                self.problems.append(
                    AuditFinding(day.day, "the list of this day's documents was removed and begun again")
                )
            there = {segment.name for segment in day.segments} | set(day.unreadable)
            for name in index.segments:
                if name not in there:
                    self.problems.append(AuditFinding(f"{day.day}/{name}", "this document was removed"))
            if index.previous > self.removed_until and index.previous not in known:
                self.problems.append(AuditFinding(index.previous, "the documents of this day were removed"))

    def result(self, *, part: bool = False, stored: Mapping[str, Position] | None = None) -> CheckedAudit:
        """Returns the result, once everything was taken.

        Args:
            part: the files are a part of a longer log: what is missing at the beginning or the end of a chain is fine.
            stored: for files, the ends of the chains that Vault has, by chain.
        """
        for name, chain in self.chains.items():
            self._check_chain(name, chain, part=part)
            if stored is not None:
                self._check_end(name, chain, stored.get(name), part=part)
        ends = tuple(
            Position(name, max(chain.macs), chain.macs[max(chain.macs)]) for name, chain in self.chains.items()
        )
        return CheckedAudit(self.records, ends, tuple(self.problems), tuple(self.notes))

    def _check_chain(self, name: str, chain: _Chain, *, part: bool) -> None:
        numbers = sorted(chain.macs)
        begins_late = numbers[0] > 0
        if begins_late and not part and not (self.in_vault and self.removed_until):
            self._missing(name, chain, 0, numbers[0] - 1)
        elif not begins_late and chain.prevs[0] != GENESIS:
            self._problem(name, "its first record refers to an earlier one")
        for before, number in pairwise(numbers):
            if number != before + 1:
                self._missing(name, chain, before + 1, number - 1)
            elif chain.prevs[number] != chain.macs[before]:
                self._problem(name, f"record {number} does not follow record {before}: one of them was replaced")

    def _check_end(self, name: str, chain: _Chain, end: Position | None, *, part: bool) -> None:
        last = max(chain.macs)
        if end is None:
            self.notes.append(AuditFinding(f"chain {name}", "Vault knows nothing of it, so its end cannot be checked"))
        elif end.seq > last and not part:
            self._missing(name, chain, last + 1, end.seq)
        elif end.seq < last:
            what = f"records {end.seq + 1} to {last} are not in Vault: just written, or the process was killed"
            self.notes.append(AuditFinding(f"chain {name}", what))
        if end is not None and chain.macs.get(end.seq, end.mac) != end.mac:
            self._problem(name, f"record {end.seq} is another one in Vault")

    def _missing(self, name: str, chain: _Chain, first: int, last: int) -> None:
        which = f"records {first} to {last} are" if last > first else f"record {first} is"
        if chain.is_known_lost(first, last, in_vault=self.in_vault):
            self.notes.append(AuditFinding(f"chain {name}", f"{which} lost, as a later record says"))
        else:
            self._problem(name, f"{which} missing")

    def _problem(self, name: str, what: str) -> None:
        self.problems.append(AuditFinding(f"chain {name}", what))
