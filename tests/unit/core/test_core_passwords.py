"""Passwords: made under every set of rules that can be met, and nothing else; entropy against counting them all."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core import passwords
from rotator.core.passwords import PasswordRules, generate, meets, problems
from rotator.core.secret import Secret
from rotator.settings import strength
from rotator.testing import FakeRandomness

DRAW = FakeRandomness(7).text
ANYTHING = PasswordRules(lower=0, upper=0, digits=0, symbol=0, symbols="!@$^*_+", shortest=0)
minima = st.integers(0, 3)
rule_sets = st.builds(
    PasswordRules,
    length=st.integers(1, 24),
    lower=minima,
    upper=minima,
    digits=minima,
    symbol=minima,
    symbols=st.sampled_from(("", "!", "!@$^*_+")),
)
limit_sets = st.builds(
    PasswordRules,
    symbol=st.integers(0, 1),
    symbols=st.sampled_from(("", "!", "!@$^*_+")),
    shortest=st.integers(0, 12),
    longest=st.integers(8, 30),
)


def can_be_met(rules) -> bool:
    """By construction: the fewest characters of each class, filled up with letters."""
    least = "a" * rules.lower + "A" * rules.upper + "1" * rules.digits + rules.symbols[:1] * rules.symbol
    return meets(Secret(least.ljust(rules.length, "a")), rules)


@given(rule_sets)
def test_a_password_is_made_under_all_rules_that_leave_enough_of_them_and_meets_them(rules):
    if strength.odds(rules) >= 0.01:  # what the settings let pass
        assert meets(generate(rules, DRAW), rules)


@pytest.mark.parametrize("rules", [PasswordRules(symbols=""), PasswordRules(length=3)])
def test_rules_that_cannot_be_met_raise(rules):
    assert not can_be_met(rules)
    assert strength.odds(rules) == 0
    with pytest.raises(ValueError, match=r"^no password meets the rules$"):
        generate(rules, DRAW)


@given(rule_sets)
def test_the_odds_are_zero_exactly_where_the_rules_cannot_be_met(rules):
    assert (strength.odds(rules) > 0) is can_be_met(rules)


@given(rule_sets, limit_sets)
def test_problems_are_named_exactly_where_no_password_would_do(rules, limits):
    fits = limits.shortest <= rules.length <= limits.longest
    taken = set(rules.symbols) <= set(limits.symbols) and (rules.symbol >= 1 or not limits.symbol)
    assert (problems(rules, limits) == ()) is (can_be_met(rules) and fits and taken)


@pytest.mark.parametrize(
    ("rules", "limits", "text"),
    [
        (PasswordRules(length=3), ANYTHING, "the minimum counts add up to 4, more than length 3"),
        (PasswordRules(length=7), PasswordRules(), "length 7 is less than the 8 that the provider requires"),
        (
            PasswordRules(length=21),
            PasswordRules(longest=20),
            "length 21 is more than the 20 that the provider accepts",
        ),
        (PasswordRules(symbols=""), ANYTHING, "a symbol is required but `symbols` is empty"),
        (
            PasswordRules(symbol=0),
            PasswordRules(),
            "the provider requires at least one symbol: set `symbol` to 1 or more",
        ),
        (PasswordRules(symbols="!&%"), PasswordRules(), "the provider may refuse % &; it accepts !@$^*_+"),
    ],
)
def test_each_problem_says_what_would_be_right(rules, limits, text):
    assert problems(rules, limits) == (text,)


def test_rules_at_the_very_limits_are_no_problem():
    limits = PasswordRules(shortest=8, longest=20)
    assert problems(PasswordRules(length=8), limits) == problems(PasswordRules(length=20), limits) == ()
    assert problems(PasswordRules(length=8, lower=5), limits) == ()


@pytest.mark.parametrize("text", ["short", "a" * 20, "aA1" * 6 + "aa", "aA1!" * 5 + "x", "aA1 " * 5, "aA1é" * 5])
def test_what_does_not_meet_the_rules_is_seen(text):
    assert not meets(Secret(text), PasswordRules())


@given(length=st.integers(1, 5), lower=minima, upper=minima, digits=minima, symbol=st.integers(0, 2))
def test_entropy_is_the_logarithm_of_how_many_passwords_there_are(length, lower, upper, digits, symbol):
    rules = PasswordRules(length=length, lower=lower, upper=upper, digits=digits, symbol=symbol, symbols="!@")
    sizes = (26, 26, 10, 2)
    count = 0
    for classes in product(range(4), repeat=length):  # each way to spread the classes over the places
        if all(classes.count(number) >= least for number, (_, least) in enumerate(rules.classes)):
            count += math.prod(sizes[number] for number in classes)
    assert strength.bits(rules) == pytest.approx(math.log2(count) if count else 0.0)


def test_passwords_are_drawn_uniformly_among_those_that_meet_the_rules(monkeypatch):
    monkeypatch.setattr(passwords.string, "ascii_lowercase", "ab")
    monkeypatch.setattr(passwords.string, "ascii_uppercase", "")
    monkeypatch.setattr(passwords.string, "digits", "1")
    rules = PasswordRules(length=3, lower=0, upper=0, digits=1, symbol=0, symbols="")
    seen: dict[str, int] = {}
    for _ in range(19 * 400):
        text = generate(rules, DRAW).reveal()
        seen[text] = seen.get(text, 0) + 1
    assert len(seen) == 3**3 - 2**3
    assert sum((number - 400) ** 2 / 400 for number in seen.values()) < 42.3  # chi-square, 18 degrees, 0.1 %


def test_every_character_is_offered_once():
    offered: list[str] = []
    generate(PasswordRules(), lambda characters, length: offered.append(characters) or DRAW(characters, length))
    assert {len(characters) for characters in offered} == {len(set(offered[0]))} == {26 + 26 + 10 + 7}
