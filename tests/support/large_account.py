"""A large account that many workers rotate at once, by the real adapter and connection: counts what arrives there."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, Self

import httpx
from flask import Flask
from matched_route import MatchedRoute
from provider_fixtures import account_options

from rotator.core.answers import Done
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.providers.http.client import Http
from rotator.providers.registry import KINDS
from rotator.testing import FakeRandomness, NullMeter
from rotator_simulator.account import ListingOrder, SimulatedAccount
from rotator_simulator.providers.vobiz.api import KIND, VobizApi

TOKEN = Secret("fleet-token-Kx93mm")
OLD, NEW = Secret("0ld$Passw0rd"), Secret("New$Passw0rd")
WORKERS = 32


@dataclass
class LargeAccount:
    """An account of so many credentials, and a provider for it."""

    size: int
    single_get: bool = False
    order: ListingOrder = "oldest"
    before_each_page: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        clock = SystemClock(Event())
        self.account = SimulatedAccount("MA_FLEET", TOKEN, clock)
        self.account._credentials = {}
        for number in range(self.size):
            self._seed(number)
        api = VobizApi([self.account], clock)
        api.read_as(single_get=self.single_get, order=self.order)
        application = Flask("fleet", static_folder=None)
        application.url_rule_class = MatchedRoute
        application.register_blueprint(api.blueprint())
        self.requests: Counter[str] = Counter()
        inner = httpx.WSGITransport(app=application)
        large = self

        class Counting(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                listed = request.url.path.endswith("/trunks/credentials")
                large.requests["list" if listed else request.method] += 1
                if listed:
                    large.before_each_page()
                return inner.handle_request(request)

        options = account_options("vobiz", TOKEN, base_url="http://127.0.0.1:1", auth_id="MA_FLEET")
        self._http = Http(replace(options.http("prod"), rate_limit=None), clock, NullMeter(), Counting())
        self.provider = KINDS["vobiz"](options, self._http, FakeRandomness())
        return self

    def _seed(self, number: int) -> None:
        """As `SimulatedAccount.create`, which looks through all of them for the username."""
        like = self.account._credentials.get("id-0") or self.account.create(KIND, "phone0", OLD, identity="id-0")
        identity = f"id-{number}"
        self.account._credentials[identity] = replace(like, id=identity, username=f"phone{number}")

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def credential(self, number: int) -> Credential:
        return Credential("prod", f"phone{number}", f"id-{number}", OLD)

    def each(self, rotate: Any, numbers: range) -> list[Any]:
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(rotate, numbers))

    def adopted(self, number: int) -> Credential:
        """By the username alone, as at the first rotation."""
        found = self.provider.find(Credential("prod", f"phone{number}"))
        assert isinstance(found, Done), found
        assert [one.username for one in found.value] == [f"phone{number}"]
        return replace(found.value[0], password=OLD)

    def in_place(self, number: int) -> Any:
        return self.provider.set_password(replace(self.adopted(number), password=NEW))

    def replaced(self, number: int) -> Any:
        """The whole life, proved by a read-back: look-up, create, proof, disable, delete."""
        old = self.adopted(number)
        made = self.provider.create(Credential("prod", f"fresh{number}", password=NEW), f"target-{number}")
        assert isinstance(made, Done), made
        answers = [self.provider.prove(made.value), self.provider.disable(old), self.provider.delete(old)]
        assert all(isinstance(one, Done) for one in answers), answers
        return made


def _rotations(large: LargeAccount) -> range:
    return range(0, large.size, max(large.size // 300, 1))


def requests_of_a_rotation(size: int, life: str, single_get: bool) -> float:
    """Returns the requests of one rotation, on average over some 300 in an account of `size`.

    `life`: the name of a method of `LargeAccount`.
    """
    with LargeAccount(size, single_get) as large:
        numbers = _rotations(large)
        answers = large.each(getattr(large, life), numbers)
        assert all(isinstance(one, Done) for one in answers)
        return large.requests.total() / len(numbers)
