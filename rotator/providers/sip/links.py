"""The ways to a registrar: UDP, TCP and TLS. What arrives is bounded in size, number and time.

The system resolves a name within its own limits; everything after that ends at the deadline, however slowly the other
side drips.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rotator.fields.network import HostPort, SipTransport, bracketed
from rotator.fields.tls import client_context
from rotator.ports import Clock
from rotator.providers.sip import codec

_MOST_MESSAGES = 100  # a REGISTER is answered by one to four
_CHUNK = 4096
_LINE_ENDS = b"\r\n"


class BrokenLinkError(Exception):
    """The other side ended or spoiled the exchange. The text is safe to print."""


@dataclass(frozen=True, slots=True)
class SipRoute:
    """A registrar and how to reach it."""

    registrar: HostPort
    transport: SipTransport
    trust: ssl.SSLContext | None = field(default=None, repr=False)  # for TLS: verifies the registrar's certificate

    def __str__(self) -> str:
        return f"{self.transport.upper()} {self.registrar}"


class Link(Protocol):
    """A connection to the registrar."""

    repeats: bool  # what is sent may be lost, and is sent again

    @property
    def via(self) -> str:
        """The beginning of a Via header: the transport and our own address."""
        ...

    def send(self, request: bytes, until: float) -> None:
        """Sends a request. Raises OSError if that is impossible before `until`, on the scale of `Clock.monotonic`."""
        ...

    def receive(self, until: float) -> codec.Message | None:
        """Returns the next message; None if none has come by `until`.

        Raises:
            BrokenLinkError: no answer will come: too many messages, or a stream that ended or is not SIP.
            OSError: the connection failed.
        """
        ...


@contextmanager
def connected(route: SipRoute, clock: Clock, deadline: float) -> Iterator[Link]:
    """Connects to the registrar, and closes the connection at the end.

    Raises:
        OSError: that is impossible before the deadline; `ssl.SSLError` and `socket.gaierror` are such errors.
    """
    if route.transport == "udp":
        with _datagrams(route.registrar) as link:
            yield DatagramLink(link, clock)
        return
    with _stream(route.registrar, clock, deadline) as link:
        if route.transport == "tcp":
            yield StreamLink(link, clock, "TCP")
            return
        trust = route.trust or client_context()
        # Its certificate has to name the configured host: nothing that an answer or the DNS says counts.
        with trust.wrap_socket(link, server_hostname=route.registrar.host, do_handshake_on_connect=False) as secured:
            secured.settimeout(_left(clock, deadline))
            secured.do_handshake()
            yield StreamLink(secured, clock, "TLS")


def _addresses(registrar: HostPort, kind: socket.SocketKind) -> list[tuple[int, int, int, Any]]:
    try:
        found = socket.getaddrinfo(registrar.host, registrar.port, type=kind)
    except UnicodeError:  # an empty label, or one of more than 63 characters
        raise socket.gaierror from None
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]


@contextmanager
def _datagrams(registrar: HostPort) -> Iterator[socket.socket]:
    # Connected, so that datagrams from anywhere else are dropped and a closed port is reported.
    family, kind, protocol, address = _addresses(registrar, socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as link:
        link.connect(address)
        yield link


@contextmanager
def _stream(registrar: HostPort, clock: Clock, deadline: float) -> Iterator[socket.socket]:
    """Connects to the first address that answers. Each has its share of the time, so a silent one does not take all."""
    problem: OSError = TimeoutError()
    addresses = _addresses(registrar, socket.SOCK_STREAM)
    for number, (family, kind, protocol, address) in enumerate(addresses):
        with socket.socket(family, kind, protocol) as link:
            try:
                link.settimeout(_left(clock, deadline) / (len(addresses) - number))
                link.connect(address)
            except OSError as error:
                problem = error
                continue
            yield link
            return
    raise problem


def _left(clock: Clock, until: float) -> float:
    left = until - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class DatagramLink:
    """A connected UDP socket. What is no SIP is passed over: anybody can send datagrams in the registrar's name."""

    repeats = True

    def __init__(self, link: socket.socket, clock: Clock) -> None:
        self._link, self._clock = link, clock
        self._received = 0

    @property
    def via(self) -> str:
        """See `Link`."""
        return _via("UDP", self._link)

    def send(self, request: bytes, until: float) -> None:  # noqa: ARG002 - a datagram does not wait
        """See `Link`."""
        self._link.send(request)

    def receive(self, until: float) -> codec.Message | None:
        """See `Link`."""
        while (left := until - self._clock.monotonic()) > 0:
            self._link.settimeout(left)
            try:
                datagram = self._link.recv(codec.LARGEST_MESSAGE + 1)  # one more shows that it is too large
            except TimeoutError:
                return None
            self._received = _counted(self._received)
            try:
                return codec.parse(datagram)
            except codec.SipError:
                continue
        return None


class StreamLink:
    """A TCP or TLS connection. Its messages are told apart by Content-Length (RFC 3261, 18.3)."""

    repeats = False

    def __init__(self, link: socket.socket, clock: Clock, protocol: str) -> None:
        self._link, self._clock, self._protocol = link, clock, protocol
        self._received, self._buffer = 0, bytearray()
        self._head: tuple[codec.Message, int] | None = (
            None  # of a message whose body is still coming, and its whole size
        )

    @property
    def via(self) -> str:
        """See `Link`."""
        return _via(self._protocol, self._link)

    def send(self, request: bytes, until: float) -> None:
        """See `Link`."""
        self._link.settimeout(_left(self._clock, until))
        self._link.sendall(request)

    def receive(self, until: float) -> codec.Message | None:
        """See `Link`."""
        while (message := self._whole()) is None:
            left = until - self._clock.monotonic()
            if left <= 0:
                return None
            self._link.settimeout(left)
            try:
                chunk = self._link.recv(_CHUNK)
            except TimeoutError:
                return None
            if not chunk:
                raise BrokenLinkError("it closed the connection without an answer")
            self._buffer += chunk
        return message

    def _whole(self) -> codec.Message | None:
        """Takes the next whole message off the buffer."""
        self._head = self._head or self._read_head()
        if self._head is None or len(self._buffer) < self._head[1]:
            return None
        message, size = self._head
        del self._buffer[:size]
        self._head, self._received = None, _counted(self._received)
        return message

    def _read_head(self) -> tuple[codec.Message, int] | None:
        while self._buffer.startswith(_LINE_ENDS):  # keeps a connection alive (RFC 5626, 3.5.1)
            del self._buffer[:2]
        end = self._buffer.find(2 * _LINE_ENDS)
        if end < 0 and len(self._buffer) <= codec.LARGEST_MESSAGE:
            return None
        try:
            message = codec.parse(bytes(self._buffer[: end + 4] if end >= 0 else self._buffer))
        except codec.SipError as error:
            raise BrokenLinkError(f"it sent {error}") from None
        size = end + 4 + (message.length or 0)
        if message.length is None or size > codec.LARGEST_MESSAGE:
            raise BrokenLinkError("it sent a message without its length, or a longer one than an answer can be")
        return message, size


def _counted(received: int) -> int:
    if received >= _MOST_MESSAGES:
        raise BrokenLinkError(f"it sent more than {_MOST_MESSAGES} messages and no answer")
    return received + 1


def _via(protocol: str, link: socket.socket) -> str:
    host, port = link.getsockname()[:2]
    return f"SIP/2.0/{protocol} {bracketed(host)}:{port}"
