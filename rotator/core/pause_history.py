"""What people paused in a period, by the records of the audit. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from rotator.core.audit_chain import AuditRecord
from rotator.core.audit_words import AuditOutcome, AuditVerb


@dataclass(frozen=True, slots=True)
class PastPause:
    """One pause, as the audit has it."""

    scope: str  # names of targets, or words for an account, labels or the fleet
    since: datetime
    until: datetime  # as it was asked for
    requested_by: str
    stated: str
    reason: str
    holds: str
    ended_at: datetime | None = None  # by a person, or by another pause of the same, before its time

    @property
    def names(self) -> frozenset[str]:
        """The targets, if they were paused by name; else one text with a space."""
        return frozenset(self.scope.split(", "))

    @property
    def end(self) -> datetime:
        """When it ended, or ends."""
        return self.ended_at or self.until

    def may_concern(self, targets: frozenset[str]) -> bool:
        """True unless it was of other targets: which ones an account or a label had then, no record says."""
        return bool(self.names & targets) or any(" " in name for name in self.names)


class PauseHistory:
    """Takes the records of an audit in any order, and tells of a period."""

    def __init__(self) -> None:
        """Begins with no record."""
        self._records: dict[tuple[str, int], tuple[datetime, AuditRecord]] = {}  # by chain and number: some come twice

    def take(self, record: AuditRecord) -> None:
        """Takes one authentic record."""
        if record["verb"] in (AuditVerb.PAUSE, AuditVerb.RESUME) and record["outcome"] == AuditOutcome.DONE:
            self._records[record["chain"], record["seq"]] = datetime.fromisoformat(record["time"]), record

    def within(self, begin: datetime, end: datetime) -> tuple[PastPause, ...]:
        """Returns the pauses of which a part lies in a period, in order."""
        ended: list[PastPause] = []
        lasting: list[tuple[PastPause, frozenset[str]]] = []  # with the names that are still paused
        for at, record in sorted(self._records.values(), key=lambda each: each[0]):
            fresh = _pause(at, record)
            left: list[tuple[PastPause, frozenset[str]]] = []
            for pause, names in lasting:
                rest = names - fresh.names
                if pause.until <= at:
                    ended.append(pause)
                elif rest:
                    left.append((pause, rest))
                else:
                    ended.append(replace(pause, ended_at=at))
            if record["verb"] == AuditVerb.PAUSE:
                left.append((fresh, fresh.names))
            lasting = left
        every = (*ended, *(pause for pause, _ in lasting))
        return tuple(sorted((one for one in every if one.since <= end and one.end >= begin), key=lambda one: one.since))


def _pause(at: datetime, record: AuditRecord) -> PastPause:
    facts, until = record["facts"], record["facts"].get("until")
    by, stated, reason, holds = (str(facts.get(name) or "") for name in ("requested_by", "stated", "reason", "holds"))
    ends = datetime.fromisoformat(str(until)) if until else at  # what resumes has none
    return PastPause(str(facts.get("scope")), at, ends, by, stated, reason, holds)
