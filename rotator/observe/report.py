"""What a report for auditors says: tables with stable keys, and how the passwords of a fleet are now. Pure.

Times are ISO 8601 in UTC, durations are seconds, and unknown values are null.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

from rotator.core.account_key import AccountKey
from rotator.core.age_limit import AgeLimit
from rotator.core.clocks import Clocks
from rotator.core.freezes import freezes
from rotator.core.model import Target, TargetState
from rotator.core.password_age import AcceptedPassword, accepted_passwords, uses_unrotated
from rotator.core.pauses import Pauses
from rotator.observe.target_figures import overdue

ReportRow: TypeAlias = Mapping[str, Any]


class Verdict(StrEnum):
    """What a row says of a password and its limit."""

    WITHIN = "within"
    NEAR = "near"  # it reaches the limit soon
    OVER = "over"
    UNKNOWN = "age unknown"  # somebody else made it; known for less than the limit
    NO_LIMIT = "no limit"
    NOTHING = "nothing accepted"
    NO_RECORD = "no record"  # the audit does not say


class Kind(StrEnum):
    """How the values of a column are shown to people."""

    TEXT = "text"
    MOMENT = "moment"
    DURATION = "duration"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    heading: str
    kind: Kind = Kind.TEXT
    detail: bool = False  # left out at a terminal, for lack of room


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table; its rows have the keys of its columns."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[ReportRow]
    empty: str  # what is said if there are no rows


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement of a standard, and what in a report answers it."""

    what: str
    answered_by: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report, in whatever format."""

    title: str
    about: Mapping[str, str | None]  # when it was made, for which day or period, by which version
    summary: Mapping[str, int]
    answers: tuple[Requirement, ...]
    notes: tuple[str, ...]  # what it cannot say
    tables: tuple[ReportTable, ...]
    audit: Mapping[str, Any]

    @property
    def is_over(self) -> bool:
        """True if a password is or was accepted beyond its limit, or an account's key is too old."""
        return bool(self.summary.get(Verdict.OVER) or self.summary.get(KEYS_OVER))

    @property
    def unrecorded(self) -> int:
        """The targets of a period of which the audit has no record: nothing shows how old their passwords were."""
        return self.summary.get(Verdict.NO_RECORD, 0)

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "report": dict(self.about),
            "summary": dict(self.summary),
            "answers": [{"requirement": each.what, "answered_by": each.answered_by} for each in self.answers],
            "notes": list(self.notes),
            **{table.key: [dict(row) for row in table.rows] for table in self.tables},
            "audit": dict(self.audit),
        }


VERDICT = Column("verdict", "Verdict")
_KEYS = (
    Column("account", "Account"),
    Column("kind", "Kind"),
    Column("made_at", "Made", Kind.MOMENT),
    Column("age_seconds", "Age", Kind.DURATION),
    Column("limit_seconds", "Limit", Kind.DURATION),
    Column("expires_at", "Expires", Kind.MOMENT),
    VERDICT,
)
KEYS_OVER = "keys_over"
"""In a report's summary: the accounts' keys that are too old, or have expired."""
_PASSWORDS = (
    Column("target", "Target"),
    Column("account", "Account", detail=True),
    Column("kind", "Kind", detail=True),
    Column("username", "Username"),
    Column("use", "Use"),
    Column("made_at", "Made", Kind.MOMENT),
    Column("age_seconds", "Age", Kind.DURATION),
    Column("limit_seconds", "Limit", Kind.DURATION),
    VERDICT,
    Column("proof", "Proof", detail=True),
    Column("verified_at", "Last verified", Kind.MOMENT, detail=True),
    Column("retirements_overdue", "Retirements overdue", Kind.NUMBER, detail=True),
    Column("exception", "Exception", detail=True),
    Column("exception_until", "Exception until", Kind.MOMENT, detail=True),
    Column("exception_reason", "Exception: who, until when, why"),
)


def keys_table(keys: Mapping[str, AccountKey], kinds: Mapping[str, str], now: datetime) -> ReportTable:
    """Returns a row for each account's own key."""
    rows = [_key_row(name, key, kinds.get(name, ""), now) for name, key in sorted(keys.items())]
    return ReportTable("keys", "The accounts' own keys", _KEYS, rows, "There is no account.")


def _key_row(name: str, key: AccountKey, kind: str, now: datetime) -> ReportRow:
    known = key.made_at is not None
    verdict = Verdict.NO_LIMIT if key.max_age is None else Verdict.WITHIN if known else Verdict.UNKNOWN
    return {
        "account": name,
        "kind": kind,
        "made_at": moment_text(key.made_at) if key.made_at is not None else None,
        "age_seconds": int((now - key.made_at).total_seconds()) if key.made_at is not None else None,
        "limit_seconds": int(key.max_age.total_seconds()) if key.max_age is not None else None,
        "expires_at": moment_text(key.expires_at) if key.expires_at is not None else None,
        "verdict": Verdict.OVER if key.is_over(now) else verdict,
    }


def present_table(
    found: Iterable[tuple[Target, TargetState]], kinds: Mapping[str, str], pauses: Pauses, clocks: Clocks
) -> ReportTable:
    """Returns a row for each password that is accepted now, and one for each target without any.

    Args:
        kinds: of the accounts, by their names in the configuration.
        pauses: every one; with the blackouts of the policies they are the exceptions.
    """
    rows = [row for target, state in found for row in _rows(target, state, kinds, pauses, clocks)]
    return ReportTable("passwords", "Accepted passwords", _PASSWORDS, rows, "no target was chosen")


def _rows(
    target: Target, state: TargetState, kinds: Mapping[str, str], pauses: Pauses, clocks: Clocks
) -> Iterator[ReportRow]:
    now = clocks.local
    late = sum(overdue(entry, target.policy.usage, now) for entry in state.ledger)
    nothing = {column.key: None for column in _PASSWORDS} | {"target": target.name, "retirements_overdue": late}
    nothing |= _exception(target, pauses, clocks)
    accepted = list(accepted_passwords(target, state))
    if not accepted:
        account = {"account": target.account, "kind": kinds.get(target.account)}
        unseen = uses_unrotated(target, state)
        said = {"verdict": Verdict.UNKNOWN.value, "use": "never rotated, not looked at yet"}
        yield nothing | account | (said if unseen else {"verdict": Verdict.NOTHING.value})
    for each in accepted:
        yield nothing | _row(target, state, each, kinds, now)


def _exception(target: Target, pauses: Pauses, clocks: Clocks) -> dict[str, str | None]:
    """Returns what holds the changes of a target now: its pauses, and the blackouts of its policy."""
    held = freezes(target, pauses, clocks).in_force
    if not held:
        return {}
    return {
        "exception": ", ".join(dict.fromkeys(freeze.reason.value for freeze in held)),
        "exception_until": moment_text(held[0].until),
        "exception_reason": "; ".join(freeze.words for freeze in held),
    }


def exceptions(table: ReportTable) -> int:
    """Returns how many targets a pause or a blackout holds now."""
    return len({row["target"] for row in table.rows if row["exception"] is not None})


def _row(
    target: Target, state: TargetState, each: AcceptedPassword, kinds: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    credential, limit, last = each.credential, target.policy.age_limit, state.verification
    account = credential.account if credential is not None else target.account
    is_published = credential is not None and credential is state.published
    age = now - each.counted_from
    return {
        "account": account,
        "kind": kinds.get(account),
        "username": credential.username if credential is not None else ", ".join(target.usernames),
        "use": _use(state, each),
        "made_at": moment_text(each.made_at),
        "age_seconds": age.total_seconds() if each.made_at is not None else None,
        "limit_seconds": limit.max_age.total_seconds() if limit is not None else None,
        "verdict": _verdict(each, limit, now).value,
        "proof": last.proof if is_published and last is not None and last.accepted else None,
        "verified_at": moment_text(last.at) if is_published and last is not None else None,
    }


def _use(state: TargetState, each: AcceptedPassword) -> str:
    if each.replaced is not None:
        return f"replaced, refused from {moment_text(each.replaced.disable_at)}"
    if each.credential is None:
        return f"never rotated, seen since {moment_text(each.counted_from)}"
    if each.credential is not state.published:
        return "being rotated"
    return "published" if each.made_at is not None else f"adopted, seen since {moment_text(each.counted_from)}"


def _verdict(each: AcceptedPassword, limit: AgeLimit | None, now: datetime) -> Verdict:
    age = now - each.counted_from
    if limit is None:
        return Verdict.NO_LIMIT
    if age > limit.max_age:
        return Verdict.OVER
    if each.made_at is None:
        return Verdict.UNKNOWN
    return Verdict.NEAR if age > limit.max_age - limit.warn_before else Verdict.WITHIN


def moment_text(moment: datetime | None) -> str | None:
    """Returns a moment as reports have it: UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment is not None else None


def urgency(row: ReportRow) -> tuple[bool, bool, float]:
    """Sorts what is over its limit before what is not known, and that before the rest; then the oldest first."""
    verdict, age = row.get("verdict"), row.get("age_seconds") or row.get("greatest_age_seconds") or 0.0
    return verdict != Verdict.OVER, verdict in (Verdict.WITHIN, Verdict.NEAR), -age


def counted_verdicts(rows: Iterable[ReportRow]) -> dict[str, int]:
    """Returns how many rows have each verdict; `over` always."""
    found = Counter(str(row["verdict"]) for row in rows)
    return {verdict.value: found[verdict] for verdict in Verdict if found[verdict] or verdict is Verdict.OVER}
