"""The events of the demo as they happen, from rotator's audit and the simulated providers' histories."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator_simulator.account import CredentialEvent, HistoryEntry
from rotator_simulator.environment import SimulatedEnvironment


class LineStyle(Enum):
    """The style of a line on a terminal."""

    PLAIN = ""
    GOOD = "green"
    WAITING = "yellow"
    BAD = "bold red"
    DEMO = "bold cyan"  # an action of the demo itself


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event."""

    seconds: float  # since the demo began
    target: str  # may be empty
    event: str
    detail: str = ""
    style: LineStyle = LineStyle.PLAIN

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s  {self.target:<15} {self.event:<13} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class AuditedStep:
    """One record of the audit."""

    at: datetime
    verb: str  # an `AuditVerb`
    target: str
    outcome: str  # an `AuditOutcome`
    facts: Mapping[str, Any]

    def fact(self, name: str) -> str:
        """Returns a fact as text; empty if the record does not have it."""
        value = self.facts.get(name)
        return "" if value is None else str(value)


_PROVIDER_EVENTS = {
    CredentialEvent.CREATED: "created",
    CredentialEvent.SET: "password set",
    CredentialEvent.ENABLED: "enabled",
    CredentialEvent.DISABLED: "disabled",
    CredentialEvent.LIMITED: "expiry set",
    CredentialEvent.DELETED: "deleted",
}
_ROTATOR_EVENTS: dict[tuple[str, str], tuple[str, str]] = {
    (AuditVerb.STAGE, AuditOutcome.DONE): ("staged", "written to Vault before the provider is called"),
    (AuditVerb.PROVE, AuditOutcome.DONE): ("proved", "accepted by the provider"),
    (AuditVerb.PROVE, AuditOutcome.RETRY): ("not yet", "not accepted by the provider yet"),
    (AuditVerb.PUBLISH, AuditOutcome.DONE): ("published", "read by devices from now on"),
    (AuditVerb.VERIFY, AuditOutcome.RETRY): ("refused", "although it is published: nothing is retired meanwhile"),
    (AuditVerb.FORGET, AuditOutcome.DONE): ("forgotten", "its previous password"),
}
_STYLES: dict[str, LineStyle] = {AuditVerb.PUBLISH: LineStyle.GOOD, AuditVerb.VERIFY: LineStyle.BAD}
_OUTCOMES: dict[str, str] = {AuditOutcome.RETRY: "waiting", AuditOutcome.UNKNOWN: "no answer"}
_REQUESTS: dict[str, str] = {AuditVerb.REQUEST_ROTATION: "rotation", AuditVerb.REQUEST_UNDO: "undo"}
_SILENT = {AuditVerb.CLOSE, AuditVerb.LOAD_CONFIGURATION}
_AT_PROVIDER = {
    *(AuditVerb.CREATE, AuditVerb.COMPLETE, AuditVerb.SET_PASSWORD, AuditVerb.ENABLE, AuditVerb.RESTORE),
    *(AuditVerb.EXPIRE, AuditVerb.DISABLE, AuditVerb.DELETE),
}


class Timeline:
    """Reads the audit file and the histories as they grow. For one thread."""

    def __init__(self, audit: Path, environment: SimulatedEnvironment, began: datetime) -> None:
        """Reads the events from now on."""
        self.records: list[AuditedStep] = []
        self._audit, self._offset, self._rest = audit, 0, b""
        self._accounts = tuple(environment.accounts.values())
        self._seen = {account.name: len(account.history()) for account in self._accounts}
        self._names = tuple(target.name for target in environment.targets)
        self._targets = {username: target.name for target in environment.targets for username in target.usernames}
        self._began = began

    def new_entries(self) -> list[TimelineEntry]:
        """Returns the events since the last call, in order."""
        history = self._new_history()  # read first: the audit then has every record from before these events
        records = self._new_records()
        for record in records:
            self._targets.setdefault(record.fact("username"), record.target)
        by_rotator = [entry for record in records if (entry := self._rotator_entry(record)) is not None]
        by_provider = [self._provider_entry(event) for event in history]
        return sorted((*by_rotator, *by_provider), key=lambda entry: entry.seconds)

    def find(self, verb: AuditVerb, outcome: AuditOutcome = AuditOutcome.DONE, **facts: str) -> list[AuditedStep]:
        """Returns the records with this verb, outcome and facts (`target` included), oldest first."""
        target = facts.pop("target", None)
        return [
            record
            for record in self.records
            if (record.verb, record.outcome) == (verb, outcome)
            and target in (None, record.target)
            and all(record.fact(name) == value for name, value in facts.items())
        ]

    def published(self, target: str) -> AuditedStep | None:
        """Returns the newest publication for a target."""
        records = self.find(AuditVerb.PUBLISH, target=target)
        return records[-1] if records else None

    def _new_records(self) -> list[AuditedStep]:
        try:
            with self._audit.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:  # the daemon has not begun yet
            return []
        self._offset += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        records = [
            AuditedStep(datetime.fromisoformat(one["time"]), one["verb"], one["target"], one["outcome"], one["facts"])
            for one in map(json.loads, lines)
        ]
        self.records += records
        return records

    def _new_history(self) -> list[HistoryEntry]:
        events: list[HistoryEntry] = []
        for account in self._accounts:
            history = account.history()
            events += history[self._seen[account.name] :]
            self._seen[account.name] = len(history)
        return events

    def _provider_entry(self, event: HistoryEntry) -> TimelineEntry:
        target = self._targets.get(event.username)
        if target is None:  # the provider generated the username, but the name contains the target
            target = next((name for name in self._names if name in event.name.split("/")), "")
        detail = f"{event.username}, at the provider"
        return TimelineEntry(self._seconds(event.at), target, _PROVIDER_EVENTS[event.event], detail)

    def _rotator_entry(self, record: AuditedStep) -> TimelineEntry | None:
        if record.verb in _SILENT or (record.verb in _AT_PROVIDER and record.outcome == AuditOutcome.DONE):
            return None  # the provider's history shows it
        at, name = self._seconds(record.at), record.fact("username") or "a new credential"
        if record.verb in _REQUESTS:
            detail = f"{_REQUESTS[record.verb]}: {record.fact('reason')}"
            return TimelineEntry(at, record.target, "requested", detail)
        event, meaning = _ROTATOR_EVENTS.get((record.verb, record.outcome), ("", ""))
        if event:
            style = _STYLES.get(record.verb, LineStyle.PLAIN)
            return TimelineEntry(at, record.target, event, f"{name}, {meaning}", style)
        event = _OUTCOMES.get(record.outcome, record.outcome)
        detail = f"{record.verb} {name}: {record.fact('detail') or record.fact('reason')}"
        style = LineStyle.BAD if record.outcome == AuditOutcome.REFUSED else LineStyle.WAITING
        return TimelineEntry(at, record.target, event, detail, style)

    def _seconds(self, at: datetime) -> float:
        return (at - self._began).total_seconds()
