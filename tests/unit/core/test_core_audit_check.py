"""What is found wrong with an audit: whoever has no key can neither drop, change nor forge a record unnoticed."""

import hashlib
import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
from rotator.core.audit_check import IN_VAULT, AuditCheck, AuditFinding, CheckedAudit
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


def vault_of(*lines: list[str]) -> AuditCheck:
    """What Vault has: these lines, and nothing is wrong with them."""
    check = AuditCheck(KEY)
    check.stored([stored(DAY, **{f"s{number}": each for number, each in enumerate(lines)})])
    assert check.result().ok
    return check


def in_file(
    lines: list[str], *, mixed: bool = False, part: bool = False, vault: AuditCheck | None = None
) -> CheckedAudit:
    check = AuditCheck(KEY, vault=vault or vault_of(), mixed=mixed)
    for number, line in enumerate(lines, 1):
        check.line(f"line {number}", line.encode())
    return check.result(part=part)


def in_vault(*days: StoredDay) -> CheckedAudit:
    check = AuditCheck(KEY)
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
    assert found == [f"line {at}: this is not an audit record: it was inserted or damaged" for at in (1, 6)]


@given(
    st.sampled_from(["drop", "change", "forge", "rechain"]),
    st.integers(0, 3),
    st.sampled_from(["target", "outcome", "verb", "time"]),
)
def test_no_record_is_dropped_changed_or_forged_unnoticed(kind: str, at: int, field: str) -> None:
    """4c: a chain that somebody rewrote, with every hash computed anew but without the key, is found out."""
    lines = chain(requested_by="anna")
    known = vault_of(lines)
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
    assert whats(in_file(lines, mixed=True, vault=known))


def test_a_file_is_compared_with_what_vault_has_of_each_chain() -> None:
    lines = chain()
    known = vault_of(lines)
    assert whats(in_file(lines[:3], vault=known)) == ["chain c1: record 3 is missing"]
    assert whats(in_file(lines[:3], vault=known, part=True)) == []
    assert whats(in_file(lines[2:], vault=known, part=True)) == []
    assert whats(in_file(lines[2:], vault=known)) == ["chain c1: records 0 to 1 are missing"]
    longer = in_file(chain(count=6), vault=known)
    assert (longer.ok, longer.notes) == (
        True,
        (AuditFinding("chain c1", "records 4 to 5 are not in Vault: just written, or the process was killed"),),
    )
    unknown = in_file(lines)
    assert (unknown.ok, [note.what for note in unknown.notes]) == (
        True,
        ["records 0 to 3 are not in Vault: just written, or the process was killed"],
    )


@pytest.mark.parametrize("part", [False, True])
def test_records_that_vault_has_otherwise_are_found_wherever_they_are_in_the_chain(part: bool) -> None:
    """Whoever has the key and writes Vault anew is found out by a copy, even by a piece of one."""
    known, others = vault_of(chain()), chain(reason="another")
    assert whats(in_file(others, vault=known, part=part)) == ["line 1: record 0 of chain c1 is another one in Vault"]
    assert whats(in_file(others[2:3], vault=known, part=True)) == [
        "line 1: record 2 of chain c1 is another one in Vault"
    ]


def long_lived(minutes: float, count: int = 4) -> list[str]:
    """A process that recorded something every so often."""
    lines, position = [], Position("c1", -1, GENESIS)
    for number in range(count):
        at = AT + number * timedelta(minutes=minutes)
        line, position = next_line(KEY, position, Entry(at, "publish", "phone", "done", {}))
        lines.append(line.text)
    return lines


def test_records_of_a_long_time_that_vault_lacks_were_removed_there() -> None:
    """A process writes to Vault every few seconds, and only its end may be missing there."""
    lines = long_lived(minutes=5)
    assert whats(in_file(lines, vault=vault_of(lines[:1]))) == []  # ten minutes: it was killed while Vault was away
    lines = long_lived(minutes=5.01)
    (found,) = whats(in_file(lines, vault=vault_of(lines[:1])))
    assert found.startswith("chain c1: records 1 to 3 are not in Vault, though the process wrote them over more than")
    assert len(whats(in_file(lines))) == 1  # not even the chain is known


def test_a_copy_that_is_older_than_what_vault_keeps_is_no_problem_and_said() -> None:
    vault = vault_of(removal_of_old(DAY))
    lines = long_lived(minutes=60)
    checked = in_file(lines, vault=vault)
    what = "records 0 to 3 are not in Vault, which keeps nothing that is so old: the end cannot be checked"
    assert (whats(checked), checked.notes) == ([], (AuditFinding("chain c1", what),))
    assert whats(in_file(lines, vault=vault_of(removal_of_old("2026-01-04"))))


def removal_of_old(until: str) -> list[str]:
    line, _ = next_line(
        KEY, Position("c9", -1, GENESIS), Entry(AT, "remove_records", "", "done", {"until": until, "days": 1})
    )
    return [line.text]


def test_a_record_that_exists_twice_with_different_content_is_found() -> None:
    assert whats(in_file([*chain(), chain(reason="another")[2]])) == [
        "line 5: record 2 of chain c1 exists twice, with different content"
    ]


def test_a_chain_that_goes_on_after_another_record_than_the_one_that_is_there_is_found() -> None:
    """As where a machine was set back to a copy of itself, and goes on from there."""
    both = [*chain()[:2], *chain(reason="another")[2:]]
    assert whats(in_file(both)) == ["chain c1: record 2 does not follow record 1: one of them was replaced"]
    line, _ = next_line(KEY, Position("c1", -1, "f" * 64), Entry(AT, "start", "", "done", {}))
    assert whats(in_file([line.text])) == ["chain c1: its first record refers to an earlier one"]
    odd, _ = next_line(KEY, Position("c1", 0, "\ud800"), Entry(AT, "start", "", "done", {}))
    assert len(whats(in_file([odd.text]))) == 1


def test_a_copy_of_what_vault_has_removed_at_the_beginning_of_a_chain_is_no_contradiction() -> None:
    lines = chain(count=600)
    vault = AuditCheck(KEY)
    vault.stored([stored(DAY, one=lines[300:])])
    assert whats(in_file(lines, vault=vault)) == []
    assert whats(in_file([*lines[:300], *chain(count=600, reason="another")[300:]], vault=vault)) == [
        "line 301: record 300 of chain c1 is another one in Vault",
        "chain c1: record 300 does not follow record 299: one of them was replaced",
    ]


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
    again = in_file([lines[0], lines[1][:40], *lines[1:]], vault=vault_of(lines))
    cut = AuditFinding("line 2", "this record was cut short, as a full disk or a power failure does it")
    assert (again.ok, again.notes) == (True, (cut,))
    assert "record 1 is missing" in whats(in_file([lines[0], lines[1][:40], *lines[2:]]))[0]


def test_records_that_were_lost_with_a_record_of_that_are_no_problem_where_they_were_lost() -> None:
    lines, position = [], Position("c1", -1, GENESIS)
    lost = {"destination": "/var/log/audit.jsonl", "first": 1, "last": 2, "cause": "disk full"}
    for number in range(4):
        verb, facts = ("lines_lost", lost) if number == 3 else ("publish", {})
        line, position = next_line(KEY, position, Entry(AT, verb, "", "noticed", facts))
        lines.append(line.text)
    vault = vault_of(lines)
    checked = in_file([lines[0], lines[3]], vault=vault)
    note = AuditFinding("chain c1", "records 1 to 2 are lost at /var/log/audit.jsonl, as a later record says")
    assert (checked.problems, checked.notes) == ((), (note,))
    assert whats(in_file([lines[0], lines[1], lines[3]], vault=vault)) == []  # it came there after all
    assert whats(in_file([lines[3]], vault=vault)) == ["chain c1: records 0 to 2 are missing"]
    assert not in_vault(stored(DAY, one=[lines[0], lines[3]])).ok
    assert lost["destination"] != IN_VAULT


def test_records_that_vault_has_lost_with_a_record_of_that_are_a_note_there() -> None:
    lines, position = [], Position("c1", -1, GENESIS)
    for destination in (None, None, "vault", "/b", "/a"):
        facts = {"destination": destination, "first": 1, "last": 1} if destination else {}
        entry = Entry(AT, "lines_lost" if destination else "publish", "", "noticed", facts)
        line, position = next_line(KEY, position, entry)
        lines.append(line.text)
    without = lines[:1] + lines[2:]
    checked = in_vault(stored(DAY, one=without))
    assert [note.what for note in checked.notes] == ["record 1 is lost at vault, as a later record says"]
    in_a_file = in_file(without, vault=vault_of(lines))
    assert [note.what for note in in_a_file.notes] == ["record 1 is lost at /a and /b, as a later record says"]
    assert (checked.ok, in_a_file.ok) == (True, True)


def test_what_vault_has_is_whole_over_days_and_segments() -> None:
    lines = chain(count=6)
    checked = in_vault(
        stored(DAY, one=lines[:2], other=chain("b")), stored("2026-01-06", DAY, two=lines[2:4], three=lines[4:])
    )
    assert (whats(checked), checked.records) == ([], 10)


def test_a_document_that_was_removed_from_vault_is_missed_even_the_last_of_its_chain() -> None:
    whole = stored(DAY, one=chain("a"), two=chain("b"))
    gone = replace(whole, segments=tuple(whole.segments)[:1])
    assert whats(in_vault(gone)) == [f"{DAY}/two: this document was removed"]
    lost = whats(in_vault(replace(whole, index=None)))
    assert lost[0] == f"{DAY}: the list of this day's documents is missing or damaged"
    damaged = replace(gone, segments=(*gone.segments, "two"))
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
    shorter = replace(whole, index=replace(whole.index, segments=("one",)), segments=tuple(whole.segments)[:1])
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
    check = AuditCheck(KEY, vault=vault_of(), mixed=True)
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
    check = AuditCheck(KEY, vault=vault_of(), mixed=mixed)
    for number, line in enumerate(lines):
        check.line(f"line {number}", line)
    assert check.result().records == 0


def test_what_a_collector_puts_before_a_record_in_a_log_does_no_harm() -> None:
    lines = chain()
    vault = vault_of(lines)
    for prefix in ("<109>Jan  5 12:00:00 pod rotator[7]: ", "2026-01-05T12:00:00Z stdout F ", "pod/rotator-0 \u00fc\t"):
        assert whats(in_file([prefix + line + "\r" for line in lines], mixed=True, vault=vault)) == []
        assert len(whats(in_file([prefix + line for line in lines], vault=vault))) == 4  # none of them is a record
        changed = [prefix + lines[0].replace("done", "gone"), *lines[1:]]
        assert "its key does not fit" in whats(in_file(changed, mixed=True, vault=vault))[0]


def test_the_order_of_records_does_not_matter_and_each_gap_is_named() -> None:
    lines = chain(count=600)
    vault = vault_of(lines)
    for shuffled in (lines[::-1], sorted(lines), lines[300:] + lines[:300], lines + lines):
        checked = in_file(shuffled, vault=vault)
        assert (whats(checked), checked.records, ends(checked)["c1"].seq) == ([], 600, 599)
    holes = [line for number, line in enumerate(lines) if number not in {0, 255, 256, 300, 599}]
    assert whats(in_file(sorted(holes), vault=vault)) == [
        "chain c1: record 0 is missing",
        "chain c1: records 255 to 256 are missing",
        "chain c1: record 300 is missing",
        "chain c1: record 599 is missing",
    ]


def test_of_findings_without_number_a_thousand_are_kept_and_the_others_counted() -> None:
    checked = in_file(["rubbish"] * 1500)
    assert (checked.ok, len(checked.problems), checked.more_problems) == (False, 1000, 500)
    torn = in_file([chain()[0][:40]] * 1500)
    assert (len(torn.notes), torn.more_notes) == (1000, 500)


@pytest.mark.unmeasured
def test_memory_for_a_large_audit_is_a_few_bytes_a_record() -> None:
    """A million need 16 MB; each of them has 250 characters and more."""
    lines = [line.encode() for line in chain(count=5000)]
    check = AuditCheck(KEY)
    tracemalloc.start()
    try:
        for line in lines:
            check.line("document", line)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert check.result().records == 5000
    assert most < 16 * 5000 + 60_000, most


def test_whatever_somebody_writes_into_a_document_is_judged_and_what_follows_as_well() -> None:
    whole = stored(DAY, one=["\ud800 \udc80", *chain()], three=chain("c3"))
    found = whats(in_vault(replace(whole, segments=("odd", *whole.segments))))
    assert found == [
        f"{DAY}/one: this is not an audit record: it was inserted or damaged",
        f"{DAY}/odd: this document is damaged",
    ]
    (now, _) = whole.segments
    changed = replace(now, lines=now.lines[1:])
    what = "this document was written by somebody else, or an older version of it was written again"
    assert whats(in_vault(replace(whole, segments=(changed, "three")))) == [
        f"{DAY}/one: {what}",
        f"{DAY}/three: this document is damaged",
    ]


def test_a_gap_after_the_first_record_counts_in_a_part_and_a_late_beginning_only_in_the_whole() -> None:
    lines = chain()
    assert whats(in_file([lines[0], *lines[2:]], part=True)) == ["chain c1: record 1 is missing"]
    assert whats(in_vault(stored(DAY, one=lines[1:]))) == ["chain c1: record 0 is missing"]
