"""The data of a YAML text, from libyaml's events, and the positions of those keys and values that somebody asks for.

libyaml reads the text; what its events mean is decided here, by YAML 1.2.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from yaml.cyaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from rotator.settings.problems import Loc

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"
TextPosition: TypeAlias = tuple[int, int]  # line and column, both counted from 1

_DEEPEST = 30
_MOST_REPEATED = 2_000_000  # a few lines of nested anchors can stand for more values than memory holds
_TAG = "tag:yaml.org,2002:"
_TAGS_ARE_NOT_ALLOWED = ("tags beginning with '!' are not allowed", "put the value in quotes")

# Plain text that begins otherwise is text.
_MAY_BE_OTHER_THAN_TEXT = frozenset("-+.0123456789~nNtTfF")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)")
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*(\.[0-9_]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)|[-+]?\.[0-9_]+([eE][-+][0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class SyntaxProblem(Exception):
    """The text is not what its file may contain. `position` is None if the line is unknown."""

    def __init__(self, position: TextPosition | None, loc: Loc, what: str, remedy: str) -> None:
        super().__init__(what)
        self.position, self.loc, self.what, self.remedy = position, loc, what, remedy


@dataclass(slots=True)
class _Anchor:
    """The value of an anchor; while it is read it is not complete."""

    loc: Loc
    data: Plain = None
    values: int = 0
    depth: int = 0
    complete: bool = False


class YamlReader:
    """Turns libyaml's events into plain data; or, instead, notes the positions of `wanted`."""

    def __init__(self, text: str, wanted: frozenset[Loc] = frozenset()) -> None:
        self.positions: dict[Loc, TextPosition] = {}
        self.aliases: dict[Loc, Loc] = {}
        self._text = text
        self._next = CParser(text).get_event
        self._wanted = wanted
        self._loc: list[str | int] = []
        self._anchors: dict[str, _Anchor] = {}
        self._values = self._repeated = self._deepest = 0

    def document(self) -> Plain:
        """Reads the one document of the text."""
        self._next()  # the beginning of the stream
        if isinstance(self._next(), StreamEndEvent):
            return None
        data = self._value(self._next())
        self._next()  # the end of the document
        following = self._next()
        if isinstance(following, DocumentStartEvent):
            raise self._problem(following, "a second document begins here", "keep one document, without '---' inside")
        return data

    def _value(self, event: Any) -> Plain:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event)
        anchor = event.anchor
        if anchor is not None:
            return self._anchored(event)
        self._values += 1
        if kind is ScalarEvent:
            return _plain_scalar(event.value) if event.implicit[0] and event.tag is None else self._scalar(event)
        return self._collection(event)

    def _collection(self, event: Any) -> Plain:
        self._deepest = max(self._deepest, len(self._loc))
        if len(self._loc) >= _DEEPEST:
            raise self._problem(
                event, f"nested deeper than {_DEEPEST} levels", "check the brackets and the indentation"
            )
        if event.tag is not None and event.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            raise self._problem(event, *_TAGS_ARE_NOT_ALLOWED)
        return self._mapping() if isinstance(event, MappingStartEvent) else self._sequence()

    def _sequence(self) -> Plain:
        data: list[Plain] = []
        loc = self._loc
        loc.append(0)
        position = 0
        while type(event := self._next()) is not SequenceEndEvent:
            loc[-1] = position
            position += 1
            if self._wanted:
                self._note(event)
                self._value(event)
            else:
                data.append(self._value(event))
        loc.pop()
        return data

    def _mapping(self) -> Plain:
        data: dict[str, Plain] = {}
        loc = self._loc
        loc.append("")
        while type(event := self._next()) is not MappingEndEvent:
            key = loc[-1] = self._key(event)
            if key in data:
                raise self._twice(event)
            if self._wanted:
                self._note(event)
                self._value(self._next())
                data[key] = None
            else:
                data[key] = self._value(self._next())
        loc.pop()
        return data

    def _key(self, event: Any) -> str:
        if type(event) is ScalarEvent:
            return str(event.value)
        self._loc.pop()
        raise self._problem(event, "a key must be text", "check the brackets and the '?'")

    def _twice(self, event: Any) -> SyntaxProblem:
        remedy = "keep one of the two"
        if self._wanted:  # the first one is looked for, and found by now
            return self._problem(event, "this key is already there", remedy)
        finder = YamlReader(self._text, frozenset([tuple(self._loc)]))
        with suppress(SyntaxProblem):
            finder.document()
        first = finder.positions[tuple(self._loc)][0]
        return self._problem(event, f"this key is already on line {first}", remedy)

    def _anchored(self, event: Any) -> Plain:
        name, event.anchor = event.anchor, None
        anchor = self._anchors[name] = _Anchor(tuple(self._loc))
        values, deepest = self._values, self._deepest
        self._deepest = len(self._loc)
        anchor.data = self._value(event)
        anchor.values = self._values - values
        anchor.depth = self._deepest - len(self._loc)
        anchor.complete = True
        self._deepest = max(deepest, self._deepest)
        return anchor.data

    def _alias(self, event: Any) -> Plain:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise self._problem(event, "'*' refers to an anchor that does not exist", "put the value in quotes")
        self._deepest = max(self._deepest, len(self._loc) + anchor.depth)
        self._values += anchor.values
        self._repeated += anchor.values
        if not anchor.complete or self._deepest > _DEEPEST:
            raise self._problem(event, "an anchor contains itself", "write the values out")
        if self._repeated > _MOST_REPEATED:
            raise self._problem(event, "the anchors expand to too many values", "write the values out")
        self.aliases[tuple(self._loc)] = anchor.loc
        return anchor.data

    def _scalar(self, event: Any) -> Plain:
        """Reads a scalar that is quoted or has a tag."""
        if event.tag is None:
            return str(event.value)
        kind = event.tag.removeprefix(_TAG)
        if kind in ("str", "timestamp"):
            return str(event.value)
        if kind not in ("null", "bool", "int", "float"):
            raise self._problem(event, *_TAGS_ARE_NOT_ALLOWED)
        return _plain_scalar(event.value)

    def _note(self, event: Any) -> None:
        loc = tuple(self._loc)
        if loc in self._wanted:
            self.positions.setdefault(loc, _position(event))

    def _problem(self, event: Any, what: str, remedy: str) -> SyntaxProblem:
        return SyntaxProblem(_position(event), tuple(self._loc), what, remedy)


def _position(event: Any) -> TextPosition:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _plain_scalar(text: str) -> Plain:
    if text and text[0] not in _MAY_BE_OTHER_THAN_TEXT:
        return text
    if text in _WORDS:
        return _WORDS[text]
    try:
        if _INT.fullmatch(text):
            return int(text.replace("_", ""), 0)
        if _FLOAT.fullmatch(text):
            return float(text.replace("_", ""))
    except ValueError:
        pass  # `.inf`, `007`, `1_000e3` and the like: the field reports it if it needs a number
    return text
