"""Network fields: request rates, hosts with ports, URLs."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from rotator.fields.text import TextField, invalid

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = r"^([1-9][0-9]{0,5})/(s|m|h)$"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]"
_HOST_PORT = rf"^({_HOST}):([0-9]{{1,5}})$"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in any period of length `per`."""

    requests: int
    per: timedelta

    def __post_init__(self) -> None:
        """Raises ValueError for a limit that would never let a request through."""
        if self.requests < 1 or self.per < timedelta(milliseconds=1):
            raise ValueError("a rate limit must allow at least one request, in a millisecond or more")

    @property
    def a_second(self) -> float:
        """The rate in requests a second."""
        return self.requests / self.per.total_seconds()

    def __str__(self) -> str:
        unit = next((unit for unit, seconds in _SECONDS.items() if self.per.total_seconds() == seconds), None)
        return f"{self.requests}/{unit or self.per}"


def _rate(text: str) -> RateLimit:
    match = re.fullmatch(_RATE, text)
    if match is None:
        raise invalid("is not a rate", "write requests per second, minute or hour, such as '5/s' or '300/m'")
    return RateLimit(int(match[1]), timedelta(seconds=_SECONDS[match[2]]))


Rate = Annotated[
    RateLimit, TextField(_rate, {"pattern": _RATE, "examples": ["5/s", "300/m"]}, "write it as '5/s' or '300/m'")
]
"""A rate of requests, such as `5/s`."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host name or an IP address, and a port. An IPv6 address has no brackets here."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """Formats a host for URLs and SIP headers: an IPv6 address goes in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _host_port(lowest: int, example: str) -> TextField:
    remedy = f"write it as 'host:port', such as '{example}'"

    def read(text: str) -> HostPort:
        match = re.fullmatch(_HOST_PORT, text)
        if match is None:
            raise invalid("is not a host and a port", remedy)
        port = int(match[match.lastindex or 0])
        if not lowest <= port <= 65535:
            raise invalid("is not a valid port", f"give a number from {lowest} to 65535")
        return HostPort(match[1].strip("[]"), port)

    return TextField(read, {"pattern": _HOST_PORT, "examples": [example]}, remedy)


_REGISTRAR = _host_port(1, "sip.example.com:5061")


def _registrar(text: str) -> HostPort | None:
    return None if text == "off" else _REGISTRAR.read(text)


Registrar = Annotated[
    HostPort | None,
    TextField(
        _registrar,
        {"pattern": f"^off$|{_HOST_PORT}", "examples": ["sip.example.com:5061", "off"]},
        f"{_REGISTRAR.remedy}, or 'off'",
    ),
]
"""The address of a SIP registrar, or `off`, which is None."""

Receiver = Annotated[HostPort, _host_port(1, "logs.example.com:6514")]
"""The address of something that takes what is sent to it."""

SipTransport = Literal["tls", "tcp", "udp"]
"""The way of SIP messages to a registrar."""

Listen = Annotated[HostPort, _host_port(0, "127.0.0.1:9464")]
"""An address to listen on; port 0 takes any free one."""


def _url(text: str) -> str:
    remedy = "write it as 'https://host' or 'https://host:port/path'"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise invalid("is not a URL", remedy) from None
    if parts.scheme not in ("http", "https") or not re.fullmatch(_HOST, bracketed(parts.hostname or "")) or port == 0:
        raise invalid("is not a URL", remedy)
    if "@" in parts.netloc:
        raise invalid("must not contain a user name or a password", remedy)
    if "?" in text or "#" in text or re.search(r"[^!-~]", text):
        raise invalid("must not contain a query, a fragment or a space", remedy)
    return text.rstrip("/")


Url = Annotated[str, TextField(_url, {"format": "uri", "pattern": "^https?://"}, "write it as 'https://host'")]
"""The beginning of a URL, without a trailing slash."""


def _host(text: str) -> str:
    if not re.fullmatch(_HOST, text):
        raise invalid("is not a host name", "use a name such as 'vault.internal'")
    return text.lower().strip("[]")


HostName = Annotated[str, TextField(_host, {"pattern": f"^({_HOST})$"}, "use a name such as 'vault.internal'")]
"""A host name or address without a port, in the form of `urlsplit`: lower case, IPv6 without brackets."""


def is_loopback(host: str) -> bool:
    """Returns True if requests to `host` do not leave the machine. No name is resolved."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
