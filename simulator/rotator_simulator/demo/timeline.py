"""What happens, as it happens: from rotator's own audit, and from the simulated providers' side of the same events."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rotator.core.audit_words import AuditVerb
from rotator_simulator.account import Account, Event, Happening
from rotator_simulator.demo.targets import Role


class Tone(Enum):
    """How a line is meant, for whoever shows colours."""

    PLAIN = "plain"
    GOOD = "good"
    WAITS = "waits"
    BAD = "bad"
    SCENE = "scene"  # what the demo itself does


@dataclass(frozen=True, slots=True)
class Line:
    """One event."""

    seconds: float  # since the demo began
    who: str  # the target, or empty
    what: str
    detail: str = ""
    tone: Tone = Tone.PLAIN

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s  {self.who:<15} {self.what:<13} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Noted:
    """One record of the audit."""

    at: datetime
    verb: str
    target: str
    outcome: str
    facts: Mapping[str, Any]

    def fact(self, name: str) -> str:
        """A fact as text; empty where there is none."""
        value = self.facts.get(name)
        return "" if value is None else str(value)


_PROVIDER_SAYS = {
    Event.CREATED: "created",
    Event.SET: "password set",
    Event.ENABLED: "enabled",
    Event.DISABLED: "disabled",
    Event.LIMITED: "end set",
    Event.DELETED: "deleted",
}
_ROTATOR_SAYS = {
    ("stage", "done"): ("staged", "in Vault's state document, before the provider hears of it"),
    ("prove", "done"): ("proved", "the provider accepts it"),
    ("prove", "retry"): ("not yet", "the provider does not accept it yet"),
    ("publish", "done"): ("published", "devices read it from now on"),
    ("forget", "done"): ("forgotten", "the password before it"),
}
_OUTCOMES = {"retry": "waits", "unknown": "no answer"}
_SILENT = {AuditVerb.CLOSE, AuditVerb.LOAD_CONFIGURATION}
_AT_PROVIDER = {"create", "complete", "set_password", "enable", "restore", "expire", "disable", "delete"}


class Story:
    """Reads the audit file and the histories as they grow. For one thread."""

    def __init__(self, audit: Path, accounts: Iterable[Account], roles: Iterable[Role], began: datetime) -> None:
        """Begins with what happens after this."""
        self.records: list[Noted] = []
        self._audit, self._read, self._rest = audit, 0, b""
        self._told = {account.name: len(account.history()) for account in accounts}
        self._accounts = tuple(accounts)
        roles = tuple(roles)
        self._names = tuple(role.name for role in roles)
        self._targets = {username: role.name for role in roles for username in role.usernames}
        self._began = began

    def news(self) -> list[Line]:
        """What happened since the last call, in the order in which it happened."""
        happenings = self._new_happenings()  # first: what rotator recorded before one of them is then read with it
        records = self._new_records()
        for record in records:
            self._targets.setdefault(record.fact("username"), record.target)
        told = [line for record in records if (line := self._told_by_rotator(record)) is not None]
        seen = [self._told_by_provider(happening) for happening in happenings]
        return sorted((*told, *seen), key=lambda line: line.seconds)

    def seconds(self, at: datetime) -> float:
        """A moment as seconds since the demo began."""
        return (at - self._began).total_seconds()

    def found(self, verb: str, outcome: str, **facts: str) -> list[Noted]:
        """The records of this verb and outcome with these facts (`target` included), oldest first."""
        target = facts.pop("target", None)
        return [
            record
            for record in self.records
            if (record.verb, record.outcome) == (verb, outcome)
            and target in (None, record.target)
            and all(record.fact(name) == value for name, value in facts.items())
        ]

    def published(self, target: str) -> Noted | None:
        """The newest publication for a target."""
        found = self.found("publish", "done", target=target)
        return found[-1] if found else None

    def _new_records(self) -> list[Noted]:
        try:
            with self._audit.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except FileNotFoundError:  # the daemon has not begun yet
            return []
        self._read += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        records = [_noted(json.loads(line)) for line in lines]
        self.records += records
        return records

    def _new_happenings(self) -> list[Happening]:
        found: list[Happening] = []
        for account in self._accounts:
            history = account.history()
            found += history[self._told[account.name] :]
            self._told[account.name] = len(history)
        return found

    def _told_by_provider(self, happening: Happening) -> Line:
        who = self._targets.get(happening.username) or self._named(happening.name)
        what = _PROVIDER_SAYS[happening.event]
        return Line(self.seconds(happening.at), who, what, f"{happening.username}, at the provider")

    def _named(self, name: str) -> str:
        """The target that a name given by rotator carries: a username that the provider makes is told of later."""
        return next((target for target in self._names if target in name.split("/")), "")

    def _told_by_rotator(self, record: Noted) -> Line | None:
        if record.verb in _SILENT or (record.verb in _AT_PROVIDER and record.outcome == "done"):
            return None  # the provider's own history tells of what was done there
        at, name = self.seconds(record.at), record.fact("username") or "its attempt"
        if record.verb in (AuditVerb.REQUEST_ROTATION, AuditVerb.REQUEST_UNDO):
            asked = record.verb.removeprefix("request_")
            return Line(at, record.target, "asked for", f"{asked}: {record.fact('reason')}")
        what, why = _ROTATOR_SAYS.get((record.verb, record.outcome), ("", ""))
        if what:
            tone = Tone.GOOD if record.verb == "publish" else Tone.PLAIN
            return Line(at, record.target, what, f"{name}, {why}", tone)
        why = record.fact("detail") or record.fact("reason")
        tone = Tone.BAD if record.outcome == "refused" else Tone.WAITS
        return Line(
            at, record.target, _OUTCOMES.get(record.outcome, record.outcome), f"{record.verb} {name}: {why}", tone
        )


def _noted(record: Mapping[str, Any]) -> Noted:
    at = datetime.fromisoformat(record["time"])
    return Noted(at, record["verb"], record["target"], record["outcome"], record["facts"])
