"""SIP messages and digest authentication, as far as REGISTER over UDP needs them (RFC 3261, RFC 7616, RFC 8760).

Own code rather than a package. `aiosipua` was tried: it registers, but it is alpha, needs asyncio and keeps the
password in a dataclass that prints it. `sippy` (only its documentation was read) brings its own event loop for a single
request. The tests run aiosipua's client against the simulated registrar: an independent check of this code.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rotator.core.secret import Secret

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]+))')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_HEADERS = 100

HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
"""The supported digest algorithms by their name in a challenge; the `-sess` variants are not supported."""


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP request or response without its body. Header names are lower-case and in their long form."""

    start: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> tuple[str, ...]:
        """Returns every value of a header, in order."""
        return tuple(value for key, value in self.headers if key == name)

    def get(self, name: str) -> str:
        """Returns the first value of a header, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def status(self) -> int | None:
        """The status code; None for a request."""
        parts = self.start.split(" ", 2)
        is_status = parts[0] == "SIP/2.0" and len(parts) > 1 and parts[1].isdecimal() and len(parts[1]) == 3
        return int(parts[1]) if is_status else None

    @property
    def method(self) -> str:
        """The method of a request; an empty string for a response."""
        parts = self.start.split(" ")
        return parts[0] if len(parts) == 3 and parts[2] == "SIP/2.0" else ""

    @property
    def uri(self) -> str:
        """The Request-URI of a request."""
        return self.start.split(" ")[1] if self.method else ""


def parse(datagram: bytes) -> Message:
    """Reads the start line and headers; the body is left out.

    Raises:
        ValueError: the datagram is not SIP, or has an unreasonable number of headers.
    """
    head = datagram.partition(b"\r\n\r\n")[0].decode("utf-8", errors="replace")
    start, _, rest = head.partition("\r\n")
    unfolded = re.sub(r"\r\n[ \t]+", " ", rest)
    headers = []
    for line in unfolded.split("\r\n") if unfolded else ():
        name, colon, value = line.partition(":")
        key = name.strip().lower()
        if not colon or not key:
            raise ValueError("a header line without a name")
        headers.append((_COMPACT.get(key, key), value.strip()))
    message = Message(start, tuple(headers))
    if len(headers) > _MOST_HEADERS or (message.status is None and not message.method):
        raise ValueError("neither a SIP request nor a SIP response")
    return message


def encode(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Returns the datagram of a message without a body.

    Raises:
        ValueError: a line contains a control character, which could start a new header.
    """
    lines = [start, *(f"{name}: {value}" for name, value in headers), "Content-Length: 0"]
    if _CONTROL.search(" ".join(lines)):
        raise ValueError("a SIP header cannot contain a control character: check username, domain and contact")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parameters(text: str) -> dict[str, str]:
    """Returns the `name=value` pairs of a header, unquoted, names in lower case; the first of equal names wins."""
    pairs: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(text):
        pairs.setdefault(name.lower(), bare or re.sub(r"\\(.)", r"\1", quoted))
    return pairs


def scheme_of(value: str) -> str:
    """Returns the authentication scheme of a challenge or credentials, in lower case: `digest`."""
    return value.partition(" ")[0].lower()


@dataclass(frozen=True, slots=True)
class Challenge:
    """A registrar's challenge in WWW-Authenticate (401) or Proxy-Authenticate (407)."""

    realm: str
    nonce: str
    algorithm: str  # in the registrar's spelling, which is echoed
    quality: bool  # qop=auth was offered
    opaque: str | None
    stale: bool  # the nonce was too old, so the password was not checked


def challenges(message: Message, header: str) -> tuple[Challenge, ...]:
    """Returns the supported digest challenges of a header, in the registrar's order of preference (RFC 8760, 2.4).

    Args:
        message: a 401 or 407.
        header: `www-authenticate` or `proxy-authenticate`.
    """
    return tuple(one for value in message.all(header) if (one := _challenge(value)) is not None)


def _challenge(value: str) -> Challenge | None:
    values = parameters(value)
    offered = [item.strip().lower() for item in values.get("qop", "").split(",") if item.strip()]
    algorithm, nonce = values.get("algorithm", "MD5"), values.get("nonce", "")
    if scheme_of(value) != "digest" or not nonce or algorithm.upper() not in HASHES:
        return None
    if offered and "auth" not in offered:
        return None
    stale = values.get("stale", "").lower() == "true"
    return Challenge(values.get("realm", ""), nonce, algorithm, bool(offered), values.get("opaque"), stale)


@dataclass(frozen=True, slots=True)
class DigestInput:
    """The inputs of a digest except username and password (RFC 7616, 3.4.1). An empty `quality` is RFC 2069's form."""

    realm: str
    method: str
    uri: str
    nonce: str
    algorithm: str = "MD5"
    quality: str = ""
    count: str = ""
    client_nonce: str = ""


def respond(username: str, password: Secret, inputs: DigestInput) -> str:
    """Returns the digest `response` in hexadecimal.

    Raises:
        KeyError: the algorithm is not in `HASHES`.
    """
    hashed = HASHES[inputs.algorithm.upper()]
    first = hashed(f"{username}:{inputs.realm}:{password.reveal()}".encode())
    second = hashed(f"{inputs.method}:{inputs.uri}".encode())
    middle = [inputs.nonce]
    if inputs.quality:
        middle += [inputs.count, inputs.client_nonce, inputs.quality]
    return hashed(":".join([first, *middle, second]).encode())


def authorization(username: str, password: Secret, challenge: Challenge, uri: str, client_nonce: str) -> str:
    """Returns the value of an Authorization (or Proxy-Authorization) header that answers `challenge` for a REGISTER.

    Each nonce is answered once, so the nonce count is always 1.
    """
    quality = "auth" if challenge.quality else ""
    inputs = DigestInput(
        challenge.realm, "REGISTER", uri, challenge.nonce, challenge.algorithm, quality, "00000001", client_nonce
    )
    parts = {"username": username, "realm": challenge.realm, "nonce": challenge.nonce, "uri": uri}
    text = [f"{name}={quote(value)}" for name, value in parts.items()]
    text += [f'response="{respond(username, password, inputs)}"', f"algorithm={challenge.algorithm}"]
    if challenge.opaque is not None:
        text.append(f"opaque={quote(challenge.opaque)}")
    if quality:
        text += ["qop=auth", "nc=00000001", f'cnonce="{client_nonce}"']
    return "Digest " + ", ".join(text)


def quote(text: str) -> str:
    """Returns a quoted string (RFC 3261, 25.1)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
