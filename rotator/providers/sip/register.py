"""SIP REGISTER with digest authentication.

Synchronous, with one connection for each call. Used by the providers' proof and by the simulated devices.
"""

import secrets
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rotator.core.secret import Secret
from rotator.fields.network import bracketed
from rotator.ports import Clock
from rotator.providers.sip import codec
from rotator.providers.sip.links import BrokenLinkError, Link, SipRoute, connected

T1 = 0.5
"""Seconds until the first retransmission (RFC 3261, 17.1.1.1); doubled after each one."""
T2 = 4.0
"""The maximum number of seconds between retransmissions."""
_ROUNDS = 4  # one challenge, its answer, and a stale nonce or two
_TLS_PORT = ": SIP over TLS has a port of its own, usually 5061"
_ASKING = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """The result of a REGISTER. `reason` is safe to print: it never quotes the registrar's phrase."""

    status: int | None  # the final SIP status; None if no answer came
    reason: str
    authenticated: bool = False  # the registrar asked for the password and then answered 2xx
    refused: bool = False  # the registrar definitely rejects this username or password
    untried: bool = False  # the password was not tried: it was asked for in a way that is not answered, or not at all
    challenged: bool = False  # it asked for a password, and none was given
    lists_bindings: bool = False  # the acceptance lists bindings: those of devices, or one that was added on the way


def register(
    route: SipRoute,
    username: str,
    password: Secret | None,
    *,
    clock: Clock,
    domain: str | None = None,
    contact: str | None = None,
    expires: int = 300,
    timeout: float = 5.0,
    without_qop: bool = False,
) -> RegisterResult:
    """Registers, and returns the result. Never raises for the network or the registrar.

    Args:
        route: the registrar. The system resolves a host name, within its own time limits.
        username: the digest username and the user of the address-of-record.
        password: only its digest is sent; None: nothing is, and a challenge is the result.
        clock: for the deadline.
        domain: of the Request-URI and the address-of-record; None: the registrar's host. The realm always comes from
            the challenge (the providers' pages contradict each other about it).
        contact: a SIP URI to bind. None sends a REGISTER without Contact, which is authenticated like any other but
            only queries the bindings (RFC 3261, 10.2.3): a proof never redirects a device's calls.
        expires: the lifetime of the binding in seconds; 0 removes it. Not sent without a contact.
        timeout: the limit in seconds for the whole exchange, retransmissions included.
        without_qop: answer a challenge of RFC 2069's form. Nothing of ours goes into that answer, so whoever sends the
            challenge can have prepared a table for it.

    Raises:
        SipError: username, domain or contact contain a control character.
    """
    deadline = clock.monotonic() + timeout
    try:
        with connected(route, clock, deadline) as link:
            dialogue = _Dialogue(
                link,
                clock,
                deadline,
                username=username,
                domain=domain or route.registrar.host,
                contact=contact,
                expires=expires,
            )
            return _negotiate(dialogue, password, without_qop=without_qop)
    except BrokenLinkError as error:
        return RegisterResult(None, f"{error} ({route})")
    except OSError as error:
        return RegisterResult(None, _unreachable(route, error))


def _unreachable(route: SipRoute, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {route.registrar.host} cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {route}"
    if isinstance(error, TimeoutError):
        return f"no connection to {route} was made in time{_TLS_PORT if route.transport == 'tls' else ''}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the TLS certificate of {route.registrar} is not trusted, or does not name {route.registrar.host}: check "
            "the registrar's name, or set sip_ca_file to its authority"
        )
    if isinstance(error, ssl.SSLError):
        return f"{route.registrar} does not speak TLS{_TLS_PORT}"
    return f"{route} cannot be reached: {error.strerror or type(error).__name__}"


def _negotiate(dialogue: "_Dialogue", password: Secret | None, *, without_qop: bool) -> RegisterResult:
    # By header name: a proxy in between (407) and the registrar (401) may each ask for the password once.
    credentials: dict[str, str] = {}
    status = 0
    for _ in range(_ROUNDS):
        response = dialogue.exchange(credentials)
        if response is None:
            return RegisterResult(None, "no answer in time")
        status = response.status or 0
        if status not in _ASKING:
            return _final(response, answered=bool(credentials))
        asked, header = _ASKING[status]
        offered = codec.challenges(response, asked)
        if header in credentials and not any(challenge.stale for challenge in offered):
            return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
        unanswerable = _unanswerable(offered, without_qop=without_qop)
        if unanswerable:
            return RegisterResult(status, unanswerable, untried=True)
        if password is None:
            return RegisterResult(status, "the registrar asks for a password", challenged=True)
        credentials[header] = dialogue.answer(offered[0], password)
    return RegisterResult(status, "the registrar keeps asking for the password", untried=True)


def _unanswerable(offered: Sequence[codec.Challenge], *, without_qop: bool) -> str:
    """Returns why a challenge is not answered; empty if it is."""
    if not offered:
        return "the registrar requires an authentication other than digest with MD5 or SHA-256"
    if offered[0].quality or without_qop:
        return ""
    what = "the registrar's challenge has no qop (RFC 2069), which makes a password easier to guess"
    return f"{what}: it is answered only with allow_digest_without_qop: true"


def _final(response: codec.Message, *, answered: bool) -> RegisterResult:
    status = response.status or 0
    if 200 <= status < 300:
        reason = "accepted" if answered else "accepted without asking for a password, which proves nothing"
        return RegisterResult(status, reason, authenticated=answered, lists_bindings=any(response.all("contact")))
    if status < 400:
        what = "the registrar redirects elsewhere, which rotator never follows with credentials"
        return RegisterResult(status, what, untried=True)
    if status in (403, 404):
        return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
    return RegisterResult(status, f"the registrar rejects the request ({status})", untried=True)


class _Dialogue:
    """The requests of one `register`: same Call-ID and tag, CSeq counted up, a new branch for each."""

    def __init__(
        self,
        link: Link,
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
        left = self._deadline - self._clock.monotonic()
        for wait in _waits(left, first=T1 if self._link.repeats else left):
            until = self._clock.monotonic() + wait
            self._link.send(request, until)
            response = self._receive(branch, until)
            if response is not None:
                return response
        return None

    def _request(self, branch: str, credentials: dict[str, str]) -> bytes:
        headers = [
            ("Via", f"{self._link.via};branch={branch};rport"),
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

    def _receive(self, branch: str, until: float) -> codec.Message | None:
        # Skips provisional and foreign messages, and late answers to earlier requests of the same dialogue (their
        # branch and CSeq differ).
        while (message := self._link.receive(until)) is not None:
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


def _waits(total: float, first: float) -> Iterator[float]:
    """Yields the intervals between retransmissions: `first`, doubled up to T2, adding up to `total` seconds."""
    interval = first
    while total > 0:
        wait = min(interval, total)
        yield wait
        total -= wait
        interval = min(interval * 2, T2)
