"""What the audit says of the passwords in a period, as the tables of a report. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rotator.core.holding import HoldReason
from rotator.core.model import Target
from rotator.core.password_history import Emergency, PasswordHistory, PasswordLife, TargetHistory
from rotator.core.pause_history import PastPause
from rotator.observe.report import VERDICT, Column, Kind, ReportRow, ReportTable, Verdict, moment_text

_AGE = (Column("greatest_age_seconds", "Greatest age", Kind.DURATION), Column("limit_seconds", "Limit", Kind.DURATION))
_PASSWORD = (
    Column("target", "Target"),
    Column("account", "Account"),
    Column("username", "Username"),
    Column("made_at", "Made", Kind.MOMENT),
    Column("accepted_until", "Accepted until", Kind.MOMENT),
)
_OLDEST = (*_PASSWORD, *_AGE, VERDICT, Column("rotations", "Rotations", Kind.NUMBER))
_TOO_OLD = (*_PASSWORD, *_AGE)
_EMERGENCIES = (
    Column("asked_at", "Asked", Kind.MOMENT),
    Column("target", "Target"),
    Column("requested_by", "Who asked"),
    Column("stated", "Said of themselves"),
    Column("reason", "Reason"),
    Column("published_at", "New one published", Kind.MOMENT),
    Column("ended_at", "Old one refused", Kind.MOMENT),
)
_EXCEPTIONS = (
    Column("exception", "Exception"),
    Column("concerned", "Concerned"),
    Column("since", "From", Kind.MOMENT),
    Column("until", "Until", Kind.MOMENT),
    Column("reason", "Reason"),
    Column("asked_until", "Asked until", Kind.MOMENT, detail=True),
    Column("requested_by", "Who asked", detail=True),
    Column("stated", "Said of themselves", detail=True),
    Column("holds", "Holds", detail=True),
)


def exceptions_table(
    pauses: Iterable[PastPause], targets: Iterable[Target], begin: datetime, end: datetime
) -> ReportTable:
    """Returns what held changes in a period: what people paused, and the blackouts that the policies have now."""
    rows: list[ReportRow] = [
        {
            "exception": HoldReason.PAUSED.value,
            "concerned": each.scope,
            "since": moment_text(each.since),
            "until": moment_text(each.end),
            "asked_until": moment_text(each.until),
            "requested_by": each.requested_by,
            "stated": each.stated or None,
            "reason": each.reason,
            "holds": each.holds,
        }
        for each in pauses
    ]
    known = dict.fromkeys((target.policy.name, one) for target in targets for one in target.policy.blackouts)
    rows += [
        dict.fromkeys((column.key for column in _EXCEPTIONS), None)
        | {
            "exception": HoldReason.BLACKOUT.value,
            "concerned": f"policy {policy}",
            "since": moment_text(one.start),
            "until": moment_text(one.end),
            "reason": one.reason,
            "holds": one.extent.value,
        }
        for policy, one in known
        if one.start <= end and one.end >= begin
    ]
    return ReportTable("exceptions", "What held changes in the period", _EXCEPTIONS, rows, "Nothing.")


def oldest_table(history: PasswordHistory, targets: Iterable[Target]) -> ReportTable:
    """Returns for each target the greatest age of an accepted password; also for those not configured any more."""
    names = {target.name: target for target in targets}
    rows = [_oldest(history, name, names.get(name)) for name in (*names, *sorted(history.targets.keys() - names))]
    title = "The oldest password of each target that was accepted in the period"
    return ReportTable("targets", title, _OLDEST, rows, "no target was chosen")


def too_old_table(history: PasswordHistory) -> ReportTable:
    """Returns every password that was accepted beyond its limit."""
    rows = [
        _password(history, life) | _ages(life.oldest_in(history.begin, history.end), history.limit_of(life.target))
        for life in history.too_old()
    ]
    return ReportTable("too_old", "Passwords that were accepted beyond their limit", _TOO_OLD, rows, "None.")


def emergencies_table(emergencies: Sequence[Emergency]) -> ReportTable:
    """Returns who asked for which emergency change, and when it was carried out."""
    rows = [
        {
            "asked_at": moment_text(each.asked_at),
            "target": each.target,
            "requested_by": each.requested_by,
            "stated": each.stated or None,
            "reason": each.reason,
            "published_at": moment_text(each.published_at),
            "ended_at": moment_text(each.ended_at),
        }
        for each in emergencies
    ]
    return ReportTable("emergencies", "Emergency changes", _EMERGENCIES, rows, "None was asked for.")


def _oldest(history: PasswordHistory, name: str, target: Target | None) -> ReportRow:
    found, limit = history.targets.get(name), history.limit_of(name)
    if found is None or found.oldest is None:
        nothing: dict[str, Any] = {column.key: None for column in _OLDEST}
        known = {"target": name, "account": target.account if target is not None else None, "rotations": 0}
        return nothing | known | _ages(None, limit) | {"verdict": Verdict.NO_RECORD.value}
    verdict = _verdict(found, limit)
    # A password of unknown age may be the oldest, whatever is known of the others.
    life = found.unknown if verdict is Verdict.UNKNOWN and found.unknown is not None else found.oldest
    row = _password(history, life) | _ages(found.age if life.made_at is not None else None, limit)
    return row | {"verdict": verdict.value, "rotations": found.rotations}


def _verdict(found: TargetHistory, limit: timedelta | None) -> Verdict:
    if limit is None:
        return Verdict.NO_LIMIT
    if found.age > limit:
        return Verdict.OVER
    return Verdict.WITHIN if found.unknown is None else Verdict.UNKNOWN


def _password(history: PasswordHistory, life: PasswordLife) -> dict[str, Any]:
    until: datetime | None = life.ends_by(history.end)
    return {
        "target": life.target,
        "account": life.account,
        "username": life.username,
        "made_at": moment_text(life.made_at),
        "accepted_until": moment_text(until),
    }


def _ages(age: timedelta | None, limit: timedelta | None) -> dict[str, Any]:
    return {
        "greatest_age_seconds": age.total_seconds() if age is not None else None,
        "limit_seconds": limit.total_seconds() if limit is not None else None,
    }
