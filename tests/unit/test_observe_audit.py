"""The audit's log: one keyed chain for each process, and destinations that tear, rotate, fill up or are shared."""

import errno
import fcntl
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from polling import eventually

from rotator.core.audit_chain import GENESIS, Line, Position
from rotator.core.audit_check import AuditCheck, CheckedAudit
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.observe.audit import AuditError, AuditLog, Sink
from rotator.observe.audit_sinks import FileSink, StreamSink
from rotator.observe.redact import Redactor
from rotator.ports import StoreDenied, StoreUnavailable
from rotator.testing import FakeClock, FakeRandomness, MemoryAuditStore

SENTINEL = "Sentinel-Value-77"


def audit_on(*sinks: Sink, seed: int = 1, required: bool = False, store: MemoryAuditStore | None = None) -> AuditLog:
    log = AuditLog(sinks, FakeClock(), FakeRandomness(seed), Redactor(), required=required)
    log.attach(store or MemoryAuditStore(), {"process": f"process-{seed}"})
    return log


def audit_file(path: Path, seed: int = 1) -> AuditLog:
    return audit_on(FileSink(path), seed=seed)


def records_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


def verbs_of(path: Path) -> list[object]:
    return [record["verb"] for record in records_of(path)]


def verify(lines: Sequence[bytes | str]) -> CheckedAudit:
    key = MemoryAuditStore().key()
    vault = AuditCheck(key)
    check = AuditCheck(key, vault=vault)
    for has in (vault, check):
        for number, line in enumerate(lines, 1):
            has.line(f"{number}", line if isinstance(line, bytes) else line.encode())
    return check.result()


# --- records


def test_a_record_says_what_when_to_what_and_why_and_is_chained() -> None:
    stream = io.StringIO()
    log = audit_on(StreamSink(stream))
    log.record("disable", "phone", "done", requested_by="anna", reason="leaver", attempt="a1", first=True)
    log.record("delete", "phone", "refused")
    start, first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (start["verb"], start["seq"], start["prev"]) == ("start", 0, GENESIS)
    assert start["facts"] == {"process": "process-1"}
    assert first["facts"] == {"requested_by": "anna", "reason": "leaver", "attempt": "a1", "first": True}
    assert (first["verb"], first["target"], first["outcome"]) == ("disable", "phone", "done")
    assert (first["time"], first["seq"]) == ("2026-01-05T12:00:00+00:00", 1)
    assert (second["seq"], second["prev"], second["chain"]) == (2, first["mac"], first["chain"])
    assert log.status.position == Position(first["chain"], 2, second["mac"])


def test_no_value_gets_into_the_audit_whatever_it_is_wrapped_in() -> None:
    stream, redactor = io.StringIO(), Redactor()
    redactor.add(Secret(SENTINEL))
    log = AuditLog([StreamSink(stream)], FakeClock(), FakeRandomness(), redactor)
    log.attach(MemoryAuditStore(), {"vault_name": SENTINEL})
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
    facts = json.loads(stream.getvalue().splitlines()[1])["facts"]
    assert facts["secret"] == "(not recorded: Secret)"
    assert facts["text"] == "password is ***"
    assert verify(stream.getvalue().splitlines()).ok


@pytest.mark.parametrize("where", ["verb", "target", "outcome", "reason"])
def test_a_value_in_one_place_is_hidden_there_and_the_rest_is_recorded_as_it_is(where: str) -> None:
    stream, redactor = io.StringIO(), Redactor()
    redactor.add(Secret(SENTINEL))
    log = AuditLog([StreamSink(stream)], FakeClock(), FakeRandomness(), redactor)
    log.attach(MemoryAuditStore(), {})
    words = {"verb": "publish", "target": "phone", "outcome": "done", "reason": "leaver", "stated": "Basic"}
    said = words | {where: f"is {SENTINEL}"}
    log.record(said["verb"], said["target"], said["outcome"], reason=said["reason"], stated=said["stated"])
    record = json.loads(stream.getvalue().splitlines()[1])
    found = {name: record[name] for name in ("verb", "target", "outcome")} | record["facts"]
    assert found == words | {where: "is ***"}


def test_what_follows_bearer_and_what_is_too_long_is_taken_out_of_facts() -> None:
    stream = io.StringIO()
    log = audit_on(StreamSink(stream))
    log.record("x", "y", "z", detail="sent Bearer abcdefgh.ijkl")
    log.record("x", "y", "z", detail="l" * 20_000)
    first, second = (json.loads(line)["facts"]["detail"] for line in stream.getvalue().splitlines()[1:])
    assert first == "sent Bearer ***"
    assert second.endswith("... (cut: 20000 characters)")


def test_facts_that_json_has_no_word_for_are_written_as_text() -> None:
    stream = io.StringIO()
    audit_on(StreamSink(stream)).record("x", "y", "z", nan=float("nan"), much=float("inf"), odd="\ud800 é\n")
    assert verify(stream.getvalue().splitlines()).ok
    facts = json.loads(stream.getvalue().splitlines()[1])["facts"]
    assert facts == {"nan": "nan", "much": "inf", "odd": "\ud800 é\n"}


def test_what_is_recorded_before_vault_is_reached_waits_for_the_key() -> None:
    stream, store = io.StringIO(), MemoryAuditStore()
    log = AuditLog([StreamSink(stream)], FakeClock(), FakeRandomness(), Redactor())
    log.record("load_configuration", "", "done")
    assert (stream.getvalue(), log.status.position.seq) == ("", -1)
    assert log.flush()
    log.attach(store, {})
    log.attach(store, {})  # a reload
    assert [json.loads(line)["verb"] for line in stream.getvalue().splitlines()] == ["start", "load_configuration"]
    log.flush()
    assert store.lines == stream.getvalue().splitlines()


def test_a_process_that_has_nothing_to_record_leaves_nothing() -> None:
    store = MemoryAuditStore()
    log = audit_on(store=store)
    log.flush()
    assert store.lines == []


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
    result = verify((tmp_path / "audit").read_bytes().splitlines())
    assert (result.ok, result.records, len(result.ends)) == (True, 101, 1)


class SlowSink:
    """Takes its time for the first record, as a disk may; `flushed` has how many came with each flush."""

    kind, name = "output", "slow"

    def __init__(self) -> None:
        self.flushed: list[int] = []
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.failing = False

    def write(self, lines: Sequence[Line]) -> None:
        self.flushed.append(len(lines))
        self.begun.set()
        assert self.may_end.wait(60)
        if self.failing:
            raise OSError(errno.ENOSPC, "full")


@pytest.mark.parametrize("fails", [False, True])
def test_what_comes_while_the_disk_is_busy_is_flushed_together(fails: bool) -> None:
    sink = SlowSink()
    log = audit_on(sink)
    threads = [threading.Thread(target=log.record, args=("x", f"t{number}", "done")) for number in range(5)]
    threads[0].start()
    assert sink.begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    eventually(lambda: log.status.position.seq == 5, "the others have not come")
    sink.failing = fails
    sink.may_end.set()
    for thread in threads:
        thread.join(20)
    if fails:  # each of them tries again, and all are kept
        assert sink.flushed == [2, 6, 6, 6, 6]
        assert log.status.waiting == 6
        sink.failing = False
        log.record("x", "t", "done")
        assert sink.flushed[-1] == 7
    else:
        assert sink.flushed == [2, 4]
    assert (log.status.waiting, log.status.position.seq) == (0, 6 if fails else 5)


# --- Vault


def test_while_vault_takes_nothing_the_sinks_go_on_and_everything_follows_later() -> None:
    stream, store = io.StringIO(), MemoryAuditStore(failing=StoreDenied("no right"))
    log = audit_on(StreamSink(stream), store=store)
    log.record("x", "phone", "done")
    assert not log.flush()
    assert (log.status.waiting, log.status.problem) == (2, "vault: no right")
    log.record("y", "phone", "done")
    assert len(stream.getvalue().splitlines()) == 3
    store.failing = None
    assert log.flush()
    assert (log.status.waiting, log.status.problem) == (0, "")
    assert store.lines == stream.getvalue().splitlines()


@pytest.mark.parametrize("failing", [None, StoreDenied("no right")])
def test_the_spare_sink_gets_what_vault_has_not_taken_by_the_end(failing: StoreDenied | None) -> None:
    spare, store = io.StringIO(), MemoryAuditStore()
    log = AuditLog([], FakeClock(), FakeRandomness(), Redactor(), spare=StreamSink(spare))
    log.attach(store, {"process": "process-1"})
    log.record("x", "phone", "done")
    log.flush()
    store.failing = failing
    log.record("y", "phone", "done")
    log.finish(within=1)
    verbs = [json.loads(line)["verb"] for line in spare.getvalue().splitlines()]
    assert verbs == (["y"] if failing else [])


def test_where_it_is_required_the_intent_is_in_vault_before_and_otherwise_there_is_none() -> None:
    store = MemoryAuditStore()
    audit_on(store=store).intend("delete", "phone")
    assert store.lines == []
    log = audit_on(store=store, required=True)
    log.intend("delete", "phone", credential="c1")
    last = json.loads(store.lines[-1])
    assert (last["verb"], last["outcome"], last["facts"]) == ("delete", "intended", {"credential": "c1"})
    store.failing = StoreDenied("no right")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"audit\.required holds this up.*no right"):
            log.intend("delete", "phone")
    assert log.status.position.seq == 2  # the tries in vain fill nothing
    store.failing = None
    log.intend("delete", "phone")
    assert len(store.lines) == 4


def test_more_than_memory_keeps_is_lost_for_that_destination_and_this_is_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rotator.observe.audit_outlet._MOST_WAITING", 3)
    stream, store = io.StringIO(), MemoryAuditStore()

    class Failing(StreamSink):
        failing = True

        def write(self, lines: Sequence[Line]) -> None:
            if self.failing:
                raise OSError(errno.EPIPE, "Broken pipe")
            super().write(lines)

    sink = Failing(stream)
    log = audit_on(sink, store=store)
    for number in range(5):
        log.record("x", "phone", "done", number=number)
        log.flush()
    sink.failing = False
    log.record("x", "phone", "done", number=5)
    log.flush()
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [record["seq"] for record in records] == [4, 5, 6, 7]
    assert (records[-1]["verb"], records[-1]["facts"]) == (
        "lines_lost",
        {"destination": "standard output", "first": 0, "last": 3, "cause": "Broken pipe"},
    )
    result = verify(stream.getvalue().splitlines())
    assert (result.ok, len(result.notes)) == (True, 1)
    assert len(store.lines) == 8


# --- files


def test_a_file_is_made_for_its_owner_and_group_and_a_second_process_adds_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = os.umask(0o022)
    try:
        audit_file(path, seed=1).record("one", "phone", "done")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    audit_file(path, seed=2).record("two", "phone", "done")
    assert verbs_of(path) == ["start", "one", "start", "two"]
    assert len(verify(path.read_bytes().splitlines()).ends) == 2


def test_after_logrotate_the_chain_goes_on_in_the_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "audit", tmp_path / "audit.1"
    log = audit_file(path)
    log.record("one", "phone", "done")
    path.rename(old)
    log.record("two", "phone", "done")
    path.unlink()
    path.touch()
    log.record("three", "phone", "done")
    assert verbs_of(old) == ["start", "one"]
    (third,) = records_of(path)
    assert (third["verb"], third["seq"]) == ("three", 3)


def test_a_line_that_another_process_has_cut_short_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    log = audit_file(path)
    log.record("one", "phone", "done")
    with path.open("ab") as other:
        other.write(b'{"chain":"of another')
    log.record("two", "phone", "done")
    log.record("three", "phone", "done")
    lines = path.read_bytes().splitlines()
    assert lines.pop(2) == b'{"chain":"of another'
    assert [json.loads(line)["verb"] for line in lines] == ["start", "one", "two", "three"]


def test_a_write_returns_when_the_disk_has_it(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "audit")
    (tmp_path / "audit").unlink()
    for _ in range(2):  # the first file, and the one after it
        assert fcntl.fcntl(sink._file, fcntl.F_GETFL) & os.O_DSYNC
        sink.write([Line("chain", 0, "{}")])


_WRITER = """
import sys
from pathlib import Path
from rotator.observe.audit import AuditLog
from rotator.observe.audit_sinks import FileSink
from rotator.observe.redact import Redactor
from rotator.testing import FakeClock, FakeRandomness, MemoryAuditStore
log = AuditLog([FileSink(Path(sys.argv[1]))], FakeClock(), FakeRandomness(int(sys.argv[2])), Redactor())
log.attach(MemoryAuditStore(), {})
for number in range(50):
    log.record("x", "process " + sys.argv[2], "done", number=number)
assert log.status.waiting == 0
"""


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    processes = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(seed)]) for seed in (1, 2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    result = verify(path.read_bytes().splitlines())
    assert (result.ok, result.notes, result.records, len(result.ends)) == (True, (), 102, 2)


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
    assert (log.status.waiting, log.status.problem) == (1, f"{path}: No space left on device")
    monkeypatch.undo()
    log.record("after", "phone", "done")
    assert (log.status.waiting, log.status.problem) == (0, "")
    lines = path.read_bytes().splitlines()
    result = verify(lines)
    assert (result.ok, [note.place for note in result.notes], result.records) == (True, ["3"], 4)


def test_a_reader_of_the_file_cannot_stop_the_writer(tmp_path: Path) -> None:
    """4e: the lock is on a file of its own, which only the writer's user can open."""
    path = tmp_path / "audit"
    log = audit_file(path)
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_EX)
        log.record("delete", "phone", "done")
        assert (log.status.waiting, log.status.problem) == (0, "")
    assert verbs_of(path) == ["start", "delete"]
    assert (tmp_path / "audit.lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_others_could_open_is_closed_to_them(tmp_path: Path) -> None:
    lock = tmp_path / "audit.lock"
    lock.touch(0o644)
    audit_file(tmp_path / "audit")
    assert lock.stat().st_mode & 0o777 == 0o600


def test_a_lock_that_leads_to_another_file_is_refused_and_that_file_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch(0o644)
    (tmp_path / "audit.lock").symlink_to(other)
    with pytest.raises(AuditError, match="symbolic link"):
        FileSink(tmp_path / "audit")
    assert other.stat().st_mode & 0o777 == 0o644


def test_a_process_that_was_stopped_with_the_lock_delays_a_record_but_hangs_nobody(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    sink = FileSink(path)
    sink._patience = 0.05
    log = audit_on(sink)
    with (tmp_path / "audit.lock").open("rb") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        log.record("x", "phone", "done")
        assert log.status.problem == f"{path}: another process holds its lock"
        sink._patience = 3600.0  # waited for once only: each record more would hold up a rotation
        log.record("delete", "phone", "done")
    log.record("y", "phone", "done")
    assert verbs_of(path) == ["start", "x", "delete", "y"]


def test_a_directory_that_vanishes_is_a_problem_that_passes(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    log = audit_file(directory / "audit")
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()
    log.record("x", "phone", "done")
    assert log.status.waiting == 2
    directory.mkdir()
    log.record("y", "phone", "done")
    assert verbs_of(directory / "audit") == ["start", "x", "y"]


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
        FileSink(path)
