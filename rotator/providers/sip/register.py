"""SIP REGISTER over UDP with digest authentication.

Synchronous, with one socket for each call. Used by the providers' proof and by the simulated devices.
"""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from rotator.core.secret import Secret
from rotator.fields.network import HostPort, bracketed
from rotator.ports import Clock
from rotator.providers.sip import codec

T1 = 0.5
"""Seconds until the first retransmission (RFC 3261, 17.1.1.1); doubled after each one."""
T2 = 4.0
"""The maximum number of seconds between retransmissions."""
_ROUNDS = 4  # one challenge, its answer, and a stale nonce or two
_LARGEST = 65535
_ASKING = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """The result of a REGISTER. `reason` is safe to print: it never quotes the registrar's phrase."""

    status: int | None  # the final SIP status; None if no answer came
    reason: str
    authenticated: bool = False  # the registrar asked for the password and then answered 2xx
    refused: bool = False  # the registrar definitely rejects this username or password


def register(
    registrar: HostPort,
    username: str,
    password: Secret,
    *,
    clock: Clock,
    domain: str | None = None,
    contact: str | None = None,
    expires: int = 300,
    timeout: float = 5.0,
) -> RegisterResult:
    """Registers, and returns the result. Never raises for the network or the registrar.

    Args:
        registrar: where to send the datagrams. The system resolves a host name, within its own time limits.
        username: the digest username and the user of the address-of-record.
        password: only its digest is sent.
        clock: for the deadline.
        domain: of the Request-URI and the address-of-record; None: the registrar's host. The realm always comes from
            the challenge (the providers' pages contradict each other about it).
        contact: a SIP URI to bind. None sends a REGISTER without Contact, which is authenticated like any other but
            only queries the bindings (RFC 3261, 10.2.3): a proof never redirects a device's calls.
        expires: the lifetime of the binding in seconds; 0 removes it. Not sent without a contact.
        timeout: the limit in seconds for the whole exchange, retransmissions included.

    Raises:
        ValueError: username, domain or contact contain a control character.
    """
    deadline = clock.monotonic() + timeout
    try:
        with _connected(registrar) as link:
            dialogue = _Dialogue(
                link,
                clock,
                deadline,
                username=username,
                domain=domain or registrar.host,
                contact=contact,
                expires=expires,
            )
            return _negotiate(dialogue, password)
    except socket.gaierror:
        return RegisterResult(None, f"the name {registrar.host} cannot be resolved")
    except ConnectionRefusedError:
        return RegisterResult(None, f"nothing listens on UDP {registrar}")
    except OSError as error:
        return RegisterResult(None, f"UDP {registrar} cannot be reached: {error.strerror or type(error).__name__}")


def _negotiate(dialogue: "_Dialogue", password: Secret) -> RegisterResult:
    # By header name: a proxy in between (407) and the registrar (401) may each ask for the password once.
    credentials: dict[str, str] = {}
    status = 0
    for _ in range(_ROUNDS):
        response = dialogue.exchange(credentials)
        if response is None:
            return RegisterResult(None, "no answer in time")
        status = response.status or 0
        if status not in _ASKING:
            return _final(status, answered=bool(credentials))
        asked, header = _ASKING[status]
        offered = codec.challenges(response, asked)
        if header in credentials and not any(challenge.stale for challenge in offered):
            return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
        if not offered:
            return RegisterResult(
                status, "the registrar requires an authentication other than digest with MD5 or SHA-256"
            )
        credentials[header] = dialogue.answer(offered[0], password)
    return RegisterResult(status, "the registrar keeps asking for the password")


def _final(status: int, *, answered: bool) -> RegisterResult:
    if 200 <= status < 300:
        reason = "accepted" if answered else "accepted without asking for a password, which proves nothing"
        return RegisterResult(status, reason, authenticated=answered)
    if status < 400:
        return RegisterResult(status, "the registrar redirects elsewhere, which rotator never follows with credentials")
    if status in (403, 404):
        return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
    return RegisterResult(status, f"the registrar rejects the request ({status})")


@contextmanager
def _connected(registrar: HostPort) -> Iterator[socket.socket]:
    # Connected, so that datagrams from anywhere else are dropped and a closed port is reported.
    try:
        addresses = socket.getaddrinfo(registrar.host, registrar.port, type=socket.SOCK_DGRAM)
    except UnicodeError:  # an empty label, or one of more than 63 characters
        raise socket.gaierror from None
    family, kind, protocol, _, address = addresses[0]
    with socket.socket(family, kind, protocol) as link:
        link.connect(address)
        yield link


class _Dialogue:
    """The requests of one `register`: same Call-ID and tag, CSeq counted up, a new branch for each."""

    def __init__(
        self,
        link: socket.socket,
        clock: Clock,
        deadline: float,
        *,
        username: str,
        domain: str,
        contact: str | None,
        expires: int,
    ) -> None:
        self._link = link
        self._clock = clock
        self._deadline = deadline
        self._username = username
        self._contact = contact
        self._expires = expires
        self._uri = f"sip:{bracketed(domain)}"
        self._own = f"<sip:{quote(username, safe=_USER_SAFE)}@{bracketed(domain)}>"
        self._call_id = secrets.token_hex(16)
        self._tag = secrets.token_hex(8)
        self._sequence = 0

    def answer(self, challenge: codec.Challenge, password: Secret) -> str:
        """Returns the value of the header that answers a challenge."""
        return codec.authorization(self._username, password, challenge, self._uri, secrets.token_hex(16))

    def exchange(self, credentials: dict[str, str]) -> codec.Message | None:
        """Sends one request until its final response comes; returns None if none comes in time."""
        self._sequence += 1
        branch = "z9hG4bK" + secrets.token_hex(12)
        request = self._request(branch, credentials)
        for wait in _waits(self._deadline - self._clock.monotonic()):
            self._link.send(request)
            response = self._receive(branch, wait)
            if response is not None:
                return response
        return None

    def _request(self, branch: str, credentials: dict[str, str]) -> bytes:
        host, port = self._link.getsockname()[:2]
        headers = [
            ("Via", f"SIP/2.0/UDP {bracketed(host)}:{port};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"{self._own};tag={self._tag}"),
            ("To", self._own),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._sequence} REGISTER"),
        ]
        if self._contact is not None:
            headers += [("Contact", f"<{self._contact}>"), ("Expires", str(self._expires))]
        headers += credentials.items()
        return codec.encode(f"REGISTER {self._uri} SIP/2.0", headers)

    def _receive(self, branch: str, wait: float) -> codec.Message | None:
        # Waits out the interval. Skips provisional and foreign messages, and late answers to earlier requests of the
        # same dialogue (their branch and CSeq differ).
        until = self._clock.monotonic() + wait
        while (left := until - self._clock.monotonic()) > 0:
            self._link.settimeout(left)
            try:
                message = codec.parse(self._link.recv(_LARGEST))
            except TimeoutError:
                return None
            except ValueError:
                continue
            if self._is_final_answer(message, branch):
                return message
        return None

    def _is_final_answer(self, message: codec.Message, branch: str) -> bool:
        return (
            message.status is not None
            and message.status >= 200
            and message.get("call-id") == self._call_id
            and message.get("cseq").split() == [str(self._sequence), "REGISTER"]
            and codec.parameters(message.get("via")).get("branch") == branch
        )


# The characters that a user part may contain unescaped (RFC 3261, 25.1).
_USER_SAFE = "-_.!~*'()&=+$,;?/"


def _waits(total: float) -> Iterator[float]:
    """Yields the intervals between retransmissions: T1, doubled up to T2, adding up to `total` seconds."""
    interval = T1
    while total > 0:
        wait = min(interval, total)
        yield wait
        total -= wait
        interval = min(interval * 2, T2)
