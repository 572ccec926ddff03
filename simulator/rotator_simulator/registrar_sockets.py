"""The sockets of the simulated registrar: UDP and TCP at one port, TLS at another."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator.providers.sip import codec
from rotator.providers.sip.links import BrokenLinkError, StreamLink
from rotator_simulator.authority import server_trust

_LOG = logging.getLogger("rotator_simulator")
_TRIES = 20  # a free UDP port need not be a free TCP port
_IDLE = 30.0  # seconds after which a connection is closed

Peer: TypeAlias = tuple[str, int]
Answering: TypeAlias = Callable[[codec.Message, Peer], bytes | None]


class RegistrarSockets:
    """Hands every message to `answer`, and sends what that returns."""

    def __init__(self, answer: Answering, clock: Clock, *, bind: str, port: int, tls_port: int) -> None:
        """Binds the ports; 0 takes a free one. Raises OSError if one is taken."""
        self._answer, self._clock = answer, clock
        self._family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._udp, self._tcp = self._bind_both(bind, port)
        try:
            self._tls = self._listener(bind, tls_port)
        except OSError:
            self._udp.close()
            self._tcp.close()
            raise
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=serve, args=with_what, name=f"sandbox-registrar-{name}", daemon=True)
            for name, serve, with_what in (
                ("udp", self._serve_datagrams, ()),
                ("tcp", self._accept, (self._tcp, None)),
                ("tls", self._accept, (self._tls, server_trust())),
            )
        ]

    @property
    def plain_address(self) -> HostPort:
        """The address for UDP and TCP."""
        return _address(self._udp)

    @property
    def tls_address(self) -> HostPort:
        """The address for TLS."""
        return _address(self._tls)

    def start(self) -> None:
        """Starts answering."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops answering, breaks the connections and frees the ports, even if it was never started."""
        self._stopping.set()
        with self._lock:
            connections = list(self._open)
        if self._threads[0].ident is not None:
            self._udp.sendto(b"", self._udp.getsockname())  # wakes the thread, which waits for a datagram
        for waiting in (self._tcp, self._tls, *connections):
            with suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for listening in (self._udp, self._tcp, self._tls):
            listening.close()

    def _bind_both(self, bind: str, port: int) -> tuple[socket.socket, socket.socket]:
        for tried in range(_TRIES):
            udp = socket.socket(self._family, socket.SOCK_DGRAM)
            try:
                udp.bind((bind, port))
                return udp, self._listener(bind, udp.getsockname()[1])
            except OSError:
                udp.close()
                if port or tried == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    def _listener(self, bind: str, port: int) -> socket.socket:
        listener = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((bind, port))
            listener.listen(64)
        except OSError:
            listener.close()
            raise
        return listener

    def _serve_datagrams(self) -> None:
        while not self._stopping.is_set():
            try:
                datagram, source = self._udp.recvfrom(65535)
            except ConnectionError:
                continue  # the client closed its socket before the response came; the system reports it here
            try:
                answer = self._answer(codec.parse(datagram), source[:2])
                if answer:
                    self._udp.sendto(answer, source)
            except (ValueError, OSError) as error:
                _LOG.debug("a datagram was dropped: %s", type(error).__name__)

    def _accept(self, listener: socket.socket, trust: ssl.SSLContext | None) -> None:
        while not self._stopping.is_set():
            try:
                link, source = listener.accept()
            except OSError:
                continue  # stopped, or the client has gone
            served = threading.Thread(target=self._serve_stream, args=(link, source[:2], trust), daemon=True)
            served.start()

    def _serve_stream(self, link: socket.socket, source: Peer, trust: ssl.SSLContext | None) -> None:
        with self._lock:
            self._open.add(link)
        try:
            link.settimeout(_IDLE)
            with trust.wrap_socket(link, server_side=True) if trust is not None else link as opened:
                self._answer_each(StreamLink(opened, self._clock, "TLS" if trust else "TCP"), source)
        except (ValueError, OSError, BrokenLinkError) as error:
            _LOG.debug("a connection was closed: %s", type(error).__name__)
        finally:
            with self._lock:
                self._open.discard(link)
            link.close()

    def _answer_each(self, stream: StreamLink, source: Peer) -> None:
        while not self._stopping.is_set():
            until = self._clock.monotonic() + _IDLE
            message = stream.receive(until)
            if message is None:
                return
            answer = self._answer(message, source)
            if answer:
                stream.send(answer, until)


def _address(bound: socket.socket) -> HostPort:
    host, port = bound.getsockname()[:2]
    return HostPort(str(host), int(port))
