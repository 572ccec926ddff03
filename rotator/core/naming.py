"""The names that `rotator` generates: attempt ids and, for `replace`, usernames."""

from collections.abc import Callable
from string import ascii_lowercase, digits

from rotator.core.model import Target

_ALPHABET = ascii_lowercase + digits
_LONGEST_BASE = 24  # no provider documents a limit; 32 characters with the suffix have been accepted
_SUFFIX = 8


def new_attempt_id(choice: Callable[[str], str]) -> str:
    """Returns a random id of 62 bits, unique for all practical purposes."""
    return "".join(choice(_ALPHABET) for _ in range(12))


def new_username(target: Target, choice: Callable[[str], str]) -> str:
    """Returns a new username: the configured one or the target's name, and a random suffix of 41 bits.

    Lower case, since a provider may store or compare names so. Letters and digits only, which every provider takes
    (Vobiz, Create Credential: other characters "can be rejected with a 400").
    """
    base = target.usernames[0] if target.usernames else target.name
    kept = "".join(character for character in base if character.isascii() and character.isalnum())[:_LONGEST_BASE]
    return kept.lower() + "".join(choice(_ALPHABET) for _ in range(_SUFFIX))
