"""What people paused in a period, by the records of the audit. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.core.audit_chain import AuditRecord
from rotator.core.audit_words import AuditOutcome, AuditVerb

_VERBS = frozenset({AuditVerb.PAUSE, AuditVerb.RESUME, AuditVerb.RENAME})
_SEPARATOR = ", "  # of the names in a scope


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
    def names(self) -> tuple[str, ...]:
        """The targets, if they were paused by name; else one text with a space."""
        return tuple(self.scope.split(_SEPARATOR))

    @property
    def end(self) -> datetime:
        """When it ended, or ends."""
        return self.ended_at or self.until

    def may_concern(self, targets: frozenset[str]) -> bool:
        """True unless it named other targets. No record says which targets an account or a label had then."""
        return any(name in targets or " " in name for name in self.names)

    def renamed(self, old: str, new: str) -> "PastPause":
        """Returns the pause with the new name of a target."""
        return replace(self, scope=_SEPARATOR.join(dict.fromkeys(new if name == old else name for name in self.names)))


class PauseHistory:
    """Takes the records of an audit in any order, and tells of a period."""

    def __init__(self) -> None:
        """Begins with no record."""
        self._records: dict[tuple[str, int], tuple[datetime, AuditRecord]] = {}  # by chain and number: some come twice

    def take(self, record: AuditRecord) -> None:
        """Takes one authentic record."""
        if record["verb"] in _VERBS and record["outcome"] == AuditOutcome.DONE:
            self._records[record["chain"], record["seq"]] = datetime.fromisoformat(record["time"]), record

    def within(self, begin: datetime, end: datetime) -> tuple[PastPause, ...]:
        """Returns the pauses of which a part lies in a period, in order, with the present names of their targets."""
        ended: list[PastPause] = []
        lasting: list[PastPause] = []
        named: set[str] = set()
        for at, record in sorted(self._records.values(), key=lambda each: each[0]):
            if record["verb"] == AuditVerb.RENAME:
                old, new = str(record["facts"].get("renamed_from")), record["target"]
                if old in named:
                    named = (named - {old}) | {new}
                    ended = [each.renamed(old, new) for each in ended]
                    lasting = [each.renamed(old, new) for each in lasting]
                continue
            fresh = _pause(at, record)
            over = None if record["facts"].get("everything") else frozenset(fresh.names)
            parts = [part for each in lasting for part in _after(each, over, at)]
            ended += [each for each in parts if each.end <= at]
            lasting = [each for each in parts if each.end > at]
            if record["verb"] == AuditVerb.PAUSE:
                lasting.append(fresh)
                named.update(fresh.names)
        every = (one for one in (*ended, *lasting) if one.since <= end and one.end >= begin)
        return tuple(sorted(every, key=lambda one: one.since))


def _after(pause: PastPause, over: frozenset[str] | None, at: datetime) -> Iterator[PastPause]:
    """Yields what becomes of a pause if these names, or all (None), are resumed or paused anew."""
    if pause.until <= at:
        yield pause
        return
    gone = pause.names if over is None else [name for name in pause.names if name in over]
    rest = [name for name in pause.names if over is not None and name not in over]
    if gone:
        yield replace(pause, scope=_SEPARATOR.join(gone), ended_at=at)
    if rest:
        yield replace(pause, scope=_SEPARATOR.join(rest))


def _pause(at: datetime, record: AuditRecord) -> PastPause:
    facts, until = record["facts"], record["facts"].get("until")
    by, stated, reason, holds = (str(facts.get(name) or "") for name in ("requested_by", "stated", "reason", "holds"))
    ends = datetime.fromisoformat(str(until)) if until else at  # what resumes has none
    return PastPause(str(facts.get("scope")), at, ends, by, stated, reason, holds)
