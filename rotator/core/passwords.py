"""Password rules: checking whether they can be met, making a password under them, and judging one made elsewhere.

A password is drawn uniformly among all that meet the rules (rejection sampling), so that its entropy is the logarithm
of how many there are.
"""

import math
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

from rotator.core.secret import Secret

# Safe in SIP digests, URLs, forms, INI and XML files: no quote, backslash, #, %, &, :, ;, <, > or space.
SAFE_SYMBOLS = "!@$^*_+"
FEWEST_BITS = 70
"""The least entropy of a password. A SIP digest by MD5 that somebody records can be tried offline: at 10**11 guesses a
second, 54 bits last two days, and 70 bits 370 years."""
LONGEST = 128
"""The most characters of a password."""
_FEWEST_DIFFERENT = 6  # characters: hardly any password that was made at random has fewer
_MASKS = {"redacted", "masked", "hidden", "filtered", "removed", "secret", "password", "null", "none", "undefined"}
_STARS = "****"
_ELSEWHERE = re.compile(r"[!#-\[\]-~]+")
_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """The composition of a password: a minimum from each class of characters. The alphabet is their union.

    A class with minimum 0 is still used; to leave symbols out, make `symbols` empty.
    """

    length: int = 20
    lower: int = 1
    upper: int = 1
    digits: int = 1
    symbol: int = 1
    symbols: str = SAFE_SYMBOLS
    shortest: int = 8  # the fewest characters that the provider accepts
    longest: int = LONGEST  # the most characters that the provider accepts

    @property
    def classes(self) -> tuple[tuple[str, int], ...]:
        """Each class of characters with its minimum."""
        return (
            (string.ascii_lowercase, self.lower),
            (string.ascii_uppercase, self.upper),
            (string.digits, self.digits),
            (self.symbols, self.symbol),
        )


def problems(rules: PasswordRules, limits: PasswordRules) -> tuple[str, ...]:
    """Returns the reasons why no password meets `rules` under a provider's `limits`; empty if one can."""
    reasons = []
    required = rules.lower + rules.upper + rules.digits + rules.symbol
    if required > rules.length:
        reasons.append(f"the minimum counts add up to {required}, more than length {rules.length}")
    if rules.length < limits.shortest:
        reasons.append(f"length {rules.length} is less than the {limits.shortest} that the provider requires")
    if rules.length > limits.longest:
        reasons.append(f"length {rules.length} is more than the {limits.longest} that the provider accepts")
    if rules.symbol and not rules.symbols:
        reasons.append("a symbol is required but `symbols` is empty")
    if limits.symbol and not rules.symbol:
        reasons.append("the provider requires at least one symbol: set `symbol` to 1 or more")
    refused = sorted(set(rules.symbols) - set(limits.symbols))
    if refused:
        reasons.append(f"the provider may refuse {' '.join(refused)}; it accepts {limits.symbols}")
    return tuple(reasons)


def meets(password: Secret, rules: PasswordRules) -> bool:
    """True if the password has the right length, enough of each class, and nothing else."""
    text = password.reveal()
    alphabet = "".join(characters for characters, _ in rules.classes)
    return (
        len(text) == rules.length
        and all(character in alphabet for character in text)
        and all(sum(c in characters for c in text) >= minimum for characters, minimum in rules.classes)
    )


def generate(rules: PasswordRules, draw: Callable[[str, int], str]) -> Secret:
    """Generates a password.

    `draw` draws so many characters of a text uniformly and must be cryptographically strong.

    Raises:
        ValueError: the rules cannot be met (`problems` says why).
    """
    alphabet = "".join(characters for characters, _ in rules.classes)
    for _ in range(_TRIES):
        candidate = Secret(draw(alphabet, rules.length))
        if meets(candidate, rules):
            return candidate
    raise ValueError("no password meets the rules")


def is_mask(text: str) -> bool:
    """True for what is shown in place of a password: `********`, `<redacted>`, `****1234`."""
    word = "".join(character for character in text if character.isalpha()).lower()
    starred = text.startswith(_STARS) or text.endswith(_STARS)
    return len(set(text)) <= 1 or starred or word in _MASKS


def weakness(password: Secret) -> str:
    """Returns why a password that somebody else made must not be used; empty if nothing is seen to be wrong with it.

    One password does not show how it was made. It is given the most entropy that its characters can have.
    """
    text = password.reveal()
    if not _ELSEWHERE.fullmatch(text):
        what = "a space, a quotation mark, a backslash or a character that is not ASCII"
        return f"it contains {what}, which devices may not take"
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
    alphabet = sum(len(kind) for kind in kinds if any(character in kind for character in text))
    bits = len(text) * math.log2(alphabet)
    if bits < FEWEST_BITS:
        return f"its {len(text)} characters have {bits:.0f} bits of entropy at most, and {FEWEST_BITS} are required"
    if len(set(text)) < _FEWEST_DIFFERENT or text in (text * 2)[1:-1]:
        return "it repeats itself"
    return ""
