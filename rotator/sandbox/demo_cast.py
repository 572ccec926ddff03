"""Who appears in `rotator demo` and `rotator sandbox`: one row for each kind of provider account, its targets in it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.core.model import Strategy
from rotator.ports import Clock
from rotator.providers.sip import Address
from rotator.sandbox import vobiz, vobiz_endpoints
from rotator.sandbox.accounts import Account
from rotator.sandbox.api import SimulatedApi
from rotator.sandbox.vobiz import VobizApi
from rotator.settings.times import duration_text


@dataclass(frozen=True, slots=True)
class Role:
    """One target."""

    name: str
    strategy: Strategy
    usernames: tuple[str, ...]  # credentials that are there from the beginning, with passwords that nobody knows
    phones: int = 4  # simulated devices that use it
    emergency: bool = False  # the demo declares it compromised, which ends every overlap

    @property
    def overlaps(self) -> bool:
        """True where its phones are promised that old and new are both accepted for a while."""
        return self.strategy is not Strategy.IN_PLACE and not self.emergency

    @property
    def path(self) -> str:
        """Its consumer document, below the mount."""
        return f"sip/{self.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of provider account. A further provider is one further row in `ROWS`."""

    name: str  # the account's name in the configuration
    type: str  # its `type` there
    simulate: Callable[[Iterable[Account], Clock], SimulatedApi]
    login: str  # what the simulated provider calls the account; rows that share both share the account
    kind: str  # the simulated provider's word for such a credential
    variable: str  # the environment variable of its key
    keys: Callable[["Row", Address], Mapping[str, Any]]  # how the configuration names the account and its registrar
    roles: tuple[Role, ...]


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is."""

    vault: Mapping[str, Any]  # the section `vault` of the configuration
    api: str  # base URL of the simulated providers
    registrar: Address


def _vobiz_keys(row: Row, registrar: Address) -> Mapping[str, Any]:
    return {"auth_id": row.login, "auth_token": {"env": row.variable}, "registrar": str(registrar)}


_REPLACE, _ALTERNATING, _IN_PLACE = Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE

ROWS = (
    Row(
        name="vobiz-trunk",
        type="vobiz",
        simulate=VobizApi,
        login="MA_DEMO",
        kind=vobiz.KIND,
        variable="VOBIZ_AUTH_TOKEN",
        keys=_vobiz_keys,
        roles=(
            Role("office-phone", _REPLACE, ("officephone01",)),
            Role("contact-centre", _ALTERNATING, ("contactcentrea", "contactcentreb")),
            Role("meeting-room", _IN_PLACE, ("meetingroom",)),
            Role("lobby", _REPLACE, ("lobby01",), emergency=True),
        ),
    ),
    Row(
        name="vobiz-phones",
        type="vobiz-endpoint",
        simulate=VobizApi,
        login="MA_DEMO",
        kind=vobiz_endpoints.KIND,
        variable="VOBIZ_AUTH_TOKEN",
        keys=_vobiz_keys,
        roles=(Role("door-phone", _IN_PLACE, ("doorphone",)),),
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
        **row.keys(row, place.registrar),
        "base_url": place.api,
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
