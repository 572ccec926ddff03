"""The simulated Telnyx account in the demo and the sandbox."""

from collections.abc import Mapping
from typing import Any

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.telnyx import api, connections
from rotator_simulator.simulation import Addresses, SimulatedTarget, Simulation

_ACCOUNT, _KEY, _CONNECTION = "TELNYX", "TELNYX_API_KEY", "1494404757140276705"


def _settings(addresses: Addresses) -> Mapping[str, Any]:
    return {"base_url": f"{addresses.api}/v2", "api_key": {"env": _KEY}, **addresses.proving()}


def _telephony_settings(addresses: Addresses) -> Mapping[str, Any]:
    return {**_settings(addresses), "connection_id": _CONNECTION}


def _seed_connection(_: api.TelnyxApi, account: SimulatedAccount, username: str, password: Secret) -> None:
    account.create(connections.KIND, username, password, {"connection_name": "Head office"}, identity=_CONNECTION)


def _seed_telephony(_: api.TelnyxApi, account: SimulatedAccount, username: str, password: Secret) -> None:
    extra = {"connection_id": _CONNECTION, "name": "made by hand", "tag": None}
    account.create(api.KIND, username, password, extra)


SIMULATIONS = (
    Simulation(
        name="telnyx-trunk",
        type="telnyx-connection",
        api=api.TelnyxApi,
        account=_ACCOUNT,
        key_variable=_KEY,
        settings=_settings,
        seed=_seed_connection,
        targets=(SimulatedTarget("branch-office", Strategy.IN_PLACE, ("branchoffice",)),),
    ),
    Simulation(
        name="telnyx-phones",
        type="telnyx",
        api=api.TelnyxApi,
        account=_ACCOUNT,
        key_variable=_KEY,
        settings=_telephony_settings,
        seed=_seed_telephony,
        targets=(SimulatedTarget("home-office", Strategy.REPLACE, ("gencredHandmade",)),),
    ),
)
