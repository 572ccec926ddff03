"""A bare pool of threads: the requests that a rotation makes, with the same libraries, and nothing else.

    python bare_pool.py NAME ROTATIONS WORKERS '{"READ": 4, "WRITE": 4, "PUT": 1, "GET": 1}' plain

No decision, no claim, no pace, no metric, no retry: what is left is what the requests and log-ins themselves cost. As
`rotate --all`, it writes a request for each target first. `plain`: hvac and httpx as their documentation shows them.
`own`: hvac and httpx over the leaner connections of rotator, which a script would not have.
"""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event
from typing import Any, Protocol

import httpx
import hvac
import requests
from hvac.adapters import JSONAdapter
from requests.adapters import HTTPAdapter

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.fields.network import HostPort
from rotator.providers.http.deadline import Deadline
from rotator.providers.http.transport import Network, trusted
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import register
from rotator.vault.transport import Connection, VaultSession

_PASSWORD = "Vbz!2025$SecureP"
_STATE = {"state": "x" * 1200}  # as large as a state document
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)
_PARAMS = "limit=100&offset={}"


class PoolConnections(Protocol):
    """What all threads share."""

    def read(self, path: str) -> None:
        """Reads a document, which need not exist."""
        ...

    def write(self, path: str, data: Mapping[str, Any]) -> None:
        """Writes a document."""
        ...

    def send(self, method: str, path: str, body: Mapping[str, str] | None) -> None:
        """Sends a request to the provider, and parses the answer."""
        ...


class PlainConnections:
    """`hvac.Client` and `httpx.Client`."""

    def __init__(self, workers: int) -> None:
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_connections=workers, pool_maxsize=workers))  # 10 would be too few
        self._kv = hvac.Client(os.environ["BENCH_VAULT"], os.environ["BENCH_TOKEN"], session=session).secrets.kv.v2
        self._provider = httpx.Client(base_url=os.environ["BENCH_VOBIZ"], headers=_headers(), limits=_LIMITS)

    def read(self, path: str) -> None:
        """See `PoolConnections`."""
        with suppress(hvac.exceptions.InvalidPath):
            self._kv.read_secret_version(path, raise_on_deleted_version=False)

    def write(self, path: str, data: Mapping[str, Any]) -> None:
        """See `PoolConnections`."""
        self._kv.create_or_update_secret(path, data)

    def send(self, method: str, path: str, body: Mapping[str, str] | None) -> None:
        """See `PoolConnections`."""
        self._provider.request(method, path, json=body).json()


class OwnConnections:
    """hvac's adapter and httpx's transport as rotator uses them."""

    def __init__(self) -> None:
        vault = os.environ["BENCH_VAULT"]
        session = VaultSession(Connection(vault), SystemClock(Event()))
        self._adapter = JSONAdapter(base_uri=vault, token=os.environ["BENCH_TOKEN"], session=session)
        self._transport = Network(trusted(None), Deadline(SystemClock(Event())), None)
        self._headers, self._timeouts = _headers(), {"timeout": httpx.Timeout(10).as_dict()}

    def read(self, path: str) -> None:
        """See `PoolConnections`."""
        with suppress(hvac.exceptions.InvalidPath):
            self._adapter.get(f"/v1/secret/data/{path}")

    def write(self, path: str, data: Mapping[str, Any]) -> None:
        """See `PoolConnections`."""
        self._adapter.post(f"/v1/secret/data/{path}", json={"data": data})

    def send(self, method: str, path: str, body: Mapping[str, str] | None) -> None:
        """See `PoolConnections`."""
        content = None if body is None else json.dumps(body).encode()
        url = os.environ["BENCH_VOBIZ"] + path
        request = httpx.Request(method, url, headers=self._headers, content=content, extensions=self._timeouts)
        with closing(self._transport.handle_request(request)) as response:
            json.loads(response.read())


def _headers() -> dict[str, str]:
    return {"X-Auth-ID": "MA_BENCH", "X-Auth-Token": os.environ["VOBIZ_TOKEN"]}


class BarePool:
    """What each thread does."""

    def __init__(self, name: str, calls: dict[str, int], connections: PoolConnections) -> None:
        self._name, self._calls, self._connections = name, calls, connections

    def ask(self, number: int) -> None:
        """Writes the request."""
        for _ in range(self._calls.get("READ", 0) // 2):
            self._connections.read(f"sip/{self._name}{number}")
        self._connections.write(f"bare/state/{self._name}{number}", _STATE)

    def rotate(self, number: int) -> None:
        """Makes the other requests of a rotation."""
        reads, writes = self._calls.get("READ", 0), self._calls.get("WRITE", 0)
        for _ in range(reads - reads // 2):
            self._connections.read(f"sip/{self._name}{number}")
        for _ in range(writes - 3):  # the first, the last two
            self._connections.write(f"bare/state/{self._name}{number}", _STATE)
        for method in ("LIST", "POST", "PUT", "GET"):
            for _ in range(self._calls.get(method, 0)):
                self._request(method, number)
        for _ in range(self._calls.get("LOGIN", 0)):
            self._log_in(number)
        self._connections.write(f"bare/sip/{self._name}{number}", {"username": "phone", "password": _PASSWORD})
        self._connections.write(f"bare/state/{self._name}{number}", _STATE)

    def _log_in(self, number: int) -> None:
        host, _, port = os.environ["BENCH_REGISTRAR"].partition(":")
        route, clock = SipRoute(HostPort(host, int(port)), "udp"), SystemClock(Event())
        result = register(route, f"phone{number}", Secret(_PASSWORD), clock=clock, timeout=10.0)
        assert result.authenticated, result.reason

    def _request(self, method: str, number: int) -> None:
        path, body = f"/credentials/id-{number + 1}", None
        if method == "LIST":
            method, path = "GET", f"/trunks/credentials?{_PARAMS.format(number // 100 * 100)}"
        elif method == "POST":
            path, body = "/credentials", {"username": f"bare{number}", "password": _PASSWORD}
        elif method == "PUT":
            body = {"password": _PASSWORD}
        self._connections.send(method, path, body)


def main() -> None:
    """Asks for all, then rotates all."""
    name, rotations, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connections: PoolConnections = PlainConnections(workers) if sys.argv[5] == "plain" else OwnConnections()
    pool = BarePool(name, json.loads(sys.argv[4]), connections)
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(pool.ask, range(rotations)))
        list(threads.map(pool.rotate, range(rotations)))


if __name__ == "__main__":
    main()
