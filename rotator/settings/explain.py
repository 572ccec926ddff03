"""Translates pydantic's errors for the author of a configuration: place, problem, remedy."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rotator.fields.section import Row, Section
from rotator.fields.suggestions import suggest
from rotator.fields.text import INVALID
from rotator.providers.options import AccountOptions
from rotator.providers.registry import KINDS
from rotator.settings.document import Document
from rotator.settings.hooks import AnyHookSettings
from rotator.settings.problems import Finding, Loc
from rotator.settings.usage import UsageSourceSettings
from rotator.settings.vault import VaultAuth, VaultSettings


def _members(union: Any) -> Iterator[tuple[str, type[Section]]]:
    """Yields the tag and the section of each member of a discriminated union."""
    if union is AccountOptions:
        yield from ((f"type={name}", kind.options_model) for name, kind in KINDS.items())
        return
    for member in get_args(_bare(union)):
        section, tag = get_args(member)
        yield tag.tag, section


def _sections() -> Mapping[str, type[Section]]:
    return dict(
        pair
        for union in (AccountOptions, VaultAuth, VaultSettings, UsageSourceSettings, AnyHookSettings)
        for pair in _members(union)
    )


def _bare(annotation: Any) -> Any:
    """Returns the type without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        rest = [member for member in get_args(annotation) if member is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


_NOT_A_MAPPING = ("must be a mapping", "write keys and values below it, as 'key: value'")
_NOT_A_LIST = ("must be a list", "begin each item with '- '")
_NOT_A_NUMBER = ("must be a whole number", "write it in digits, without quotes")
_PLAIN = {
    "model_type": _NOT_A_MAPPING,
    "model_attributes_type": _NOT_A_MAPPING,
    "dataclass_type": _NOT_A_MAPPING,
    "dict_type": _NOT_A_MAPPING,
    "tuple_type": _NOT_A_LIST,
    "int_type": _NOT_A_NUMBER,
    "int_parsing_size": _NOT_A_NUMBER,
    "string_type": ("must be text", "put it in quotes"),
    "string_too_long": ("is too long", ""),
    "string_pattern_mismatch": ("may contain ASCII punctuation only", "use symbols such as '!@$^*_+'"),
    "too_short": ("is empty", "give at least one"),
}


def findings(error: ValidationError, document: Document, root: type[BaseModel], within: Loc = ()) -> Iterator[Finding]:
    """Yields every error that pydantic reports.

    Args:
        error: of the section at `within`.
        document: the file.
        root: the model of the whole file.
        within: the place of what was validated.
    """
    for details in error.errors(include_url=False, include_input=False):
        yield from _finding(details, document, root, within)


def _finding(details: ErrorDetails, document: Document, root: type[BaseModel], within: Loc) -> Iterator[Finding]:
    kind, steps, context = details["type"], (*within, *details["loc"]), details.get("ctx", {})
    loc = _plain_loc(steps)
    value = document.at(loc)
    if kind == INVALID:
        yield Finding(loc, context["what"], context["remedy"])
    elif kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _fields(_annotation(steps[:-1], root))
        yield Finding(loc, "unknown key", suggest(loc[-1], known, "keys"))
    elif kind == "missing":
        what = "has no value" if document.has(loc) else "is missing"
        yield Finding(loc, what, _example(steps, root))
    elif kind in ("enum", "literal_error"):
        yield Finding(loc, "unknown value", suggest(value, re.findall(r"'([^']*)'", context["expected"]), "values"))
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        yield _unknown_kind(steps, loc, value, root)
    elif kind in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        yield Finding(loc, "is out of range", f"set {limit}")
    elif not (kind == "too_short" and value):  # of a list with items pydantic counts the valid ones only
        yield Finding(loc, *_PLAIN.get(kind, ("is invalid", "see the description of this key in config/schema.json")))


def _plain_loc(steps: Loc) -> Loc:
    """Returns the place in the file, without the tags of union members and pydantic's marker for a key."""
    sections = _sections()
    return tuple(step for step in steps if step not in sections and step != "[key]")


def _unknown_kind(steps: Loc, loc: Loc, value: Any, root: type[BaseModel]) -> Finding:
    """Explains a provider type or an authentication method that is missing or unknown."""
    if not isinstance(value, dict):
        return Finding(loc, *_NOT_A_MAPPING)
    key, known = _choices(steps, root)
    kinds = f"{key}s"
    if value.get(key) is None:
        return Finding((*loc, key), "is missing", f"known {kinds}: {', '.join(sorted(known))}")
    return Finding((*loc, key), f"unknown {key}", suggest(value[key], known, kinds))


def _choices(steps: Loc, root: type[BaseModel]) -> tuple[str, tuple[str, ...]]:
    """Returns the key that selects the section at `steps`, and its values."""
    tags = [tag.split("=") for tag, _ in _members(_annotation(steps, root))]
    return tags[0][0], tuple(value for _, value in tags)


def _example(steps: Loc, root: type[BaseModel]) -> str:
    """Returns the remedy for a missing key: an example of it."""
    section = _annotation(steps[:-1], root)
    field = _fields(section)[str(steps[-1])]
    if not field.examples:
        return f"add '{steps[-1]}:'"
    example = field.examples[0]
    shown = f'"{example}"' if isinstance(example, str) and example.isdigit() else example  # else YAML has a number
    return f"add it, such as '{steps[-1]}: {shown}'"


def _fields(section: Any) -> Mapping[str, FieldInfo]:
    """Returns the fields of a section or row."""
    fields: Mapping[str, FieldInfo] = section.__pydantic_fields__
    return fields


def _annotation(steps: Loc, root: type[BaseModel]) -> Any:
    """Returns the type that is expected at `steps`, a location in pydantic's form."""
    here: Any = root
    sections = _sections()
    for step in steps:
        if step in sections:
            here = sections[str(step)]
        elif isinstance(here, type) and issubclass(here, Section | Row):
            here = _bare(_fields(here)[str(step)].annotation)
        else:
            arguments = get_args(here)  # of a mapping, or of a list
            here = _bare(arguments[1] if get_origin(here) is dict else arguments[0])
    return here
