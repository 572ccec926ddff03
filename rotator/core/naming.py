"""The names that `rotator` generates: attempt ids and, for `replace`, usernames."""

from collections.abc import Callable, Sequence
from string import ascii_lowercase, digits

from rotator.core.model import Target

_ALPHABET = ascii_lowercase + digits
_LONGEST_BASE = 24  # no provider documents a limit; 32 characters with the suffix have been accepted
SUFFIX = 8
"""The random characters at the end of a username that is made."""
_SCRATCH = "rotatorcheck"


def new_attempt_id(draw: Callable[[str, int], str]) -> str:
    """Returns a random id of 62 bits, unique for all practical purposes."""
    return draw(_ALPHABET, 12)


def new_username(target: Target, draw: Callable[[str, int], str]) -> str:
    """Returns a new username: the configured one or the target's name, and a random suffix of 41 bits.

    Lower case, since a provider may store or compare names so. Letters and digits only, which every provider takes
    (Vobiz, Create Credential: other characters "can be rejected with a 400").
    """
    return username_stem(target.usernames, target.name) + draw(_ALPHABET, SUFFIX)


def username_stem(configured: Sequence[str], target: str) -> str:
    """Returns how every username begins that is made for a target: as the first configured one, else as its name."""
    name = configured[0] if configured else target
    kept = name if name.isascii() and name.isalnum() else "".join(filter(_is_kept, name))
    return kept[:_LONGEST_BASE].lower()


def _is_kept(character: str) -> bool:
    return character.isascii() and character.isalnum()


def made_from(username: str) -> str | None:
    """Returns the stem of a username that has the form of those that are made, in letters of either case."""
    stem, suffix = username[:-SUFFIX].lower(), username[-SUFFIX:]
    return stem if len(suffix) == SUFFIX and all(map(_is_kept, suffix)) else None


def extreme_usernames(stem: str) -> tuple[str, str]:
    """Returns the two usernames with `stem` whose random parts are the most different."""
    return stem + _ALPHABET[0] * SUFFIX, stem + _ALPHABET[-1] * SUFFIX


def scratch_username(draw: Callable[[str, int], str]) -> str:
    """Returns a username for a credential of `rotator check-provider`, which a person recognises in a listing."""
    return _SCRATCH + draw(_ALPHABET, SUFFIX)


def is_scratch(username: str) -> bool:
    """True for a username that `scratch_username` has made: it never becomes a target, whatever a selection matches."""
    return made_from(username) == _SCRATCH
