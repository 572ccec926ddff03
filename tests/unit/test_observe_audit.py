"""The audit: the chain, what verify finds, and files that tear, rotate, fill up or are shared."""

import errno
import fcntl
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polling import eventually

from rotator.core.audit_words import AuditVerb
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.observe.audit import AuditError, AuditLog, FileSink, StreamSink
from rotator.observe.chain import (
    GENESIS,
    Entry,
    Position,
    VerifyResult,
    canonical_json,
    continue_chain,
    digest,
    verify,
)
from rotator.observe.redact import Redactor
from rotator.testing import FakeClock, FakeRandomness

SENTINEL = "Sentinel-Value-77"


def audit_on(sink: StreamSink | FileSink, seed: int = 1) -> AuditLog:
    return AuditLog(sink, FakeClock(), FakeRandomness(seed), Redactor())


def audit_file(path: Path, seed: int = 1) -> AuditLog:
    return audit_on(FileSink(path, FakeClock()), seed)


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def records_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines_of(path)]


def chain_of(count: int, seed: int = 1) -> list[str]:
    """A chain of `count` records."""
    stream = io.StringIO()
    log = audit_on(StreamSink(stream), seed)
    for number in range(count):
        log.record("publish", "phone", "done", number=number)
    return stream.getvalue().splitlines(keepends=True)


def problems(result: VerifyResult) -> list[tuple[int, str]]:
    assert result.ok == (not result.problems)
    return [(problem.line, problem.what) for problem in result.problems]


# --- records


def test_a_record_says_what_when_to_what_and_why_and_is_chained() -> None:
    stream = io.StringIO()
    log = audit_on(StreamSink(stream))
    log.record(
        "disable", "phone", "done", requested_by="anna", reason="leaver", attempt="a1", credential="c1", first=True
    )
    log.record("delete", "phone", "refused")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["facts"] == {
        "requested_by": "anna",
        "reason": "leaver",
        "attempt": "a1",
        "credential": "c1",
        "first": True,
    }
    assert (first["verb"], first["target"], first["outcome"]) == ("disable", "phone", "done")
    assert (first["time"], first["seq"], first["prev"]) == ("2026-01-05T12:00:00+00:00", 0, GENESIS)
    assert (second["seq"], second["prev"], second["chain"]) == (1, first["hash"], first["chain"])
    assert second["hash"] == digest(second)
    assert log.status.position == Position(first["chain"], 1, second["hash"])


def test_no_value_gets_into_the_audit_whatever_it_is_wrapped_in() -> None:
    stream, redactor = io.StringIO(), Redactor()
    redactor.add(Secret(SENTINEL))
    log = AuditLog(StreamSink(stream), FakeClock(), FakeRandomness(), redactor)
    secret = Secret(SENTINEL)
    hidden: dict[str, object] = {
        "secret": secret,
        "credential": Credential("a", "u", password=secret),
        "list": [SENTINEL],
        "bytes": SENTINEL.encode(),
        "error": ValueError(SENTINEL),
        "text": f"password is {SENTINEL}",
    }
    log.record(SENTINEL, SENTINEL, SENTINEL, **hidden)  # type: ignore[arg-type]
    assert SENTINEL not in stream.getvalue()
    facts = json.loads(stream.getvalue())["facts"]
    assert facts["secret"] == "(not recorded: Secret)"
    assert facts["text"] == "password is ***"
    assert verify(stream.getvalue().splitlines()).ok


def test_facts_that_json_has_no_word_for_are_written_as_text() -> None:
    stream = io.StringIO()
    audit_on(StreamSink(stream)).record("x", "y", "z", nan=float("nan"), much=float("inf"), odd="\ud800 é\n")
    assert verify(stream.getvalue().splitlines()).ok
    assert json.loads(stream.getvalue())["facts"] == {"nan": "nan", "much": "inf", "odd": "\ud800 é\n"}


def test_records_of_many_threads_form_one_chain(tmp_path: Path) -> None:
    log = audit_file(tmp_path / "audit")

    def write(name: str) -> None:
        for number in range(20):
            log.record("x", name, "done", number=number)

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = verify(lines_of(tmp_path / "audit"))
    assert (result.ok, result.records, len(result.chains)) == (True, 100, 1)


class SlowSink:
    """Takes its time for the first record, as a disk may; `flushed` has how many came with each flush."""

    def __init__(self) -> None:
        self.flushed: list[int] = []
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.failing = False

    def append(self, position: Position, entries: tuple[Entry, ...]) -> Position:
        if entries:
            self.flushed.append(len(entries))
            self.begun.set()
            assert self.may_end.wait(20)
        if self.failing:
            raise OSError(errno.ENOSPC, "full")
        return continue_chain(position, entries)[1]


@pytest.mark.parametrize("fails", [False, True])
def test_what_comes_while_the_disk_is_busy_is_flushed_together(fails: bool) -> None:
    sink = SlowSink()
    log = AuditLog(sink, FakeClock(), FakeRandomness(), Redactor())
    threads = [threading.Thread(target=log.record, args=("x", f"t{number}", "done")) for number in range(5)]
    threads[0].start()
    assert sink.begun.wait(20)
    for thread in threads[1:]:
        thread.start()
    eventually(lambda: len(log._waiting) == 5, "the others have not come")
    sink.failing = fails
    sink.may_end.set()
    for thread in threads:
        thread.join(20)
    if fails:  # the others try once for all of them, and all are kept
        assert sink.flushed == [1, 5]
        assert log.status.waiting == 5
        sink.failing = False
        log.record("x", "t", "done")
        assert sink.flushed[-1] == 6
    else:
        assert sink.flushed == [1, 4]
    assert (log.status.waiting, log.status.position.seq) == (0, 5 if fails else 4)


# --- verify


def test_a_whole_chain_is_ok_and_its_end_is_named() -> None:
    lines = chain_of(5)
    last = json.loads(lines[-1])
    result = verify(lines)
    assert (result.ok, result.records) == (True, 5)
    assert result.chains == (Position(last["chain"], 4, last["hash"]),)
    assert verify([line.encode() for line in lines], anchor=last["hash"]).ok
    assert verify([]).ok


def test_a_removed_line_is_found() -> None:
    lines = chain_of(6)
    assert problems(verify(lines[:2] + lines[3:])) == [(3, "record 2 is missing before this line")]
    assert problems(verify(lines[:2] + lines[5:])) == [(3, "records 2 to 4 are missing before this line")]


def test_a_changed_line_is_found_and_blamed_alone() -> None:
    lines = chain_of(5)
    lines[2] = lines[2].replace("phone", "fax")
    assert problems(verify(lines)) == [(3, "record 2 was changed after it was written")]


def test_a_line_that_was_replaced_together_with_its_hash_is_found() -> None:
    lines = chain_of(5)
    forged = json.loads(lines[2]) | {"target": "fax"}
    forged["hash"] = digest(forged)
    lines[2] = canonical_json(forged) + "\n"
    assert problems(verify(lines)) == [(4, "record 3 does not follow record 2: one of them was replaced")]


def test_text_hidden_in_a_second_key_or_in_spaces_is_found() -> None:
    lines = chain_of(3)
    twice = [*lines[:1], lines[1].replace('{"chain"', '{"chain":"other","chain"'), *lines[2:]]
    spaced = [*lines[:1], lines[1].replace('":', '": '), *lines[2:]]
    for changed in (twice, spaced):
        assert problems(verify(changed)) == [(2, "record 1 was changed after it was written")]


def test_reordered_lines_are_found() -> None:
    lines = chain_of(5)
    lines[2], lines[3] = lines[3], lines[2]
    found = problems(verify(lines))
    assert (3, "record 2 is missing before this line") in found
    assert (4, "record 2 is out of order: it belongs before record 3") in found


def test_a_duplicated_line_is_found() -> None:
    lines = chain_of(4)
    assert problems(verify([*lines[:3], lines[1], *lines[3:]])) == [(4, "record 1 is a copy of line 2")]


def test_a_number_that_is_there_twice_with_another_content_is_found() -> None:
    lines = chain_of(4)
    forged = json.loads(lines[1]) | {"outcome": "refused"}
    forged["hash"] = digest(forged)
    found = problems(verify([*lines[:3], canonical_json(forged), *lines[3:]]))
    assert found == [(4, "record 1 appears twice, with different content on line 2")]


@pytest.mark.parametrize("strange", [b"", b"hello", b"{}", b"\xff\x00", b"[" * 100_000, b'{"seq":NaN}'])
def test_an_inserted_line_is_found(strange: bytes) -> None:
    lines = [line.encode() for line in chain_of(3)]
    for at in range(4):
        found = problems(verify([*lines[:at], strange + b"\n", *lines[at:]]))
        assert found == [(at + 1, "this is not an audit record: it was inserted or damaged")]


def test_a_cut_head_is_found_unless_the_earlier_file_is_known() -> None:
    lines = chain_of(6)
    (line, what), *rest = problems(verify(lines[3:]))
    assert (line, rest) == (1, [])
    assert "begins with record 3: records 0 to 2 must be in an earlier file" in what
    end_of_earlier = verify(lines[:3]).chains[-1].hash
    assert verify(lines[3:], after=end_of_earlier).ok
    assert not verify(lines[4:], after=end_of_earlier).ok
    assert not verify(chain_of(2, seed=9), after=end_of_earlier).ok


def test_a_cut_end_is_found_against_a_hash_kept_elsewhere_only() -> None:
    lines = chain_of(6)
    known = verify(lines).chains[-1].hash
    assert verify(lines[:4]).ok
    found = problems(verify(lines[:4], anchor=known))
    assert found == [(4, f"no record has the hash {known}: the file was truncated, or records were replaced")]
    assert verify(lines, anchor=verify(lines[:4]).chains[-1].hash).ok, "the file may have grown since"


def test_several_chains_in_one_stream_are_told_apart() -> None:
    one, other = chain_of(3, seed=1), chain_of(3, seed=2)
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]
    assert [position.seq for position in verify(mixed).chains] == [2, 2]
    assert verify(mixed).ok
    assert not verify(mixed[:2] + mixed[3:]).ok


@given(
    kind=st.sampled_from(["remove", "swap", "copy", "change", "insert"]),
    at=st.integers(0, 6),
    other=st.integers(0, 6),
    byte=st.integers(0, 200),
)
def test_no_single_tampering_but_a_cut_end_goes_unnoticed(kind: str, at: int, other: int, byte: int) -> None:
    lines = [line.encode() for line in chain_of(7)]
    changed = list(lines)
    if kind == "remove":
        del changed[at]
    elif kind == "swap":
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "copy":
        changed.insert(other, changed[at])
    elif kind == "insert":
        changed.insert(at, b"x" * (byte + 1))
    else:
        place = byte % (len(lines[at]) - 1)
        changed[at] = lines[at][:place] + bytes([lines[at][place] ^ 1]) + lines[at][place + 1 :]
    unharmed = changed == lines
    assert verify(changed, anchor=json.loads(lines[-1])["hash"]).ok is unharmed


# --- files


def test_a_file_is_made_for_its_owner_and_group_and_a_second_start_continues_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = os.umask(0o022)
    try:
        audit_file(path, seed=1).record("one", "phone", "done")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    again = audit_file(path, seed=2)
    assert again.status.position.seq == 0
    again.record("two", "phone", "done")
    assert [record["seq"] for record in records_of(path)] == [0, 1]
    assert len(verify(lines_of(path)).chains) == 1


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_line_torn_by_a_crash_is_kept_and_accounted_for(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "audit"
    log = audit_file(path)
    for number in range(3):
        log.record("x", "phone", "done", number=number)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    audit_file(path, seed=2).record("after", "phone", "done")
    result = verify(lines_of(path))
    assert result.ok
    if cut == 1:  # only the newline was lost: the record is whole
        assert path.read_bytes().startswith(whole)
        assert result.chains[0].seq == 3
    else:
        assert path.read_bytes().startswith(whole[:-cut] + b"\n")
        assert json.loads(lines_of(path)[3])["verb"] == AuditVerb.TORN_LINE


def test_a_line_that_was_inserted_does_not_pass_for_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    audit_file(path).record("x", "phone", "done")
    path.write_bytes(path.read_bytes() + b'{"torn')
    audit_file(path)
    lines = lines_of(path)
    assert verify(lines).ok
    lines[1] = b"something else\n"
    assert problems(verify(lines)) == [(2, "this is not an audit record: it was inserted or damaged")]


@pytest.mark.parametrize("rubbish", [b"\x00" * 10, b"rubbish", b"rubbish\n", b"y" * 300_000])
def test_a_file_with_rubbish_in_it_is_continued_from_its_last_record(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "audit"
    first = audit_file(path)
    first.record("x", "phone", "done")
    with path.open("ab") as file:
        file.write(rubbish)
    first.record("y", "phone", "done")
    records = [json.loads(line) for line in lines_of(path) if line.startswith(b'{"chain"')]
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert verify(lines_of(path)).ok is not rubbish.endswith(b"\n")


def test_after_logrotate_the_chain_goes_on_in_the_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "audit", tmp_path / "audit.1"
    log = audit_file(path)
    log.record("one", "phone", "done")
    path.rename(old)
    log.record("two", "phone", "done")
    path.unlink()
    path.touch()
    log.record("three", "phone", "done")
    assert [record["verb"] for record in records_of(old)] == ["one"]
    (third,) = records_of(path)
    assert (third["verb"], third["seq"]) == ("three", 2)


def test_two_writers_keep_one_chain_over_a_rotation(tmp_path: Path) -> None:
    """The one that wrote less must not continue, in the new file, from where it stood itself."""
    path, old = tmp_path / "audit", tmp_path / "audit.1"
    busy, quiet = audit_file(path, seed=1), audit_file(path, seed=2)
    quiet.record("q", "phone", "done")
    for _ in range(3):
        busy.record("b", "phone", "done")
    path.rename(old)
    quiet.record("q", "phone", "done")
    busy.record("b", "phone", "done")
    result = verify(lines_of(old) + lines_of(path))
    assert (result.ok, result.records, len(result.chains)) == (True, 6, 1)


_WRITER = """
import sys
from pathlib import Path
from rotator.observe.audit import AuditLog, FileSink
from rotator.observe.redact import Redactor
from rotator.testing import FakeClock, FakeRandomness
log = AuditLog(FileSink(Path(sys.argv[1]), FakeClock()), FakeClock(), FakeRandomness(int(sys.argv[2])), Redactor())
for number in range(50):
    log.record("x", "process " + sys.argv[2], "done", number=number)
assert log.status.waiting == 0
"""


def test_two_processes_on_one_file_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    processes = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(seed)]) for seed in (1, 2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    result = verify(lines_of(path))
    assert (result.ok, result.records, len(result.chains)) == (True, 100, 1)


def test_a_full_disk_stops_nothing_and_the_records_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit"
    log = audit_file(path)
    log.record("before", "phone", "done")
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    log.record("during", "phone", "done")
    assert (log.status.waiting, log.status.problem) == (1, "No space left on device")
    monkeypatch.undo()
    log.record("after", "phone", "done")
    assert (log.status.waiting, log.status.problem) == (0, "")
    assert verify(lines_of(path)).ok
    verbs = [json.loads(line)["verb"] for line in lines_of(path) if line.endswith(b"}\n")]
    assert verbs == ["before", AuditVerb.TORN_LINE, "during", "after"]


def test_more_than_memory_keeps_is_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.observe.audit._MOST_WAITING", 3)
    stream = io.StringIO()

    class Failing(StreamSink):
        failing = True

        def append(self, position, entries) -> Any:  # type: ignore[no-untyped-def]
            if self.failing:
                raise OSError(errno.EPIPE, "Broken pipe")
            return super().append(position, entries)

    sink = Failing(stream)
    log = audit_on(sink)
    for number in range(5):
        log.record("x", "phone", "done", number=number)
    sink.failing = False
    log.record("x", "phone", "done", number=5)
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert records[0]["verb"] == "lines_lost"
    assert records[0]["facts"] == {"records": 2, "cause": "Broken pipe"}
    assert [record["facts"]["number"] for record in records[1:]] == [2, 3, 4, 5]
    assert verify(stream.getvalue().splitlines()).ok


def test_a_stranger_who_holds_the_file_delays_a_record_but_hangs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    sink = FileSink(path, FakeClock())
    sink._patience = 0.05
    log = audit_on(sink)
    with path.open("rb") as stranger:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        log.record("x", "phone", "done")
        assert log.status.problem == "another process holds its lock"
        sink._patience = 3600.0  # waited for once only: each record more would hold up a rotation
        log.record("delete", "phone", "done")
    log.record("y", "phone", "done")
    assert [record["verb"] for record in records_of(path)] == ["x", "delete", "y"]


def test_a_directory_that_vanishes_is_a_problem_that_passes(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    log = audit_file(directory / "audit")
    (directory / "audit").unlink()
    directory.rmdir()
    log.record("x", "phone", "done")
    assert log.status.waiting == 1
    directory.mkdir()
    log.record("y", "phone", "done")
    assert [record["seq"] for record in records_of(directory / "audit")] == [0, 1]


@pytest.mark.parametrize("kind", ["directory", "missing directory", "fifo"])
def test_a_file_that_cannot_be_opened_is_refused_at_start_with_advice(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "audit"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path = path / "audit"
    with pytest.raises(AuditError, match=r"cannot be opened: .*; name a file in a directory that rotator can write to"):
        FileSink(path, FakeClock())
