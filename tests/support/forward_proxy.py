"""A forward proxy that carries TLS by CONNECT, for whoever logs in to it."""

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from provider_fixtures import raw_server

from rotator.core.secret import Secret
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import Resolved

USER, PASSWORD = "rotator", "the-password-at-the-proxy"


class ConnectProxy:
    """Remembers which hosts it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    def settings(self, *no_proxy: str, password: str = PASSWORD) -> ProxySettings:
        """The section of the configuration that names it."""
        resolved = Resolved(Secret(password))
        return ProxySettings(url=self.url, username=USER, password=resolved, no_proxy=no_proxy)

    def carry(self, client: socket.socket, stop: threading.Event) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        verb, where, _ = head.decode().split(" ", 2)
        self.asked.append(where)
        login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if verb != "CONNECT" or f"proxy-authorization: basic {login}".lower() not in head.decode().lower():
            client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return
        host, port = where.split(":")
        with socket.create_connection((host, int(port)), timeout=5) as server:
            client.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
            back = threading.Thread(target=_pump, args=(server, client, stop))
            back.start()
            _pump(client, server, stop)
            back.join()


def _pump(source: socket.socket, sink: socket.socket, stop: threading.Event) -> None:
    source.settimeout(0.1)
    with suppress(OSError):
        while not stop.is_set():
            with suppress(TimeoutError):
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def connect_proxy() -> Iterator[ConnectProxy]:
    """A proxy that runs during the block."""
    proxy = ConnectProxy()
    with raw_server(proxy.carry) as (url, _):
        proxy.url = url
        yield proxy
