"""What was paused in a period, as the audit tells it."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from rotator.core.pause_history import PauseHistory

DAY, NOW = timedelta(days=1), datetime(2026, 8, 1, tzinfo=UTC)
NUMBER = count()


def record(verb: str, at: datetime, scope: str, until: datetime | None = None, **changes: Any) -> dict[str, Any]:
    facts = {"requested_by": "vault:alice", "stated": "CHG-7", "reason": "PBX is replaced", "scope": scope}
    facts |= {"until": until.isoformat(), "holds": "changes"} if until is not None else {}
    made = {"chain": "c", "seq": next(NUMBER), "time": at.isoformat(), "verb": verb, "target": "", "outcome": "done"}
    return made | {"facts": facts} | changes


def told(*records: dict[str, Any], begin: datetime = NOW, end: datetime = NOW + 90 * DAY) -> list[tuple[Any, ...]]:
    history = PauseHistory()
    for each in records:
        history.take(each)
    return [(one.scope, one.since, one.until, one.ended_at) for one in history.within(begin, end)]


def test_a_pause_has_who_asked_until_when_and_why():
    history = PauseHistory()
    history.take(record("pause", NOW, "office", NOW + DAY))
    (found,) = history.within(NOW, NOW + DAY)
    assert (found.requested_by, found.stated, found.reason) == ("vault:alice", "CHG-7", "PBX is replaced")
    assert (found.until, found.ended_at, found.holds) == (NOW + DAY, None, "changes")


def test_what_a_record_does_not_say_is_empty():
    history = PauseHistory()
    history.take(record("pause", NOW, "office", facts={"scope": "office", "until": (NOW + DAY).isoformat()}))
    (found,) = history.within(NOW, NOW + DAY)
    assert (found.requested_by, found.stated, found.reason, found.holds) == ("", "", "", "")


@pytest.mark.parametrize(
    ("scope", "resumed", "ended"),
    [
        ("office", "office", True),
        ("lobby, office", "hall", False),
        ("lobby, office", "lobby, office", True),
        ("account vobiz", "account vobiz", True),
        ("account vobiz", "office", False),
        ("the whole fleet", "the whole fleet", True),
        ("label site=berlin", "the whole fleet", False),
    ],
)
def test_a_person_ends_what_has_the_same_scope(scope, resumed, ended):
    began = record("pause", NOW, scope, NOW + 9 * DAY)
    assert told(began, record("resume", NOW + DAY, resumed)) == [
        (scope, NOW, NOW + 9 * DAY, NOW + DAY if ended else None)
    ]


def test_names_that_were_paused_together_end_one_by_one():
    began = record("pause", NOW, "lobby, office", NOW + 9 * DAY)
    ends = [record("resume", NOW + DAY, "office"), record("resume", NOW + 2 * DAY, "lobby")]
    assert told(began, *ends) == [
        ("office", NOW, NOW + 9 * DAY, NOW + DAY),
        ("lobby", NOW, NOW + 9 * DAY, NOW + 2 * DAY),
    ]
    assert told(began, *ends, begin=NOW + 1.5 * DAY) == [("lobby", NOW, NOW + 9 * DAY, NOW + 2 * DAY)]


def test_a_name_that_is_paused_anew_leaves_the_pause_that_it_had_with_others():
    first = record("pause", NOW, "lobby, office", NOW + 9 * DAY)
    again = record("pause", NOW + DAY, "office", NOW + 5 * DAY)
    assert told(first, again) == [
        ("office", NOW, NOW + 9 * DAY, NOW + DAY),
        ("lobby", NOW, NOW + 9 * DAY, None),
        ("office", NOW + DAY, NOW + 5 * DAY, None),
    ]


def rename(at: datetime, old: str, new: str) -> dict[str, Any]:
    return record("rename", at, "", target=new, facts={"renamed_from": old})


def test_a_pause_follows_a_target_to_its_new_name():
    began = record("pause", NOW, "lobby, office", NOW + 9 * DAY)
    moved = rename(NOW + DAY, "office", "reception")
    assert told(began, moved) == [("lobby, reception", NOW, NOW + 9 * DAY, None)]
    assert told(began, moved, record("resume", NOW + 2 * DAY, "reception")) == [
        ("reception", NOW, NOW + 9 * DAY, NOW + 2 * DAY),
        ("lobby", NOW, NOW + 9 * DAY, None),
    ]


def test_what_had_ended_is_under_the_new_name_too_and_another_target_may_take_the_old_one():
    began, ended = record("pause", NOW, "office", NOW + 9 * DAY), record("resume", NOW + DAY, "office")
    moves = [rename(NOW + 2 * DAY, "office", "reception"), rename(NOW + 3 * DAY, "reception", "hall")]
    other = record("pause", NOW + 4 * DAY, "office", NOW + 5 * DAY)
    assert told(began, ended, *moves, other) == [
        ("hall", NOW, NOW + 9 * DAY, NOW + DAY),
        ("office", NOW + 4 * DAY, NOW + 5 * DAY, None),
    ]


def test_everything_ends_if_nobody_could_read_what_was_paused():
    scopes = ("lobby, office", "account vobiz", "the whole fleet")
    began = [record("pause", NOW, scope, NOW + 9 * DAY) for scope in scopes]
    lifted = record("resume", NOW + DAY, "the whole fleet")
    lifted["facts"]["everything"] = True
    assert told(*began, lifted) == [(scope, NOW, NOW + 9 * DAY, NOW + DAY) for scope in scopes]


def test_another_pause_of_the_same_makes_the_first_one_end():
    first = record("pause", NOW, "office", NOW + DAY)
    again = record("pause", NOW + DAY / 2, "office", NOW + 9 * DAY)
    assert told(again, first) == [
        ("office", NOW, NOW + DAY, NOW + DAY / 2),
        ("office", NOW + DAY / 2, NOW + 9 * DAY, None),
    ]


def test_what_had_ended_by_itself_is_not_ended_by_anybody():
    began = record("pause", NOW, "office", NOW + DAY)
    assert told(began, record("resume", NOW + 2 * DAY, "office")) == [("office", NOW, NOW + DAY, None)]


def test_only_a_part_has_to_lie_in_the_period():
    began = record("pause", NOW, "office", NOW + 9 * DAY)
    assert told(began, begin=NOW + 8 * DAY) == [("office", NOW, NOW + 9 * DAY, None)]
    assert told(began, begin=NOW + 10 * DAY) == []
    assert told(began, begin=NOW - 9 * DAY, end=NOW - DAY) == []
    assert told(began, record("resume", NOW + DAY, "office"), begin=NOW + 2 * DAY) == []


def test_a_record_that_comes_twice_and_one_that_was_only_intended_count_once():
    began = record("pause", NOW, "office", NOW + DAY)
    intended = record("pause", NOW, "office", NOW + DAY, outcome="intended")
    assert len(told(intended, began, began)) == 1


def test_whom_a_pause_may_have_concerned():
    history = PauseHistory()
    for scope in ("office", "lobby, hall", "account vobiz"):
        history.take(record("pause", NOW, scope, NOW + DAY))
    found = history.within(NOW, NOW + DAY)
    assert [one.scope for one in found if one.may_concern(frozenset({"hall"}))] == ["lobby, hall", "account vobiz"]
