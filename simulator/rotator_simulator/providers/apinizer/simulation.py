"""The simulated Apinizer project in the demo and the sandbox."""

from collections.abc import Mapping
from typing import Any

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.devices.api_client import ApiClient
from rotator_simulator.devices.device import Device, DeviceTiming, ReadPublished
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.simulation import Addresses, SimulatedTarget, Simulation

_PROJECT, _TOKEN = "Ordering", "APINIZER_TOKEN"


def _proxy_url(addresses: Addresses) -> str:
    return f"{addresses.api}/gateway/production/Orders"


def _settings(addresses: Addresses) -> Mapping[str, Any]:
    token, url = {"env": _TOKEN}, _proxy_url(addresses)
    return {"base_url": addresses.api, "project": _PROJECT, "access_token": token, "probe_url": url}


def _seed(api: ApinizerApi, account: SimulatedAccount, username: str, password: Secret) -> None:
    api.add(account.name, username, password, access=[("Orders", "API_PROXY")])


def _api_client(name: str, read: ReadPublished, addresses: Addresses, clock: Clock, timing: DeviceTiming) -> Device:
    return ApiClient(name, read, _proxy_url(addresses), clock, timing)


SIMULATIONS = (
    Simulation(
        name="apinizer",
        type="apinizer",
        api=ApinizerApi,
        account=_PROJECT,
        key_variable=_TOKEN,
        settings=_settings,
        seed=_seed,
        targets=(
            SimulatedTarget("web-shop", Strategy.REPLACE, ("webshop",)),
            SimulatedTarget("warehouse", Strategy.ALTERNATING, ("warehouse-a", "warehouse-b")),
            SimulatedTarget("partner", Strategy.IN_PLACE, ("partner",)),
        ),
        device=_api_client,
    ),
)
