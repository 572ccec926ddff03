"""One SIP request with digest authentication, from the first challenge to the final answer.

An INVITE never becomes a call: it asks for an extension that nobody has, is cancelled at the first sign that something
rings, and what accepts it all the same is told goodbye at once.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.providers.sip import codec
from rotator.providers.sip.links import Link

T1 = 0.5
"""Seconds until the first retransmission (RFC 3261, 17.1.1.1); doubled after each one."""
T2 = 4.0
"""The maximum number of seconds between retransmissions."""
_ROUNDS = 4  # one challenge, its answer, and a stale nonce or two
_RINGS = 101  # from this provisional answer on, a phone may ring
_GIVEN_UP = 1.0  # seconds for the answer to a CANCEL
_ASKING = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without what tells one transmission from another."""

    method: str
    uri: str
    own: str  # From, without a tag
    to: str
    username: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Exchanged:
    """How the exchange ended."""

    response: codec.Message | None  # the last answer
    answered: bool = False  # a challenge was answered with the password
    refused: bool = False  # after that, it was asked for once more
    challenged: bool = False  # it was asked for, and none was given
    problem: str = ""  # why the password was not tried; safe to print


class Dialogue:
    """The transmissions of one request: same Call-ID and tag, CSeq counted up, a new branch for each."""

    def __init__(self, link: Link, clock: Clock, deadline: float, asked: Asked) -> None:
        self._link, self._clock, self._deadline, self._asked = link, clock, deadline, asked
        self._call_id, self._tag = secrets.token_hex(16), secrets.token_hex(8)
        self._sequence = 0

    def negotiate(self, password: Secret | None, *, without_qop: bool) -> Exchanged:
        """Sends the request, and again with the password if it is asked for and given.

        Raises:
            BrokenLinkError, OSError: the connection failed.
        """
        # By header name: a proxy in between (407) and the registrar (401) may each ask for the password once.
        credentials: dict[str, str] = {}
        response = None
        for _ in range(_ROUNDS):
            response = self._exchange(credentials)
            if response is None:
                return Exchanged(None, bool(credentials), problem="no answer in time")
            status = response.status or 0
            if status not in _ASKING:
                return Exchanged(response, bool(credentials))
            challenged, header = _ASKING[status]
            offered = codec.challenges(response, challenged)
            if header in credentials and not any(challenge.stale for challenge in offered):
                return Exchanged(response, answered=True, refused=True)
            unanswerable = _unanswerable(offered, without_qop=without_qop)
            if unanswerable:
                return Exchanged(response, problem=unanswerable)
            if password is None:
                return Exchanged(response, challenged=True)
            credentials[header] = self._answer(offered[0], password)
        return Exchanged(response, problem="the registrar keeps asking for the password")

    def _answer(self, challenge: codec.Challenge, password: Secret) -> str:
        asked = self._asked
        nonce = secrets.token_hex(16)
        return codec.authorization(asked.username, password, challenge, asked.method, asked.uri, nonce)

    def _exchange(self, credentials: dict[str, str]) -> codec.Message | None:
        """Sends one request until its final response comes; returns None if none comes in time."""
        self._sequence += 1
        sent = _Sent(self, "z9hG4bK" + secrets.token_hex(12), self._sequence, credentials)
        left = self._deadline - self._clock.monotonic()
        for wait in _waits(left, first=T1 if self._link.repeats else left):
            until = self._clock.monotonic() + wait
            if not sent.heard:
                self._send(sent.request(self._asked.method), until)
            response = self._receive(sent, until)
            if response is not None:
                return self._finished(sent, response)
        if sent.heard and self._asked.method == "INVITE":
            self._give_up(sent)
        return None

    def _receive(self, sent: "_Sent", until: float) -> codec.Message | None:
        # Skips foreign messages, and late answers to earlier requests of the same dialogue (their branch and CSeq
        # differ).
        while (message := self._link.receive(until)) is not None:
            if not sent.is_answered_by(message, self._asked.method):
                continue
            if (message.status or 0) >= 200:
                return message
            sent.heard = self._asked.method == "INVITE"  # it is not sent again, and may be cancelled
            if sent.heard and (message.status or 0) >= _RINGS and not sent.cancelled:
                self._cancel(sent, until)
        return None

    def _finished(self, sent: "_Sent", response: codec.Message) -> codec.Message:
        """Ends the transaction of an INVITE, and the call that nobody wanted."""
        if self._asked.method == "INVITE":
            until = self._clock.monotonic() + _GIVEN_UP
            if 200 <= (response.status or 0) < 300:
                self._sequence += 1
                self._send(sent.within(response, "ACK", sent.sequence), until)
                self._send(sent.within(response, "BYE", self._sequence), until)
            else:
                self._send(sent.request("ACK", to=response.get("to")), until)
        return response

    def _cancel(self, sent: "_Sent", until: float) -> None:
        sent.cancelled = True
        self._send(sent.request("CANCEL"), until)

    def _give_up(self, sent: "_Sent") -> None:
        until = self._clock.monotonic() + _GIVEN_UP
        if not sent.cancelled:
            self._cancel(sent, until)
        response = self._receive(sent, until)
        if response is not None:
            self._finished(sent, response)

    def _send(self, request: bytes, until: float) -> None:
        self._link.send(request, until)

    def written(
        self, method: str, uri: str, branch: str, sequence: int, to: str, more: tuple[tuple[str, str], ...] = ()
    ) -> bytes:
        """Returns a request of this dialogue."""
        headers = [
            ("Via", f"{self._link.via};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"{self._asked.own};tag={self._tag}"),
            ("To", to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{sequence} {method}"),
        ]
        return codec.encode(f"{method} {uri} SIP/2.0", [*headers, *more])

    def is_ours(self, message: codec.Message) -> bool:
        """True if a message belongs to this dialogue."""
        return message.get("call-id") == self._call_id

    @property
    def asked(self) -> Asked:
        """What is asked."""
        return self._asked


class _Sent:
    """One transaction: the request, and what ends it."""

    def __init__(self, dialogue: Dialogue, branch: str, sequence: int, credentials: dict[str, str]) -> None:
        self._dialogue, self._branch, self._credentials = dialogue, branch, dict(credentials)
        self.sequence = sequence
        self.heard = self.cancelled = False

    def request(self, method: str, to: str = "") -> bytes:
        """Returns the request itself, or the CANCEL or ACK of its transaction (RFC 3261, 9.1 and 17.1.1.3)."""
        asked = self._dialogue.asked
        itself = method == asked.method
        more = (*(asked.headers if itself else ()), *(self._credentials.items() if itself else ()))
        return self._dialogue.written(method, asked.uri, self._branch, self.sequence, to or asked.to, more)

    def within(self, response: codec.Message, method: str, sequence: int) -> bytes:
        """Returns a request to whoever accepted an INVITE, by the way of its answer (RFC 3261, 12.2.1.1)."""
        contact = response.get("contact")
        target = contact.partition("<")[2].partition(">")[0] or self._dialogue.asked.uri
        routes = tuple(("Route", route) for route in reversed(response.all("record-route")))
        branch = "z9hG4bK" + secrets.token_hex(12)
        more = (*routes, *(self._credentials.items() if method == "ACK" else ()))
        return self._dialogue.written(method, target, branch, sequence, response.get("to"), more)

    def is_answered_by(self, message: codec.Message, method: str) -> bool:
        """True for a response to this transmission of the request."""
        return (
            message.status is not None
            and self._dialogue.is_ours(message)
            and message.get("cseq").split() == [str(self.sequence), method]
            and f"branch={self._branch}" in message.get("via")  # which is random, and nowhere else
        )


def _unanswerable(offered: Sequence[codec.Challenge], *, without_qop: bool) -> str:
    """Returns why a challenge is not answered; empty if it is."""
    if not offered:
        return "the registrar requires an authentication other than digest with MD5 or SHA-256"
    if offered[0].quality or without_qop:
        return ""
    what = "the registrar's challenge has no qop (RFC 2069), which makes a password easier to guess"
    return f"{what}: it is answered only with allow_digest_without_qop: true"


def _waits(total: float, first: float) -> Iterator[float]:
    """Yields the intervals between retransmissions: `first`, doubled up to T2, adding up to `total` seconds."""
    interval = first
    while total > 0:
        wait = min(interval, total)
        yield wait
        total -= wait
        interval = min(interval * 2, T2)
