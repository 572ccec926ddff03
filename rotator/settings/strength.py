"""How strong passwords of some rules are, exactly, and how easily one is drawn."""

import math
import string
from functools import lru_cache

from rotator.core.passwords import PasswordRules

_LETTERS, _DIGITS = len(string.ascii_lowercase), len(string.digits)


def bits(rules: PasswordRules) -> float:
    """The entropy: log2 of how many passwords meet the rules; 0 where none does."""
    count = _count(rules)
    return math.log2(count) if count else 0.0


def odds(rules: PasswordRules) -> float:
    """How likely a text drawn from the whole alphabet meets the rules. `generate` draws until one does."""
    size = sum(size for size, _ in _classes(rules))
    # By logarithms: the counts are far beyond what a float holds.
    return 2 ** (bits(rules) - rules.length * math.log2(size)) if _count(rules) else 0.0


def _classes(rules: PasswordRules) -> tuple[tuple[int, int], ...]:
    """How many characters each class has, and how many of it are needed."""
    return (
        (_LETTERS, rules.lower),
        (_LETTERS, rules.upper),
        (_DIGITS, rules.digits),
        (len(set(rules.symbols)), rules.symbol),
    )


@lru_cache  # many targets share one policy
def _count(rules: PasswordRules) -> int:
    """How many texts of the length have enough of each class: class by class, over how many places it takes."""
    ways = [1] + [0] * rules.length
    for size, least in _classes(rules):
        ways = [
            sum(math.comb(places, taken) * size**taken * ways[places - taken] for taken in range(least, places + 1))
            for places in range(rules.length + 1)
        ]
    return ways[rules.length]
