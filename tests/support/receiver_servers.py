"""Receivers with real sockets, of an audit and of hooks: syslog by TCP or TLS, and HTTP."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from quiet_http import QuietHandler, QuietServer

_MESSAGE = re.compile(
    rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) (\S{1,255}) (\S{1,48}) (\S{1,128}) "
    rb"([!-~]{1,32}) - (.*)",
    re.DOTALL,
)


@dataclass
class SyslogMessage:
    """One message, by the grammar of RFC 5424."""

    priority: int
    app: str
    message_id: str
    text: str


def syslog_message(data: bytes) -> SyslogMessage:
    """Reads a message. Fails if it is not one."""
    match = _MESSAGE.fullmatch(data)
    assert match is not None, data
    priority, _, _, app, _, message_id, text = match.groups()
    return SyslogMessage(int(priority), app.decode(), message_id.decode(), text.decode("ascii"))


class SyslogReceiver:
    """Accepts connections, one after the other, and reads messages with their length before them (RFC 6587)."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, *, mute: bool = False) -> None:
        self.messages: list[SyslogMessage] = []
        self.problems: list[str] = []
        self._tls, self._mute = tls, mute
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._stopping = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    def stop(self) -> None:
        """Ends it as a killed one ends: nobody reads what is still under way."""
        self._stopping = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._threads[0].join(20)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            if not self._mute:
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._open.append(connection)
                connection.do_handshake()
            self._read(connection)
        except (OSError, ValueError) as error:
            self.problems.append(str(error))

    def _read(self, connection: socket.socket) -> None:
        buffer = b""
        while data := connection.recv(65536):
            buffer += data
            while b" " in buffer:
                length, _, rest = buffer.partition(b" ")
                if len(rest) < int(length):
                    break
                self.messages.append(syslog_message(rest[: int(length)]))
                buffer = rest[int(length) :]


@dataclass
class HttpReceiver:
    """Keeps the lines of each request that it takes. `answers` are statuses for the next requests; then 204."""

    lines: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    says: bytes = b""  # the body of each answer
    port: int = 0
    deaf: threading.Event | None = None  # it reads nothing until this is set

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ingest"


class _ReceiverServer(QuietServer):
    receiver: HttpReceiver


class _Handler(QuietHandler):
    server: _ReceiverServer

    def do_POST(self) -> None:  # noqa: N802 - the name that the server looks for
        receiver = self.server.receiver
        if receiver.deaf is not None:
            receiver.deaf.wait(60)
        data = self.read_body()
        body = data.decode()
        receiver.requests.append((f"{self.command} {self.path}", dict(self.headers)))
        receiver.bodies.append(data)
        status = receiver.answers.pop(0) if receiver.answers else 204
        if 200 <= status < 300:
            receiver.lines += body.splitlines()
        self.answer(status, {"Location": receiver.url}, receiver.says)

    do_PATCH = do_POST  # noqa: N815 - the name that the server looks for


@contextmanager
def http_receiver(port: int = 0, tls: ssl.SSLContext | None = None, **how: Any) -> Iterator[HttpReceiver]:
    """A receiver that listens."""
    with _ReceiverServer(("127.0.0.1", port), _Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.receiver = HttpReceiver(port=server.server_address[1], **how)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.receiver
        finally:
            server.shutdown()
            thread.join()
