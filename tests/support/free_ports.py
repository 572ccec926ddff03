"""Ports for servers that are told theirs before they start, or that are started again on the same one."""

import itertools
import os
import socket

# Below those that the kernel gives to outgoing connections (from 32768), so that none takes a port in between.
_LOWEST, _COUNT = 12_000, 20_000
_candidates = (_LOWEST + (os.getpid() * 97 + number) % _COUNT for number in itertools.count())


def free_port() -> int:
    """Returns a TCP port of 127.0.0.1 on which nobody listens; another one each time."""
    for port in _candidates:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("unreachable: the candidates never end")
