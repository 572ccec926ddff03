"""Names that are made: of the form that every provider takes, and hardly ever twice."""

import random
import re
from dataclasses import replace

import pytest
from engine_harness import REPLACE
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.naming import made_from, new_attempt_id, new_username


@given(st.text(max_size=60), st.integers())
def test_a_username_is_made_of_letters_and_digits_and_short_enough_whatever_it_is_made_from(base, seed):
    name = new_username(replace(REPLACE, usernames=(base,)), random.Random(seed).choice)
    assert re.fullmatch(r"[A-Za-z0-9]{8,32}", name)


def test_a_username_begins_with_the_configured_one_or_the_targets_name():
    choice = random.Random(1).choice
    assert new_username(replace(REPLACE, usernames=("front-desk",)), choice).startswith("frontdesk")
    assert new_username(replace(REPLACE, usernames=()), choice).startswith("office")


def test_names_do_not_come_twice():
    choice = random.Random(1).choice
    assert len({new_attempt_id(choice) for _ in range(5000)}) == 5000
    assert len({new_username(REPLACE, choice) for _ in range(5000)}) == 5000
    assert re.fullmatch(r"[a-z0-9]{12}", new_attempt_id(choice))


def test_a_username_that_is_made_shows_what_it_was_made_from():
    made = new_username(replace(REPLACE, usernames=("Front-Desk",)), random.Random(1).choice)
    assert made_from(made) == made_from(made.upper()) == "frontdesk"


@pytest.mark.parametrize("username", ["", "short12", "frontdesk-1234567", "frontdesk1234567\u00e9"])
def test_a_username_of_another_form_was_not_made(username):
    assert made_from(username) is None
