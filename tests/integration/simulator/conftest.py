"""Fixtures of the simulator's tests: one account, the simulated Vobiz over it, the simulator on real sockets."""

from collections.abc import Iterator

import httpx
import pytest
from simulator_support import TOKEN, HandMovedClock, VobizClient

from rotator.core.secret import Secret
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer


@pytest.fixture
def clock() -> HandMovedClock:
    return HandMovedClock()


@pytest.fixture
def account(clock: HandMovedClock) -> SimulatedAccount:
    return SimulatedAccount("MA_DEMO", Secret(TOKEN), clock)


@pytest.fixture
def api(account: SimulatedAccount, clock: HandMovedClock) -> VobizApi:
    return VobizApi([account], clock)


@pytest.fixture
def simulator(api: VobizApi, clock: HandMovedClock) -> Iterator[SimulatorServer]:
    with SimulatorServer([api], clock) as running:
        yield running


@pytest.fixture
def vobiz(simulator: SimulatorServer) -> Iterator[VobizClient]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield VobizClient(simulator.http_url, client)
