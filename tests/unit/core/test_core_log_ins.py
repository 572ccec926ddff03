"""The wrong log-ins at one account: how many may follow each other, what makes up for them, and what they teach."""

from datetime import timedelta

import pytest

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.log_ins import BURST, LogIns, is_wrong

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
WRONG, RIGHT, SILENT = Retry(Wait.NOT_YET, "403"), Done("accepted"), Unknown("timeout")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (WRONG, True),
        (Refused(Refusal.OTHER, "403"), True),
        (Refused(Refusal.AUTHENTICATION, "the API key"), False),
        (Refused(Refusal.PERMISSION, "the API key"), False),
        (Retry(Wait.UNREACHABLE, "no connection"), False),
        (Retry(Wait.RATE_LIMITED, "429"), False),
        (SILENT, False),
        (RIGHT, False),
    ],
)
def test_only_what_the_registrar_refuses_is_wrong(answer, wrong):
    assert is_wrong(answer) is wrong


def after(*answers, at: float = 0.0, known: LogIns | None = None) -> LogIns:
    known = known or LogIns()
    for answer in answers:
        known = known.after(at, answer)
    return known


def test_ten_wrong_ones_may_follow_each_other_and_then_one_each_minute():
    assert BURST == 10
    assert after(*[WRONG] * 9).rest(0.0) == timedelta()
    tired = after(*[WRONG] * 10)
    assert [tired.rest(at) for at in (0.0, 45.0, 60.0)] == [MINUTE, MINUTE / 4, timedelta()]
    again = after(WRONG, at=60.0, known=tired)
    assert [again.rest(at) for at in (60.0, 90.0, 120.0)] == [MINUTE, MINUTE / 2, timedelta()]
    assert after(*[WRONG] * 12).rest(0.0) == 3 * MINUTE


def test_a_right_one_makes_up_for_a_wrong_one_and_never_for_one_that_comes_later():
    assert after(*[WRONG] * 10, RIGHT).rest(0.0) == timedelta()
    assert after(*[WRONG] * 11, RIGHT).rest(0.0) == MINUTE
    assert after(*[RIGHT] * 5, *[WRONG] * 10).rest(0.0) == MINUTE
    assert after(*[WRONG] * 10, at=600.0, known=after(WRONG)).rest(600.0) == MINUTE, "time makes up for no later one"


def test_what_says_nothing_about_the_password_changes_nothing():
    tired = after(*[WRONG] * 10)
    assert after(SILENT, at=30.0, known=tired).rest(30.0) == MINUTE / 2


def test_a_log_in_that_was_too_early_has_the_next_ones_wait_half_as_long_again():
    early = LogIns().after_early(0.0, 4.0)
    assert early.settles_in(0.0) == 7 * SECOND
    assert early.after_early(0.0, 1.0).settles_in(0.0) == 7 * SECOND, "it never shortens what was learned"
    assert early.after_early(0.0, 8.0).settles_in(0.0) == 13 * SECOND
    assert early.after_settling(0.0, 2.0).settles_in(0.0) == 2 * SECOND, "an acceptance shows how long it takes"


def test_what_was_learned_halves_in_half_an_hour_and_is_forgotten_when_it_is_next_to_nothing():
    learned = LogIns().after_settling(100.0, 8.0)
    hours = [learned.settles_in(100.0 + 1800.0 * half) for half in range(6)]
    assert hours == [8 * SECOND, 4 * SECOND, 2 * SECOND, SECOND, SECOND / 2, timedelta()]
    assert learned.after_early(1900.0, 1.0).settles_in(1900.0) == 4 * SECOND
    assert LogIns().settles_in(0.0) == timedelta()
