"""The slots of an account, in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openbao_server import Bao, VaultAccess

from rotator.core.waves import Wave
from rotator.ports import Conflict

AT = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
WAVE = "secret/{}/rotator/state/_wave-k1"


@pytest.fixture
def session(bao: Bao) -> Iterator[VaultAccess]:
    bao.call("DELETE", WAVE.format("metadata"))
    yield bao.client(bao.app_role(bao.policy("waves", POLICY.read_text())))
    bao.call("DELETE", WAVE.format("metadata"))


def test_they_are_written_by_check_and_set_and_read_by_everybody(bao, session):
    store, other = session.store, bao.client().store
    assert store.read_wave("k1") == Wave()
    store.write_wave("k1", Wave(1, AT))
    assert other.read_wave("k1") == Wave(1, AT)
    with pytest.raises(Conflict):
        other.write_wave("k1", Wave(1, AT.replace(hour=13)))
    assert "_wave-k1" not in store.list_states()


@pytest.mark.parametrize("data", [{}, {"free_at": "soon"}, {"unknown": 1}])
def test_whatever_somebody_wrote_there_is_written_over(bao, session, data):
    bao.call("POST", WAVE.format("data"), {"data": data})
    assert session.store.read_wave("k1") == Wave(1)
    session.store.write_wave("k1", Wave(2, AT))
    assert session.store.read_wave("k1") == Wave(2, AT)
