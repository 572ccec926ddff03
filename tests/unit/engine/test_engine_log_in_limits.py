"""The log-ins of a process at each account: what a refusal soon after a change teaches, and who has to rest."""

from datetime import timedelta

from rotator.core.answers import Done, Retry, Unknown, Wait
from rotator.core.log_ins import BURST
from rotator.core.model import Credential
from rotator.engine.log_in_limits import LogInLimits
from rotator.testing import FakeClock

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WRONG, RIGHT = Retry(Wait.NOT_YET, "403"), Done("accepted")
PHONE, DOOR, ELSEWHERE = Credential("fake", "phone"), Credential("fake", "door"), Credential("other", "phone")


def test_an_account_rests_after_ten_wrong_ones_and_the_others_do_not():
    clock = FakeClock()
    limits = LogInLimits(clock)
    for _ in range(BURST):
        assert limits.rest_until(clock.now()) == {}
        limits.learn(PHONE, WRONG, None)
    limits.learn(ELSEWHERE, WRONG, None)
    assert limits.rest_until(clock.now()) == {"fake": clock.now() + MINUTE}
    clock.advance(MINUTE)
    assert limits.rest_until(clock.now()) == {}


def test_an_account_that_refuses_soon_after_a_change_and_then_accepts_shows_how_long_it_takes():
    clock = FakeClock()
    limits = LogInLimits(clock)
    limits.learn(PHONE, WRONG, 2 * SECOND)
    assert limits.settle_in() == {"fake": 4 * SECOND}
    limits.learn(DOOR, RIGHT, 9 * SECOND)  # it was never refused: it shows nothing
    assert limits.settle_in() == {"fake": 4 * SECOND}
    limits.learn(PHONE, RIGHT, 3 * SECOND)
    assert limits.settle_in() == {"fake": 3 * SECOND}
    limits.learn(PHONE, RIGHT, 60 * SECOND)  # it was accepted before
    assert limits.settle_in() == {"fake": 3 * SECOND}


def test_what_was_refused_long_after_its_change_teaches_nothing():
    limits = LogInLimits(FakeClock())
    limits.learn(PHONE, WRONG, None)
    limits.learn(PHONE, RIGHT, 5 * SECOND)
    limits.learn(DOOR, Unknown("timeout"), SECOND)
    limits.learn(DOOR, RIGHT, 5 * SECOND)
    assert limits.settle_in() == {}


def test_an_early_refusal_is_remembered_for_each_username_and_for_ten_minutes():
    clock = FakeClock()
    limits = LogInLimits(clock)
    limits.learn(PHONE, WRONG, SECOND)
    limits.learn(DOOR, WRONG, SECOND)
    limits.learn(PHONE, RIGHT, 2 * SECOND)
    assert limits.settle_in() == {"fake": 2 * SECOND}
    limits.learn(DOOR, RIGHT, 5 * SECOND)
    assert limits.settle_in() == {"fake": 5 * SECOND}
    limits.learn(PHONE, WRONG, SECOND)
    clock.advance(10 * MINUTE)
    limits.learn(DOOR, WRONG, SECOND)
    before = limits.settle_in()
    limits.learn(PHONE, RIGHT, 30 * SECOND)  # what became of that attempt is anybody's guess
    assert limits.settle_in() == before
