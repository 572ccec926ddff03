"""The pace of an account, in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openbao_server import Bao, VaultAccess

from rotator.core.pace import AccountPace, Moment, Track
from rotator.ports import Conflict

AT = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
TRACKS = (Track(AT, "me"), Track())
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
PACE = "secret/{}/rotator/state/_account-k1"


@pytest.fixture
def session(bao: Bao) -> Iterator[VaultAccess]:
    bao.call("DELETE", PACE.format("metadata"))
    yield bao.client(bao.app_role(bao.policy("pace", POLICY.read_text())))
    bao.call("DELETE", PACE.format("metadata"))


def test_it_is_written_by_check_and_set_and_read_by_everybody(bao, session):
    store, other = session.store, bao.client().store
    assert store.read_pace("k1") == AccountPace()
    pace = AccountPace(1, TRACKS).after_hold(Moment(AT), timedelta(seconds=7), refused=True)
    store.write_pace("k1", pace)
    assert other.read_pace("k1") == pace
    with pytest.raises(Conflict):
        other.write_pace("k1", AccountPace(1, (Track(AT, "other"),)))
    assert "_account-k1" not in store.list_states()


@pytest.mark.parametrize(
    "data", [{}, {"tracks": "two"}, {"tracks": [{"free_at": "soon"}]}, {"share": "much"}, {"unknown": 1}]
)
def test_whatever_somebody_wrote_there_is_written_over(bao, session, data):
    bao.call("POST", PACE.format("data"), {"data": data})
    assert session.store.read_pace("k1") == AccountPace(1)
    session.store.write_pace("k1", AccountPace(2, TRACKS))
    assert session.store.read_pace("k1") == AccountPace(2, TRACKS)


def test_a_write_tells_vaults_time_to_the_way_of_its_answer(session):
    assert session.store.moment() is None
    session.store.read_pace("k1")
    known = session.store.moment()
    assert known is not None
    assert known.within > timedelta(seconds=0.4)
    session.store.write_pace("k1", AccountPace(1, TRACKS))
    known = session.store.moment()
    assert known is not None
    assert known.within < timedelta(seconds=0.2)
    assert abs(known.now - datetime.now(UTC)) <= known.within + timedelta(milliseconds=5)  # one machine, one clock
