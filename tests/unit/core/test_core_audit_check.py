"""What is found wrong with an audit: whoever has no key can neither drop, change nor forge a record unnoticed."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples

from rotator.core.audit_chain import (
    GENESIS,
    Entry,
    Position,
    StoredDay,
    canonical_json,
    day_index,
    mac_of,
    next_line,
    segment,
)
from rotator.core.audit_check import IN_VAULT, AuditCheck, CheckedAudit
from rotator.core.secret import Secret

KEY = Secret("the-key")
AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = "2026-01-05"


def chain(name: str = "c1", count: int = 4, key: Secret = KEY, **facts: str | float) -> list[str]:
    lines, position = [], Position(name, -1, GENESIS)
    for number in range(count):
        line, position = next_line(key, position, Entry(AT, "publish", f"phone-{number}", "done", facts))
        lines.append(line.text)
    return lines


def in_file(lines: list[str], *, mixed: bool = False, **how: object) -> CheckedAudit:
    check = AuditCheck(KEY, in_vault=False, mixed=mixed)
    for number, line in enumerate(lines, 1):
        check.line(f"line {number}", line.encode())
    return check.result(**how)


def in_vault(*days: StoredDay) -> CheckedAudit:
    check = AuditCheck(KEY, in_vault=True)
    check.stored(days)
    return check.result()


def stored(day: str, previous: str = "", **segments: list[str]) -> StoredDay:
    names = tuple(segments)
    documents = tuple(segment(KEY, name, 3, tuple(lines)) for name, lines in segments.items())
    return StoredDay(day, day_index(KEY, day, len(names), previous, names), documents)


def whats(checked: CheckedAudit) -> list[str]:
    assert checked.ok == (not checked.problems)
    return [f"{problem.place}: {problem.what}" for problem in checked.problems]


def ends(checked: CheckedAudit) -> dict[str, Position]:
    return {end.chain: end for end in checked.ends}


def test_chains_of_several_processes_in_any_order_are_whole_and_copies_do_no_harm() -> None:
    first, second = chain("a"), chain("b")
    mingled = [second[0], first[0], second[1], *first[1:], second[1], *second[2:]]
    checked = in_file(mingled)
    assert (whats(checked), checked.records) == ([], 8)
    assert ends(checked)["b"].seq == 3


def test_between_the_records_of_a_log_other_lines_do_no_harm_elsewhere_they_were_inserted() -> None:
    lines = ['{"event": "started", "level": "info"}', *chain(), "plain text", ""]
    assert whats(in_file(lines, mixed=True)) == []
    found = whats(in_file(lines))
    assert [what.partition(":")[0] for what in found] == ["line 1", "line 6"]
    assert all("inserted or damaged" in what for what in found)


@given(
    st.sampled_from(["drop", "change", "forge", "rechain"]),
    st.integers(0, 3),
    st.sampled_from(["target", "outcome", "verb", "time"]),
)
def test_no_record_is_dropped_changed_or_forged_unnoticed(kind: str, at: int, field: str) -> None:
    """4c: a chain that somebody rewrote, with every hash computed anew but without the key, is found out."""
    lines = chain(requested_by="anna")
    known = ends(in_file(lines))
    records = [json.loads(line) for line in lines]
    if kind == "drop":
        lines = lines[:at] + lines[at + 1 :]
    elif kind == "change":
        lines[at] = canonical_json(records[at] | {field: "another"})
    else:
        previous = records[at - 1]["mac"] if at else GENESIS
        for number in range(at, 4):
            records[number] |= {"prev": previous, "facts": {"requested_by": "somebody else"}}
            text = canonical_json({name: value for name, value in records[number].items() if name != "mac"})
            plain = hashlib.sha256(text.encode()).hexdigest()
            records[number]["mac"] = plain if kind == "rechain" else mac_of(Secret("guessed"), records[number])
            previous = records[number]["mac"]
            lines[number] = canonical_json(records[number])
    assert whats(in_file(lines, mixed=True, stored=known))


def test_a_file_is_compared_with_where_vault_says_that_each_chain_ends() -> None:
    lines = chain()
    known = ends(in_file(lines))
    assert "record 3 is missing" in whats(in_file(lines[:3], stored=known))[0]
    assert whats(in_file(lines[:3], stored=known, part=True)) == []
    assert whats(in_file(lines[2:], stored=known, part=True)) == []
    assert "records 0 to 1 are missing" in whats(in_file(lines[2:], stored=known))[0]
    longer = in_file(chain(count=6), stored=known)
    assert (longer.ok, longer.notes[0].what) == (
        True,
        "records 4 to 5 are not in Vault: just written, or the process was killed",
    )
    unknown = in_file(lines, stored={})
    assert (unknown.ok, len(unknown.notes)) == (True, 1)
    other = chain(count=4, reason="another")
    assert "record 3 is another one in Vault" in whats(in_file(other, stored=known))[0]


def test_a_record_that_exists_twice_with_different_content_is_found() -> None:
    assert "exists twice" in whats(in_file([*chain(), chain(reason="another")[2]]))[0]


def test_a_second_key_or_spaces_in_the_json_hide_no_text() -> None:
    (line,) = chain(count=1)
    for changed in (
        line.replace("{", '{"target":"hidden",', 1),
        line.replace(",", ", "),
        line.replace('"seq":0', '"seq":0.0'),
    ):
        assert whats(in_file([changed], mixed=False))


def test_what_a_full_disk_cut_short_is_a_note_and_what_it_lacks_is_missing() -> None:
    lines = chain()
    again = in_file([lines[0], lines[1][:40], *lines[1:]])
    assert (again.ok, len(again.notes)) == (True, 1)
    assert "record 1 is missing" in whats(in_file([lines[0], lines[1][:40], *lines[2:]]))[0]


def test_records_that_were_lost_with_a_record_of_that_are_no_problem_where_they_were_lost() -> None:
    lines, position = [], Position("c1", -1, GENESIS)
    lost = {"destination": "/var/log/audit.jsonl", "first": 1, "last": 2, "cause": "disk full"}
    for number in range(4):
        verb, facts = ("lines_lost", lost) if number == 3 else ("publish", {})
        line, position = next_line(KEY, position, Entry(AT, verb, "", "noticed", facts))
        lines.append(line.text)
    checked = in_file([lines[0], lines[3]])
    assert (checked.ok, checked.notes[0].what) == (True, "records 1 to 2 are lost, as a later record says")
    assert not in_vault(stored(DAY, one=[lines[0], lines[3]])).ok
    assert lost["destination"] != IN_VAULT


def test_what_vault_has_is_whole_over_days_and_segments() -> None:
    lines = chain(count=6)
    checked = in_vault(
        stored(DAY, one=lines[:2], other=chain("b")), stored("2026-01-06", DAY, two=lines[2:4], three=lines[4:])
    )
    assert (whats(checked), checked.records) == ([], 10)


def test_a_document_that_was_removed_from_vault_is_missed_even_the_last_of_its_chain() -> None:
    whole = stored(DAY, one=chain("a"), two=chain("b"))
    gone = replace(whole, segments=whole.segments[:1])
    assert whats(in_vault(gone)) == [f"{DAY}/two: this document was removed"]
    assert "missing or damaged" in whats(in_vault(replace(whole, index=None)))[0]
    damaged = replace(gone, unreadable=("two",))
    assert whats(in_vault(damaged)) == [f"{DAY}/two: this document is damaged"]


def test_an_older_version_of_a_document_that_was_written_again_is_found() -> None:
    whole = stored(DAY, one=chain("a"))
    (now,) = whole.segments
    older = replace(segment(KEY, "one", 2, now.lines[:2]), version=3)
    assert "older version" in whats(in_vault(replace(whole, segments=(older,))))[0]
    forged = replace(now, lines=now.lines[:2])
    assert "written by somebody else" in whats(in_vault(replace(whole, segments=(forged,))))[0]


def test_a_list_that_was_changed_or_begun_again_and_a_day_that_was_removed_are_found() -> None:
    whole = stored(DAY, one=chain("a"), two=chain("b"))
    assert whole.index is not None
    shorter = replace(whole, index=replace(whole.index, segments=("one",)), segments=whole.segments[:1])
    assert "was changed" in whats(in_vault(shorter))[0]
    again = replace(whole, index=day_index(KEY, DAY, 4, "", ("one", "two")))
    assert "begun again" in whats(in_vault(again))[0]
    following = stored("2026-01-07", DAY, three=chain("c"))
    assert whats(in_vault(following)) == [f"{DAY}: the documents of this day were removed"]


def test_days_that_are_older_than_their_term_are_missed_unless_that_is_on_record() -> None:
    lines, position = [], Position("c1", -1, GENESIS)
    for verb, facts in (("publish", {}), ("publish", {}), ("remove_records", {"until": DAY, "days": 1})):
        line, position = next_line(KEY, position, Entry(AT, verb, "", "done", facts))
        lines.append(line.text)
    assert whats(in_vault(stored("2026-01-06", DAY, two=lines[1:]))) == []
    assert whats(in_vault(stored("2026-01-06", DAY, two=lines[1:2])))


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"\xff\xfe", b'{"chain":' * 50_000, b'{"seq": 1}', b'{"chain":"c1","facts":NaN}']
)
def test_whatever_is_in_a_file_is_judged(line: bytes) -> None:
    check = AuditCheck(KEY, in_vault=False, mixed=True)
    check.line("line 1", line)
    assert check.result().records == 0


GENUINE: dict[str, object] = json.loads(chain()[0])
ODD = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)
LINES = st.one_of(
    st.binary(max_size=60),
    # A record whose content was replaced in one place or more, or that was cut short.
    st.dictionaries(st.sampled_from([*GENUINE, "x"]), ODD, min_size=1, max_size=4)
    .map(lambda changed: GENUINE | changed)
    .filter(lambda record: record != GENUINE)
    .map(lambda record: json.dumps(record).encode()),
    st.integers(1, len(chain()[0]) - 1).map(lambda end: chain()[0][:end].encode()),
    st.just(b'{"seq": ' + b"9" * 5000 + b"}"),
)


@examples(200)
@given(st.lists(LINES, max_size=4), st.booleans())
def test_no_line_makes_the_check_fail_or_passes_for_a_record(lines: list[bytes], mixed: bool) -> None:
    check = AuditCheck(KEY, in_vault=False, mixed=mixed)
    for number, line in enumerate(lines):
        check.line(f"line {number}", line)
    assert check.result().records == 0
