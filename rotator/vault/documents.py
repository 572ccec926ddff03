"""The two documents as JSON, and back. Secrets are revealed to Vault here and nowhere else.

A state document has the field names of the model, times in ISO 8601 in UTC, and durations in seconds. Only `rotator`
writes it, so anything unexpected in it is an error that names the field and never a value.

Where there may be many of something, such as entries of a ledger, all of them are one text, in JSON: OpenBao refuses a
request with a thousand strings ("high complexity"), keys included.
"""

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime, timedelta
from types import NoneType, UnionType
from typing import Any

from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError, transform_error
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.gen import make_dict_structure_fn

from rotator.core.bell import Bell, Ring
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import AccountEvidence, AssumptionResult
from rotator.core.model import SCHEMA_VERSION, Credential, TargetState
from rotator.core.pace import AccountPace
from rotator.core.pauses import Pause, Pauses
from rotator.core.processes import ProcessEntry, Processes
from rotator.core.secret import Secret
from rotator.core.waves import Wave
from rotator.ports import StoreCorrupt

_WRITER = "written_by"
_LONGEST = 2 * 1024 * 1024  # characters of many in one text: Vault stores about 1 MiB, and each may become an object
_CREDENTIAL = (
    "username",
    "password",
    "host",
    "realm",
    "credential_id",
    "attempt_id",
    "rotated_at",
)  # what is published
_OURS = frozenset((*_CREDENTIAL, "withdrawn_at", "moved_to"))  # the last two are instead of the others


def encode_state(state: TargetState, writer: str) -> dict[str, Any]:
    """Returns the state document. `writer` distinguishes this write from those of other processes."""
    return {**_write_state(state), _WRITER: writer}


def decode_state(document: Mapping[str, Any]) -> TargetState:
    """Reads a state document. Raises StoreCorrupt, which names the first unexpected field."""
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise StoreCorrupt("field schema: expected a schema number")
    if schema > SCHEMA_VERSION:
        raise StoreCorrupt(
            f"field schema: written by a newer rotator (schema {schema}; this one supports up to {SCHEMA_VERSION}): "
            "upgrade this one"
        )
    try:
        return _read_state({key: value for key, value in document.items() if key != _WRITER}, TargetState)
    except BaseValidationError as error:
        problem, _, path = transform_error(error, "", _problem)[0].rpartition(" @ ")
    # Raised outside the handler, because the original error quotes values.
    raise StoreCorrupt(f"field {path.removeprefix('.') or 'document'}: {problem}")


def encode_bell(bell: Bell, writer: str) -> dict[str, Any]:
    """Returns the bell's document."""
    return {"rings": _converter.unstructure(bell.rings, tuple[Ring, ...]), "dropped": bell.dropped, _WRITER: writer}


def decode_bell(document: Mapping[str, Any], version: int) -> Bell:
    """Reads the bell. One that is not of our form has lost every ring."""
    try:
        rings = _converter.structure(document.get("rings"), tuple[Ring, ...])
        return Bell(version, rings, _converter.structure(document.get("dropped"), int))
    except (BaseValidationError, TypeError):
        return Bell(version, dropped=version)


def encode_processes(processes: Processes, writer: str) -> dict[str, Any]:
    """Returns the document of who lives."""
    return {"processes": _converter.unstructure(processes.entries, tuple[ProcessEntry, ...]), _WRITER: writer}


def decode_processes(document: Mapping[str, Any], version: int) -> Processes:
    """Reads who lives. Nobody if it is not of our form: whoever does says so again in seconds."""
    try:
        return Processes(version, _converter.structure(document.get("processes"), tuple[ProcessEntry, ...]))
    except (BaseValidationError, TypeError):
        return Processes(version)


def encode_pace(pace: AccountPace, writer: str) -> dict[str, Any]:
    """Returns the document of an account's pace."""
    return {**{key: value for key, value in _converter.unstructure(pace).items() if key != "version"}, _WRITER: writer}


def decode_pace(document: Mapping[str, Any], version: int) -> AccountPace:
    """Reads an account's pace. A new one if it is not of our form: whoever reserved slots does so again in seconds."""
    try:
        return _converter.structure(
            {**{key: value for key, value in document.items() if key != _WRITER}, "version": version}, AccountPace
        )
    except (BaseValidationError, TypeError):
        return AccountPace(version)


def encode_wave(wave: Wave, writer: str) -> dict[str, Any]:
    """Returns the document of an account's slots."""
    return {"free_at": wave.free_at and _utc(wave.free_at), _WRITER: writer}


def decode_wave(document: Mapping[str, Any], version: int) -> Wave:
    """Reads an account's slots. A new one if it is not of our form: due times are stored with the targets."""
    try:
        return _converter.structure({"free_at": document.get("free_at"), "version": version}, Wave)
    except (BaseValidationError, TypeError):
        return Wave(version)


def encode_pauses(pauses: Pauses, writer: str) -> dict[str, Any]:
    """Returns the document of what is paused."""
    return {"pauses": _converter.unstructure(pauses.entries, tuple[Pause, ...]), _WRITER: writer}


def decode_pauses(document: Mapping[str, Any], version: int) -> Pauses:
    """Reads what is paused. Raises StoreCorrupt: nobody may take a freeze for lifted because it cannot be read."""
    try:
        return Pauses(version, _converter.structure(document.get("pauses"), tuple[Pause, ...]))
    except BaseValidationError as error:
        problem, _, path = transform_error(error, "", _problem)[0].rpartition(" @ ")
    except TypeError:
        problem, path = "expected a list as a text", ""
    raise StoreCorrupt(f"field pauses{path}: {problem}")


def encode_evidence(evidence: AccountEvidence, writer: str) -> dict[str, Any]:
    """Returns the document of what is known of an account."""
    return {**_without(_converter.unstructure(evidence), ("version",)), _WRITER: writer}


def decode_evidence(document: Mapping[str, Any], version: int) -> AccountEvidence:
    """Reads what is known of an account. A result that is not of our form is left out: it can be shown again.

    Raises StoreCorrupt if the rest is not: it names what a check may have left at the provider.
    """
    known = {**_without(document, (_WRITER, "results")), "version": version}
    try:
        evidence = _converter.structure(known, AccountEvidence)
    except (BaseValidationError, TypeError):
        evidence = None
    if evidence is None:
        raise StoreCorrupt("the evidence of an account is not of our form: was it changed by hand?")
    return replace(evidence, results=tuple(_readable_results(document.get("results"))))


def _readable_results(text: Any) -> Iterable[AssumptionResult]:
    try:
        results = _decoded(text)
    except TypeError:
        return
    for one in results if isinstance(results, list) else ():
        with suppress(BaseValidationError, TypeError):
            yield _converter.structure(one, AssumptionResult)


def encode_consumer(credential: Credential, at: datetime | None, kept: Mapping[str, object]) -> dict[str, Any]:
    """Returns the consumer document: our keys, and those that people added, which are kept.

    Raises ValueError if the credential has no password.
    """
    if credential.password is None:
        raise ValueError("a credential without a password cannot be published")
    return {
        **kept,
        "username": credential.username,
        "password": credential.password.reveal(),
        "host": credential.host,
        "realm": credential.realm,
        "credential_id": credential.id,
        "attempt_id": credential.attempt,
        "rotated_at": at and _utc(at),
    }


def encode_withdrawal(at: datetime, moved_to: str, kept: Mapping[str, object]) -> dict[str, Any]:
    """Returns the consumer document of a path that hands out nothing any more; the keys of people stay."""
    return {**kept, "withdrawn_at": _utc(at), "moved_to": moved_to or None}


def _without(document: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def decode_consumer(document: Mapping[str, Any], version: int) -> ConsumerDocument:
    """Reads a consumer document. People may have written it, so a value that is not text counts as missing."""
    password = _text(document, "password")
    return ConsumerDocument(
        version=version,
        exists=True,
        username=_text(document, "username"),
        password=None if password is None else Secret(password),
        credential_id=_text(document, "credential_id"),
        attempt=_text(document, "attempt_id"),
        rotated_at=_moment(_text(document, "rotated_at")),
        withdrawn=password is None and _text(document, "withdrawn_at") is not None,
        host=_text(document, "host") or "",
        realm=_text(document, "realm") or "",
        kept=_without(document, _OURS),
    )


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    return value if isinstance(value, str) else None


def _moment(text: str | None) -> datetime | None:
    try:
        return _aware(text) if text is not None else None
    except ValueError:
        return None


def _problem(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown to this rotator: {', '.join(sorted(error.extra_fields))}"
    return "missing" if isinstance(error, KeyError) else f"expected {getattr(kind, '__name__', kind)}"


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:  # True is an int in Python but not in JSON
        raise TypeError
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _aware(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


# By default cattrs converts what it reads: 5 to "5", the text "5" to 5, an object to the list of its keys.
_converter = Converter(unstruct_collection_overrides={tuple: list})
for _kind in (str, int, bool):
    _converter.register_structure_hook(_kind, _exactly)
_converter.register_structure_hook(float, lambda value, _: _number(value))
_converter.register_structure_hook(timedelta, lambda value, _: timedelta(seconds=_number(value)))
_converter.register_structure_hook(datetime, lambda value, _: _aware(value))
_converter.register_structure_hook(Secret, lambda value, _: Secret(value))
_converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
_converter.register_unstructure_hook(datetime, _utc)
_converter.register_unstructure_hook(Secret, Secret.reveal)


@_converter.register_structure_hook_factory(is_dataclass)
def _object(kind: Any) -> Callable[[Any, Any], Any]:
    read = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True)
    return lambda value, _: read(_exactly(value, dict), kind)


@_converter.register_structure_hook_factory(lambda kind: isinstance(kind, UnionType))
def _optional(kind: Any) -> Callable[[Any, Any], Any]:
    (inner,) = set(kind.__args__) - {NoneType}
    read = _converter.get_structure_hook(inner)
    return lambda value, _: None if value is None else read(value, inner)


@_converter.register_structure_hook_factory(lambda kind: getattr(kind, "__origin__", None) is tuple)
def _list(kind: Any) -> Callable[[Any, Any], Any]:
    read = homogenous_tuple_structure_factory(kind, _converter)
    if _are_many(kind):
        return lambda value, _: read(_exactly(_decoded(value), list), kind)
    return lambda value, _: read(_exactly(value, list), kind)


def _are_many(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is tuple and is_dataclass(kind.__args__[0])


@_converter.register_unstructure_hook_factory(_are_many)
def _text_of_many(kind: Any) -> Callable[[Iterable[Any]], str]:
    write = _converter.get_unstructure_hook(kind.__args__[0])
    return lambda values: json.dumps([write(value) for value in values], separators=(",", ":"))


def _decoded(value: Any) -> Any:
    if len(_exactly(value, str)) > _LONGEST:
        raise TypeError
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise TypeError from None


# Made here, once: threads that begin together would each make their own, for as long as two rotations take.
_read_state: Callable[[Mapping[str, Any], type[TargetState]], TargetState] = _converter.get_structure_hook(TargetState)
_write_state: Callable[[TargetState], dict[str, Any]] = _converter.get_unstructure_hook(TargetState)
