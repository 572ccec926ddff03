"""The bases of every section of the configuration."""

from collections.abc import Container
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# What validates is built at its first use: a command starts without what its configuration does not need.
ROW_CONFIG = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)


class Section(BaseModel):
    """A mapping of known keys. A key without a value counts as left out: a whole section can be commented out."""

    model_config = ConfigDict(**ROW_CONFIG, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        return _without_empty(data, cls.model_fields)


class Row:
    """The same for a section that exists a hundred thousand times: a pydantic dataclass with slots.

    It takes a tenth of a model's memory. Declare it with
    `@dataclass(frozen=True, slots=True, kw_only=True, config=ROW_CONFIG)`.
    """

    __slots__ = ()

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        return _without_empty(data, cls.__annotations__)


def _without_empty(data: Any, known: Container[str]) -> Any:
    if isinstance(data, dict) and None in data.values():
        return {key: value for key, value in data.items() if value is not None or key not in known}
    return data


Count = Annotated[int, Field(strict=True)]
"""A whole number: not true, not '8', not 8.0."""
