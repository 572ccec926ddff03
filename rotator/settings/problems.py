"""Problems of a configuration, in words for its author."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Loc = tuple[str | int, ...]
"""A place in the file: the keys and list positions from the top."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a place. Neither text repeats a value that could be a secret."""

    loc: Loc
    what: str
    remedy: str = ""
    fatal: bool = True  # False: a warning
    other: Loc | None = None  # the place that `what` says something of: its name is put before


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A finding with its file and line."""

    file: str
    line: int | None  # counted from 1; None for a key that is missing at the top level
    column: int | None  # counted from 1
    key: str  # such as `targets[0].policy`; empty for a problem of the whole file
    what: str
    remedy: str  # may be empty

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.sentence) if part)

    @property
    def sentence(self) -> str:
        """The problem and its remedy, without the place."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class ConfigError(Exception):
    """The configuration is invalid. The text names every problem, one on each line, without any value."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def key_text(loc: Loc) -> str:
    """Formats `loc` as `targets[0].policy`. A step that does not look like a key is not repeated."""
    text = ""
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _PLAIN_KEY.fullmatch(step) else "?")
    return text
