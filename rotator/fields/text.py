"""Text fields: names and paths. `network` and `times` declare further ones."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

INVALID = "invalid"
"""The pydantic error type of every error from `invalid`."""
VAULT_PATH = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_WORD = r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$"


def invalid(what: str, remedy: str) -> PydanticCustomError:
    """Returns the error that every check of a value raises. Neither text may repeat the value."""
    return PydanticCustomError(INVALID, "{what}; {remedy}", {"what": what, "remedy": remedy})


@dataclass(frozen=True, slots=True)
class LoadContext:
    """Everything except its text that determines what a configuration file means."""

    environ: Mapping[str, str]
    directory: Path  # of the configuration file: relative paths start here
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    secrets_may_lack: bool = False  # a variable or a file that is not there yet is no mistake


def context_of(info: ValidationInfo) -> LoadContext:
    """Returns the context that `load` hands to every validator."""
    if not isinstance(info.context, LoadContext):
        raise TypeError("a path or a reference to a secret is validated with a LoadContext")
    return info.context


@dataclass(frozen=True, slots=True, eq=False)  # hashed by identity: typing hashes what annotates a type
class TextField:
    """The annotation of a type that is written as text: its parser and its JSON Schema.

    A value that already has the type is accepted unchanged. Only Python code passes such values; YAML has none.
    """

    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    remedy: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""

        def validate(value: Any) -> Any:
            if isinstance(value, str):
                return self.read(value)
            if isinstance(value, source):
                return value
            raise invalid("must be text", "put it in quotes" if self._would_read(value) else self.remedy)

        return core_schema.no_info_plain_validator_function(validate)

    def _would_read(self, value: Any) -> bool:
        """Returns True if what YAML took for a number is right as text."""
        try:
            return type(value) is int and self.read(str(value)) is not None
        except PydanticCustomError:
            return False

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook."""
        return {"type": "string", **self.schema}


def is_name(text: str) -> bool:
    """True if the text is a name that a Vault path can contain."""
    return re.fullmatch(_NAME, text) is not None


def matching(pattern: str, what: str, remedy: str) -> TextField:
    """Returns the annotation of a text that must match all of `pattern`."""
    expression = re.compile(pattern)

    def read(text: str) -> str:
        if not expression.fullmatch(text):
            raise invalid(what, remedy)
        return text

    return TextField(read, {"pattern": pattern}, remedy)


Name = Annotated[
    str,
    matching(
        _NAME,
        "is not a name that a Vault path can contain",
        "use up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
    ),
]
"""A name that can be part of a Vault path."""

TargetPattern = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9*?._-]{1,63}$",
        "is neither a target's name nor a pattern for names",
        "write a name such as 'office-phone', or a pattern such as 'office-*'",
    ),
]
"""The name of a target, or a pattern with `*` and `?` that matches several."""

UsernamePattern = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9_.@+*?-]{1,128}$",
        "is not a pattern for usernames",
        "write letters, digits, '_', '.', '@', '+', '-', and '*' or '?' for any, such as 'agent-*'",
    ),
]
"""A pattern with `*` and `?` for usernames."""

VaultPath = Annotated[
    str,
    matching(
        VAULT_PATH,
        "is not a Vault path",
        "use letters, digits, '-', '_' and '.', with single '/' between the parts, such as 'sip/phone'",
    ),
]
"""A Vault path, without a leading or trailing slash."""

Word = Annotated[
    str,
    matching(
        _WORD,
        "contains a character that is not allowed here",
        "use letters, digits, '_', '.', '@', '+' and '-', without spaces",
    ),
]
"""An identifier in another system: a user name, a role, an account."""

KubernetesName = Annotated[
    str,
    matching(
        r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        "is not a name of Kubernetes",
        "use lower-case letters, digits, '-' and '.', such as 'kamailio'",
    ),
]
"""The name of an object or of a namespace in Kubernetes."""

Program = Annotated[
    str,
    matching(
        r"^[^\0]{1,4096}$", "cannot be part of a command", "give the program by its whole path, and its arguments"
    ),
]
"""A part of a command: the program, or one argument."""

UrlSegment = Annotated[
    str, matching(r"^[A-Za-z0-9_-]{1,64}$", "is not a valid id", "use letters, digits, '_' and '-' only")
]
"""An id that a provider assigned, such as an account id. It becomes part of URLs."""


class _PathField:
    """The annotation of a path. A relative path starts at the configuration file's folder."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook."""
        return {"type": "string", "minLength": 1}

    def _validate(self, value: Any, info: ValidationInfo) -> Path:
        if isinstance(value, Path):
            return value
        if not isinstance(value, str):
            raise invalid("must be text", "give the path of a file")
        if not value.strip() or "\0" in value:
            raise invalid("is not a path", "give the path of a file")
        return context_of(info).directory / value


def _included(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise invalid("is not a path", "give the path of a file or of a folder")
    return text


IncludedPath = Annotated[str, TextField(_included, {"minLength": 1}, "give the path of a file or of a folder")]
"""A path that starts at the folder of the file that names it, which may be another one than the configuration's."""

FilePath = Annotated[Path, _PathField()]
"""A path. A relative path starts at the configuration file's folder."""
