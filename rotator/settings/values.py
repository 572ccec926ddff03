"""The small types of the configuration: rates, addresses, names, paths; `times` has those of time.

Each is written as text in the YAML file, describes itself in the JSON Schema, and says what would be right instead.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = r"^([1-9][0-9]{0,5})/(s|m|h)$"
_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
VAULT_PATH = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
_WORD = r"^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}$"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]"
_HOST_PORT = rf"^({_HOST}):([0-9]{{1,5}})$"


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """The error that every check of a value raises. Neither text may repeat the value."""
    return PydanticCustomError("wrong", "{what}; {remedy}", {"what": what, "remedy": remedy})


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What the meaning of a file depends on besides its text."""

    environ: Mapping[str, str]
    directory: Path  # of the configuration file: relative paths start here


def context_of(info: ValidationInfo) -> LoadContext:
    """The context that `load` hands to every validator."""
    context = info.context
    if not isinstance(context, LoadContext):
        raise TypeError("a configuration is validated by rotator.settings.load")
    return context


@dataclass(frozen=True, slots=True, eq=False)  # hashed by identity: typing hashes what annotates a type
class Written:
    """Marks a type as written in text: how it is read, and its JSON Schema."""

    read: Callable[[str, LoadContext], Any]
    schema: Mapping[str, Any]
    remedy: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's hook."""
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Pydantic's hook."""
        return {"type": "string", **self.schema}

    def _validate(self, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            raise wrong("must be text", self.remedy)
        return self.read(value, context_of(info))


def _matching(pattern: str, what: str, remedy: str) -> Written:
    expression = re.compile(pattern)

    def read(text: str, _: LoadContext) -> str:
        if not expression.fullmatch(text):
            raise wrong(what, remedy)
        return text

    return Written(read, {"pattern": pattern}, remedy)


# -- rates and addresses


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in each `per`."""

    requests: int
    per: timedelta

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _SECONDS.items() if self.per.total_seconds() == seconds)
        return f"{self.requests}/{unit}"


def _rate(text: str, _: LoadContext) -> Rate:
    found = re.fullmatch(_RATE, text)
    if found is None:
        raise wrong("is not a rate", "write requests per second, minute or hour, such as '5/s' or '300/m'")
    return Rate(int(found[1]), timedelta(seconds=_SECONDS[found[2]]))


RateText = Annotated[Rate, Written(_rate, {"pattern": _RATE, "examples": ["5/s", "300/m"]}, "such as '5/s' or '300/m'")]
"""A rate of requests."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host and a port. An IPv6 address stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _host_port(lowest: int, example: str) -> Written:
    remedy = f"write it as 'host:port', such as '{example}'"

    def read(text: str, _: LoadContext) -> HostPort:
        found = re.fullmatch(_HOST_PORT, text)
        if found is None:
            raise wrong("is not a host and a port", remedy)
        port = int(found[found.lastindex or 0])
        if not lowest <= port <= 65535:
            raise wrong("is not a port", f"a port is a number from {lowest} to 65535")
        return HostPort(found[1].strip("[]"), port)

    return Written(read, {"pattern": _HOST_PORT, "examples": [example]}, remedy)


Registrar = Annotated[HostPort, _host_port(1, "sip.example.com:5060")]
"""Where a REGISTER is sent."""

Listen = Annotated[HostPort, _host_port(0, "127.0.0.1:9464")]
"""Where to listen; port 0 takes any free one."""


def _url(text: str, _: LoadContext) -> str:
    remedy = "write it as 'https://host' or 'https://host:port/path'"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong("is not a URL", remedy) from None
    if parts.scheme not in ("http", "https") or not re.fullmatch(_HOST, _bracketed(parts.hostname or "")) or port == 0:
        raise wrong("is not a URL", remedy)
    if "@" in parts.netloc:
        raise wrong("a URL with a user name or password in it is refused", remedy)
    if "?" in text or "#" in text or re.search(r"[^!-~]", text):
        raise wrong("a URL with a query, a fragment or a space in it is refused", remedy)
    return text.rstrip("/")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


Url = Annotated[str, Written(_url, {"format": "uri", "pattern": "^https?://"}, "such as 'https://api.example.com'")]
"""The beginning of a URL, without a slash at its end."""


def _host(text: str, _: LoadContext) -> str:
    if not re.fullmatch(_HOST, text):
        raise wrong("is not the name of a host", "such as 'vault.internal'")
    return text.lower().strip("[]")


HostName = Annotated[str, Written(_host, {"pattern": f"^({_HOST})$"}, "such as 'vault.internal'")]
"""A host by name or address, without a port, as `urlsplit` gives it: in lower case, IPv6 without brackets."""


def is_loopback(host: str) -> bool:
    """True where requests to `host` do not leave the machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# -- names and paths

Name = Annotated[
    str,
    _matching(
        _NAME,
        "is not a name that can stand in a Vault path",
        "use up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
    ),
]
"""A name that can stand in a path of Vault."""

VaultPath = Annotated[
    str,
    _matching(
        VAULT_PATH,
        "is not a path in Vault",
        "use letters, digits, '-', '_' and '.' between single '/', without one at either end, such as 'sip/phone'",
    ),
]
"""A path in Vault, without a slash at either end."""

Word = Annotated[
    str,
    _matching(
        _WORD,
        "has a character that is not allowed here",
        "use letters, digits, '_', '.', '@', '+' and '-', without spaces",
    ),
]
"""An identifier of some other system: a user name, a role, an account."""


AccountId = Annotated[
    str, _matching(r"^[A-Za-z0-9_-]{1,64}$", "is not an account's id", "use letters, digits, '_' and '-'")
]
"""The id of an account: a part of every URL there."""

ProjectName = Annotated[
    str,
    _matching(
        r"^(?!\.{1,2}$)[^\x00-\x1f\x7f/\\]{1,255}$", "is not a project's name", "write it as the console shows it"
    ),
]
"""The name of a project: a part of every URL there, percent-encoded."""


def _file(text: str, context: LoadContext) -> Path:
    if not text.strip() or "\0" in text:
        raise wrong("is not a path", "give the path of a file")
    return context.directory / text


FilePath = Annotated[Path, Written(_file, {"minLength": 1}, "give the path of a file")]
"""A path; a relative one starts at the folder of the configuration file."""
