"""Vault's time, from the date of its answers: from a real OpenBao, and from answers that a proxy changed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest
from openbao_server import DROP, Bao, SkippingClock, TamperingProxy, VaultAccess

from rotator.core.clocks import RESOLUTION, Clocks
from rotator.core.secret import Secret
from rotator.ports import StoreDenied, StoreError
from rotator.vault.auth import Token

DAY = timedelta(days=1)


class WrongClock(SkippingClock):
    """The machine's wall clock, off by `off`."""

    def __init__(self, off: timedelta = timedelta()) -> None:
        super().__init__()
        self.off = off

    def now(self) -> datetime:
        return super().now() + self.off


def told(access: VaultAccess) -> datetime:
    """Vault's time, as of its last answer."""
    now = access.store.now()
    assert now is not None
    return now


def is_right(moment: datetime) -> bool:
    return abs(moment - datetime.now(UTC)) <= RESOLUTION


def test_before_the_first_answer_vaults_time_is_not_known(bao: Bao) -> None:
    access = bao.client()
    assert access.store.now() is None
    access.store.list_states()
    assert is_right(told(access))


@pytest.mark.parametrize("off", [-3 * DAY, 2 * DAY])
def test_it_does_not_depend_on_this_machines_wall_clock(bao: Bao, off: timedelta) -> None:
    clock = WrongClock(off)
    access = bao.client(clock=clock)
    access.store.list_states()
    assert is_right(told(access))
    clocks = Clocks(clock.now(), told(access))
    assert clocks.differ
    assert abs(clocks.offset - off) <= RESOLUTION
    clock.off = timedelta()  # set right, and Vault was not asked since
    assert Clocks(clock.now(), told(access)).offset == timedelta()


def test_it_goes_on_between_two_answers(bao: Bao) -> None:
    access = bao.client()
    access.store.list_states()
    before = told(access)
    access.clock.ahead += 3600
    assert timedelta(hours=1) <= told(access) - before < timedelta(hours=1) + RESOLUTION
    access.store.list_states()  # Vault says that no such time has passed
    assert is_right(told(access))


def test_a_refusal_tells_the_time_as_well(bao: Bao) -> None:
    access = bao.client(Token(Secret("nobody")))
    with pytest.raises(StoreDenied):
        access.store.list_states()
    assert is_right(told(access))


@pytest.fixture
def dates(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a proxy writes as the date of its answers: the last of these."""
    dates: list[str] = []
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: dates[-1])
    return dates


def test_an_answer_without_a_date_or_with_another_text_changes_nothing(bao: Bao, dates: list[str]) -> None:
    with TamperingProxy(bao.address) as proxy:
        access = bao.client(address=proxy.address)
        for nonsense in ("", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"):
            dates.append(nonsense)
            access.store.list_states()
            assert access.store.now() is None
        dates.append(format_datetime(datetime.now(UTC) - DAY, usegmt=True))
        access.store.list_states()
        assert is_right(told(access) + DAY)
        dates.append("tomorrow")
        access.store.list_states()
        assert is_right(told(access) + DAY)


def test_a_connection_that_breaks_tells_no_time(bao: Bao) -> None:
    with TamperingProxy(bao.address) as proxy:
        proxy.tamper = lambda seen: DROP
        access = bao.client(address=proxy.address)
        with suppress(StoreError):
            access.store.list_states()
        assert access.store.now() is None
