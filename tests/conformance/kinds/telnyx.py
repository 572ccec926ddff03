"""Telnyx: telephony credentials and credential connections."""

from kind_description import API_KEY, NO_END, NOT_BY_US, KindDescription

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.telnyx import api as telnyx_credentials
from rotator_simulator.providers.telnyx import connections as telnyx_connections
from rotator_simulator.providers.telnyx.api import TelnyxApi

CONNECTION = "1494404757140276705"


def _telnyx(account: SimulatedAccount, clock: Clock) -> TelnyxApi:
    account.create(
        telnyx_connections.KIND, "officetrunk", Secret("Tr5nk-before-us"), {"connection_name": "o"}, identity=CONNECTION
    )
    return TelnyxApi([account], clock)


DESCRIPTIONS = (
    KindDescription(
        kind="telnyx",
        record_kind=telnyx_credentials.KIND,
        account="TELNYX",
        simulate=_telnyx,
        options={"api_key": API_KEY, "connection_id": CONNECTION, "registrar": "off"},
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
    KindDescription(
        kind="telnyx-connection",
        record_kind=telnyx_connections.KIND,
        account="TELNYX",
        simulate=_telnyx,
        options={"api_key": API_KEY, "registrar": "off"},
        path="/v2/",
        base="/v2",
        extra={"connection_name": "by hand"},
        gaps={
            "create": NOT_BY_US,
            "complete": NOT_BY_US,
            "duplicate": NOT_BY_US,
            "generate": NOT_BY_US,
            "delete": NOT_BY_US,
            "in use": NOT_BY_US,
            "disable": "`active: false` takes down everything that uses the connection",
            "re-enable": "nothing is ever disabled",
            "expire": NO_END,
        },
        page=250,
        shows_passwords=True,
    ),
)
