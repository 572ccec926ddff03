"""Remedies for unknown words.

A value from the file is repeated only if it resembles an expected value, since it is then a typing error. Any other
value may be a password in the wrong place.
"""

import difflib
from collections.abc import Iterable

_MOST_SHOWN = 20


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Returns the word in `known` that was probably meant, if any."""
    return next(iter(nearest_few(word, known, 1)), None)


def nearest_few(word: object, known: Iterable[str], most: int) -> list[str]:
    """Returns the words in `known` that may have been meant, the likeliest first."""
    if not isinstance(word, str) or len(word) > 64:
        return []
    names = {name.lower(): name for name in known}
    return [names[match] for match in difflib.get_close_matches(word.lower(), names, n=most, cutoff=0.6)]


def suggest(word: object, known: Iterable[str], kind: str, most: int = 1) -> str:
    """Returns the remedy for an unknown word: the words that may have been meant, or all that are known, if few."""
    names = sorted(known)
    matches = [repr(match) for match in nearest_few(word, names, most)]
    if matches:
        return f"did you mean {', '.join(matches[:-1])}{' or ' * (len(matches) > 1)}{matches[-1]}?"
    if len(names) > _MOST_SHOWN:
        return f"none of the {len(names):,} {kind} resembles it"
    return f"known {kind}: {', '.join(names)}" if names else f"there are no {kind}"
