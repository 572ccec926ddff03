"""Remedies for unknown words.

A value from the file is repeated only if it resembles an expected value, since it is then a typing error. Any other
value may be a password in the wrong place.
"""

import difflib
from collections.abc import Iterable


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Returns the word in `known` that was probably meant, if any."""
    if not isinstance(word, str) or len(word) > 64:
        return None
    names = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else None


def suggest(word: object, known: Iterable[str], kind: str) -> str:
    """Returns the remedy for an unknown word: the word that was probably meant, or all known words."""
    names = sorted(known)
    match = nearest(word, names)
    if match is not None:
        return f"did you mean {match!r}?"
    return f"known {kind}: {', '.join(names)}" if names else f"there are no {kind}"
