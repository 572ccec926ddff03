"""One row for each kind of credential: how the suite opens its simulator, and what the kind cannot do.

A further provider is one further row here. Every gap is listed with its reason; the suite derives the same list from
the kind's `Capabilities` and tries each one out, so that none can be forgotten, and none be claimed that works.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.providers.apinizer.api import ApinizerOptions
from rotator.providers.telnyx.api import TelephonyOptions, TelnyxOptions
from rotator.providers.vobiz.api import VobizOptions
from rotator_simulator.account import SimulatedAccount, SimulatedCredential
from rotator_simulator.providers.apinizer.api import KIND as APINIZER
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.providers.telnyx import api as telnyx_credentials
from rotator_simulator.providers.telnyx import connections as telnyx_connections
from rotator_simulator.providers.telnyx.api import TelnyxApi
from rotator_simulator.providers.vobiz import api as vobiz
from rotator_simulator.providers.vobiz import endpoints as vobiz_endpoints
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.simulated_api import SimulatedApi

if TYPE_CHECKING:
    from place import Place

CONNECTION = "1494404757140276705"
ORDERS = ("Orders", "API_PROXY")


def _create(place: "Place", username: str, password: Secret) -> None:
    place.account.create(place.row.word, username, password, dict(place.row.extra))


def _add_to_project(place: "Place", username: str, password: Secret) -> None:
    place.api.add(place.account.name, username, password, [ORDERS])


def _accepted_by_sip(place: "Place", username: str, password: Secret) -> bool:
    return place.account.accepts(username, password)


def _accepted_by_gateways(place: "Place", username: str, password: Secret) -> bool:
    return all(place.api.lets_in(where, username, password, "Orders") for where in ("production", "staging"))


@dataclass(frozen=True)
class Row:
    """One kind. The defaults are those of a SIP provider that names a credential by an id of its own."""

    kind: str  # as in `registry.KINDS`
    word: str  # the simulation's for such a credential
    account: str  # what the simulation calls the account
    simulate: Callable[[SimulatedAccount, Clock], SimulatedApi]
    options: Callable[["Place", Secret, bool], Any]  # of an account with this API key; True: it proves passwords
    path: str  # of the account, as it begins that of each request
    gaps: Mapping[str, str]  # what of `FEATURES` in the suite it cannot do, and why
    base: str = ""  # of the API, below the sandbox
    extra: Mapping[str, Any] = field(default_factory=dict)  # what the simulation keeps beside the common facts
    add: Callable[["Place", str, Secret], None] = _create  # puts a credential there, as somebody else would
    accepts: Callable[["Place", str, Secret], bool] = _accepted_by_sip  # who uses these is let in, everywhere
    identity: Callable[[SimulatedCredential], str] = lambda record: record.id  # the credential's id in our documents
    page: int | None = None  # the longest page of its listing; None: it is one piece
    in_use: Mapping[str, Any] | None = None  # the readings under which active calls hold a credential; None: none do
    shows_passwords: bool = False  # so that even a read-back tells a wrong one
    lingers: bool = False  # a gateway may keep what is deleted, and cannot be asked again to let go of it
    strategies: tuple[str, ...] = ("in-place",)  # that it can be rotated by


def _vobiz(place: "Place", key: Secret, proves: bool) -> VobizOptions:
    return VobizOptions(place.account.name, key, registrar=place.sandbox.sip_address if proves else None)


def _telephony(place: "Place", key: Secret, proves: bool) -> TelephonyOptions:
    registrar = place.sandbox.sip_address if proves else None
    return TelephonyOptions(api_key=key, registrar=registrar, connection_id=CONNECTION)


def _connection(place: "Place", key: Secret, proves: bool) -> TelnyxOptions:
    return TelnyxOptions(api_key=key, registrar=place.sandbox.sip_address if proves else None)


def _project(place: "Place", key: Secret, proves: bool) -> ApinizerOptions:
    url = f"{place.sandbox.http_url}/gateway/production/Orders"
    return ApinizerOptions(
        place.account.name, key, email="ops@example.com", full_name="Ops", probe_url=url if proves else None
    )


def _telnyx(account: SimulatedAccount, clock: Clock) -> TelnyxApi:
    account.create(
        telnyx_connections.KIND, "officetrunk", Secret("Tr5nk-before-us"), {"connection_name": "o"}, identity=CONNECTION
    )
    return TelnyxApi([account], clock)


def _username(record: SimulatedCredential) -> str:
    return record.username


_NO_END = "the provider has no date after which a credential ends by itself"
_NOT_BY_US = "it belongs to an application or to a route, which only its owner knows: it is neither made nor removed"
_NO_SWITCH = "the provider documents no way to switch off a single one"

ROWS = (
    Row(
        kind="vobiz",
        word=vobiz.KIND,
        account="MA_DEMO",
        simulate=lambda account, clock: VobizApi([account], clock),
        options=_vobiz,
        path="/api/v1/Account/MA_DEMO/",
        gaps={"generate": "username and password are always those that were chosen here", "expire": _NO_END},
        page=100,
        in_use={"delete_during_call": "conflict"},
        strategies=("replace", "alternating", "in-place"),
    ),
    Row(
        kind="vobiz-endpoint",
        word=vobiz_endpoints.KIND,
        account="MA_DEMO",
        simulate=lambda account, clock: VobizApi([account], clock),
        options=_vobiz,
        path="/api/v1/Account/MA_DEMO/",
        gaps={
            "create": _NOT_BY_US,
            "complete": _NOT_BY_US,
            "duplicate": _NOT_BY_US,
            "generate": _NOT_BY_US,
            "delete": _NOT_BY_US,
            "in use": _NOT_BY_US,
            "disable": _NO_SWITCH,
            "re-enable": _NO_SWITCH,
            "expire": _NO_END,
        },
        page=100,
    ),
    Row(
        kind="telnyx",
        word=telnyx_credentials.KIND,
        account="TELNYX",
        simulate=_telnyx,
        options=_telephony,
        path="/v2/",
        base="/v2",
        extra={"connection_id": CONNECTION, "name": "by hand", "tag": None},
        gaps={
            "set_password": "Telnyx makes the password itself, once and for all",
            "duplicate": "no create is ever a duplicate, since each makes another username; the attempt is in the name",
            "re-enable": "`expires_at` is terminal: an expired credential can only be deleted",
        },
        page=250,
        in_use={"delete_in_use": True},
        shows_passwords=True,
        strategies=("replace",),
    ),
    Row(
        kind="telnyx-connection",
        word=telnyx_connections.KIND,
        account="TELNYX",
        simulate=_telnyx,
        options=_connection,
        path="/v2/",
        base="/v2",
        extra={"connection_name": "by hand"},
        gaps={
            "create": _NOT_BY_US,
            "complete": _NOT_BY_US,
            "duplicate": _NOT_BY_US,
            "generate": _NOT_BY_US,
            "delete": _NOT_BY_US,
            "in use": _NOT_BY_US,
            "disable": "`active: false` takes down everything that uses the connection",
            "re-enable": "nothing is ever disabled",
            "expire": _NO_END,
        },
        page=250,
        shows_passwords=True,
    ),
    Row(
        kind="apinizer",
        word=APINIZER,
        account="Pay ments",
        simulate=lambda account, clock: ApinizerApi([account], clock),
        options=_project,
        path="/apiops/projects/Pay%20ments/",
        gaps={
            "generate": "username and password are always those that were chosen here",
            "expire": "setting `expireDate` needs the full update, which would set a password during the overlap",
            "pages": "the listing is one piece",
            "in use": "no call holds a credential",
        },
        add=_add_to_project,
        accepts=_accepted_by_gateways,
        identity=_username,
        lingers=True,
        strategies=("replace", "alternating", "in-place"),
    ),
)
"""Every kind, in the order of the registry."""
BY_KIND = {row.kind: row for row in ROWS}
