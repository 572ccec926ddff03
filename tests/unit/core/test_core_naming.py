"""Names that are made: of the form that every provider takes, and hardly ever twice."""

import re
from dataclasses import replace

import pytest
from engine_harness import REPLACE
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.naming import extreme_usernames, made_from, new_attempt_id, new_username
from rotator.testing import FakeRandomness


@given(st.text(max_size=60), st.integers())
def test_a_username_is_made_of_letters_and_digits_and_short_enough_whatever_it_is_made_from(base, seed):
    name = new_username(replace(REPLACE, usernames=(base,)), FakeRandomness(seed).text)
    assert re.fullmatch(r"[A-Za-z0-9]{8,32}", name)


def test_a_username_begins_with_the_configured_one_or_the_targets_name():
    draw = FakeRandomness().text
    assert new_username(replace(REPLACE, usernames=("front-desk",)), draw).startswith("frontdesk")
    assert new_username(replace(REPLACE, usernames=()), draw).startswith("office")


def test_names_do_not_come_twice():
    draw = FakeRandomness().text
    assert len({new_attempt_id(draw) for _ in range(5000)}) == 5000
    assert len({new_username(REPLACE, draw) for _ in range(5000)}) == 5000
    assert re.fullmatch(r"[a-z0-9]{12}", new_attempt_id(draw))


def test_a_username_that_is_made_shows_what_it_was_made_from():
    made = new_username(replace(REPLACE, usernames=("Front-Desk",)), FakeRandomness().text)
    assert made_from(made) == made_from(made.upper()) == "frontdesk"


@pytest.mark.parametrize("username", ["", "short12", "frontdesk-1234567", "frontdesk1234567\u00e9"])
def test_a_username_of_another_form_was_not_made(username):
    assert made_from(username) is None


def test_the_extremes_of_the_random_part_are_all_letters_and_all_digits():
    assert extreme_usernames("office") == ("officeaaaaaaaa", "office99999999")
