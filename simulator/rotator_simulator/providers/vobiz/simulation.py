"""The simulated Vobiz account in the demo and the sandbox."""

from collections.abc import Mapping
from typing import Any

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz import api, endpoints
from rotator_simulator.simulation import Addresses, SimulatedTarget, Simulation

_ACCOUNT, _TOKEN = "MA_DEMO", "VOBIZ_AUTH_TOKEN"


def _settings(addresses: Addresses) -> Mapping[str, Any]:
    token = {"env": _TOKEN}
    return {"base_url": addresses.api, "auth_id": _ACCOUNT, "auth_token": token, **addresses.proving()}


def _seed_credential(_: api.VobizApi, account: SimulatedAccount, username: str, password: Secret) -> None:
    account.create(api.KIND, username, password)


def _seed_endpoint(_: api.VobizApi, account: SimulatedAccount, username: str, password: Secret) -> None:
    account.create(endpoints.KIND, username, password)


SIMULATIONS = (
    Simulation(
        name="vobiz-trunk",
        type="vobiz",
        api=api.VobizApi,
        account=_ACCOUNT,
        key_variable=_TOKEN,
        settings=_settings,
        seed=_seed_credential,
        targets=(
            SimulatedTarget("office-phone", Strategy.REPLACE, ("officephone01",), devices=4),
            SimulatedTarget("contact-centre", Strategy.ALTERNATING, ("contactcentrea", "contactcentreb"), devices=4),
            SimulatedTarget("meeting-room", Strategy.IN_PLACE, ("meetingroom",)),
            SimulatedTarget("lobby", Strategy.REPLACE, ("lobby01",), emergency=True),
            SimulatedTarget("reception", Strategy.REPLACE, ("reception01",), late=True),
        ),
    ),
    Simulation(
        name="vobiz-phones",
        type="vobiz-endpoint",
        api=api.VobizApi,
        account=_ACCOUNT,
        key_variable=_TOKEN,
        settings=_settings,
        seed=_seed_endpoint,
        targets=(SimulatedTarget("door-phone", Strategy.IN_PLACE, ("doorphone",)),),
    ),
)
