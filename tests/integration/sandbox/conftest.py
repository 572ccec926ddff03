"""Fixtures of the sandbox's tests: one account, the simulated Vobiz over it, the sandbox on real sockets."""

from collections.abc import Iterator

import httpx
import pytest
from sandbox_support import TOKEN, HandClock, Vobiz

from rotator.core.secret import Secret
from rotator_simulator.account import Account
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import Sandbox


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def account(clock: HandClock) -> Account:
    return Account("MA_DEMO", Secret(TOKEN), clock)


@pytest.fixture
def api(account: Account, clock: HandClock) -> VobizApi:
    return VobizApi([account], clock)


@pytest.fixture
def sandbox(api: VobizApi, clock: HandClock) -> Iterator[Sandbox]:
    with Sandbox([api], clock) as running:
        yield running


@pytest.fixture
def vobiz(sandbox: Sandbox) -> Iterator[Vobiz]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield Vobiz(sandbox.http_url, client)
