"""References to secrets: `{env: NAME}`, `{file: PATH}`, `{vault: {path: PATH, key: KEY}}`. Never the secret itself.

Environment variables and files are read while the configuration is loaded: a missing one is an error at start. A secret
in Vault needs a connection; `resolve` reads it later.
"""

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from rotator.core.secret import Secret
from rotator.fields.suggestions import nearest
from rotator.fields.text import VAULT_PATH, LoadContext, context_of, invalid

VaultReader: TypeAlias = Callable[[str, str], Secret]
"""Reads one key of the document at a path below the mount. Raises rotator.ports.StoreError."""

_LARGEST = 65536  # bytes of a secret's file
_ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_USUAL_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A secret that has been read."""

    value: Secret
    exposed: bool = False  # it is in a file that every user of the machine can read

    def resolve(self, _: VaultReader) -> "Resolved":
        """Returns itself."""
        return self


_NOT_THERE_YET = Resolved(Secret("not-there-yet"))


@dataclass(frozen=True, slots=True)
class InVault:
    """A secret in Vault that has not been read yet. Its path is below the configured mount."""

    path: str
    key: str

    @property
    def value(self) -> Secret:
        """Raises LookupError: call `resolve` first."""
        raise LookupError("a secret in Vault was used before it was read")

    def resolve(self, read: VaultReader) -> Resolved:
        """Reads the secret. Raises what `read` raises."""
        return Resolved(read(self.path, self.key))


@dataclass(frozen=True, slots=True)
class _Reference:
    """The annotation of a field that holds a reference."""

    from_vault: bool

    @property
    def _forms(self) -> str:
        return "{env: NAME}" + (
            ", {file: PATH} or {vault: {path: PATH, key: KEY}}" if self.from_vault else " or {file: PATH}"
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook."""
        text = {"type": "string", "minLength": 1}
        vault = _object({"path": {"type": "string", "pattern": VAULT_PATH}, "key": text})
        forms = [_object({"env": {"type": "string", "pattern": _ENV_NAME}}), _object({"file": text})]
        return {"oneOf": [*forms, _object({"vault": vault})] if self.from_vault else forms}

    def _validate(self, value: Any, info: ValidationInfo) -> Resolved | InVault:
        if isinstance(value, Resolved | InVault):  # from Python code: a YAML file has no such values
            return value
        if not isinstance(value, dict):
            raise invalid("a secret must not be written into this file", f"refer to it as {self._forms}")
        kinds = ("env", "file", "vault") if self.from_vault else ("env", "file")
        if "vault" in value and not self.from_vault:
            raise invalid(
                "a secret that is needed before Vault answers cannot be kept in Vault", f"refer to it as {self._forms}"
            )
        if len(value) != 1 or not set(value) <= set(kinds):
            matches = [match for key in value if key not in kinds and (match := nearest(key, kinds))]
            meant = f"did you mean {matches[0]!r}? " if matches else ""
            raise invalid("is not a reference to a secret", f"{meant}write one of {self._forms}")
        ((kind, what),) = value.items()
        return _READERS[kind](what, context_of(info))


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _from_env(name: Any, context: LoadContext) -> Resolved:
    if not isinstance(name, str) or not re.fullmatch(_ENV_NAME, name):
        raise invalid("env must be the name of an environment variable", "name one, such as {env: VOBIZ_AUTH_TOKEN}")
    label = f"environment variable {name}" if _USUAL_ENV_NAME.fullmatch(name) else "environment variable"
    value = context.environ.get(name)
    if value is None and context.secrets_may_lack:
        return _NOT_THERE_YET
    if value is None:
        raise invalid(f"the {label} is not set", "set it for the process that runs rotator")
    return Resolved(_single_line(value, f"the {label}"))


def _from_file(path: Any, context: LoadContext) -> Resolved:
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise invalid("file must be the path of a file", "name one, such as {file: /run/secrets/vobiz-token}")
    file = context.directory / path
    label = f"the file {path}" if path.startswith("/") and path.isprintable() else "the file"
    try:
        mode = file.stat().st_mode
        content = _read(file) if stat.S_ISREG(mode) else None
    except FileNotFoundError as error:
        if context.secrets_may_lack:
            return _NOT_THERE_YET
        reason = error.strerror
    except OSError as error:
        reason = error.strerror
    else:
        if content is None or len(content) > _LARGEST:
            what = f"{label} is not a regular file of at most 64 KiB"
            raise invalid(what, "give the path of a file that contains only the secret")
        return Resolved(_single_line(_decoded(content, label), label), exposed=bool(mode & stat.S_IROTH))
    raise invalid(f"{label} cannot be read: {reason}", "check the path and its permissions")


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_LARGEST + 1)


def _decoded(content: bytes, label: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        pass
    raise invalid(
        f"{label} is not text in UTF-8", "store the secret as text"
    )  # not in the handler: the error holds the content


def _single_line(text: str, label: str) -> Secret:
    value = text.rstrip("\r\n")
    if not value.strip():
        raise invalid(f"{label} is empty", "put the secret in it")
    if not (value.isascii() and value.isprintable()):
        what = f"{label} contains line breaks or other characters that a header cannot carry"
        raise invalid(what, "store only the secret in it")
    return Secret(value)


def _from_vault(where: Any, _: LoadContext) -> InVault:
    form = "write {vault: {path: PATH, key: KEY}}, with the path below the mount"
    if not isinstance(where, dict) or set(where) != {"path", "key"}:
        raise invalid("vault must have a path and a key", form)
    path, key = where["path"], where["key"]
    if not isinstance(path, str) or not re.fullmatch(VAULT_PATH, path) or not isinstance(key, str) or not key:
        raise invalid("vault must have a path and a key", form)
    return InVault(path, key)


_READERS: dict[str, Callable[[Any, LoadContext], Resolved | InVault]] = {
    "env": _from_env,
    "file": _from_file,
    "vault": _from_vault,
}

AnySecret = Annotated[Resolved | InVault, _Reference(from_vault=True)]
"""A reference of any form."""

LocalSecret = Annotated[Resolved, _Reference(from_vault=False)]
"""A reference to an environment variable or a file: what is needed before Vault answers cannot be kept in Vault."""
