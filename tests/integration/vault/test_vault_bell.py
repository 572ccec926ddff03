"""The bell in a real OpenBao, under exactly the policy of config/vault-policy.hcl."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openbao_server import Bao, VaultAccess

from rotator.core.bell import MOST_NAMES, Bell, Ringing
from rotator.ports import Conflict, StoreError

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"
BELL = "secret/{}/rotator/state/_bell"


@pytest.fixture
def session(bao: Bao) -> Iterator[VaultAccess]:
    bao.call("DELETE", BELL.format("metadata"))
    yield bao.client(bao.app_role(bao.policy("bell", POLICY.read_text())))
    bao.call("DELETE", BELL.format("metadata"))


def test_it_is_rung_by_check_and_set_and_heard_by_everybody(bao, session):
    store, other = session.store, bao.client().store
    silent = store.read_bell()
    assert silent == Bell()
    store.write_bell(silent.after_ring(Ringing.ASKED, "x", ["office"], AT))
    with pytest.raises(Conflict):
        other.write_bell(silent.after_ring(Ringing.ASKED, "x", ["lobby"], AT))
    other.write_bell(other.read_bell().after_ring(Ringing.ASKED, "x", ["lobby"], AT))
    assert store.read_bell() == Bell().after_ring(Ringing.ASKED, "x", ["office"], AT).after_ring(
        Ringing.ASKED, "x", ["lobby"], AT
    )


def test_it_is_no_target_and_no_target_can_have_its_name(session):
    session.store.write_bell(Bell().after_ring(Ringing.ASKED, "x", ["office"], AT))
    assert "_bell" not in session.store.list_states()
    with pytest.raises(StoreError, match="no _ first"):
        session.store.read_state("_bell")


@pytest.mark.parametrize(
    "data",
    [{}, {"rings": None}, {"rings": "x"}, {"rings": [{"number": "1"}]}, {"rings": []}, {"rings": [], "dropped": "1"}],
)
def test_whatever_somebody_wrote_there_is_a_bell_that_has_lost_everything_and_can_be_rung(bao, session, data):
    bao.call("POST", BELL.format("data"), {"data": data})
    bell = session.store.read_bell()
    assert bell == Bell(1, dropped=1)
    session.store.write_bell(bell.after_ring(Ringing.ASKED, "x", ["office"], AT))
    assert session.store.read_bell().rung_since(1) == {"office"}


def test_a_deleted_bell_can_be_rung_again(bao, session):
    session.store.write_bell(Bell().after_ring(Ringing.ASKED, "x", ["office"], AT))
    bao.call("DELETE", BELL.format("data"))
    bell = session.store.read_bell()
    assert bell == Bell(1, dropped=1)
    session.store.write_bell(bell.after_ring(Ringing.ASKED, "x", ["lobby"], AT))
    assert session.store.read_bell().rung_since(1) == {"lobby"}


def test_as_many_names_and_rings_as_it_keeps_can_be_written(session):
    """OpenBao refuses a request with a thousand strings, keys included."""
    bell, names = Bell(), [f"phone-{number:05d}-of-a-large-site" for number in range(MOST_NAMES)]
    for name in names[:300]:
        bell = bell.after_ring(Ringing.ASKED, "x", [name], AT)
    session.store.write_bell(replace(bell, number=1))
    assert session.store.read_bell().rings == bell.rings
    session.store.write_bell(Bell(1).after_ring(Ringing.CHANGED, "x", names, AT))
    assert session.store.read_bell().rung_since(1) == set(names)
