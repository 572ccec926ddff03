"""One pace for an account: for all its threads and configuration entries, and for other processes by the book."""

from datetime import timedelta
from functools import partial
from hashlib import new
from threading import Event, Thread

import pytest
from polling import eventually
from provider_fixtures import account_options

from rotator.core.pace import AccountPace, Moment, Track
from rotator.daemon.clock import SystemClock
from rotator.fields.network import RateLimit
from rotator.ports import StoreUnavailable
from rotator.providers.http.rate_limit import Pacer, Pacers, ReadOnlyBook
from rotator.testing import FakeClock, MemoryStore

SECOND = timedelta(seconds=1)


def pacers(clock, store, *names) -> list[Pacer]:
    return [Pacer(RateLimit(10, SECOND), clock, store, "k1", name) for name in names]


def sent_by(clock, pacer, number) -> float:
    began = clock.monotonic()
    assert all(pacer.admit(600) for _ in range(number))
    return clock.monotonic() - began


def test_a_pacer_alone_keeps_the_limit_and_shares_nothing():
    clock = FakeClock()
    assert sent_by(clock, Pacer(RateLimit(10, SECOND), clock), 21) == pytest.approx(2.0, abs=0.1)


def test_two_processes_share_one_limit():
    clock = FakeClock()
    store = MemoryStore(clock)
    one, two = pacers(clock, store, "one", "two")
    began = clock.monotonic()
    for _ in range(20):
        assert one.admit(60)
        assert two.admit(60)
    # A caller that asks both in turn waits for the slots of one while those of the other pass.
    assert 3.8 < clock.monotonic() - began < 8
    assert [track.taken_by for track in store.paces["k1"].tracks] in (["one"], ["two"])


def test_accounts_do_not_share_a_limit():
    clock = FakeClock()
    store = MemoryStore(clock)
    one, two = (
        Pacer(RateLimit(1, SECOND), clock, store, "k1", "me"),
        Pacer(RateLimit(1, SECOND), clock, store, "k2", "me"),
    )
    assert one.admit(0.5)
    assert two.admit(0.5)


def test_a_wait_that_one_process_was_asked_for_holds_the_others():
    clock = FakeClock()
    one, two = pacers(clock, MemoryStore(clock), "one", "two")
    one.hold(30 * SECOND, refused=True)
    assert one.held_for() == 30
    assert sent_by(clock, two, 1) == pytest.approx(30, abs=0.1)
    assert two.share() == pytest.approx(0.7)


def test_an_account_without_a_limit_reserves_nothing_and_obeys_a_wait():
    clock = FakeClock()
    store = MemoryStore(clock)
    pacer = Pacer(None, clock, store, "k1", "me")
    assert sent_by(clock, pacer, 100) == 0
    assert store.paces == {}
    pacer.hold(7 * SECOND, refused=True)
    assert sent_by(clock, pacer, 2) == 7
    assert pacer.share() == 1
    assert store.paces["k1"].held_until is not None


def test_what_is_urgent_obeys_a_wait_for_two_minutes():
    clock = FakeClock()
    pacer, other = pacers(clock, MemoryStore(clock), "me", "other")
    pacer.hold(timedelta(hours=1), refused=True)
    assert not pacer.admit(600)
    began = clock.monotonic()
    assert pacer.admit(600, urgent=True)
    assert clock.monotonic() - began == pytest.approx(120, abs=1)
    assert other.admit(600, urgent=True)


def test_a_circuit_that_opens_in_one_process_holds_the_others_but_nothing_urgent():
    clock = FakeClock()
    one, two, third = pacers(clock, MemoryStore(clock), "one", "two", "third")
    one.shut(timedelta(minutes=5))
    assert not one.admit(30)
    assert two.admit(30, urgent=True)
    assert not two.admit(30)
    assert (one.held_for(), two.held_for()) == (0, 0)  # the provider asked for nothing
    assert sent_by(clock, third, 1) == pytest.approx(300, abs=5)


def test_what_is_urgent_waits_for_a_hold_off_that_another_process_was_asked_for():
    clock = FakeClock()
    one, two = pacers(clock, MemoryStore(clock), "one", "two")
    one.hold(timedelta(hours=1), refused=True)
    began = clock.monotonic()
    assert two.admit(600, urgent=True)
    assert clock.monotonic() - began == pytest.approx(120, abs=2)


def test_a_wait_that_does_not_fit_is_refused_at_once():
    clock = FakeClock()
    pacer = Pacer(RateLimit(1, 60 * SECOND), clock)
    assert pacer.admit(1)
    began = clock.monotonic()
    assert not pacer.admit(10)
    assert clock.monotonic() - began < 1
    assert 50 < pacer.delay() <= 62


def test_without_vault_it_goes_on_at_a_quarter_of_the_limit_and_then_asks_again():
    clock = FakeClock()
    store = MemoryStore(clock)
    (pacer,) = pacers(clock, store, "me")
    store.failing = [StoreUnavailable("sealed")]
    assert sent_by(clock, pacer, 21) == pytest.approx(8, rel=0.2)
    assert store.paces == {}
    clock.advance(20 * SECOND)
    sent_by(clock, pacer, 1)
    assert [track.taken_by for track in store.paces["k1"].tracks] == ["me"]


def test_a_command_that_writes_nothing_obeys_what_the_others_wrote_at_a_tenth_of_the_rate():
    clock = FakeClock()
    store = MemoryStore(clock)
    moment = store.moment()
    assert moment is not None
    store.paces["k1"] = kept = AccountPace(1, (Track(moment.now + 5 * SECOND, "other"),)).after_hold(
        moment, 20 * SECOND, refused=False
    )
    pacer = Pacer(RateLimit(10, SECOND), clock, ReadOnlyBook(store), "k1", "me")
    assert sent_by(clock, pacer, 1) == pytest.approx(20, abs=0.1)
    assert sent_by(clock, pacer, 5) == pytest.approx(5, rel=0.2)
    assert store.paces["k1"] == kept


def test_before_its_first_request_it_can_learn_what_the_others_were_told():
    clock = FakeClock()
    store = MemoryStore(clock)
    told, open_elsewhere, unaware = pacers(clock, store, "told", "open", "unaware")
    told.hold(30 * SECOND, refused=True)
    assert unaware.delay() == 0
    unaware.learn()
    assert unaware.delay() == pytest.approx(30, abs=0.1)
    open_elsewhere.shut(60 * SECOND)
    unaware.learn()
    assert unaware.delay() == pytest.approx(60, abs=0.1)


class Vague(MemoryStore):
    """A store whose time is known to half a second, until something was written to it."""

    within = SECOND / 2

    def moment(self) -> Moment | None:
        known = super().moment()
        return Moment(known.now, self.within) if known is not None else None

    def write_pace(self, account: str, pace: AccountPace) -> None:
        super().write_pace(account, pace)
        self.within = timedelta(milliseconds=2)


def test_a_process_that_hardly_knows_vaults_time_learns_it_before_it_reserves_beside_others():
    clock = FakeClock()
    store = Vague(clock)
    now = store.now()
    assert now is not None
    store.paces["k1"] = AccountPace(1, (Track(now + SECOND / 10, "other"),))
    (pacer,) = pacers(clock, store, "me")
    assert sent_by(clock, pacer, 1) < 0.2
    assert store.paces["k1"].version == 3
    # Nobody else is there any more: a gap costs nothing.
    clock.advance(60 * SECOND)
    store.within = SECOND / 2
    store.paces["k1"] = AccountPace(4, (Track(now, "other"),))
    sent_by(clock, pacer, 1)
    assert store.paces["k1"].version == 5


class Contended(MemoryStore):
    """Other processes write first, so many times in a row; it takes this one a while each time to find out."""

    def __init__(self, clock: FakeClock, conflicts: int, lost: timedelta) -> None:
        super().__init__(clock)
        self._conflicts, self._lose = conflicts, partial(clock.advance, lost)

    def write_pace(self, account: str, pace: AccountPace) -> None:
        is_late = self._conflicts > 0
        self.paces[account] = AccountPace(pace.version if is_late else pace.version - 1)
        if is_late:
            self._conflicts -= 1
            self._lose()
        super().write_pace(account, pace)


def test_a_conflict_moves_no_slot_into_the_future():
    """What a slot needs is as long ahead as a write takes, and not as a lost one and all that follows from it."""
    clock = FakeClock()
    (pacer,) = pacers(clock, Contended(clock, 1, SECOND), "me")
    assert sent_by(clock, pacer, 1) < 1.1


def test_who_often_comes_second_goes_on_with_the_others_at_the_shared_pace():
    """After five conflicts Vault was taken for away: slots beside those of the others, at a quarter of the limit."""
    clock = FakeClock()
    (alone,) = pacers(clock, MemoryStore(clock), "me")
    usual = sent_by(clock, alone, 40)
    store = Contended(clock, 20, timedelta())
    (pacer,) = pacers(clock, store, "me")
    began = clock.monotonic()
    assert sent_by(clock, pacer, 40) - began <= usual + 0.5
    assert [track.taken_by for track in store.paces["k1"].tracks] == ["me"]


def test_entries_of_one_account_share_a_pacer_and_the_lowest_limit():
    clock = FakeClock()
    shared = Pacers(lambda limit, account: Pacer(limit, clock, None, account))
    one = shared.of("k1", RateLimit(10, SECOND))
    assert shared.of("k1", RateLimit(2, SECOND)) is one
    assert shared.of("k1", None) is one
    assert shared.of("k2", None) is not one
    assert sent_by(clock, one, 5) == pytest.approx(2, abs=0.1)


def test_threads_share_the_pace_and_what_is_urgent_goes_first():
    clock = SystemClock(Event())
    pacer = Pacer(RateLimit(10, SECOND), clock)
    assert pacer.admit(1)
    done: list[str] = []

    def send(name: str, urgent: bool) -> None:
        assert pacer.admit(10, urgent=urgent)
        done.append(name)

    threads = [Thread(target=send, args=(f"usual-{number}", False)) for number in range(6)]
    for thread in threads:
        thread.start()
    while pacer.delay() < 0.5:
        clock.sleep(0.005)
    urgent = Thread(target=send, args=("urgent", True))
    urgent.start()
    for thread in (*threads, urgent):
        thread.join(10)
    assert done.index("urgent") <= 1


class SlowBook(MemoryStore):
    """Says when a reservation is written, and takes its time for the fourth."""

    def __init__(self, clock):
        super().__init__(clock)
        self.writes, self.go_on = 0, Event()

    def write_pace(self, account, pace):
        self.writes += 1
        assert self.writes < 4 or self.go_on.wait(60)
        super().write_pace(account, pace)


def test_the_others_go_on_while_one_thread_reserves_ahead():
    clock = FakeClock()
    book = SlowBook(clock)
    pacer = Pacer(RateLimit(1000, SECOND), clock, book, "k1", "me")
    for _ in range(3):
        clock.sleep(0.3)
        assert pacer.admit(1)  # the last run is a tenth of a second long
    clock.sleep(0.02)
    ahead = Thread(target=pacer.admit, args=(1,))
    ahead.start()
    eventually(lambda: book.writes == 4, "nothing is reserved ahead")
    assert pacer.admit(0.01), "there are slots left"
    assert book.writes == 4
    book.go_on.set()
    ahead.join(60)


VOBIZ = {"base_url": "https://api.vobiz.ai", "auth_id": "MA_1"}
TELNYX = {"base_url": "https://api.telnyx.com/v2"}


def key(kind: str, secret: str = "secret-a", **keys) -> str:
    return account_options(kind, secret, **keys).account_key


def test_an_account_has_one_key_whatever_the_kind_of_credential_and_the_configurations_name_for_it():
    assert key("vobiz", **VOBIZ) == key("vobiz-endpoint", "another-secret", **VOBIZ)
    assert key("vobiz", **VOBIZ) != key("vobiz", **VOBIZ | {"auth_id": "MA_2"})
    assert key("vobiz", **VOBIZ) != key("vobiz", **VOBIZ | {"base_url": "https://proxy.example.com"})


def test_a_telnyx_account_is_known_by_its_key_alone():
    one = key("telnyx", **TELNYX, connection_id="1")
    assert one == key("telnyx", **TELNYX, connection_id="2") == key("telnyx-connection", **TELNYX)
    assert one != key("telnyx-connection", "secret-b", **TELNYX)


def test_the_key_of_an_account_tells_nothing_about_it():
    found = key("telnyx-connection", "secret-a", **TELNYX)
    assert len(found) == 20
    plain = [new(each, b"secret-a").hexdigest() for each in ("sha256", "sha1", "md5", "blake2b")]
    assert not any(found in digest for digest in plain)


def test_projects_of_an_apinizer_have_a_pace_each():
    common = {"base_url": "https://console.example.com"}
    assert key("apinizer", **common, project="a") != key("apinizer", **common, project="b")
