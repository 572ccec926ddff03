"""SIP messages and digest authentication, as far as REGISTER needs them (RFC 3261, RFC 7616, RFC 8760).

What arrives is a stranger's: it is bounded before it is read, and read in a time that grows with its length only.

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
# What `parameters` is made of. Each pattern has one way to match, so the time grows with the length of the text only.
_NAME = re.compile(r"[\w-]+")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"[^\s,;\"]+")
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ")
_LENGTH = re.compile(r"[0-9]{1,5}")
_FOLD = re.compile(r"\r\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST_HEADERS = 64
_LONGEST_LINE = 2048

LARGEST_MESSAGE = 8192
"""The most bytes of a message, its body included. An answer to a REGISTER has a few hundred."""


class SipError(ValueError):
    """A message that cannot be read, or cannot be written. The text quotes no part of it."""


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
        return tuple([value for key, value in self.headers if key == name])

    def get(self, name: str) -> str:
        """Returns the first value of a header, or an empty string."""
        for key, value in self.headers:
            if key == name:
                return value
        return ""

    @property
    def status(self) -> int | None:
        """The status code; None for a request."""
        match = _STATUS.match(self.start + " ")
        return int(match[1]) if match else None

    @property
    def method(self) -> str:
        """The method of a request; an empty string for a response."""
        parts = self.start.split(" ")
        return parts[0] if len(parts) == 3 and parts[2] == "SIP/2.0" else ""

    @property
    def uri(self) -> str:
        """The Request-URI of a request."""
        return self.start.split(" ")[1] if self.method else ""

    @property
    def length(self) -> int | None:
        """The length of the body by Content-Length, in bytes; None if the message does not say it."""
        given = self.get("content-length")
        return int(given) if _LENGTH.fullmatch(given) else None


def parse(message: bytes) -> Message:
    """Reads the start line and headers; the body is left out.

    Raises:
        SipError: it is not SIP, or larger than an answer to a REGISTER can be: the whole, a line, or their number.
    """
    if len(message) > LARGEST_MESSAGE:
        raise SipError(f"a SIP message of more than {LARGEST_MESSAGE} bytes")
    head = message.partition(b"\r\n\r\n")[0].decode("utf-8", errors="replace")
    start, *lines = _lines(head)
    read = Message(start, tuple(_header(line) for line in lines if line))
    if read.status is None and not read.method:
        raise SipError("neither a SIP request nor a SIP response")
    return read


def _lines(head: str) -> list[str]:
    """Returns the start line and each header; one that goes on in the next line (RFC 3261, 7.3.1) is joined."""
    lines = _FOLD.sub(" ", head).replace("\t", " ").split("\r\n")
    if len(lines) > _MOST_HEADERS:
        raise SipError(f"a SIP message with more than {_MOST_HEADERS} headers")
    if max(map(len, lines)) > _LONGEST_LINE:
        raise SipError(f"a SIP header of more than {_LONGEST_LINE} characters")
    # What is echoed, such as a realm, must not be able to start another header.
    if _CONTROL.search("".join(lines)):
        raise SipError("a SIP header with a control character")
    return lines


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    key = name.strip().lower()
    if not colon or not key:
        raise SipError("a SIP header line without a name")
    return _COMPACT.get(key, key), value.strip()


def encode(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Returns a message without a body.

    Raises:
        SipError: a line contains a control character, which could start a new header.
    """
    lines = [start, *(f"{name}: {value}" for name, value in headers), "Content-Length: 0"]
    if _CONTROL.search(" ".join(lines)):
        raise SipError("a SIP header cannot contain a control character: check username, domain and contact")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def parameters(text: str) -> dict[str, str]:
    """Returns the `name=value` pairs of a header, unquoted, names in lower case; the first of equal names wins.

    Every character is looked at once: the text is a stranger's, and a pattern that tries again holds every thread up.
    What follows a quotation mark that nothing closes is left out.
    """
    pairs: dict[str, str] = {}
    name, at = _NAME.search(text), 0
    while name is not None:
        at = name.end()
        equals = _EQUALS.match(text, at)
        if equals is not None:
            at = equals.end()
            quoted = text.startswith('"', at)
            value = (_QUOTED if quoted else _BARE).match(text, at)
            if value is None and quoted:
                break
            if value is not None:
                at = value.end()
                given = value[1] if quoted else value[0]
                pairs.setdefault(name[0].lower(), re.sub(r"\\(.)", r"\1", given) if quoted and "\\" in given else given)
        name = _NAME.search(text, at)
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
    quality: bool  # qop=auth was offered; False: the form of RFC 2069, without anything of ours in it
    opaque: str | None
    stale: bool  # the nonce was too old, so the password was not checked


def challenges(message: Message, header: str) -> tuple[Challenge, ...]:
    """Returns the supported digest challenges of a header, the best first: with qop, then by SHA-256 before MD5.

    Args:
        message: a 401 or 407.
        header: `www-authenticate` or `proxy-authenticate`.
    """
    found = [one for value in message.all(header) if (one := _challenge(value)) is not None]
    return tuple(sorted(found, key=lambda one: (not one.quality, one.algorithm.upper() != "SHA-256")))


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


def authorization(
    username: str, password: Secret, challenge: Challenge, method: str, uri: str, client_nonce: str
) -> str:
    """Returns the value of an Authorization (or Proxy-Authorization) header that answers `challenge`.

    Each nonce is answered once, so the nonce count is always 1.
    """
    quality = "auth" if challenge.quality else ""
    inputs = DigestInput(
        challenge.realm, method, uri, challenge.nonce, challenge.algorithm, quality, "00000001", client_nonce
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
