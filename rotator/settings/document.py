"""YAML text as plain data, and the line and column of those keys and values that somebody asks for.

libyaml reads the text; the meaning of its events is decided here, by YAML 1.2. Positions are found by reading the text
once more, and only when there is something to say: a hundred thousand targets have a million and a half of them.

Only the YAML that a configuration needs is accepted: mappings, lists, text, numbers, booleans, null, and anchors.
Messages never quote the text, since it may contain a password.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from yaml.error import MarkedYAMLError, YAMLError
from yaml.reader import Reader

from rotator.settings.problems import Loc
from rotator.settings.yaml_events import SyntaxProblem, TextPosition, YamlReader

# The beginning of the parser's message, then the problem and the remedy in words for the file's author.
_SYNTAX = (
    ("found character that cannot start", "this character cannot begin a value", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a ':' is not allowed here",
        "check the indentation, or put the value in quotes",
    ),
    (
        "did not find expected alphabetic or numeric",
        "a value that begins with '*' or '&' means something else in YAML",
        "put the value in quotes",
    ),
    ("found undefined tag", "'!' begins a tag, and tags are not allowed", "put the value in quotes"),
    (
        "did not find expected key",
        "the indentation does not match the lines above",
        "align it with the surrounding lines",
    ),
    (
        "did not find expected '-'",
        "the indentation does not match the lines above",
        "align it with the surrounding lines",
    ),
    ("did not find expected ','", "a bracket is not closed", "close it with ']' or '}'"),
    ("found unexpected end of stream", "a quote is not closed", "close it"),
    ("found unknown escape", "unknown escape after '\\'", "use single quotes"),
    ("could not find expected ':'", "a key without ':'", "write it as 'key: value'"),
)


@dataclass(frozen=True, slots=True)
class Document(ABC):
    """The data of a file, and how to find the positions of its parts."""

    data: Any

    def at(self, loc: Loc) -> Any:
        """Returns the data at `loc`; None if there is none."""
        here: Any = self.data
        for step in loc:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here

    def has(self, loc: Loc) -> bool:
        """True if there is something at `loc`, be it null."""
        parent = self.at(loc[:-1])
        return isinstance(parent, dict) and loc[-1] in parent

    @abstractmethod
    def places(self, wanted: Collection[Loc]) -> Mapping[Loc, TextPosition]:
        """Returns the position of each of `wanted` that the file contains."""

    def positions(self, wanted: Collection[Loc]) -> Mapping[Loc, TextPosition]:
        """Returns the position of each, or of the innermost part that encloses it, but for the whole file."""
        enclosing = {loc: [loc[:length] for length in range(len(loc), 0, -1)] for loc in wanted}
        found = self.places({part for parts in enclosing.values() for part in parts})
        innermost = {
            loc: next((found[part] for part in parts if part in found), None) for loc, parts in enclosing.items()
        }
        return {loc: position for loc, position in innermost.items() if position is not None}


@dataclass(frozen=True, slots=True)
class YamlDocument(Document):
    """A YAML file. Its text is read once more for positions."""

    text: str = field(repr=False)
    aliases: Mapping[Loc, Loc] = field(default_factory=dict)  # where an anchor is used, and where it is declared

    def places(self, wanted: Collection[Loc]) -> Mapping[Loc, TextPosition]:
        """Returns the position of each of `wanted` that the text contains, reading the text once."""
        meant = {loc: self._declared(loc) for loc in wanted}
        reader = YamlReader(self.text, frozenset(meant.values()))
        reader.document()
        return {loc: reader.positions[there] for loc, there in meant.items() if there in reader.positions}

    def _declared(self, loc: Loc) -> Loc:
        """Returns where what is at `loc` is written: inside of an alias it is where the anchor is."""
        for length in range(1, len(loc)):
            there = self.aliases.get(loc[:length])
            if there is not None:
                return self._declared((*there, *loc[length:]))
        return loc


def parse(text: str) -> YamlDocument:
    """Reads one YAML document.

    Raises:
        SyntaxProblem: the text is not YAML, or uses more of YAML than a configuration needs.
    """
    try:
        reader = YamlReader(text)
        return YamlDocument(reader.document(), text, reader.aliases)
    except YAMLError as error:
        problem = _explained(error, text)
    # Not raised in the handler: no traceback may contain the parser's message.
    raise problem


def _explained(error: YAMLError, text: str) -> SyntaxProblem:
    unprintable = Reader.NON_PRINTABLE.search(text)
    if unprintable is not None:
        line = text.count("\n", 0, unprintable.start()) + 1
        column = unprintable.start() - text.rfind("\n", 0, unprintable.start())
        return SyntaxProblem((line, column), (), "a control character", "remove it")
    position = _marked(error, text)
    message = str(getattr(error, "problem", "") or "")
    if position is not None and text.split("\n")[position[0] - 1][position[1] - 1 :].startswith("\t"):
        return SyntaxProblem(position, (), "a tab is not allowed here", "indent with spaces")
    for beginning, what, remedy in _SYNTAX:
        if message.startswith(beginning):
            return SyntaxProblem(position, (), what, remedy)
    return SyntaxProblem(position, (), "this is not YAML", "check the indentation, quotes and brackets around it")


def _marked(error: YAMLError, text: str) -> TextPosition | None:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    if mark is None:
        return None
    lines = text.split("\n")
    if mark.line >= len(lines):  # beyond the end of the text: its last character
        return len(lines), len(lines[-1])
    return mark.line + 1, mark.column + 1
