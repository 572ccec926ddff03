"""The entry of a process among the living ones."""

from datetime import timedelta

import pytest

from rotator.core.processes import Processes, Role
from rotator.engine import Presence
from rotator.ports import Conflict, StoreUnavailable
from rotator.testing import FakeClock, MemoryStore


class PresenceBench:
    """A store, and two daemons and a command that know it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        self.store.ahead = timedelta(hours=1)  # Vault's time counts, not this machine's
        self.first, self.second = (Presence(self.store, self.clock, name, Role.DAEMON) for name in ("first", "second"))
        self.command = Presence(self.store, self.clock, "command", Role.COMMAND)


@pytest.fixture
def bench() -> PresenceBench:
    return PresenceBench()


def test_whoever_renews_is_seen_by_the_others_and_whoever_leaves_is_not(bench: PresenceBench) -> None:
    for each in (bench.first, bench.second, bench.command):
        each.renew()
    bench.first.renew()
    assert bench.first.living(Role.DAEMON) == ("first", "second")
    assert bench.first.others() == ("command", "second")
    bench.second.leave()
    bench.first.renew()
    assert bench.first.living() == ("command", "first")
    assert {each.seen_at for each in bench.store.processes.entries} == {bench.store.now()}


def test_whoever_only_looks_is_not_seen(bench: PresenceBench) -> None:
    bench.first.renew()
    bench.command.look()
    assert bench.command.living(Role.DAEMON) == ("first",)
    assert bench.store.processes.version == 1


def test_whoever_dies_is_gone_after_fifteen_seconds_also_for_whoever_does_not_ask_again(bench: PresenceBench) -> None:
    bench.first.renew()
    bench.clock.advance(timedelta(seconds=14))
    bench.second.renew()
    assert bench.second.others() == ("first",)
    bench.clock.advance(timedelta(seconds=1))
    assert bench.second.others() == ()


def test_who_died_is_told_from_who_left_and_from_who_was_never_there(bench: PresenceBench) -> None:
    for each in (bench.first, bench.second, bench.command):
        each.renew()
    bench.command.leave()
    bench.clock.advance(timedelta(seconds=15))
    bench.first.renew()
    assert [bench.first.is_dead(name) for name in ("first", "second", "command", "nobody")] == [
        False,
        True,
        False,
        False,
    ]
    bench.clock.advance(timedelta(seconds=8))
    assert not bench.first.is_dead("second"), "what is known is too old: nobody is taken for dead by that"


def test_two_that_write_at_once_are_both_seen(bench: PresenceBench) -> None:
    write = bench.store.write_processes

    def write_after_the_other(processes: Processes) -> None:
        bench.store.write_processes = write  # type: ignore[method-assign]
        bench.second.renew()
        write(processes)

    bench.store.write_processes = write_after_the_other  # type: ignore[method-assign]
    bench.first.renew()
    assert bench.first.living() == ("first", "second")


def test_a_store_that_fails_says_so_and_what_was_known_stays(bench: PresenceBench) -> None:
    bench.first.renew()
    bench.store.failing = [StoreUnavailable("sealed")]
    with pytest.raises(StoreUnavailable):
        bench.first.renew()
    assert bench.first.living() == ("first",)
    bench.store.write_processes = lambda _: (_ for _ in ()).throw(Conflict("again"))  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        bench.first.renew()


def test_before_anything_was_read_nobody_is_known_to_be_dead(bench: PresenceBench) -> None:
    assert not bench.first.is_dead("second")
    assert bench.first.others() == ()


def test_until_vault_has_told_its_time_nobody_is_known_to_live_or_to_be_dead(bench: PresenceBench) -> None:
    store = MemoryStore()
    presence = Presence(store, bench.clock, "first", Role.DAEMON)
    presence.renew()
    assert store.processes.entries[0].seen_at == bench.clock.now()
    assert (presence.living(), presence.is_dead("first")) == ((), False)
