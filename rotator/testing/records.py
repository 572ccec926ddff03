"""An audit and its store in memory, and a meter that counts nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rotator.core.audit_chain import Line
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.secret import Secret
from rotator.ports import StoreError

Fact = str | float | bool | None


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """One audit line."""

    verb: AuditVerb
    target: str
    outcome: AuditOutcome
    facts: Mapping[str, Fact]


@dataclass(slots=True)
class MemoryAudit:
    """An audit that keeps every record."""

    records: list[MemoryRecord] = field(default_factory=list)
    intended: list[MemoryRecord] = field(default_factory=list)  # told before the effect
    refuses: StoreError | None = None  # raised by `intend`, as `audit.required` does it

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: Fact) -> None:
        """Adds one record."""
        self.records.append(MemoryRecord(verb, target, outcome, facts))

    def intend(self, verb: AuditVerb, target: str, **facts: Fact) -> None:
        """Keeps what is about to be done; raises `refuses` if that is set."""
        if self.refuses is not None:
            raise self.refuses
        self.intended.append(MemoryRecord(verb, target, AuditOutcome.INTENDED, facts))

    def verbs(self, target: str) -> list[AuditVerb]:
        """Returns what was done to one target, in order."""
        return [record.verb for record in self.records if record.target == target]


@dataclass(slots=True)
class MemoryAuditStore:
    """An audit store that keeps every line."""

    lines: list[str] = field(default_factory=list)
    failing: StoreError | None = None  # raised by `append` while it is set

    def key(self) -> Secret:
        """Returns the key of every test."""
        return Secret("key-of-the-tests")

    def append(self, lines: Sequence[Line]) -> None:
        """Keeps the lines, or raises `failing`."""
        if self.failing is not None:
            raise self.failing
        self.lines += [line.text for line in lines]


class NullMeter:
    """A meter that counts nothing."""

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        """Counts nothing."""

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Counts nothing."""
