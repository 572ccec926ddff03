"""YAML text as plain data, with the line and column of every key and value.

Only the YAML that a configuration needs is accepted: mappings, lists, text, numbers, booleans, null, and anchors.
Messages never quote the text, since it may contain a password.
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

from rotator.settings.problems import Loc

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
TextPosition: TypeAlias = tuple[int, int]  # line and column, both counted from 1

_DEEPEST = 30
_MOST_VALUES = 300_000  # a few lines of nested anchors can stand for more values than memory holds
_TAG = "tag:yaml.org,2002:"
_TRUE = "true"

# The beginning of the parser's message, then the problem and the remedy in words for the file's author.
_SYNTAX = (
    ("found character '\\t'", "a tab is not allowed here", "indent with spaces"),
    ("found character", "this character cannot begin a value", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a ':' is not allowed here",
        "check the indentation, or put the value in quotes",
    ),
    ("found undefined alias", "'*' refers to an anchor that does not exist", "put the value in quotes"),
    ("found undefined tag", "'!' begins a tag, and tags are not allowed", "put the value in quotes"),
    ("expected <block end>", "the indentation does not match the lines above", "align it with the surrounding lines"),
    ("expected ',' or", "a bracket is not closed", "close it with ']' or '}'"),
    ("found unexpected end of stream", "a quote is not closed", "close it"),
    ("found unknown escape", "unknown escape after '\\'", "use single quotes"),
    ("could not find expected ':'", "a key without ':'", "write it as 'key: value'"),
    ("but found another document", "a second document begins here", "keep one document, without '---' inside"),
    ("maximum depth", f"nested deeper than {_DEEPEST} levels", "check the brackets and the indentation"),
)


class SyntaxProblem(Exception):
    """The text is not YAML that a configuration may use. `position` is None if the line is unknown."""

    def __init__(self, position: TextPosition | None, loc: Loc, what: str, remedy: str) -> None:
        super().__init__(what)
        self.position, self.loc, self.what, self.remedy = position, loc, what, remedy


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The data of a file, and the position of each part."""

    data: Plain
    positions: dict[Loc, TextPosition] = field(default_factory=dict)

    def position(self, loc: Loc) -> TextPosition | None:
        """Returns the position of `loc` or of the innermost part that encloses it; None for a missing top-level key."""
        while loc and loc not in self.positions:
            loc = loc[:-1]
        return self.positions.get(loc) if loc else None

    def at(self, loc: Loc) -> Any:
        """Returns the data at `loc`; None if there is none."""
        here: Any = self.data
        for step in loc:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here


def parse(text: str) -> YamlDocument:
    """Reads one YAML document.

    Raises:
        SyntaxProblem: the text is not YAML, or uses more of YAML than a configuration needs.
    """
    root = _compose(text)
    if root is None:
        return YamlDocument(None)
    reader = _NodeReader()
    return YamlDocument(reader.read(root, ()), reader.positions)


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
    # Not raised in the handler: no traceback may contain the parser's message.
    raise problem


def _explained(error: YAMLError, text: str) -> SyntaxProblem:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return SyntaxProblem((line, column), (), "a control character", "remove it")
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    position = (mark.line + 1, mark.column + 1) if mark is not None else None
    message = str(getattr(error, "problem", "") or "")
    for beginning, what, remedy in _SYNTAX:
        if message.startswith(beginning):
            return SyntaxProblem(position, (), what, remedy)
    return SyntaxProblem(position, (), "this is not YAML", "check the indentation, quotes and brackets around it")


class _NodeReader:
    """Turns nodes into plain data and records their positions."""

    def __init__(self) -> None:
        self.positions: dict[Loc, TextPosition] = {}
        self._values = 0

    def read(self, node: Node, loc: Loc) -> Plain:
        self.positions.setdefault(loc, _position(node))
        self._values += 1
        if self._values > _MOST_VALUES:
            raise SyntaxProblem(_position(node), loc, "the anchors expand to too many values", "write the values out")
        if len(loc) > _DEEPEST:
            raise SyntaxProblem(_position(node), loc, "an anchor contains itself", "write the values out")
        if isinstance(node, MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, ScalarNode):
            return _scalar(node, loc)
        return [self.read(item, (*loc, position)) for position, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, loc: Loc) -> Plain:
        data: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise SyntaxProblem(_position(key), loc, "a key must be text", "check the brackets and the '?'")
            here = (*loc, key.value)
            if key.value in data:
                first = self.positions[here][0]
                raise SyntaxProblem(_position(key), here, f"this key is already on line {first}", "keep one of the two")
            self.positions[here] = _position(key)
            data[key.value] = self.read(value, here)
        return data


def _position(node: Node) -> TextPosition:
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
        # `.inf`, `007`, `1_000e3` and the like: the field reports it if it needs a number.
        return text
    raise SyntaxProblem(_position(node), loc, "tags beginning with '!' are not allowed", "put the value in quotes")
