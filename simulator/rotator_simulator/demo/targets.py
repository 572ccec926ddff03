"""Who appears in `rotator demo` and `rotator sandbox`: one row for each kind of provider account, its targets in it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.fields.times import duration_text
from rotator.ports import Clock
from rotator_simulator.account import Account
from rotator_simulator.clients.api_client import ApiClient
from rotator_simulator.clients.sip_device import Consumer, Device, Habits, Read
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.providers.telnyx import api as telnyx
from rotator_simulator.providers.telnyx import connections as telnyx_connections
from rotator_simulator.providers.telnyx.api import TelnyxApi
from rotator_simulator.providers.vobiz import api as vobiz
from rotator_simulator.providers.vobiz import endpoints as vobiz_endpoints
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.simulated_api import SimulatedApi


@dataclass(frozen=True, slots=True)
class Role:
    """One target."""

    name: str
    strategy: Strategy
    usernames: tuple[str, ...]  # credentials that are there from the beginning, with passwords that nobody knows
    devices: int = 2  # simulated phones or API clients that use it
    emergency: bool = False  # the demo declares it compromised, which ends every overlap

    @property
    def overlaps(self) -> bool:
        """True where its devices are promised that old and new are both accepted for a while."""
        return self.strategy is not Strategy.IN_PLACE and not self.emergency

    @property
    def path(self) -> str:
        """Its consumer document, below the mount."""
        return f"sip/{self.name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    vault: Mapping[str, Any]  # the section `vault` of the configuration
    api: str  # base URL of the simulated providers
    registrar: HostPort


Seed = Callable[[SimulatedApi, Account, str, Secret], None]
"""Puts a credential into an account, as its owner did before there was rotator."""
Plug = Callable[[str, Read, Place, Clock, Habits], Consumer]
"""Makes a device of this name that reads its credential so."""


def _phone(name: str, read: Read, place: Place, clock: Clock, habits: Habits) -> Consumer:
    return Device(name, read, place.registrar, clock, habits)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of provider account. A further provider is one further row in `ROWS`."""

    name: str  # the account's name in the configuration
    type: str  # its `type` there
    simulate: Callable[[Iterable[Account], Clock], SimulatedApi]
    login: str  # what the simulated provider calls the account; rows that share both share the account
    seed: Seed
    variable: str  # the environment variable of its key
    keys: Callable[["Row", Place], Mapping[str, Any]]  # how the configuration names the account, its API and its proof
    roles: tuple[Role, ...]
    plug: Plug = _phone


_POLICY = ("every", "overlap", "quarantine")


@dataclass(frozen=True, slots=True)
class Pace:
    """The policy of all targets, in whole seconds."""

    every: int
    overlap: int
    quarantine: int
    propagation: int = 2  # for so long after a change the provider may still answer from the old state

    def policy(self) -> Mapping[str, str]:
        """As the configuration says it."""
        return {name: duration_text(timedelta(seconds=getattr(self, name))) for name in _POLICY}


def _vobiz(row: Row, place: Place) -> Mapping[str, Any]:
    token = {"env": row.variable}
    return {"base_url": place.api, "auth_id": row.login, "auth_token": token, "registrar": str(place.registrar)}


def _telnyx(row: Row, place: Place) -> Mapping[str, Any]:
    return {"base_url": f"{place.api}/v2", "api_key": {"env": row.variable}, "registrar": str(place.registrar)}


def _telephony(row: Row, place: Place) -> Mapping[str, Any]:
    return {**_telnyx(row, place), "connection_id": _CONNECTION}


def _apinizer(row: Row, place: Place) -> Mapping[str, Any]:
    token = {"env": row.variable}
    return {"base_url": place.api, "project": row.login, "access_token": token, "probe_url": _orders(place)}


def _orders(place: Place) -> str:
    """An API behind the simulated gateway."""
    return f"{place.api}/gateway/production/Orders"


def _client(name: str, read: Read, place: Place, clock: Clock, habits: Habits) -> Consumer:
    return ApiClient(name, read, _orders(place), clock, habits)


def _seed_trunk(_: SimulatedApi, account: Account, username: str, password: Secret) -> None:
    account.create(vobiz.KIND, username, password)


def _seed_endpoint(_: SimulatedApi, account: Account, username: str, password: Secret) -> None:
    account.create(vobiz_endpoints.KIND, username, password)


def _seed_connection(_: SimulatedApi, account: Account, username: str, password: Secret) -> None:
    name = {"connection_name": "Head office"}
    account.create(telnyx_connections.KIND, username, password, name, identity=_CONNECTION)


def _seed_telephony(_: SimulatedApi, account: Account, username: str, password: Secret) -> None:
    extra = {"connection_id": _CONNECTION, "name": "made by hand", "tag": None}
    account.create(telnyx.KIND, username, password, extra)


def _seed_client(api: SimulatedApi, account: Account, username: str, password: Secret) -> None:
    assert isinstance(api, ApinizerApi)  # noqa: S101  # the row says so
    api.add(account.name, username, password, access=[("Orders", "API_PROXY")])


_REPLACE, _ALTERNATING, _IN_PLACE = Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE
_CONNECTION = "1494404757140276705"

ROWS = (
    Row(
        name="vobiz-trunk",
        type="vobiz",
        simulate=VobizApi,
        login="MA_DEMO",
        seed=_seed_trunk,
        variable="VOBIZ_AUTH_TOKEN",
        keys=_vobiz,
        roles=(
            Role("office-phone", _REPLACE, ("officephone01",), devices=4),
            Role("contact-centre", _ALTERNATING, ("contactcentrea", "contactcentreb"), devices=4),
            Role("meeting-room", _IN_PLACE, ("meetingroom",)),
            Role("lobby", _REPLACE, ("lobby01",), emergency=True),
        ),
    ),
    Row(
        name="vobiz-phones",
        type="vobiz-endpoint",
        simulate=VobizApi,
        login="MA_DEMO",
        seed=_seed_endpoint,
        variable="VOBIZ_AUTH_TOKEN",
        keys=_vobiz,
        roles=(Role("door-phone", _IN_PLACE, ("doorphone",)),),
    ),
    Row(
        name="telnyx-trunk",
        type="telnyx-connection",
        simulate=TelnyxApi,
        login="TELNYX",
        seed=_seed_connection,
        variable="TELNYX_API_KEY",
        keys=_telnyx,
        roles=(Role("branch-office", _IN_PLACE, ("branchoffice",)),),
    ),
    Row(
        name="telnyx-phones",
        type="telnyx",
        simulate=TelnyxApi,
        login="TELNYX",
        seed=_seed_telephony,
        variable="TELNYX_API_KEY",
        keys=_telephony,
        roles=(Role("home-office", _REPLACE, ("gencredHandmade",)),),
    ),
    Row(
        name="apinizer",
        type="apinizer",
        simulate=ApinizerApi,
        login="Ordering",
        seed=_seed_client,
        variable="APINIZER_TOKEN",
        keys=_apinizer,
        roles=(
            Role("web-shop", _REPLACE, ("webshop",)),
            Role("warehouse", _ALTERNATING, ("warehouse-a", "warehouse-b")),
            Role("partner", _IN_PLACE, ("partner",)),
        ),
        plug=_client,
    ),
)
"""The simulated providers and what is rotated there."""


def roles(rows: Iterable[Row] = ROWS) -> tuple[Role, ...]:
    """Every target."""
    return tuple(role for row in rows for role in row.roles)


def configuration(place: Place, pace: Pace, rows: Iterable[Row] = ROWS) -> dict[str, Any]:
    """The sections `vault`, `providers`, `policies` and `targets` of a configuration for these rows."""
    rows = tuple(rows)
    return {
        "vault": dict(place.vault),
        "providers": {row.name: _account(row, place, pace) for row in rows},
        "policies": {"default": dict(pace.policy())},
        "targets": [_target(row, role) for row in rows for role in row.roles],
    }


def _account(row: Row, place: Place, pace: Pace) -> dict[str, Any]:
    return {
        "type": row.type,
        **row.keys(row, place),
        "rate_limit": "50/s",
        "propagation": f"{pace.propagation}s",
    }


def _target(row: Row, role: Role) -> dict[str, Any]:
    names = {"usernames": list(role.usernames)} if len(role.usernames) > 1 else {"username": role.usernames[0]}
    return {
        "name": role.name,
        "provider": row.name,
        "strategy": role.strategy.value,
        "credential": names,
        "path": role.path,
    }
