"""Names that are made: of the form that every provider takes, and hardly ever twice."""

import random
import re
from dataclasses import replace

from engine_harness import REPLACE
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.naming import new_attempt_id, new_username


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
