"""Helpers of the simulator's tests: clocks, polling, a plain HTTP client."""

import threading
import time
from datetime import UTC, datetime, timedelta

import httpx

TOKEN = "simulator-token-1"
GOOD = "Vbz!2025$SecureP"


class WallClock:
    """The real clock, for tests that wait for real sockets."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds)


class HandMovedClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class VobizClient:
    """A plain client with the account's headers."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.base = f"{url}/api/v1/Account/MA_DEMO"
        self.url = url
        self.client = client
        self.headers = {"X-Auth-ID": "MA_DEMO", "X-Auth-Token": TOKEN}

    def __call__(self, method: str, path: str, **rest) -> httpx.Response:
        return self.client.request(method, f"{self.base}/{path}", headers=self.headers, **rest)

    def create(self, username: str = "officephone01", password: str = GOOD) -> str:
        answer = self("POST", "credentials", json={"username": username, "password": password})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["id"]
