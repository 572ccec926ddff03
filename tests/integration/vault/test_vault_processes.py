"""Who lives, in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openbao_server import Bao, VaultAccess

from rotator.core.processes import ProcessEntry, Processes, Role
from rotator.ports import Conflict

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
PROCESSES = "secret/{}/rotator/state/_processes"


@pytest.fixture
def session(bao: Bao) -> Iterator[VaultAccess]:
    bao.call("DELETE", PROCESSES.format("metadata"))
    yield bao.client(bao.app_role(bao.policy("processes", POLICY.read_text())))
    bao.call("DELETE", PROCESSES.format("metadata"))


def test_it_is_written_by_check_and_set_and_read_by_everybody(bao, session):
    store, other = session.store, bao.client().store
    nobody = store.read_processes()
    assert nobody == Processes()
    store.write_processes(nobody.renewed("first", Role.DAEMON, AT))
    with pytest.raises(Conflict):
        other.write_processes(nobody.renewed("second", Role.COMMAND, AT))
    other.write_processes(other.read_processes().renewed("second", Role.COMMAND, AT))
    both = Processes().renewed("first", Role.DAEMON, AT).renewed("second", Role.COMMAND, AT)
    assert store.read_processes() == both
    assert "_processes" not in store.list_states()


@pytest.mark.parametrize(
    "data",
    [{}, {"processes": None}, {"processes": "x"}, {"processes": [{"holder": 1}]}, {"processes": [{"role": "x"}]}],
)
def test_whatever_somebody_wrote_there_names_nobody_and_is_written_over(bao, session, data):
    bao.call("POST", PROCESSES.format("data"), {"data": data})
    nobody = session.store.read_processes()
    assert nobody == Processes(1)
    session.store.write_processes(nobody.renewed("first", Role.DAEMON, AT))
    assert session.store.read_processes().living(AT) == ("first",)


def test_after_a_deletion_everybody_says_so_again(bao, session):
    session.store.write_processes(Processes().renewed("first", Role.DAEMON, AT))
    bao.call("DELETE", PROCESSES.format("data"))
    nobody = session.store.read_processes()
    assert nobody == Processes(1)
    session.store.write_processes(nobody.renewed("first", Role.DAEMON, AT))
    assert session.store.read_processes().living(AT) == ("first",)


def test_hundreds_of_processes_are_not_too_many_for_one_request(session):
    entries = tuple(ProcessEntry(f"pod-{number}", Role.DAEMON, AT) for number in range(500))
    session.store.write_processes(Processes(0, entries).renewed("first", Role.DAEMON, AT))
    assert len(session.store.read_processes().living(AT)) == 501
