"""YAML text as plain data, with the line and column of every key and value.

Only what a configuration needs is taken: mappings, lists, text, whole numbers, numbers, true and false, nothing, and
anchors. Messages never quote the text, since a password may stand in it.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

from rotator.settings.problems import Loc

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
Place: TypeAlias = tuple[int, int]  # line and column, both counted from 1

_DEEPEST = 30
_MOST_VALUES = 300_000  # a few lines of nested anchors can stand for more values than memory holds
_TAG = "tag:yaml.org,2002:"
_TRUE = "true"

# The beginning of what the parser says, and what it means to the author of a configuration.
_SYNTAX = (
    ("found character '\\t'", "a tab is not allowed here", "indent with spaces"),
    ("found character", "this character cannot begin a value", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a ':' is not allowed here",
        "check the indentation, or put the value in quotes",
    ),
    ("found undefined alias", "'*' begins the name of an anchor, and there is none", "put the value in quotes"),
    ("found undefined tag", "'!' begins a tag, and tags are not used here", "put the value in quotes"),
    ("expected <block end>", "the indentation does not fit the lines above", "align it with its neighbours"),
    ("expected ',' or", "a bracket that was opened is not closed", "close it with ']' or '}'"),
    ("found unexpected end of stream", "a quote that was opened is not closed", "close it"),
    ("found unknown escape", "unknown escape after '\\'", "use single quotes"),
    ("could not find expected ':'", "a key without ':'", "write it as 'key: value'"),
    ("but found another document", "a second document begins here", "keep one document, without '---' inside"),
    ("maximum depth", f"nested deeper than {_DEEPEST} levels", "check the brackets and the indentation"),
)


class SyntaxProblem(Exception):
    """The text is not YAML that can be used. `place` is None where no line is known."""

    def __init__(self, place: Place | None, loc: Loc, what: str, remedy: str) -> None:
        super().__init__(what)
        self.place, self.loc, self.what, self.remedy = place, loc, what, remedy


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file and where each part of it stands."""

    data: Plain
    places: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc) -> Place | None:
        """Where `loc` stands, or else the nearest part around it; None for what would stand at the top level."""
        while loc and loc not in self.places:
            loc = loc[:-1]
        return self.places.get(loc) if loc else None

    def at(self, loc: Loc) -> Any:
        """The data at `loc`; None where there is none."""
        here: Any = self.data
        for step in loc:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here


def parse(text: str) -> Document:
    """Reads one YAML document.

    Raises:
        SyntaxProblem: it is not YAML, or not of the plain kind that a configuration needs.
    """
    root = _compose(text)
    if root is None:
        return Document(None)
    reader = _Reader()
    return Document(reader.read(root, ()), reader.places)


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _DEEPEST
    yaml.composer.warn_double_anchors = False  # the warning would quote the text
    try:
        root: Node | None = yaml.compose(text)
    except YAMLError as error:
        problem = _explained(error, text)
    else:
        return root
    # Raised out here, so that no traceback leads back to the parser's message.
    raise problem


def _explained(error: YAMLError, text: str) -> SyntaxProblem:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return SyntaxProblem((line, column), (), "a control character", "remove it")
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    place = (mark.line + 1, mark.column + 1) if mark is not None else None
    said = str(getattr(error, "problem", "") or "")
    for beginning, what, remedy in _SYNTAX:
        if said.startswith(beginning):
            return SyntaxProblem(place, (), what, remedy)
    return SyntaxProblem(place, (), "this is not YAML", "check the indentation, quotes and brackets around it")


class _Reader:
    """Turns nodes into plain data and remembers the places."""

    def __init__(self) -> None:
        self.places: dict[Loc, Place] = {}
        self._values = 0

    def read(self, node: Node, loc: Loc) -> Plain:
        self.places.setdefault(loc, _place(node))
        self._values += 1
        if self._values > _MOST_VALUES:
            raise SyntaxProblem(_place(node), loc, "the anchors stand for too many values", "write the values out")
        if len(loc) > _DEEPEST:
            raise SyntaxProblem(_place(node), loc, "an anchor contains itself", "write the values out")
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, ScalarNode):
            return _scalar(node, loc)
        return [self.read(item, (*loc, position)) for position, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, loc: Loc) -> Plain:
        data: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise SyntaxProblem(_place(key), loc, "a key must be plain text", "check the brackets and the '?'")
            here = (*loc, key.value)
            if key.value in data:
                first = self.places[here][0]
                raise SyntaxProblem(
                    _place(key), here, f"this key stands in line {first} already", "keep one of the two"
                )
            self.places[here] = _place(key)
            data[key.value] = self.read(value, here)
        return data


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(node: ScalarNode, loc: Loc) -> Plain:
    kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == _TRUE
            case "int":
                return int(text.replace("_", ""), 0)
            case "float":
                return float(text.replace("_", ""))
            case "str" | "timestamp":
                return text
    except ValueError:
        # `.inf`, `007`, `1_000e3` and the like: whoever expects a number here says so.
        return text
    raise SyntaxProblem(_place(node), loc, "tags beginning with '!' are not used here", "put the value in quotes")
