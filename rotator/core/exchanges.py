"""What a request to a provider and its answer look like, without any value: for `rotator check-provider`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.core.passwords import is_mask

Shape = Any
"""JSON whose leaves are the names of types: what a body looks like."""
_DEEPEST = 12
_MOST_KEYS = 200
_LONGEST_KEY = 60
_SHORTEST_MASK = 4  # characters


@dataclass(frozen=True, slots=True)
class ProviderExchange:
    """One request and its answer: the names, types and times in them, but none of their values."""

    verb: str  # such as `create`
    method: str  # of a log-in by SIP: `REGISTER`, `OPTIONS` or `INVITE`
    path: str  # with `{}` for each part that is a value
    status: int | None  # None: there was no complete answer
    seconds: float
    problem: str = ""  # why there was none
    query: tuple[str, ...] = ()  # names
    sent: Shape = None
    received: Shape = None
    headers: tuple[str, ...] = ()  # names, of the answer
    entries: int | None = None  # in the longest list of the answer
    date: datetime | None = None  # the provider's time in the answer
    peer: str = ""  # the address that was connected to; a proxy's, if there is one
    issuer: str = ""  # of its certificate
    certificate_ends: datetime | None = None

    @property
    def ok(self) -> bool:
        """True for a 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_sip(self) -> bool:
        """True for a log-in by SIP: its time is no answer's of the API."""
        return self.method in ("REGISTER", "OPTIONS", "INVITE")

    @property
    def outcome(self) -> str:
        """The request and its result in two words: `PUT 422`."""
        return f"{self.method} {self.status if self.status is not None else 'without an answer'}"


def shape(value: Any, depth: int = 0) -> Shape:
    """Returns what a JSON value looks like: the types of its leaves. Entries of a list are merged into one."""
    if isinstance(value, Mapping):
        if depth >= _DEEPEST:
            return "object"
        return {_name(key): shape(inner, depth + 1) for key, inner in list(value.items())[:_MOST_KEYS]}
    if isinstance(value, list | tuple):
        return [_merged([shape(one, depth + 1) for one in value])] if value and depth < _DEEPEST else []
    return _type(value)


def _name(key: Any) -> str:
    """Returns a key as it is, since a name is not a secret; a key that does not look like a name may be one."""
    text = str(key)
    named = len(text) <= _LONGEST_KEY and text.isascii() and text.replace("_", "").replace("-", "").isalnum()
    return text if named else "{}"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "mask" if len(value) >= _SHORTEST_MASK and is_mask(value) else "text"
    return "secret"  # what is revealed only while it is sent


def _merged(shapes: Sequence[Shape]) -> Shape:
    """Returns one shape for all: of objects, each key with its types and whether some lack it."""
    objects = [one for one in shapes if isinstance(one, dict)]
    if objects and len(objects) == len(shapes):
        keys = dict.fromkeys(key for one in objects for key in one)
        return {key: _merged([one.get(key, "missing") for one in objects]) for key in keys}
    distinct: list[Shape] = []
    for one in shapes:
        if one not in distinct:
            distinct.append(one)
    if len(distinct) == 1:
        return distinct[0]
    return " or ".join(sorted(one if isinstance(one, str) else "object or list" for one in distinct))


def uneven_fields(received: Shape) -> tuple[str, ...]:
    """Returns the fields, with their types, that are not alike in all entries of an answer's lists."""
    if not isinstance(received, dict):
        return ()
    lists = [one[0] for one in received.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
    return tuple(
        f"{key} ({kind})" for entry in lists for key, kind in entry.items() if isinstance(kind, str) and " or " in kind
    )


def outcomes(exchanges: Iterable[ProviderExchange]) -> str:
    """Returns what was sent and what came of it, in short: `PUT 422, PUT 200`."""
    return ", ".join(one.outcome for one in exchanges)
