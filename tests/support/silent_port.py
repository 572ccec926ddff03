"""A port whose packets are dropped, as by a firewall."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def silent_port() -> Iterator[int]:
    """The number of the port. Nobody accepts a connection, and the queue is full."""
    with ExitStack() as rest, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = rest.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
