"""Sockets that keep a deadline: no operation outlasts it, however slowly the other side drips.

The timeouts of httpx bound one operation each. A server that sends one byte of a header every few seconds, or one
interim answer after another, never exceeds them. So the remaining time bounds every operation as well.
"""

import math
import socket
import ssl
import threading
from collections.abc import Iterable
from typing import Any

import httpcore

from rotator.ports import Clock


class Deadline:
    """The moment until which the calling thread may use the network; all I/O of a request happens in its thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of_thread = threading.local()

    def set(self, at: float) -> None:
        """Sets the deadline of the calling thread, on the scale of `Clock.monotonic`."""
        self._of_thread.at = at

    def left(self) -> float:
        """Returns the seconds until the deadline; zero or less once it has passed."""
        return float(getattr(self._of_thread, "at", math.inf)) - self._clock.monotonic()

    def cut(self, timeout: float | None, expired: type[Exception]) -> float:
        """Returns the timeout of one operation, at most the remaining time. Raises `expired` if none remains."""
        left = self.left()
        if left <= 0:
            raise expired("the deadline has passed")
        return left if timeout is None else min(timeout, left)


class BoundedBackend(httpcore.NetworkBackend):
    """Opens TCP connections under a deadline, trying every address of a name.

    The system resolves the name, and its limits (resolv.conf: 5 s and 2 tries for each server) are extra.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first address that answers.

        Raises:
            httpcore.ConnectError: no address answers, or there is none.
            httpcore.ConnectTimeout: the last address did not answer in time.
        """
        problem: Exception = httpcore.ConnectError("the name has no address")
        for address in _addresses(host, port):
            try:
                cut = self._deadline.cut(timeout, httpcore.ConnectTimeout)
                stream = self._inner.connect_tcp(address, port, cut, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise problem


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("the name cannot be resolved") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in addresses))


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.cut(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.cut(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            cut = self._deadline.cut(timeout, httpcore.ConnectTimeout)
        except httpcore.ConnectTimeout:
            self.close()  # httpcore closes only established connections
            raise
        return _BoundedStream(self._inner.start_tls(ssl_context, server_hostname, cut), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
