"""What the audit tells of passwords in a period: when they were made and refused, what is too old, who asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.core.audit_chain import AuditRecord
from rotator.core.password_history import PasswordHistory
from rotator.observe.period_report import oldest_table

DAY = timedelta(days=1)
ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NAMED = {"account": "acc", "credential": "1", "username": "one"}
ANOTHER = {"account": "acc", "credential": "2", "username": "two"}


def record(day: float, verb: str, outcome: str = "done", target: str = "phone", **facts: Any) -> AuditRecord:
    return {"time": (ZERO + day * DAY).isoformat(), "verb": verb, "target": target, "outcome": outcome, "facts": facts}


def at(day: float) -> str:
    return (ZERO + day * DAY).isoformat()


def told(*records: AuditRecord, begin: float = 100, end: float = 200, limit: float = 90) -> PasswordHistory:
    history = PasswordHistory(ZERO + begin * DAY, ZERO + end * DAY, {}, limit * DAY)
    for each in reversed(records):  # chains come in any order
        history.take(each)
    history.finish()
    return history


def age(history: PasswordHistory, target: str = "phone") -> float | None:
    found = history.targets.get(target)
    return found.age / DAY if found is not None else None


PUBLISHED = record(50, "publish", **NAMED, made=at(50))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((), 150),  # until the end of the period
        ((record(130, "disable", **NAMED, made=at(50)),), 80),
        ((record(130, "disable", "refused", **NAMED, made=at(50), gone="so it is"),), 80),
        ((record(130, "disable", "unknown", **NAMED, made=at(50)),), 150),
        ((record(130, "overwrite", **NAMED, made=at(50)),), 80),
        ((record(130, "delete", **NAMED, made=at(50), ended=at(120)),), 70),
        ((record(130, "disable", **NAMED, made=at(50)), record(137, "delete", **NAMED, made=at(50))), 80),
        ((record(110, "expire", **NAMED, made=at(50), ends=at(111)), record(130, "disable", **NAMED)), 61),
        ((record(110, "expire", **NAMED, ends=at(120)), record(111, "lift_end", **NAMED)), 150),
        ((record(120, "publish", **NAMED, made=at(119)),), 81),  # in place: the old one ends, the new one is younger
        ((record(120, "publish", "refused", **NAMED, made=at(119)),), 150),
        ((record(60, "disable", **NAMED, made=at(50)),), None),  # before the period
        ((record(60, "disable", **NAMED, made=at(50)), record(110, "enable", **NAMED, made=at(50))), 150),  # undone
        # Disabled, but a log-in shows that it is still accepted, until it is overwritten.
        (
            (record(130, "disable", **NAMED, made=at(50)), record(131, "try_ended", "refused", **NAMED, made=at(50))),
            150,
        ),
        (
            (
                record(130, "disable", **NAMED, made=at(50)),
                record(131, "try_ended", "refused", **NAMED, made=at(50)),
                record(132, "overwrite", **NAMED, made=at(50), ended=at(130)),
                record(133, "try_ended", **NAMED, made=at(50)),
            ),
            82,
        ),
        ((record(130, "forget", **NAMED, made=at(50)),), 150),
    ],
)
def test_a_password_is_accepted_until_it_is_refused(records, expected):
    assert age(told(PUBLISHED, *records)) == expected


def test_what_is_made_in_the_period_and_published_after_it_does_not_count():
    assert age(told(record(210, "publish", **NAMED, made=at(195)))) is None


def test_what_a_rotation_says_of_its_predecessor_does_not_replace_what_is_known_of_it():
    closed = record(120, "close", **ANOTHER, made=at(120), predecessor="1", predecessor_account="acc")
    assert age(told(PUBLISHED, record(120, "publish", **ANOTHER, made=at(120)), closed)) == 150


def test_what_was_published_before_the_first_record_is_known_by_its_end():
    assert age(told(record(130, "disable", **NAMED, made=at(10)))) == 120
    assert age(told(record(130, "delete", **NAMED, made=at(10), ended=at(90)))) is None


def test_what_a_rotation_replaced_is_known_by_it():
    old = {"predecessor": "1", "predecessor_account": "acc", "predecessor_username": "one", "predecessor_made": at(20)}
    published = record(120, "publish", **ANOTHER, made=at(120))
    assert age(told(published, record(120, "close", **ANOTHER, made=at(120), **old))) == 180
    in_place = record(120, "publish", **NAMED, made=at(120)), record(120, "close", **NAMED, made=at(120), **old)
    assert age(told(*in_place)) == 100
    before = record(20, "publish", **NAMED, made=at(20))
    history = told(before, *in_place)
    assert (age(history), len(history.targets["phone"].too_old)) == (100, 1)


def test_what_somebody_else_made_counts_from_when_it_was_seen():
    history = told(record(60, "adopt", **NAMED, seen=at(55)), record(130, "disable", **NAMED, seen=at(55)))
    oldest = history.targets["phone"].oldest
    assert (age(history), oldest.made_at, oldest.counted_from) == (75, None, ZERO + 55 * DAY)


def test_an_adopted_password_is_not_hidden_behind_a_younger_one_that_was_in_force_for_longer():
    """What was adopted on day 101 and replaced on day 103 may be years old; what replaced it is 90 days old at most."""
    adopted = record(101, "adopt", **NAMED, seen=at(101))
    replaced = record(103, "close", **ANOTHER, made=at(102), predecessor="1", predecessor_account="acc")
    history = told(adopted, replaced, record(104, "disable", **NAMED, seen=at(101)), end=190)
    assert age(history) == 88
    (row,) = oldest_table(history, []).rows
    assert (row["verdict"], row["username"], row["greatest_age_seconds"]) == ("age unknown", "one", None)
    over = told(adopted, replaced, record(104, "disable", **NAMED, seen=at(101)), end=195)
    (row,) = oldest_table(over, []).rows
    assert (row["verdict"], row["username"]) == ("over", "two")  # known to be too old, which is worse


def test_each_password_over_the_limit_is_listed():
    history = told(
        PUBLISHED, record(145, "disable", **NAMED, made=at(50)), record(140, "publish", **ANOTHER, made=at(140))
    )
    (life,) = history.too_old()
    assert (life.username, life.accepted_until) == ("one", ZERO + 145 * DAY)


def test_who_asked_for_an_emergency_and_when_the_old_password_was_refused():
    words = {"requested_by": "vault:anna", "reason": "stolen", "stated": "ticket 1", "compromised": True}
    old = {"predecessor": "1", "predecessor_account": "acc", "predecessor_made": at(50)}
    other = record(150.3, "delete", account="acc", credential="9", username="nine", made=at(1), ended=at(60))
    history = told(
        PUBLISHED,
        record(110, "request_rotation", requested_by="bob", reason="drill", compromised=False),
        record(150, "request_rotation", **words),
        record(150.1, "publish", **ANOTHER, made=at(150)),
        record(150.2, "close", **ANOTHER, made=at(150), **old),
        other,
        record(150.5, "disable", **NAMED, made=at(50)),
        record(250, "request_rotation", **words),
    )
    (emergency,) = history.emergencies
    assert (emergency.requested_by, emergency.reason, emergency.stated) == ("vault:anna", "stolen", "ticket 1")
    assert emergency.asked_at == ZERO + 150 * DAY
    assert (emergency.published_at, emergency.ended_at) == (ZERO + 150.2 * DAY, ZERO + 150.5 * DAY)


def test_a_new_name_takes_everything_along():
    renamed = record(110, "rename", target="desk", renamed_from="phone")
    history = told(PUBLISHED, renamed, record(130, "disable", target="desk", **NAMED, made=at(50)))
    assert (age(history, "desk"), age(history)) == (80, None)


def test_what_is_released_is_forgotten_and_what_comes_too_late_is_counted():
    history = PasswordHistory(ZERO, ZERO + 200 * DAY, {}, None)
    for day in range(0, 150, 3):
        history.release(ZERO + (day - 2) * DAY)
        history.take(record(day, "publish", **NAMED, made=at(day)))
        assert len(history._waiting) <= 2
    history.take(record(10, "verify", **NAMED))  # says nothing of an age
    assert history.late == 0
    history.take(record(10, "disable", **NAMED))
    assert history.late == 1
