"""A lean Vobiz for measuring: the requests of trunk credentials over asyncio, without a framework.

The simulated Vobiz, which the tests use, takes longer for an answer than `rotator` for a rotation. This one
keeps none of the provider's rules, checks the account's key, and counts what arrives. A registrar knows its passwords.

    python lean_vobiz.py TOKEN CREDENTIALS

prints its port and that of its registrar, and ends when its standard input does.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lean_registrar import LeanRegistrar

ACCOUNT = "MA_BENCH"
_BASE = f"/api/v1/Account/{ACCOUNT}/"
_LONGEST_PAGE = 100
_PHRASES = {200: "OK", 201: "Created", 204: "No Content", 401: "Unauthorized", 404: "Not Found"}

Reply = tuple[int, Any]


class LeanVobiz:
    """One account: its credentials, and what was asked of it."""

    def __init__(self, token: str, credentials: int) -> None:
        self._token = token.encode()
        self.latency = 0.0  # seconds that each answer takes
        self._made = 0
        self._credentials: dict[str, dict[str, Any]] = {}
        self._passwords: dict[str, str] = {}  # by username
        self.registrar = LeanRegistrar(self._password, lambda: self.counts)
        for number in range(credentials):
            self._add(f"phone{number}")
        self._forget()

    def _forget(self) -> None:
        self.counts: Counter[str] = Counter()
        self.began = self.ended = 0.0  # of the writes, by the monotonic clock

    def _add(self, username: str) -> dict[str, Any]:
        self._made += 1
        made = {"id": f"id-{self._made}", "username": username, "password": "<redacted>", "realm": "", "enabled": True}
        self._credentials[str(made["id"])] = made
        return made

    def _password(self, username: str) -> str | None:
        return self._passwords.get(username)

    def answer(self, method: str, target: str, head: bytes, body: bytes) -> tuple[Reply, float]:
        """Returns the answer, and how many seconds later it is sent."""
        if target.startswith("/bench"):
            return self._control(target), 0.0
        if b"x-auth-token: " + self._token not in head.replace(b"X-Auth-Token", b"x-auth-token"):
            return (401, {"error": "unauthorized"}), self.latency
        kind = "LIST" if "/trunks/" in target else "TRUNKS" if "/trunks" in target else method
        self.counts[kind] += 1
        if kind in ("PUT", "POST", "DELETE"):
            self.ended = time.monotonic()
            self.began = self.began or self.ended
        if kind == "TRUNKS":  # there are none
            return (200, {"meta": {"limit": _LONGEST_PAGE, "offset": 0, "total": 0}, "objects": []}), self.latency
        reply = self._list(target) if kind == "LIST" else self._single(method, target, body)
        return reply, self.latency

    def _control(self, target: str) -> Reply:
        """`/bench?latency=0.05` begins a measurement; `/bench` returns what was counted since."""
        query = parse_qs(urlsplit(target).query)
        if "latency" in query:
            self.latency = self.registrar.latency = float(query["latency"][0])
            self._forget()
        return 200, {**self.counts, "seconds": self.ended - self.began}

    def _list(self, target: str) -> Reply:
        query = parse_qs(urlsplit(target).query)
        limit, offset = min(int(query["limit"][0]), _LONGEST_PAGE), int(query["offset"][0])
        objects = list(islice(self._credentials.values(), offset, offset + limit))
        return 200, {"meta": {"limit": limit, "offset": offset, "total": len(self._credentials)}, "objects": objects}

    def _single(self, method: str, target: str, body: bytes) -> Reply:
        given = json.loads(body) if body else {}
        if method == "POST":
            self._passwords[given["username"]] = given["password"]
            return 201, self._add(given["username"])
        found = self._credentials.get(target.rpartition("/")[2])
        if found is None:
            return 404, {"error": "not found"}
        if method == "DELETE":
            del self._credentials[found["id"]]
            return 204, None
        if "password" in given:
            self._passwords[found["username"]] = given["password"]
        found["enabled"] = given.get("enabled", found["enabled"])
        return 200, found


class _LeanConnection(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, one request after the other, kept alive."""

    def __init__(self, vobiz: LeanVobiz) -> None:
        self._vobiz, self._received = vobiz, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = _length(head)
        if len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        reply, delay = self._vobiz.answer(method, target, head, rest[:length])
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, reply)
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        status, value = reply
        body = b"" if value is None else json.dumps(value).encode()
        lines = (
            f"HTTP/1.1 {status} {_PHRASES[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        self._transport.write("\r\n".join((*lines, "", "")).encode() + body)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return int(lowered[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve(vobiz: LeanVobiz, tell: Callable[[int, int], None]) -> None:
    """Serves on free ports of this machine until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _LeanConnection(vobiz), "127.0.0.1", 0, backlog=512)
    registrar, _ = await loop.create_datagram_endpoint(lambda: vobiz.registrar, ("127.0.0.1", 0))
    tell(server.sockets[0].getsockname()[1], registrar.get_extra_info("sockname")[1])
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(LeanVobiz(sys.argv[1], int(sys.argv[2])), lambda *ports: print(*ports, flush=True)))
