"""The audit at a syslog receiver: RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587), with the length before each message.

The standard library's handler speaks RFC 3164 without TLS; the library for RFC 5424 on PyPI was last released in 2019,
connects when it is made, and sends a message twice without saying whether either arrived. All that remains is a line of
text and a socket.

Syslog confirms nothing. When a connection has broken, what was sent last goes again: a receiver may have a record
twice, which changes nothing. What it has lost itself is missing there, and `verify-audit` shows that.
"""

import json
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain

from rotator.core.audit_chain import Line
from rotator.fields.network import HostPort
from rotator.observe.audit_outlet import SinkKind
from rotator.ports import Clock

_WITHIN = 10.0  # seconds for one write, with the connection that it may need
_SENT_AGAIN = 1000  # messages: what the buffers of two kernels may hold, and more
_NOTICE = 5  # the severity of every record


class SyslogSink:
    """One receiver, and a connection to it that is kept open."""

    def __init__(
        self, address: HostPort, facility: int, trust: Callable[[], ssl.SSLContext] | None, clock: Clock
    ) -> None:
        """Prepares the sink without connecting.

        Args:
            address: of the receiver.
            facility: the number of RFC 5424.
            trust: returns whom to trust, and what certificate to show; asked at each connection, so that renewed files
                are noticed. None: speak TCP without TLS.
            clock: for the end of each write.
        """
        self._address, self._trust, self._clock = address, trust, clock
        self.kind: SinkKind = "syslog"
        self.name = f"syslog {address}"
        self._priority = facility * 8 + _NOTICE
        self._from = f"{socket.gethostname()[:255] or '-'} rotator {os.getpid()}"
        self._connection: socket.socket | None = None
        self._sent: deque[bytes] = deque(maxlen=_SENT_AGAIN)
        self._end = 0.0

    def write(self, lines: Sequence[Line]) -> None:
        """Sends the lines. Raises OSError, and ValueError if a certificate cannot be used."""
        self._end = self._clock.monotonic() + _WITHIN
        messages = [self._message(line) for line in lines]
        again: Sequence[bytes] = ()
        try:
            if self._connection is None or _has_ended(self._connection):
                self._drop()
                self._connection, again = self._connect(), tuple(self._sent)
            self._send(self._connection, b"".join(chain(again, messages)))
        except (OSError, ValueError):
            self._drop()
            raise
        self._sent.extend(messages)

    def close(self) -> None:
        """Closes the connection."""
        self._drop()

    def _message(self, line: Line) -> bytes:
        record = json.loads(line.text)
        head = f"<{self._priority}>1 {record['time']} {self._from} {record['verb'][:32] or '-'} - "
        message = (head + line.text).encode("ascii", "replace")
        return b"%d %b" % (len(message), message)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self._address.host, self._address.port), self._left())
        try:
            if self._trust is None:
                return connection
            connection.settimeout(self._left())
            return self._trust().wrap_socket(connection, server_hostname=self._address.host)
        except (OSError, ValueError):
            connection.close()
            raise

    def _send(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            connection.settimeout(self._left())
            view = view[connection.send(view) :]

    def _left(self) -> float:
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None


def _has_ended(connection: socket.socket) -> bool:
    """Returns True if the receiver has closed the connection: what is sent into it then would be lost silently."""
    connection.settimeout(0)
    try:
        return connection.recv(4096) == b""  # a receiver says nothing, but TLS may, and is heard here
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
