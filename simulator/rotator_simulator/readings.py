"""Changes fields of a frozen dataclass by name, and checks the values, which come from curl."""

from dataclasses import fields, replace
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

R = TypeVar("R")


def with_changes(original: R, changes: dict[str, Any]) -> R:
    """Returns a copy of a frozen dataclass with some fields changed.

    Raises:
        ValueError: a field is unknown or a value is invalid; the message lists the valid ones.
    """
    types = get_type_hints(type(original))
    names = [item.name for item in fields(original)]  # type: ignore[arg-type]
    for name, value in changes.items():
        if name not in names:
            raise ValueError(f"there is no {name!r}; use one of {', '.join(names)}")
        if not _matches(value, types[name]):
            raise ValueError(f"{name} must be {_described(types[name])}, not {value!r}")
    return replace(original, **changes)  # type: ignore[type-var]


def _matches(value: Any, expected: Any) -> bool:
    if get_origin(expected) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(expected))
    if isinstance(expected, UnionType):
        return any(_matches(value, choice) for choice in get_args(expected))
    return type(value) is expected or (expected is float and type(value) is int)


def _described(expected: Any) -> str:
    if get_origin(expected) is Literal:
        return " or ".join(repr(choice) for choice in get_args(expected))
    if isinstance(expected, UnionType):
        return " or ".join(_described(choice) for choice in get_args(expected))
    return "null" if expected is NoneType else str(expected.__name__)
