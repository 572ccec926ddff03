"""Vault's time is sharper than a second after a few answers, and follows a clock that is set."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.vault.vault_time import VaultTime

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MILLI = timedelta(milliseconds=1)


class Vault:
    """A Vault whose clock is at `START` when the monotonic one is at 50.25, and answers at once or late."""

    def __init__(self):
        self.time = VaultTime()
        self.set_by = timedelta()

    def truth(self, now: float) -> datetime:
        return START + timedelta(seconds=now - 50.25) + self.set_by

    def answer(self, sent: float, there: float = 0.002, back: float = 0.002) -> None:
        date = format_datetime(self.truth(sent + there).replace(microsecond=0), usegmt=True)
        self.time.learn_date(date, sent, sent + there + back)

    def store(self, sent: float, there: float = 0.002, back: float = 0.002) -> None:
        self.time.learn_moment(self.truth(sent + there), sent, sent + there + back)

    def error(self, now: float) -> timedelta:
        known = self.time.at(now)
        assert known is not None
        assert abs(known.now - self.truth(now)) <= known.within + MILLI / 100
        return known.within


def test_before_the_first_answer_nothing_is_known():
    assert VaultTime().at(1.0) is None


def test_one_date_is_right_within_half_a_second_and_half_its_way():
    vault = Vault()
    vault.answer(100.0)
    assert vault.error(100.004) == pytest.approx(timedelta(seconds=0.502), abs=MILLI)


def test_many_dates_are_right_within_milliseconds():
    vault = Vault()
    for number in range(200):
        vault.answer(100 + number * 0.137)
    assert vault.error(100 + 200 * 0.137) < 12 * MILLI


def test_the_moment_of_a_stored_document_is_right_within_half_the_way_of_its_answer():
    vault = Vault()
    vault.answer(100.0)
    vault.store(100.3)
    assert vault.error(100.304) == pytest.approx(2 * MILLI, abs=MILLI / 2)


def test_what_was_known_gets_less_sharp_with_time():
    vault = Vault()
    vault.store(100.0)
    assert 10 * MILLI < vault.error(200.0) < 30 * MILLI


@pytest.mark.parametrize("by", [timedelta(hours=1), -timedelta(hours=1), timedelta(seconds=3)], ids=str)
def test_a_clock_that_was_set_is_believed_at_once(by):
    vault = Vault()
    for number in range(50):
        vault.answer(100 + number * 0.137)
    vault.set_by = by
    vault.answer(110.0)
    assert vault.error(110.004) <= timedelta(seconds=0.51)


def test_nodes_whose_clocks_differ_a_little_leave_an_error_as_large_as_that():
    vault = Vault()
    vault.store(100.0)
    vault.set_by = 50 * MILLI
    vault.store(101.0)
    assert 20 * MILLI < vault.error(101.004) < 60 * MILLI


@pytest.mark.parametrize("text", ["", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_date_that_is_none_changes_nothing(text):
    time = VaultTime()
    time.learn_date(text, 1.0, 2.0)
    assert time.at(2.0) is None


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2), st.floats(0, 2), st.booleans()), min_size=1, max_size=60))
def test_the_truth_is_always_within_the_bounds(answers):
    vault, now = Vault(), 100.0
    for pause, there, back, stored in answers:
        now += pause
        (vault.store if stored else vault.answer)(now, there, back)
        now += there + back
        vault.error(now)
