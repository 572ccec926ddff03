"""The audit's documents in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openbao_server import DROP, Bao, TamperingProxy, VaultAccess

from rotator.core.audit_chain import GENESIS, Entry, Line, Position, next_line
from rotator.core.audit_check import AuditCheck, CheckedAudit
from rotator.daemon.audit_watch import remove_old
from rotator.observe.audit import AuditLog
from rotator.observe.redact import Redactor
from rotator.ports import StoreDeleted, StoreError
from rotator.testing import FakeClock, FakeRandomness
from rotator.vault.policy import rotator_policy

FOLDER = "rotator/audited/_audit"
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
PREFIX = "rotator/audited"


@pytest.fixture(scope="session")
def rights(bao: Bao) -> str:
    return bao.policy("audited", rotator_policy("secret", PREFIX, ["sip/*"]))


@pytest.fixture
def access(bao: Bao, rights: str) -> Iterator[VaultAccess]:
    yield process(bao, rights)
    for folder in documents(bao, FOLDER):
        for name in documents(bao, f"{FOLDER}/{folder}") if folder.endswith("/") else ():
            bao.call("DELETE", f"secret/metadata/{FOLDER}/{folder}{name}")
        bao.call("DELETE", f"secret/metadata/{FOLDER}/{folder.rstrip('/')}")


def process(bao: Bao, rights: str, address: str = "") -> VaultAccess:
    """Another process of rotator."""
    return bao.client(bao.app_role(rights), address=address, prefix=PREFIX)


def documents(bao: Bao, folder: str) -> list[str]:
    return bao.call("LIST", f"secret/metadata/{folder}", also=404).get("data", {}).get("keys", [])


def segments(bao: Bao) -> list[str]:
    (day,) = (name for name in documents(bao, FOLDER) if name.endswith("/"))
    return [f"{FOLDER}/{day}{name}" for name in documents(bao, f"{FOLDER}/{day}") if name != "index"]


class Records:
    """The records of one process."""

    def __init__(self, access: VaultAccess, name: str) -> None:
        self.key, self.position = access.audit.key(), Position(name, -1, GENESIS)

    def __call__(self, count: int, reason: str = "because") -> list[Line]:
        lines = []
        for _ in range(count):
            entry = Entry(datetime(2026, 1, 5, tzinfo=UTC), "publish", "phone", "done", {"reason": reason})
            line, self.position = next_line(self.key, self.position, entry)
            lines.append(line)
        return lines


def checked(access: VaultAccess) -> CheckedAudit:
    check = AuditCheck(access.audit.key())
    check.stored(access.audit.read())
    return check.result()


def test_the_first_process_draws_the_key_and_all_others_have_the_same(
    bao: Bao, rights: str, access: VaultAccess
) -> None:
    others = [process(bao, rights) for _ in range(4)]
    keys: list[Any] = []
    threads = [threading.Thread(target=lambda one=one: keys.append(one.audit.key())) for one in (access, *others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 5
    assert all(key == keys[0] for key in keys)
    assert len(keys[0].reveal()) == 64


def test_a_deleted_key_is_an_error_with_a_remedy_and_never_a_new_key(
    bao: Bao, rights: str, access: VaultAccess
) -> None:
    key = access.audit.key()
    bao.call("DELETE", f"secret/data/{FOLDER}/key")
    with pytest.raises(StoreDeleted, match="vault kv undelete -mount=secret -versions=1") as raised:
        process(bao, rights).audit.key()
    assert key.reveal() not in str(raised.value)
    bao.call("POST", f"secret/undelete/{FOLDER}/key", {"versions": [1]})
    assert process(bao, rights).audit.key() == key


def test_a_flush_is_one_write_and_what_several_processes_wrote_verifies(
    bao: Bao, rights: str, access: VaultAccess
) -> None:
    other = process(bao, rights)
    mine, theirs = Records(access, "mine"), Records(other, "theirs")
    access.audit.append(mine(3))
    other.audit.append(theirs(1))
    before = len(access.meter.requests) + len(other.meter.requests)
    for _ in range(10):
        access.audit.append(mine(2))
        other.audit.append(theirs(1))
    assert len(access.meter.requests) + len(other.meter.requests) - before == 20
    result = checked(access)
    assert (result.problems, result.records, len(segments(bao))) == ((), 34, 2)


def test_a_full_document_is_followed_by_another_so_that_none_grows(bao: Bao, access: VaultAccess) -> None:
    lines = Records(access, "mine")
    for _ in range(30):
        access.audit.append(lines(5, "x" * 1000))
    sizes = [sum(len(line) for line in stored(bao, path)["lines"]) for path in segments(bao)]
    assert len(sizes) > 4
    assert max(sizes) < 40_000
    assert checked(access).ok


def test_many_records_at_once_take_few_requests(bao: Bao, access: VaultAccess) -> None:
    lines = Records(access, "mine")
    access.audit.append(lines(1))
    before = len(access.meter.requests)
    access.audit.append(lines(500, "x" * 500))
    assert len(access.meter.requests) - before <= 12
    sizes = [sum(len(line) for line in stored(bao, path)["lines"]) for path in segments(bao)]
    assert max(sizes) < 270_000  # Consul, below a Vault, takes half a megabyte
    assert checked(access).ok


def stored(bao: Bao, path: str) -> dict[str, Any]:
    return dict(bao.call("GET", f"secret/data/{path}")["data"]["data"])


@pytest.mark.parametrize("part", [f"data/{FOLDER}", "/index"])
def test_writes_whose_answers_were_lost_store_nothing_twice(
    bao: Bao, rights: str, access: VaultAccess, part: str
) -> None:
    with TamperingProxy(bao.address) as proxy:
        cut = process(bao, rights, proxy.address)
        lines = Records(cut, "cut")
        waiting = lines(3)
        proxy.tamper = lambda seen: DROP if part in seen.path else seen
        with pytest.raises(StoreError):
            cut.audit.append(waiting)
        waiting += lines(2)
        proxy.tamper = lambda seen: seen
        cut.audit.append(waiting)
    result = checked(access)
    assert (result.problems, result.records) == ((), 5)
    (path,) = segments(bao)
    assert len(stored(bao, path)["lines"]) == 5


@pytest.mark.parametrize("how", ["drop a record", "older version", "remove the document", "remove the list"])
def test_whoever_writes_to_vault_without_the_key_is_found_out(
    bao: Bao, rights: str, access: VaultAccess, how: str
) -> None:
    lines = Records(access, "mine")
    access.audit.append(lines(2))
    (path,) = segments(bao)
    older = stored(bao, path)
    access.audit.append(lines(2))
    assert checked(access).ok
    day = path.rpartition("/")[0]
    if how == "drop a record":
        document = stored(bao, path)
        bao.call("POST", f"secret/data/{path}", {"data": document | {"lines": document["lines"][:-1]}})
    elif how == "older version":
        bao.call("POST", f"secret/data/{path}", {"data": older})
    elif how == "remove the document":
        bao.call("DELETE", f"secret/metadata/{path}")
    else:
        bao.call("DELETE", f"secret/metadata/{day}/index")
    assert not checked(process(bao, rights)).ok


def test_a_document_that_somebody_else_has_written_is_left_as_it_is(bao: Bao, access: VaultAccess) -> None:
    lines = Records(access, "mine")
    access.audit.append(lines(2))
    (path,) = segments(bao)
    bao.call("POST", f"secret/data/{path}", {"data": {"lines": ["rubbish"], "mac": "none"}})
    access.audit.append(lines(2))
    assert stored(bao, path)["lines"] == ["rubbish"]
    result = checked(access)
    assert any("written by somebody else" in problem.what for problem in result.problems)
    assert result.records == 4  # what somebody wrote over is stored again


@pytest.mark.parametrize("afterwards", ["nothing", "rubbish"])
def test_a_process_whose_document_somebody_removes_goes_on_at_once_and_the_removal_shows(
    bao: Bao, rights: str, access: VaultAccess, afterwards: str
) -> None:
    log = AuditLog([], FakeClock(), FakeRandomness(), Redactor())
    log.attach(access.audit, {})
    for number in range(3):
        log.record("publish", "phone", "done", number=number)
        assert log.flush()
    (path,) = segments(bao)
    bao.call("DELETE", f"secret/metadata/{path}")
    if afterwards == "rubbish":
        bao.call("POST", f"secret/data/{path}", {"data": {"lines": [], "mac": ""}})
    log.record("disable", "phone", "done")
    assert log.flush(), log.status.problem
    result = checked(process(bao, rights))
    (problem,) = result.problems
    name = path.rpartition("/")[2]
    what = "this document was removed" if afterwards == "nothing" else "written by somebody else"
    assert problem.place.endswith(f"/{name}")
    assert what in problem.what
    assert result.records == 5  # the process still had those that were removed, and has stored them again


def test_old_days_leave_vault_and_that_is_on_record_before(bao: Bao, access: VaultAccess) -> None:
    log = AuditLog([], FakeClock(), FakeRandomness(), Redactor())
    log.attach(access.audit, {})
    log.record("publish", "phone", "done")
    assert log.flush()
    today = datetime.now(UTC)
    remove_old(log, access.audit, today + timedelta(days=399), timedelta(days=400))
    assert checked(access).records == 2
    remove_old(log, access.audit, today + timedelta(days=402), timedelta(days=400))
    assert access.audit.days_until(date(2100, 1, 1)) == ()
    assert log.status.position.seq == 2  # start, publish, remove_records


def test_without_the_right_to_remove_everything_stays(bao: Bao, access: VaultAccess) -> None:
    rule = f'path "secret/metadata/{FOLDER}/*" {{\n  capabilities = ["create", "update", "list", "delete"]\n}}\n'
    text = rotator_policy("secret", PREFIX, ["sip/*"])
    assert rule in text
    poor = process(bao, bao.policy("audited-poor", text.replace(rule, "")))
    log = AuditLog([], FakeClock(), FakeRandomness(), Redactor())
    log.attach(poor.audit, {})
    log.record("publish", "phone", "done")
    log.flush()
    remove_old(log, poor.audit, datetime.now(UTC) + timedelta(days=500), timedelta(days=400))
    log.flush()
    assert checked(access).records == 3


def test_a_day_of_thousands_of_documents_has_room_for_another_one(bao: Bao, rights: str, access: VaultAccess) -> None:
    """OpenBao refuses a request with a thousand strings: the index of the day names them all."""
    access.audit.append(Records(access, "mine")(1))
    (day,) = (name for name in documents(bao, FOLDER) if name.endswith("/"))
    path = f"{FOLDER}/{day}index"
    index = stored(bao, path)
    many = " ".join([index["segments"], *(f"{number:016x}-000000000" for number in range(3000))])
    bao.call("POST", f"secret/data/{path}", {"data": index | {"segments": many}})
    other = process(bao, rights)
    other.audit.append(Records(other, "theirs")(1))
    assert stored(bao, path)["segments"].split() == [*many.split(), "theirs-000000000"]
