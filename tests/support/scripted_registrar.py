"""A registrar that misbehaves, played by a socket that answers by a script."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rotator.fields.network import HostPort

Script = Callable[[str, int], list[bytes]]
CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="{}", qop="auth"'


def response(request: str, status: int, *extra: str) -> bytes:
    """A response to `request` with its Via, From, To, Call-ID and CSeq."""
    lines = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*$", request.replace("\r", ""), re.MULTILINE)
    return "\r\n".join([f"SIP/2.0 {status} Remote-Words", *lines, *extra, "Content-Length: 0", "", ""]).encode()


@contextmanager
def scripted(script: Script) -> Iterator[tuple[HostPort, list[str]]]:
    """A registrar that answers each datagram with what the script says; yields its address and what it received."""
    received: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, source = link.recvfrom(65535)
                if not data:
                    return
                received.append(data.decode())
                for answer in script(received[-1], len(received)):
                    link.sendto(answer, source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield HostPort("127.0.0.1", link.getsockname()[1]), received
        finally:
            link.sendto(b"", link.getsockname())
            thread.join()
