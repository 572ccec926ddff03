"""The one table of providers. Adding a provider means one module and one row here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rotator.core.model import Capabilities, Strategy
from rotator.core.secret import Secret
from rotator.ports import Provider, Randomness
from rotator.providers.apinizer import api as apinizer_api
from rotator.providers.apinizer import credentials as apinizer
from rotator.providers.http.client import Http
from rotator.providers.telnyx import api as telnyx_api
from rotator.providers.telnyx import connections as telnyx_connection
from rotator.providers.telnyx import telephony as telnyx
from rotator.providers.vobiz import api as vobiz_api
from rotator.providers.vobiz import credentials as vobiz
from rotator.providers.vobiz import endpoints as vobiz_endpoint


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of provider account, as `type` in the configuration names it.

    `options` is the frozen dataclass of what its configuration holds beside the connection; its fields of type `Secret`
    are references there. The functions take an instance of it.
    """

    summary: str
    base_url: str | None  # where the API is unless the configuration says otherwise; None: it always has to
    options: type[Any]
    headers: Callable[[Any], Mapping[str, Secret]]  # the API key as it is sent
    capabilities: Callable[[Any], Capabilities]  # without connecting
    build: Callable[[Any, Http, Randomness], Provider]


def _plain(build: Callable[[Any, Http], Provider]) -> Callable[[Any, Http, Randomness], Provider]:
    """The builder of a provider that makes nothing up by itself."""
    return lambda options, http, _: build(options, http)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "vobiz": Kind(
            summary="Vobiz trunk credentials",
            base_url=vobiz_api.BASE_URL,
            options=vobiz_api.VobizOptions,
            headers=vobiz_api.headers,
            capabilities=vobiz.capabilities,
            build=_plain(vobiz.VobizCredentials),
        ),
        "vobiz-endpoint": Kind(
            summary="Vobiz Endpoint users",
            base_url=vobiz_api.BASE_URL,
            options=vobiz_api.VobizOptions,
            headers=vobiz_api.headers,
            capabilities=vobiz_endpoint.capabilities,
            build=_plain(vobiz_endpoint.VobizEndpoints),
        ),
        "telnyx": Kind(
            summary="Telnyx telephony credentials",
            base_url=telnyx_api.BASE_URL,
            options=telnyx_api.TelephonyOptions,
            headers=telnyx_api.headers,
            capabilities=telnyx.capabilities,
            build=_plain(telnyx.TelnyxTelephony),
        ),
        "telnyx-connection": Kind(
            summary="Telnyx credential connections",
            base_url=telnyx_api.BASE_URL,
            options=telnyx_api.TelnyxOptions,
            headers=telnyx_api.headers,
            capabilities=telnyx_connection.capabilities,
            build=_plain(telnyx_connection.TelnyxConnections),
        ),
        "apinizer": Kind(
            summary="Apinizer credentials",
            base_url=None,
            options=apinizer_api.ApinizerOptions,
            headers=apinizer_api.headers,
            capabilities=apinizer.capabilities,
            build=apinizer.ApinizerCredentials,
        ),
    }
)


def unsupported(strategy: Strategy, capabilities: Capabilities) -> str | None:
    """Why a kind of credential cannot be rotated by `strategy`, in words; None where it can."""
    lacking = [phrase for phrase, able in _NEEDS[strategy](capabilities) if not able]
    if not lacking:
        return None
    possible = [other.value for other in Strategy if all(able for _, able in _NEEDS[other](capabilities))]
    remedy = f"use {' or '.join(possible)}" if possible else "no strategy is possible"
    return f"strategy {strategy.value} needs a provider that {' and '.join(lacking)}, and this one does not; {remedy}"


_Need = tuple[str, bool]


def _of_replace(can: Capabilities) -> tuple[_Need, ...]:
    # A disable that cannot be undone will do: the plan and the status say so.
    return (
        ("creates credentials", can.creates),
        ("takes or makes a password on creating", can.chooses_password or can.generates_password),
        ("disables them", can.disables),
        ("deletes them", can.deletes),
        ("lists them", can.lists),
    )


def _of_alternating(can: Capabilities) -> tuple[_Need, ...]:
    return (
        ("takes the password that is chosen here", can.chooses_password),
        ("sets the password of an existing credential", can.sets_password),
        ("disables credentials", can.disables),
        ("enables them again", can.re_enables),
        ("lists them", can.lists),
    )


def _of_in_place(can: Capabilities) -> tuple[_Need, ...]:
    return (
        ("sets the password of an existing credential", can.sets_password),
        ("lists credentials", can.lists),
    )


_NEEDS: Mapping[Strategy, Callable[[Capabilities], tuple[_Need, ...]]] = MappingProxyType(
    {
        Strategy.REPLACE: _of_replace,
        Strategy.ALTERNATING: _of_alternating,
        Strategy.IN_PLACE: _of_in_place,
    }
)
