"""A TCP proxy that breaks the network between the daemon and Vault or a provider, and mends it again."""

import contextlib
import select
import socket
import struct
import threading
from enum import Enum
from typing import Self

_STEP = 0.02
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends a reset


class ProxyMode(Enum):
    """What happens to what passes, from the next bytes on; connections that are open included."""

    THROUGH = "through"
    SILENT = "accepted, and nothing is ever said"
    DEAF = "carried out, and the answer never comes"
    HALF = "breaks in the middle of a body"
    DRIP = "drips a byte at a time"
    RESET = "reset instead of an answer"


class BreakableProxy:
    """Listens on a port of its own and passes on to `upstream` (host:port) as `mode` says. A context manager."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.removeprefix("http://").partition(":")
        self._upstream = (host, int(port))
        self.mode = ProxyMode.THROUGH
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(_STEP)
        self.port = self._listener.getsockname()[1]
        self.faulted_connections = 0  # connections that met a fault
        self._threads = [threading.Thread(target=self._accept, name="wire")]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(client,), name="wire-connection"))
                self._threads[-1].start()

    def _carry(self, client: socket.socket) -> None:
        spoilt = False
        with client, contextlib.suppress(OSError), socket.create_connection(self._upstream, timeout=10) as server:
            while not self._stop.is_set():
                ready, _, _ = select.select([client, server], [], [], _STEP)
                if self.mode is not ProxyMode.THROUGH and ready and not spoilt:
                    spoilt, self.faulted_connections = True, self.faulted_connections + 1
                if self.mode is ProxyMode.RESET and ready:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    return
                if client in ready and not self._pass_request(client, server):
                    return
                if server in ready and not self._pass_answer(server, client):
                    return

    def _pass_request(self, client: socket.socket, server: socket.socket) -> bool:
        """Passes a request on, unless the fault swallows it; False where the connection is over."""
        asked = client.recv(65536)
        if asked and self.mode is not ProxyMode.SILENT:
            server.sendall(asked)
        return bool(asked)

    def _pass_answer(self, server: socket.socket, client: socket.socket) -> bool:
        """Passes an answer back as the fault says; False where the connection is over."""
        said = server.recv(65536)
        if self.mode is ProxyMode.HALF:
            client.sendall(said[: max(len(said) - 10, 1)])
            return False
        if self.mode is ProxyMode.DRIP:
            return self._drip(said, client)
        if self.mode not in {ProxyMode.SILENT, ProxyMode.DEAF}:
            client.sendall(said)
        return bool(said)

    def _drip(self, said: bytes, client: socket.socket) -> bool:
        for byte in said:
            client.sendall(bytes([byte]))
            if self._stop.wait(0.5) or self.mode is not ProxyMode.DRIP:
                return False
        return bool(said)
