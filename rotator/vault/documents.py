"""The two documents as JSON, and back. The only place where `rotator` reveals secrets to Vault.

A state document is the state as it is: the field names of the model, times in ISO 8601 in UTC, lengths of time in
seconds. Nobody else writes it, so that anything unexpected in it is an error that names the field, and never a value.
"""

import contextlib
import dataclasses
import functools
import math
import types
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from rotator.core.model import SCHEMA_VERSION, ConsumerDocument, Credential, TargetState
from rotator.core.secret import Secret
from rotator.ports import StoreCorrupt

_WRITER = "written_by"


def encode_state(state: TargetState, writer: str) -> dict[str, Any]:
    """The state document. `writer` names this one write, so that it can be told from anybody else's."""
    document = _encode(state)
    assert isinstance(document, dict)  # noqa: S101  # a dataclass becomes an object
    return {**document, _WRITER: writer}


def decode_state(document: Mapping[str, Any]) -> TargetState:
    """Reads a state document. Raises StoreCorrupt naming the first field that is not as expected."""
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise StoreCorrupt("field schema: expected the number of a schema")
    if schema > SCHEMA_VERSION:
        raise StoreCorrupt(
            f"field schema: written by a newer rotator (schema {schema}; this one knows up to {SCHEMA_VERSION}): "
            "upgrade this one"
        )
    state = _decode(TargetState, {key: value for key, value in document.items() if key != _WRITER}, "")
    assert isinstance(state, TargetState)  # noqa: S101  # `_decode` returns what it is asked for
    return state


def encode_consumer(credential: Credential, at: datetime, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What devices read: our own keys over those in `kept`, which people added.

    Raises ValueError where the credential has no password: nothing is published that nobody knows.
    """
    if credential.password is None:
        raise ValueError("a credential without a password cannot be published")
    return {
        **kept,
        "username": credential.username,
        "password": credential.password.reveal(),
        "uri": credential.uri,
        "credential_id": credential.id,
        "attempt_id": credential.attempt,
        "rotated_at": _encode(at),
    }


def decode_consumer(document: Mapping[str, Any], version: int) -> ConsumerDocument:
    """Reads a consumer document. People may have written it: what is not text counts as missing."""
    password = _text(document, "password")
    return ConsumerDocument(
        version=version,
        exists=True,
        username=_text(document, "username"),
        password=None if password is None else Secret(password),
        credential_id=_text(document, "credential_id"),
        attempt=_text(document, "attempt_id"),
    )


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return value if isinstance(value, str) else None


def _encode(value: object) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return _encode_scalar(value)


def _encode_scalar(value: object) -> Any:
    match value:
        case Secret():
            return value.reveal()
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
    return value


def _decode(kind: Any, value: object, where: str) -> Any:
    """Reads `value` as a `kind`, one of the types that the model is made of. `where` is the field's path."""
    if get_origin(kind) is types.UnionType:
        return None if value is None else _decode(get_args(kind)[0], value, where)
    if get_origin(kind) is tuple:
        items = _expect(list, value, where)
        return tuple(_decode(get_args(kind)[0], item, f"{where}[{index}]") for index, item in enumerate(items))
    if dataclasses.is_dataclass(kind):
        return _decode_fields(kind, _expect(dict, value, where), where)
    return _decode_scalar(kind, value, where)


def _decode_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    hints = _hints(kind)
    prefix = f"{where}." if where else ""
    for name in value:
        if name not in hints:
            raise StoreCorrupt(f"field {prefix}{name}: not known to this rotator")
    for field in dataclasses.fields(kind):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in value:
            raise StoreCorrupt(f"field {prefix}{field.name}: missing")
    return kind(**{name: _decode(hints[name], item, f"{prefix}{name}") for name, item in value.items()})


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode_scalar(kind: type, value: object, where: str) -> Any:
    if kind is Secret:
        return Secret(_expect(str, value, where))
    if kind is float:
        return _number(value, where)
    if kind in (datetime, timedelta) or issubclass(kind, Enum):
        return _decode_special(kind, value, where)
    return _expect(kind, value, where)


def _decode_special(kind: type, value: object, where: str) -> Any:
    parsed: Any = None
    with contextlib.suppress(ValueError, OverflowError):  # their texts quote the value
        if kind is timedelta:
            parsed = timedelta(seconds=_number(value, where))
        elif kind is datetime:
            time = datetime.fromisoformat(_expect(str, value, where))
            parsed = time.astimezone(UTC) if time.tzinfo else None
        else:
            parsed = kind(value)
    if parsed is None:
        raise _unexpected(kind, where)
    return parsed


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _unexpected(float, where)
    return float(value)


def _expect(kind: type, value: object, where: str) -> Any:
    # True is an int in Python, and is not one in JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _unexpected(kind, where)
    return value


_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
_SPECIAL = {datetime: "a time in ISO 8601", timedelta: "a length of time in seconds"}


def _unexpected(kind: type, where: str) -> StoreCorrupt:
    if issubclass(kind, Enum):
        expected = "one of " + ", ".join(str(member.value) for member in kind)
    else:
        expected = {**_NAMES, **_SPECIAL}[kind]
    return StoreCorrupt(f"field {where or 'document'}: expected {expected}")
