"""An audit in memory, and a meter that counts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rotator.core.audit_words import AuditOutcome, AuditVerb

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

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: Fact) -> None:
        """Adds one record."""
        self.records.append(MemoryRecord(verb, target, outcome, facts))

    def verbs(self, target: str) -> list[AuditVerb]:
        """Returns what was done to one target, in order."""
        return [record.verb for record in self.records if record.target == target]


class NullMeter:
    """A meter that counts nothing."""

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        """Counts nothing."""

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        """Counts nothing."""
