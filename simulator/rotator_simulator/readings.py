"""Changing fields of a frozen dataclass by name, with the values checked: operators do it with curl."""

from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

R = TypeVar("R")


def adjusted(facts: R, changes: dict[str, Any]) -> R:
    """A copy of the frozen dataclass `facts` with some fields changed.

    Raises:
        ValueError: a field that there is not, or a value that it does not take; the message says what would be right.
    """
    kinds = get_type_hints(type(facts))
    names = [item.name for item in fields(facts)]  # type: ignore[arg-type]
    for name, value in changes.items():
        if name not in names:
            raise ValueError(f"there is no {name!r}; there are {', '.join(names)}")
        if not _fits(value, kinds[name]):
            raise ValueError(f"{name} does not take {value!r}; it takes {_described(kinds[name])}")
    return replace(facts, **changes)  # type: ignore[type-var]


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(kind))
    if isinstance(kind, UnionType):
        return any(_fits(value, choice) for choice in get_args(kind))
    return type(value) is kind or (kind is float and type(value) is int)


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if isinstance(kind, UnionType):
        return " or ".join(_described(choice) for choice in get_args(kind))
    return "null" if kind is NoneType else str(kind.__name__)
