"""Health: alive without Vault, ready only with it, neither disturbed by the wall clock."""

from datetime import timedelta

import pytest

from rotator.observe.health import BEAT, LOOK, VAULT, Health
from rotator.testing import FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def ready_one(clock: FakeClock) -> Health:
    health = Health(clock)
    health.configuration_loaded()
    health.vault_reached()
    return health


def test_it_is_alive_as_long_as_the_scheduler_comes_round(clock: FakeClock) -> None:
    health = Health(clock)
    for _ in range(5):
        clock.advance(BEAT)
        assert health.live().ok
        health.beat()
    clock.advance(BEAT + SECOND)
    report = health.live()
    assert (report.ok, report.reasons) == (
        False,
        ("the scheduler's loop has been stuck for 181 s; 180 s are allowed",),
    )
    health.beat()
    assert health.live().ok


def test_a_jump_of_the_wall_clock_changes_nothing(clock: FakeClock) -> None:
    health = ready_one(clock)
    health.look_started("phone")
    health.vault_failed("sealed")
    for days in (400, -800):
        clock.jump(timedelta(days=days))
        assert health.live().ok
        assert health.ready().ok


def test_a_worker_that_hangs_is_noticed_though_the_scheduler_comes_round(clock: FakeClock) -> None:
    health = Health(clock)
    health.look_started("phone")
    health.look_started("fax")
    clock.advance(LOOK)
    health.beat()
    assert health.live().ok
    health.look_finished("fax")
    clock.advance(SECOND)
    assert health.live().reasons == ("the look at phone has taken more than 1800 s",)
    health.look_finished("phone")
    assert health.live().ok


def test_it_is_alive_but_not_ready_while_vault_is_away(clock: FakeClock) -> None:
    health = ready_one(clock)
    clock.advance(VAULT + SECOND)
    health.vault_failed("sealed")
    health.beat()
    assert health.live().ok
    assert health.ready().reasons == ("Vault was last reached 181 s ago: sealed",)
    health.vault_reached()
    assert health.ready().ok


def test_one_failure_of_vault_does_not_make_it_unready_nor_does_silence(clock: FakeClock) -> None:
    health = ready_one(clock)
    clock.advance(SECOND)
    health.vault_failed("no leader")
    assert health.ready().ok
    health.vault_reached()
    clock.advance(100 * VAULT)
    assert health.ready().ok


def test_it_is_not_ready_before_configuration_and_vault_are_there(clock: FakeClock) -> None:
    health = Health(clock)
    assert health.ready().reasons == ("no configuration is loaded yet", "Vault has not been reached yet")
    health.configuration_loaded()
    health.vault_failed("connection refused")
    assert health.ready().reasons == ("Vault has not been reached yet: connection refused",)
    health.vault_reached()
    assert health.ready().ok
