"""One connection: one request, one answer, each read or written within a total time.

A timeout of a socket counts the silence between two bytes, so a peer that drips could hold it forever. Here each
operation gets what is left of the whole. This and `rotator.daemon.http.server` are the only users of `h11`.
"""

import socket
import ssl
import struct
from base64 import b64decode
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus

import h11

from rotator.core.secret import Secret
from rotator.daemon.http.pages import POLICY, EndpointAnswer, EndpointRequest
from rotator.ports import Clock

_SECURITY = [
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
]
_POLICY = "Content-Security-Policy"
_LARGEST_REQUEST = 16_384  # bytes
_PIECE = 65_536  # bytes; a body of megabytes is not copied as a whole for each connection


class PeerConnection:
    """An accepted connection."""

    def __init__(self, accepted: socket.socket, peer: str, clock: Clock) -> None:
        self.socket, self.peer, self._clock = accepted, peer, clock
        self.holds = 0  # bytes of an answer that it keeps in memory
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_REQUEST)
        self._end = 0.0  # of what goes on, by the monotonic clock

    def allow(self, seconds: float) -> None:
        """Gives what follows this time altogether. After it, everything raises TimeoutError."""
        self._end = self._clock.monotonic() + seconds

    def left(self) -> float:
        """Returns the seconds that are left. Raises TimeoutError if there are none."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def secure(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from now on; `shake_hands` comes next."""
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def shake_hands(self) -> None:
        """Agrees on keys, if it speaks TLS. Raises OSError."""
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.settimeout(self.left())
            self.socket.do_handshake()

    def read(self) -> EndpointRequest | None:
        """Returns the request; None if the peer closes instead of asking.

        Raises:
            OSError: the connection broke or its time is over.
            h11.RemoteProtocolError: this is not HTTP, or too much of it.
        """
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self.socket.settimeout(self.left())
            self._http.receive_data(self.socket.recv(_PIECE))
        return _request(event) if isinstance(event, h11.Request) else None

    def write(self, answer: EndpointAnswer, *, head_only: bool) -> None:
        """Writes the answer. Raises OSError if the connection broke or its time is over."""
        headers = [
            ("Date", formatdate(self._clock.now().timestamp(), usegmt=True)),
            ("Content-Type", answer.kind),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
            *_SECURITY,
            *answer.headers,
            *([] if any(name == _POLICY for name, _ in answer.headers) else [(_POLICY, POLICY)]),
        ]
        reason = HTTPStatus(answer.status).phrase
        self._write(self._http.send(h11.Response(status_code=answer.status, headers=headers, reason=reason)))
        if not head_only:
            body = memoryview(answer.body)
            for begin in range(0, len(body), _PIECE):
                self._write(body[begin : begin + _PIECE])

    def part(self) -> None:
        """Ends the connection as HTTP wants it: says that no more comes, and waits for the peer to say the same.

        If it were closed while something that the peer has sent is unread, the kernel would reset it, and the peer
        might lose the answer. Raises OSError.
        """
        self.socket.settimeout(self.left())
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket = self.socket.unwrap()
        self.socket.shutdown(socket.SHUT_WR)
        while self.socket.recv(_PIECE):
            self.socket.settimeout(self.left())

    def cut(self) -> None:
        """Ends what another thread does with the connection."""
        with suppress(OSError):  # the peer may have closed it
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # that of ssl would change what the thread uses

    def forget(self) -> None:
        """Makes closing drop what the peer has not read; else the kernel would keep it for minutes."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _write(self, data: bytes | memoryview | None) -> None:
        view = memoryview(data or b"")
        while view:
            self.socket.settimeout(self.left())
            view = view[self.socket.send(view) :]


def _request(event: h11.Request) -> EndpointRequest:
    path, _, query = event.target.decode("ascii").partition("?")
    given = [value.decode("latin-1") for name, value in event.headers if name == b"authorization"]
    return EndpointRequest(event.method.decode("ascii"), path, query, _token(given[0]) if len(given) == 1 else None)


def _token(authorization: str) -> Secret | None:
    """Returns the token: of `Bearer`, or the password of `Basic`, which browsers ask people for."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return Secret(given.strip())
    if scheme.lower() == "basic":
        with suppress(ValueError):  # neither base64 nor text
            return Secret(b64decode(given.strip(), validate=True).decode().partition(":")[2])
    return None
