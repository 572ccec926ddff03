"""The requests of a rotation over asyncio with aiohttp: as fast as Python goes, with nothing of what rotator promises.

    python ceiling.py NAME ROTATIONS TASKS '{"READ": 2, "WRITE": 4, "PUT": 1, "GET": 1}'

It takes part if aiohttp is installed, which is no dependency of anything here.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from typing import Any

import aiohttp

_PASSWORD = "Vbz!2025$SecureP"
_STATE = {"state": "x" * 1200}  # as large as a state document


class Ceiling:
    """What each task does; the order is that of `bare_pool.py`."""

    def __init__(self, name: str, calls: Mapping[str, int], session: aiohttp.ClientSession) -> None:
        self._name, self._calls, self._session = name, calls, session
        self._vault, self._vobiz = f"{os.environ['BENCH_VAULT']}/v1/secret/data", os.environ["BENCH_VOBIZ"]
        self._key = {"X-Auth-ID": "MA_BENCH", "X-Auth-Token": os.environ["VOBIZ_TOKEN"]}
        self._token = {"X-Vault-Token": os.environ["BENCH_TOKEN"]}

    async def ask(self, number: int) -> None:
        """Writes the request."""
        for _ in range(self._calls.get("READ", 0) // 2):
            await self._send("GET", f"{self._vault}/sip/{self._name}{number}", self._token)
        await self._write(f"state/{self._name}{number}", _STATE)

    async def rotate(self, number: int) -> None:
        """Makes the other requests of a rotation."""
        reads, one = self._calls.get("READ", 0), f"{self._vobiz}/credentials/id-{number + 1}"
        for _ in range(reads - reads // 2):
            await self._send("GET", f"{self._vault}/sip/{self._name}{number}", self._token)
        for _ in range(self._calls.get("WRITE", 0) - 3):
            await self._write(f"state/{self._name}{number}", _STATE)
        if self._calls.get("POST"):
            body = {"username": f"ceiling{number}", "password": _PASSWORD}
            await self._send("POST", f"{self._vobiz}/credentials", self._key, body)
        if self._calls.get("PUT"):
            await self._send("PUT", one, self._key, {"password": _PASSWORD})
        for _ in range(self._calls.get("GET", 0)):
            await self._send("GET", one, self._key)
        await self._write(f"sip/{self._name}{number}", {"username": "phone", "password": _PASSWORD})
        await self._write(f"state/{self._name}{number}", _STATE)

    async def _write(self, path: str, data: Mapping[str, Any]) -> None:
        await self._send("POST", f"{self._vault}/ceiling/{path}", self._token, {"data": data})

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> None:
        async with self._session.request(method, url, headers=headers, json=body) as answer:
            json.loads(await answer.read())


async def _each(work: Callable[[int], Awaitable[None]], numbers: Iterable[int], end: int) -> None:
    for number in numbers:
        if number >= end:
            return
        await work(number)


async def main() -> None:
    """Asks for all, then rotates all."""
    name, rotations, tasks = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        ceiling = Ceiling(name, json.loads(sys.argv[4]), session)
        for work in (ceiling.ask, ceiling.rotate):
            numbers = count()
            await asyncio.gather(*(_each(work, numbers, rotations) for _ in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main())
