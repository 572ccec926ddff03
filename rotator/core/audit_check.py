"""What is wrong with an audit: in Vault, or in files that were written beside it. Pure.

Records are put together by chain and number, so it does not matter in which order several processes wrote them, or
what stands between them. Only the key makes a record. Of each record that was judged little is kept, and of each kind
of finding a bounded number, so that an audit of any size can be passed through.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.core.audit_chain import (
    AuditRecord,
    DayIndex,
    Position,
    StoredDay,
    index_mac,
    is_authentic,
    record_in,
    segment_mac,
)
from rotator.core.audit_seen import SeenChain
from rotator.core.audit_words import AuditVerb
from rotator.core.secret import Secret

IN_VAULT = "vault"
"""The name of the audit in Vault among the destinations."""
NO_RECORD = "this is not an audit record: it was inserted or damaged"
"""What is said of a line that is none."""
_BEGINNING = b'{"chain":"'  # of each record
_MOST_FINDINGS = 1000  # problems or notes that are kept; the others are counted
_UNFLUSHED = timedelta(minutes=10)  # a process writes to Vault every few seconds; a longer gap means that it could not


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
    more_problems: int = 0  # beyond those that are listed
    more_notes: int = 0

    @property
    def ok(self) -> bool:
        """True if nothing was changed, removed, added or lost without a record of it."""
        return not self.problems


@dataclass(slots=True)
class _Tail:
    """The records of a chain in files that lie beyond the end that Vault has."""

    first: int
    last: int
    earliest: str
    latest: str

    @property
    def took(self) -> timedelta:
        try:
            return datetime.fromisoformat(self.latest) - datetime.fromisoformat(self.earliest)
        except (ValueError, TypeError):  # not what rotator writes
            return timedelta.max


@dataclass(frozen=True, slots=True)
class _KnownDay:
    """What is kept of a day in Vault until all days were read."""

    day: str
    index: DayIndex | None
    names: frozenset[str]
    unreadable: tuple[str, ...]


@dataclass(slots=True)
class AuditCheck:
    """Takes the lines of one audit, in Vault or in files, and judges them together."""

    key: Secret
    vault: "AuditCheck | None" = None  # for files: what Vault has, which was read before; None: this is Vault
    each: Callable[[AuditRecord], None] | None = None  # is given each authentic record once
    mixed: bool = False  # other text may stand between the records, or before them in a line, as in a log
    records: int = 0
    removed_until: str = ""  # the last day whose records were removed since they were old
    chains: dict[str, SeenChain] = field(default_factory=dict)
    problems: list[AuditFinding] = field(default_factory=list)
    notes: list[AuditFinding] = field(default_factory=list)
    _more: Counter[str] = field(default_factory=Counter)
    _tails: dict[str, _Tail] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)  # chains with records that differ from Vault's

    def line(self, place: str, line: bytes) -> None:
        """Takes one line, without its newline."""
        if self.mixed and (begin := line.find(_BEGINNING)) > 0:  # after what a collector puts before it
            line = line[begin:].rstrip()
        record = record_in(line)
        if record is None:
            self._judge_strange(place, line)
        elif not is_authentic(self.key, record, line):
            what = f"record {record['seq']} of chain {record['chain']} was changed or forged: its key does not fit"
            self._problem(place, what)
        else:
            self._authentic(place, record)

    def _judge_strange(self, place: str, line: bytes) -> None:
        if line.startswith(_BEGINNING) and not line.endswith(b"}"):
            self._note(place, "this record was cut short, as a full disk or a power failure does it")
        elif line and not self.mixed:
            self._problem(place, NO_RECORD)

    def _authentic(self, place: str, record: AuditRecord) -> None:
        name, seq = record["chain"], record["seq"]
        chain = self.chains.setdefault(name, SeenChain())
        is_new = chain.add(seq, record["mac"], record["prev"])
        if is_new is None:
            self._problem(place, f"record {seq} of chain {name} exists twice, with different content")
        if not is_new:
            return
        self.records += 1
        facts = record["facts"]
        if record["verb"] == AuditVerb.LINES_LOST:
            chain.lost.append((str(facts.get("destination")), int(facts["first"]), int(facts["last"])))
        elif record["verb"] == AuditVerb.REMOVE_RECORDS:
            self.removed_until = max(self.removed_until, str(facts["until"]))
        if self.vault is not None:
            self._compare(self.vault, place, record)
        if self.each is not None and not self._is_in_vault(name, seq):
            self.each(record)

    def _is_in_vault(self, name: str, seq: int) -> bool:
        known = self.vault.chains.get(name) if self.vault is not None else None
        return known is not None and known.has(seq)

    def _compare(self, vault: "AuditCheck", place: str, record: AuditRecord) -> None:
        name, seq, time = record["chain"], record["seq"], record["time"]
        known = vault.chains.get(name)
        if known is None or seq > known.last:
            tail = self._tails.setdefault(name, _Tail(seq, seq, time, time))
            tail.first, tail.last = min(tail.first, seq), max(tail.last, seq)
            tail.earliest, tail.latest = min(tail.earliest, time), max(tail.latest, time)
        elif name not in self._others and known.contradicts(seq, record["mac"]):
            self._others.add(name)  # those that follow differ as well
            self._problem(place, f"record {seq} of chain {name} is another one in Vault")

    def stored(self, days: Iterable[StoredDay]) -> None:
        """Takes everything that Vault has, one document after the other."""
        known = [self._day(day) for day in days]
        self._check_indexes([day for day in known if day.day > self.removed_until])

    def _day(self, day: StoredDay) -> _KnownDay:
        names, unreadable = set(), []
        for segment in day.segments:
            if isinstance(segment, str):
                unreadable.append(segment)
                continue
            names.add(segment.name)
            place = f"{day.day}/{segment.name}"
            for text in segment.lines:
                self.line(place, text.encode("utf-8", "surrogatepass"))
            if segment_mac(self.key, segment.name, segment.version, segment.lines) != segment.mac:
                what = "this document was written by somebody else, or an older version of it was written again"
                self._problem(place, what)
        return _KnownDay(day.day, day.index, frozenset(names), tuple(unreadable))

    def _check_indexes(self, days: list[_KnownDay]) -> None:
        known = {day.day for day in days}
        for day in days:
            for name in day.unreadable:
                self._problem(f"{day.day}/{name}", "this document is damaged")
            index = day.index
            if index is None:
                self._problem(day.day, "the list of this day's documents is missing or damaged")
                continue
            if index_mac(self.key, index.day, index.version, index.previous, index.segments) != index.mac:
                self._problem(day.day, "the list of this day's documents was changed")
            elif index.version != len(index.segments):
                self._problem(day.day, "the list of this day's documents was removed and begun again")
            for name in index.segments:
                if name not in day.names and name not in day.unreadable:
                    self._problem(f"{day.day}/{name}", "this document was removed")
            if index.previous > self.removed_until and index.previous not in known:
                self._problem(index.previous, "the documents of this day were removed")

    def result(self, *, part: bool = False) -> CheckedAudit:
        """Returns the result, once everything was taken.

        Args:
            part: the files are a part of a longer log: what is missing at the beginning or the end of a chain is fine.
        """
        for name, chain in self.chains.items():
            self._check_chain(name, chain, part=part)
            if self.vault is not None:
                self._check_end(self.vault, name, chain, part=part)
        ends = tuple(Position(name, chain.last, chain.last_mac) for name, chain in self.chains.items())
        more = self._more["problems"], self._more["notes"]
        return CheckedAudit(self.records, ends, tuple(self.problems), tuple(self.notes), *more)

    def _check_chain(self, name: str, chain: SeenChain, *, part: bool) -> None:
        for before, number in chain.gaps():
            if number == 0:
                self._problem(f"chain {name}", "its first record refers to an earlier one")
            elif number == before + 1:
                what = f"record {number} does not follow record {before}: one of them was replaced"
                self._problem(f"chain {name}", what)
            elif before >= 0 or not (part or (self.vault is None and self.removed_until)):
                self._missing(name, chain, before + 1, number - 1)

    def _check_end(self, vault: "AuditCheck", name: str, chain: SeenChain, *, part: bool) -> None:
        known, tail = vault.chains.get(name), self._tails.get(name)
        if known is not None and known.last > chain.last and not part:
            self._missing(name, chain, chain.last + 1, known.last)
        if tail is None:
            return
        which = f"records {tail.first} to {tail.last} are not in Vault"
        if known is None and tail.latest[:10] <= vault.removed_until:
            self._note(f"chain {name}", f"{which}, which keeps nothing that is so old: the end cannot be checked")
        elif tail.took > _UNFLUSHED:
            what = (
                f"{which}, though the process wrote them over more than ten minutes: they were removed there, or lost"
            )
            self._problem(f"chain {name}", what)
        else:
            self._note(f"chain {name}", f"{which}: just written, or the process was killed")

    def _missing(self, name: str, chain: SeenChain, first: int, last: int) -> None:
        which = f"records {first} to {last} are" if last > first else f"record {first} is"
        where = {
            destination
            for destination, begin, end in chain.lost
            if (destination == IN_VAULT) is (self.vault is None) and begin <= first and last <= end
        }
        if where:
            what = f"{which} lost at {' and '.join(sorted(where))}, as a later record says"
            self._note(f"chain {name}", what)
        else:
            self._problem(f"chain {name}", f"{which} missing")

    def _problem(self, place: str, what: str) -> None:
        self._find("problems", self.problems, AuditFinding(place, what))

    def _note(self, place: str, what: str) -> None:
        self._find("notes", self.notes, AuditFinding(place, what))

    def _find(self, kind: str, known: list[AuditFinding], finding: AuditFinding) -> None:
        if len(known) < _MOST_FINDINGS:
            known.append(finding)
        else:
            self._more[kind] += 1
