"""A bare pool of threads: the requests that a rotation makes, with the same libraries, and nothing else.

    python bare_pool.py NAME ROTATIONS WORKERS '{"READ": 4, "WRITE": 4, "PUT": 1, "GET": 1}'

No decision, no claim, no proof, no pace, no metric, no retry: what is left is what the requests themselves cost. As
`rotate --all`, it writes a request for each target first.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
from hvac.adapters import JSONAdapter

from rotator.daemon.clock import SystemClock
from rotator.vault.transport import Connection, VaultSession

_PASSWORD = "Vbz!2025$SecureP"
_STATE = {"state": "x" * 1200}  # as large as a state document


class BarePool:
    """The connections that all threads share."""

    def __init__(self, name: str, calls: dict[str, int]) -> None:
        self._name, self._calls = name, calls
        self._vault = os.environ["BENCH_VAULT"]
        session = VaultSession(Connection(self._vault), SystemClock(Event()))
        self._adapter = JSONAdapter(base_uri=self._vault, token=os.environ["BENCH_ROOT"], session=session)
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self._transport = httpx.HTTPTransport(limits=limits, trust_env=False)
        self._vobiz = os.environ["BENCH_VOBIZ"]
        self._headers = {"X-Auth-ID": "MA_BENCH", "X-Auth-Token": os.environ["VOBIZ_TOKEN"]}

    def ask(self, number: int) -> int:
        """Writes the request; returns the version of the document."""
        for _ in range(self._calls.get("READ", 0) // 2):
            self._read(number)
        return self._write(f"bare/state/{self._name}{number}", _STATE)

    def rotate(self, number: int) -> None:
        """Makes the other requests of a rotation."""
        reads, writes = self._calls.get("READ", 0), self._calls.get("WRITE", 0)
        for _ in range(reads - reads // 2):
            self._read(number)
        for _ in range(writes - 3):  # the first, the last two
            self._write(f"bare/state/{self._name}{number}", _STATE)
        for method in ("LIST", "POST", "PUT", "GET"):
            for _ in range(self._calls.get(method, 0)):
                self._request(method, number)
        self._write(f"bare/sip/{self._name}{number}", {"username": f"phone{number}", "password": _PASSWORD})
        self._write(f"bare/state/{self._name}{number}", _STATE)

    def _read(self, number: int) -> None:
        self._adapter.get(f"/v1/secret/data/sip/{self._name}{number}")

    def _write(self, path: str, data: dict[str, Any]) -> int:
        answer = self._adapter.post(f"/v1/secret/data/{path}", json={"data": data})
        return int(answer["data"]["version"])

    def _request(self, method: str, number: int) -> None:
        one = f"{self._vobiz}/credentials/id-{number + 1}"
        url, body = one, None
        if method == "LIST":
            method, url = "GET", f"{self._vobiz}/trunks/credentials?limit=100&offset={number // 100 * 100}"
        elif method == "POST":
            url, body = f"{self._vobiz}/credentials", {"username": f"bare{number}", "password": _PASSWORD}
        elif method == "PUT":
            body = {"password": _PASSWORD}
        content = None if body is None else json.dumps(body).encode()
        request = httpx.Request(method, url, headers=self._headers, content=content)
        response = self._transport.handle_request(request)
        json.loads(response.read())


def main() -> None:
    """Asks for all, then rotates all."""
    name, rotations, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    pool = BarePool(name, json.loads(sys.argv[4]))
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(pool.ask, range(rotations)))
        list(threads.map(pool.rotate, range(rotations)))


if __name__ == "__main__":
    main()
