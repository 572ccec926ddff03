"""What is wrong with a configuration, in words for its author.

A value of the file is repeated in a message only where it resembles one of the values that were expected: it is then a
slip of the pen. Any other value may be a password in the wrong place.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

Loc = tuple[str | int, ...]
"""Where something stands: the keys and the positions in lists, from the top."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or (as a warning) unwise."""

    file: str
    line: int | None  # counted from 1; None where the thing is missing from the file altogether
    column: int | None  # counted from 1
    key: str  # such as `targets[0].policy`; empty where the whole file is meant
    what: str
    remedy: str  # what would be right; may be empty

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.sentence) if part)

    @property
    def sentence(self) -> str:
        """What is wrong and what would be right, without the place."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class ConfigError(Exception):
    """The configuration cannot be used. Its text names every problem, one on each line, and no value."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def key_text(loc: Loc) -> str:
    """Writes `loc` as `targets[0].policy`. A key that does not look like one is not repeated."""
    text = ""
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _PLAIN_KEY.fullmatch(step) else "?")
    return text


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be, if any."""
    if not isinstance(word, str) or len(word) > 64:
        return None
    names = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else None


def suggest(word: object, known: Iterable[str], kind: str) -> str:
    """The remedy for an unknown word: the one that was probably meant, or all there are."""
    names = sorted(known)
    match = nearest(word, names)
    if match is not None:
        return f"did you mean {match!r}?"
    return f"known {kind}: {', '.join(names)}" if names else f"there are no {kind}"
