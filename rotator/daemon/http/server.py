"""The server: a thread for each connection, and bounds for everything that a peer could use up.

The servers that exist count the silence between two bytes (waitress), wait for ever for a slow reader (uvicorn and
hypercorn), or do both with a few threads (gunicorn): none bounds the whole of a request and of its answer. So `h11`
parses, and the bounds are here.

Who comes last is served: if there are too many connections, the oldest one ends. A proper client needs its
connection for moments, a hostile one for as long as it can hold it.
"""

import errno
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Event, Thread

import h11
import structlog

from rotator.daemon.http.certificate import Certificate
from rotator.daemon.http.connection import PeerConnection
from rotator.daemon.http.pages import EndpointAnswer, EndpointRequest, refusal
from rotator.fields.network import HostPort
from rotator.ports import Clock

_BACKLOG = 128  # connections that the kernel keeps while they are not accepted yet
_SEND_BUFFER = 131_072  # bytes of the kernel's memory, which counts as the pod's, for each connection
_PAUSE = 0.1  # seconds before the next try to accept, when the process has no file descriptor left
_QUIET = 60.0  # seconds between two lines of the log about connections that had to end
_log = structlog.stdlib.get_logger(__name__)


class ListenError(Exception):
    """The endpoint cannot listen on the address; the message says what to change."""


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What peers may use up. Times are seconds."""

    connections: int = 64
    """Open connections; another one ends the oldest of the address that has the most."""
    per_peer: int = 32
    """Open connections of one address. Half of all: behind a proxy or a node many peers have one address."""
    request: float = 5.0
    """From the beginning of a connection to the end of its request, with TLS's handshake."""
    answer: float = 15.0
    """From there to the last byte of the answer. Prometheus waits ten seconds unless it is told otherwise."""
    parting: float = 5.0
    """From there until the peer has read what the kernel still has to send, and closed the connection."""
    rendering: int = 1
    """Answers that are made at the same time. Several would not be faster: Python runs one thread at a time."""
    held: int = 32 * 1024 * 1024
    """Bytes of answers that wait for their readers; another answer ends the connection with the oldest."""


class Server:
    """Serves one address. Each connection carries one request."""

    def __init__(
        self,
        name: str,
        address: HostPort,
        answer: Callable[[EndpointRequest], EndpointAnswer],
        clock: Clock,
        *,
        certificate: Certificate | None = None,
        limits: PeerLimits | None = None,
    ) -> None:
        """Wires the server; `start` opens the port.

        Args:
            name: of its threads, and in the log.
            address: the host "" is all IPv4 addresses, "::" all IPv4 and IPv6 addresses; port 0 is any free one.
            answer: is called by several threads, and soon returns.
            certificate: speak TLS with it, and nothing else.
            limits: other than the usual ones.
        """
        self._name, self._address, self._answer, self._clock = name, address, answer, clock
        self._certificate, self._limits = certificate, limits or PeerLimits()
        self._port = address.port
        self._listening: socket.socket | None = None
        self._stopping = Event()
        self._changed = Condition()  # guards all that follows
        self._open: list[PeerConnection] = []  # the oldest first
        self._rendering = 0
        self._crowded_out, self._told_at = 0, -_QUIET
        self._ended = {"crowded": 0, "slow": 0}

    @property
    def port(self) -> int:
        """The port in use once started; before that, the requested one."""
        return self._port

    def ended(self) -> dict[str, int]:
        """Returns how many connections it had to end, by the reason."""
        with self._changed:
            return dict(self._ended)

    def start(self) -> None:
        """Serves in separate threads; returns once connections are accepted.

        Raises:
            ListenError: the address is in use, belongs to another machine, or is not allowed.
        """
        self._listening = _listen(self._address.host, self._address.port)
        self._port = self._listening.getsockname()[1]
        Thread(target=self._accept, args=(self._listening,), name=self._name, daemon=True).start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stops accepting connections, gives open ones at most `timeout` seconds, and ends them. Safe to repeat."""
        if self._listening is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._listening.close()
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout)
            while self._open:
                self._cut(self._open[0])

    def _accept(self, listening: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                accepted, (peer, *_) = listening.accept()
            except OSError:  # stopping, a connection that is gone already, or no file descriptor left
                self._stopping.wait(_PAUSE)
                continue
            connection = PeerConnection(accepted, peer, self._clock)
            connection.allow(self._limits.request)
            self._admit(connection)
            try:
                Thread(target=self._serve, args=(connection,), name=f"{self._name}-connection", daemon=True).start()
            except RuntimeError:  # the process may have no further thread
                self._close(connection)

    def _admit(self, new: PeerConnection) -> None:
        with self._changed:
            of_each = Counter(connection.peer for connection in self._open)
            if of_each[new.peer] >= self._limits.per_peer:
                self._crowd_out(next(each for each in self._open if each.peer == new.peer))
            elif len(self._open) >= self._limits.connections:
                # Not simply the oldest: two crowds would then end the one connection of somebody else.
                most = max(of_each.values())
                self._crowd_out(next(each for each in self._open if of_each[each.peer] == most))
            self._open.append(new)

    def _serve(self, connection: PeerConnection) -> None:
        try:
            self._exchange(connection)
        except OSError as error:  # the peer is gone, too slow, or spoke no TLS
            with self._changed:
                self._ended["slow"] += isinstance(error, TimeoutError) and connection in self._open
            connection.forget()
        except Exception:  # noqa: BLE001 - whatever a peer sends, the next one is served
            _log.exception("a connection failed", server=self._name)
        finally:
            self._close(connection)

    def _close(self, connection: PeerConnection) -> None:
        with self._changed:  # so that nobody cuts what has the same file descriptor by then
            connection.socket.close()
            if connection in self._open:
                self._open.remove(connection)
            self._changed.notify_all()

    def _exchange(self, connection: PeerConnection) -> None:
        if self._certificate is not None:
            context = self._certificate.context()
            with self._changed:
                if connection in self._open:
                    connection.secure(context)
            connection.shake_hands()
        try:
            request = connection.read()
        except h11.RemoteProtocolError as error:
            request, answer = None, refusal(error.error_status_hint, "this is not a request that HTTP/1.1 knows")
        else:
            if request is None:
                return
            connection.allow(self._limits.answer)
            answer = self._answered(connection, request)
        self._hold(connection, len(answer.body))
        connection.write(answer, head_only=request is not None and request.method == "HEAD")
        connection.allow(self._limits.parting)
        connection.part()

    def _answered(self, connection: PeerConnection, request: EndpointRequest) -> EndpointAnswer:
        """Makes the answer when it is its turn. Raises TimeoutError if that takes too long or the connection ends."""

        def may_go_on() -> bool:
            return self._rendering < self._limits.rendering or connection not in self._open

        with self._changed:
            if not self._changed.wait_for(may_go_on, connection.left()) or connection not in self._open:
                raise TimeoutError
            self._rendering += 1
        try:
            return self._answer(request)
        finally:
            with self._changed:
                self._rendering -= 1
                self._changed.notify_all()

    def _hold(self, connection: PeerConnection, size: int) -> None:
        with self._changed:
            connection.holds = size
            holding = [each for each in self._open if each.holds]
            while len(holding) > 1 and sum(each.holds for each in holding) > self._limits.held:
                self._crowd_out(holding.pop(0))

    def _crowd_out(self, connection: PeerConnection) -> None:
        self._cut(connection)
        self._crowded_out += 1
        self._ended["crowded"] += 1
        now = self._clock.monotonic()
        if now - self._told_at >= _QUIET:
            count, self._crowded_out, self._told_at = self._crowded_out, 0, now
            _log.warning("too many connections: the oldest ended", server=self._name, count=count, peer=connection.peer)

    def _cut(self, connection: PeerConnection) -> None:
        self._open.remove(connection)
        connection.cut()
        self._changed.notify_all()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # accepted ones inherit it
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ListenError(f"cannot listen on {host!r}, port {port}: {_advice(error)}") from None
    return listening


def _advice(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "a port is a number from 0 to 65535"
    if error.errno == errno.EADDRINUSE:
        return "another process uses this port; stop it, or set another port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return "permission denied; ports below 1024 need privileges: set a higher one"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "this machine has no such address; use 127.0.0.1, or 0.0.0.0 to be reached from elsewhere"
    return error.strerror or type(error).__name__
