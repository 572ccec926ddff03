"""The exact entropy of passwords under given rules, and the odds of drawing one."""

import math
import string
from functools import lru_cache

from rotator.core.passwords import PasswordRules

_LETTERS, _DIGITS = len(string.ascii_lowercase), len(string.digits)


def bits(rules: PasswordRules) -> float:
    """Returns the entropy: log2 of the number of passwords that meet the rules; 0 if none does."""
    count = _count(rules)
    return math.log2(count) if count else 0.0


def odds(rules: PasswordRules) -> float:
    """Returns the probability that text drawn from the alphabet meets the rules. `generate` draws until one does."""
    # By logarithms: the counts are too large for a float.
    return 2 ** (bits(rules) - rules.length * math.log2(alphabet(rules))) if _count(rules) else 0.0


def alphabet(rules: PasswordRules) -> int:
    """Returns the number of characters that a password is drawn from."""
    return sum(size for size, _ in _classes(rules))


def _classes(rules: PasswordRules) -> tuple[tuple[int, int], ...]:
    """Returns the size of each class of characters, and its minimum."""
    return (
        (_LETTERS, rules.lower),
        (_LETTERS, rules.upper),
        (_DIGITS, rules.digits),
        (len(set(rules.symbols)), rules.symbol),
    )


@lru_cache  # many targets share one policy
def _count(rules: PasswordRules) -> int:
    """Counts the texts with enough characters of each class: class by class, over the number of places each takes."""
    ways = [1] + [0] * rules.length
    for size, least in _classes(rules):
        ways = [
            sum(math.comb(places, taken) * size**taken * ways[places - taken] for taken in range(least, places + 1))
            for places in range(rules.length + 1)
        ]
    return ways[rules.length]
